"""`tx` at work: samples from a source, through a sender, to a port.

One loop, no threads; the clock and the wish to stop are passed in.
"""

import math
from dataclasses import asdict

import numpy as np

from edge_codec.runtime.errors import AudioError, PortError
from edge_codec.runtime.meter import Report, peak_rss_bytes
from edge_codec.runtime.pcm import FloatArray, LevelMeter
from edge_codec.runtime.ports import Port
from edge_codec.runtime.transceiver.clock import Clock, StopSignal
from edge_codec.runtime.transceiver.keyer import Keyer
from edge_codec.runtime.transceiver.sender import Sender
from edge_codec.runtime.transceiver.sources import Source

TICK_S = 0.01
"""The source is looked at this often."""
STUCK_S = 5.0
"""A port that takes nothing for this long will not recover by itself."""
SILENT_PEAK = 3e-4
"""Below this (-70 dBFS) a microphone is muted or not connected."""
SILENT_S = 5.0
"""Silence of this length is worth a word."""


class Transmission:
    """One talk spurt, from the first sample to END."""

    def __init__(
        self,
        source: Source,
        sender: Sender,
        port: Port,
        report: Report,
        *,
        fast: bool = False,
        keyer: Keyer | None = None,
    ) -> None:
        """Nothing is sent yet.

        Args:
            source: where samples come from.
            sender: fresh.
            port: open.
            report: where events and the meter go.
            fast: the port's pace counts, not the audio's.
            keyer: of a transmitter that is not keyed; None: the radio keys itself.
        """
        self._source = source
        self._sender = sender
        self._port = port
        self._report = report
        self._fast = fast
        self._keyer = keyer or Keyer()
        self._is_open = False
        self._level = LevelMeter()
        self._unwritten = b""
        self._stuck_from_s: float | None = None
        self._start_s = self._audible_s = math.inf
        self._has_hinted = False
        self._is_ending = False
        self._failure: AudioError | None = None
        self._sent_bytes = 0
        self._unsent_bytes = 0
        self._was_silenced = False

    def run(self, clock: Clock, stop: StopSignal) -> None:
        """Send until the source ends or a stop is asked for, then END.

        Raises:
            PortError: the port is gone, or takes nothing for `STUCK_S`.
            AudioError: the source failed; what it gave before is sent, and END.
        """
        self._start_s = self._audible_s = clock.now_s()
        while not self._is_over:
            now_s = clock.now_s()
            self._step_key(now_s, is_stopped=stop.received is not None)
            was_given = self._keyer.may_send and self._send(now_s, stop)
            self._show(now_s)
            clock.wait([], self._wait_s(now_s, at_once=self._fast and was_given))
        if self._failure:
            raise self._failure

    def summarize(self) -> None:
        """Report what was sent."""
        audio_s = self._sender.sent_s
        stats, airtime_s = self._sender.stats, self._sender.duty.total_s
        self._report.event(
            "sent",
            f"sent {audio_s:.1f} s in {self._sent_bytes} bytes; of {stats.voice_sent} packets"
            f" {stats.voice_cut} cut, {stats.voice_dropped} more dropped",
            audio_s=audio_s,
            airtime_s=round(airtime_s, 3),
            peak_rss_bytes=peak_rss_bytes(),
            **asdict(stats),
        )

    @property
    def _is_over(self) -> bool:
        """Whether END and all before it are on the air, and the transmitter is off."""
        return self._is_ending and not self._keyer.is_keyed

    def _step_key(self, now_s: float, *, is_stopped: bool) -> None:
        if is_stopped and not self._is_open:
            self._is_ending = True
        self._keyer.step(now_s, wants=not self._is_ending, is_sent=self._is_all_sent(now_s))
        if self._keyer.may_send and not self._is_open:
            self._is_open = True
            self._start_s = self._audible_s = now_s
            self._sender.open(now_s)

    def _is_all_sent(self, now_s: float) -> bool:
        """Whether all so far has left the machine; a line that is away matters in the end only."""
        if not (self._is_open and self._sender.is_idle) or self._unwritten:
            return False
        unsent_bytes = self._port.unsent_bytes() if self._is_ending else self._backlog_bytes()
        if unsent_bytes:
            self._check_stuck(now_s, is_moving=unsent_bytes < self._unsent_bytes)
        self._unsent_bytes = unsent_bytes
        return unsent_bytes == 0

    def _send(self, now_s: float, stop: StopSignal) -> bool:
        """Send what there is; returns whether the source gave any."""
        ends = stop.received is not None or self._keyer.has_timed_out
        was_given = self._take_samples(now_s, ends=ends)
        self._write_packets(now_s)
        return was_given

    def _take_samples(self, now_s: float, *, ends: bool) -> bool:
        """Send what the source gives; returns whether it gave any."""
        # Out of real time the line sets the pace: nothing new before all is sent.
        if self._is_ending or (self._fast and not self._sender.is_idle):
            return False
        samples_T = np.zeros(0, np.float32)
        try:
            samples_T = self._source.read(now_s)
            self._sender.push(samples_T, now_s)
            self._look_at(samples_T, now_s)
        except AudioError as error:
            self._failure = error
        if ends or self._source.is_finished or self._failure:
            self._is_ending = True
            self._sender.finish(now_s)
        return len(samples_T) > 0

    def _look_at(self, samples_T: FloatArray, now_s: float) -> None:
        """Measure the level; say so once if there is nothing to hear."""
        self._level.add(samples_T)
        if np.abs(samples_T).max(initial=0.0) >= SILENT_PEAK:
            self._audible_s = now_s
        elif now_s - self._audible_s > SILENT_S and not self._has_hinted:
            self._has_hinted = True
            self._report.event(
                "silent", f"the input has been silent for {SILENT_S:g} s: muted, or not connected?"
            )

    def _write_packets(self, now_s: float) -> None:
        while data := self._unwritten or self._take_packet(now_s):
            taken = self._port.write(data)
            self._unwritten = data[taken:]
            self._sent_bytes += taken
            if self._unwritten:
                self._check_stuck(now_s, is_moving=taken > 0)
                return
            self._stuck_from_s = None

    def _take_packet(self, now_s: float) -> bytes | None:
        """The next packet, unless the machine itself still holds one: there it would grow old."""
        unsent_bytes = self._backlog_bytes()
        if unsent_bytes > self._sender.voice_bytes // 4:
            self._check_stuck(now_s, is_moving=unsent_bytes < self._unsent_bytes)
            self._unsent_bytes = unsent_bytes
            return None
        self._note_silence(now_s)
        return self._sender.take_packet(now_s)

    def _backlog_bytes(self) -> int:
        """What the machine holds; nothing while the line is away, as what is written is lost."""
        try:
            return self._port.unsent_bytes()
        except PortError:
            return 0

    def _note_silence(self, now_s: float) -> None:
        """Tell when the duty cycle is used up, and when there is room again."""
        if self._sender.is_silenced == self._was_silenced:
            return
        self._was_silenced = self._sender.is_silenced
        message = "used up: silent until there is room" if self._was_silenced else "has room again"
        self._report.event("duty_cycle", f"the duty cycle {message}", used_up=self._was_silenced)

    def _check_stuck(self, now_s: float, *, is_moving: bool) -> None:
        if is_moving or self._stuck_from_s is None:
            self._stuck_from_s = now_s
        if now_s - self._stuck_from_s > STUCK_S:
            raise PortError(
                f"{self._port.name} took no byte for {STUCK_S:g} s: nothing reads at the other end,"
                " or flow control holds it; see docs/troubleshooting.md"
            )

    def _wait_s(self, now_s: float, *, at_once: bool) -> float:
        wait_s = self._sender.wait_s(now_s)
        if self._unwritten or wait_s is None:
            return 0.0 if at_once and not self._unwritten else TICK_S
        return min(wait_s, TICK_S)

    def _show(self, now_s: float) -> None:
        if self._report.is_due():
            queue_s, stats = self._sender.queue_s(now_s), self._sender.stats
            layers = self._sender.layers
            line_bps = 8 * self._sent_bytes / max(now_s - self._start_s, 1.0)
            level, self._level = self._level, LevelMeter()
            self._report.meter(
                level.dbfs,
                f"{line_bps:.0f} bit/s  queue {queue_s * 1000:.0f} ms  layers {layers}"
                f"  dropped {stats.voice_dropped}",
                sent_bytes=self._sent_bytes,
                line_bps=round(line_bps),
                queue_s=round(queue_s, 3),
                layers=layers,
                airtime_s=round(self._sender.duty.total_s, 3),
                voice_sent=stats.voice_sent,
                voice_cut=stats.voice_cut,
                voice_dropped=stats.voice_dropped,
                steps_down=stats.steps_down,
                steps_up=stats.steps_up,
            )
