"""Who may send when: the PTT state machine joined with a transmitter's key and the channel.

Knows neither the clock nor what is sent.
"""

import math
from typing import Protocol

from edge_codec.firmware_bridge import (
    DamageReason,
    Event,
    EventFeed,
    MessageReceived,
    PacketDamaged,
    StreamEnded,
)
from edge_codec.firmware_bridge.control import Stat, unpack_control
from edge_codec.firmware_bridge.keying import KeyEvent, Keying, KeyTimes
from edge_codec.runtime.meter import Report
from edge_codec.runtime.ports import Port
from edge_codec.runtime.transceiver.ptt import NoPtt, Ptt

HOLD_S = 1.0
"""A channel on which something was heard counts as busy for so long: two superframes."""


_SOMEBODY = (DamageReason.SECURED, DamageReason.PROFILE)
"""Damage that is none: packets of others that this board cannot read."""


class Channel(Protocol):
    """What else is on the air."""

    def is_busy(self, now_s: float) -> bool:
        """Listen; returns whether to keep off."""

    def ignore(self, now_s: float) -> None:
        """Do not listen: while this transmitter is on, nothing else can be heard."""


class Carrier:
    """Whether somebody else is on the channel, by what a receiver hears and a modem says."""

    def __init__(self, port: Port, receiver: EventFeed) -> None:
        """Hear nothing yet.

        Args:
            port: what arrives at it comes from the channel.
            receiver: fresh.
        """
        self._port = port
        self._receiver = receiver
        self._heard_s = -math.inf

    def is_busy(self, now_s: float) -> bool:
        """Listen; returns whether to keep off."""
        self._receiver.receive_data(self._port.read(), now_s=now_s)
        while (event := self._receiver.next_event()) is not None:
            self._note(event, now_s)
        return now_s - self._heard_s < HOLD_S

    def ignore(self, now_s: float) -> None:
        """Throw away what arrives."""
        self._port.read()

    def _note(self, event: Event, now_s: float) -> None:
        match event:
            case StreamEnded():
                self._heard_s = -math.inf
            case PacketDamaged(reason=reason) if reason not in _SOMEBODY:
                pass
            case MessageReceived(payload=payload):
                stat = unpack_control(payload)
                if isinstance(stat, Stat) and stat.is_busy:
                    self._heard_s = now_s
            case _:
                self._heard_s = now_s


class Unheard:
    """A channel that nobody listens to; unread, it would fill up and hold the TNC that hears it."""

    def __init__(self, port: Port) -> None:
        """Empty an open port."""
        self._port = port

    def is_busy(self, now_s: float) -> bool:
        """Throw away what arrives; nothing keeps us off."""
        self._port.read()
        return False

    def ignore(self, now_s: float) -> None:
        """Throw away what arrives."""
        self._port.read()


class Keyer:
    """One transmitter: says when packets may be written, and keys it."""

    def __init__(
        self,
        times: KeyTimes | None = None,
        ptt: Ptt | None = None,
        report: Report | None = None,
        channel: Channel | None = None,
    ) -> None:
        """Not keyed; without arguments packets may be written at once.

        Args:
            times: how the radio wants to be keyed.
            ptt: turns it on and off.
            report: where events go.
            channel: is listened to between transmissions, and tells whether it is in use.
        """
        self._times = times or KeyTimes()
        self._keying = Keying(self._times)
        self._ptt = ptt or NoPtt()
        self._report = report
        self._channel = channel
        self.has_timed_out = False
        """The time-out timer ended the transmission at present."""

    @property
    def is_keyed(self) -> bool:
        """The transmitter is on."""
        return self._keying.is_keyed

    @property
    def may_send(self) -> bool:
        """Packets may be written."""
        return self._keying.may_send

    def step(self, now_s: float, *, wants: bool, is_sent: bool) -> None:
        """Let time pass.

        Args:
            now_s: the clock.
            wants: somebody wants to speak.
            is_sent: the stream was announced, and all that is queued has left this machine.

        Raises:
            PortError: the transmitter cannot be keyed.
        """
        is_busy = self._listen(now_s)
        for event in self._keying.step(now_s, wants=wants, is_sent=is_sent, is_busy=is_busy):
            match event:
                case KeyEvent.KEY_DOWN:
                    self.has_timed_out = False
                    self._ptt.key(True)
                case KeyEvent.KEY_UP:
                    self._ptt.key(False)
                case KeyEvent.TIMED_OUT:
                    self.has_timed_out = True
            self._tell(event)

    def close(self) -> None:
        """Turn the transmitter off, whatever the state."""
        self._ptt.close()

    def _listen(self, now_s: float) -> bool:
        if self._channel is None:
            return False
        if self.is_keyed:
            self._channel.ignore(now_s)
            return False
        return self._channel.is_busy(now_s)

    def _tell(self, event: KeyEvent) -> None:
        messages = {
            KeyEvent.BUSY: "the channel is busy: waiting until it is free",
            KeyEvent.TIMED_OUT: f"keyed for {self._times.time_out_s:g} s: the time-out timer ends"
            " this transmission",
        }
        if self._report and event in messages:
            self._report.event(event, messages[event])
