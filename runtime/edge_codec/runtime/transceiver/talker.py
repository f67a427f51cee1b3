"""Whoever speaks: one transmission, or one for every talk spurt that VOX hears."""

from collections.abc import Callable

from edge_codec.runtime.errors import PortError
from edge_codec.runtime.meter import Report
from edge_codec.runtime.ports import Port
from edge_codec.runtime.transceiver.clock import Clock, StopSignal
from edge_codec.runtime.transceiver.keyer import Keyer
from edge_codec.runtime.transceiver.sender import Sender
from edge_codec.runtime.transceiver.sources import Source
from edge_codec.runtime.transceiver.transmission import TICK_S, Transmission
from edge_codec.runtime.transceiver.vox import VoxSource


class Talker:
    """Sends transmissions, each with a stream of its own."""

    def __init__(
        self,
        make_sender: Callable[[], Sender],
        port: Port,
        keyer: Keyer,
        report: Report,
        *,
        fast: bool = False,
    ) -> None:
        """Prepare the first transmission.

        Args:
            make_sender: gives a fresh sender.
            port: open.
            keyer: of a transmitter that is not keyed.
            report: where events and the meter go.
            fast: the port's pace counts, not the audio's.
        """
        self._make_sender = make_sender
        self._port = port
        self._keyer = keyer
        self._report = report
        self._fast = fast
        self._sender = make_sender()

    def talk(self, source: Source, clock: Clock, stop: StopSignal) -> None:
        """Send until the source ends or a stop is asked for.

        Raises:
            PortError: the port is gone, the radio cannot be keyed, or was keyed for too long.
            AudioError: the source failed.
        """
        self._transmit(source, clock, stop)
        if self._keyer.has_timed_out:
            raise PortError(
                "the time-out timer ended the transmission: let go between talk spurts (--vox), or"
                " give a longer --time-out-s"
            )

    def talk_by_voice(self, source: VoxSource, clock: Clock, stop: StopSignal) -> None:
        """Send each talk spurt until a stop is asked for, or the source behind ends.

        Raises:
            PortError: the port is gone, or the radio cannot be keyed.
            AudioError: the source failed.
        """
        while not (stop.received or source.is_exhausted):
            if source.wait(clock.now_s()):
                self._transmit(source, clock, stop)
                self._sender = self._make_sender()
            else:
                self._keyer.step(clock.now_s(), wants=False, is_sent=True)
                clock.wait([], TICK_S)

    def _transmit(self, source: Source, clock: Clock, stop: StopSignal) -> None:
        transmission = Transmission(
            source, self._sender, self._port, self._report, fast=self._fast, keyer=self._keyer
        )
        try:
            transmission.run(clock, stop)
        finally:
            transmission.summarize()
