"""The push-to-talk state machine of a half-duplex radio. No clock, no device.

    IDLE -> KEYING (transmitter settles) -> HELLO -> VOICE -> END -> TAIL (last bits) -> IDLE

The caller says what is wanted and what has been sent; the state says what may be done.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from edge_codec.firmware_bridge.errors import LocalLinkError

END_MAX_S = 5.0
"""An END that cannot be sent for so long does not keep the transmitter on."""


class KeyState(StrEnum):
    """Where a transmission stands."""

    IDLE = "idle"
    """Not transmitting; the receiver is heard."""
    KEYING = "keying"
    """Transmitter on, nothing sent: amplifier, tone squelch and repeater settle."""
    HELLO = "hello"
    """The stream is announced."""
    VOICE = "voice"
    """Voice may be sent."""
    END = "end"
    """No new voice; what is queued and END are sent."""
    TAIL = "tail"
    """All is handed over; the modem's own buffer still runs out."""


class KeyEvent(StrEnum):
    """What the caller must do or may want to tell."""

    KEY_DOWN = "key_down"
    """Turn the transmitter on."""
    KEY_UP = "key_up"
    """Turn it off."""
    BUSY = "busy"
    """The channel is in use: the key is locked until it is free."""
    TIMED_OUT = "timed_out"
    """Keyed for too long: the transmission ends, the key is locked until it is let go."""


@dataclass(frozen=True, kw_only=True, slots=True)
class KeyTimes:
    """How a radio wants to be keyed."""

    tx_delay_s: float = 0.0
    """From key down to the first byte."""
    tail_s: float = 0.0
    """From the last byte to key up."""
    time_out_s: float = 0.0
    """Longest transmission from key down to the last voice; 0: no limit."""
    has_busy_lockout: bool = False
    """Do not key while somebody else is on the channel."""

    def __post_init__(self) -> None:
        for name in ("tx_delay_s", "tail_s", "time_out_s"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise LocalLinkError(f"{name} must be 0 or more, got {getattr(self, name)}")


class Keying:
    """One transmitter's key."""

    def __init__(self, times: KeyTimes) -> None:
        """Not keyed."""
        self._times = times
        self._state = KeyState.IDLE
        self._since_s = 0.0
        self._down_s = 0.0
        self._is_locked = False
        self._has_told_busy = False

    @property
    def state(self) -> KeyState:
        """Where the transmission stands."""
        return self._state

    @property
    def is_keyed(self) -> bool:
        """The transmitter is on, so a half-duplex receiver hears nothing but it: mute it."""
        return self._state is not KeyState.IDLE

    @property
    def may_send(self) -> bool:
        """Packets may be handed to the modem."""
        return self._state in (KeyState.HELLO, KeyState.VOICE, KeyState.END)

    def step(
        self, now_s: float, *, wants: bool, is_sent: bool = True, is_busy: bool = False
    ) -> Iterator[KeyEvent]:
        """Let time pass; consume the iterator before anything is sent.

        Args:
            now_s: the clock.
            wants: somebody holds the key.
            is_sent: HELLO was sent, and so was all that is queued.
            is_busy: somebody else is on the channel.
        """
        self._is_locked = self._is_locked and wants
        self._has_told_busy = self._has_told_busy and wants
        while True:
            before = self._state
            yield from self._advance(now_s, wants=wants, is_sent=is_sent, is_busy=is_busy)
            # What END waits for is queued only after the caller has seen it.
            if self._state in (before, KeyState.END):
                return

    def _advance(
        self, now_s: float, *, wants: bool, is_sent: bool, is_busy: bool
    ) -> Iterator[KeyEvent]:
        elapsed_s = now_s - self._since_s
        match self._state:
            case KeyState.IDLE if wants and not self._is_locked:
                yield from self._press(now_s, is_busy=is_busy)
            case KeyState.KEYING if elapsed_s >= self._times.tx_delay_s:
                self._enter(KeyState.HELLO, now_s)
            case KeyState.HELLO | KeyState.VOICE if self._is_too_long(now_s):
                self._is_locked = wants
                self._enter(KeyState.END, now_s)
                yield KeyEvent.TIMED_OUT
            case KeyState.HELLO if is_sent:
                self._enter(KeyState.VOICE, now_s)
            case KeyState.VOICE if not wants:
                self._enter(KeyState.END, now_s)
            case KeyState.END if is_sent or elapsed_s >= END_MAX_S:
                self._enter(KeyState.TAIL, now_s)
            case KeyState.TAIL if elapsed_s >= self._times.tail_s:
                self._enter(KeyState.IDLE, now_s)
                yield KeyEvent.KEY_UP

    def _press(self, now_s: float, *, is_busy: bool) -> Iterator[KeyEvent]:
        if not (self._times.has_busy_lockout and is_busy):
            self._down_s = now_s
            self._enter(KeyState.KEYING, now_s)
            yield KeyEvent.KEY_DOWN
        elif not self._has_told_busy:
            self._has_told_busy = True
            yield KeyEvent.BUSY

    def _is_too_long(self, now_s: float) -> bool:
        return 0 < self._times.time_out_s <= now_s - self._down_s

    def _enter(self, state: KeyState, now_s: float) -> None:
        self._state, self._since_s = state, now_s
