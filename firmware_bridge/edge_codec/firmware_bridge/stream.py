"""One stream at the receiving end: superframes in any order in, complete and in order out.

Knows sequence numbers and superframes; no bytes, no packets. Numbers count up from the first
one heard. A missing superframe is waited for, then taken from a RED field or reported lost.
"""

from collections import deque

from edge_codec.firmware_bridge.events import (
    EndReason,
    EventQueue,
    FramesReceived,
    PacketsLost,
    StreamEnded,
)
from edge_codec.firmware_bridge.profile import StreamProfile
from edge_codec.firmware_bridge.stats import LinkStats
from edge_codec.firmware_bridge.voice import Superframe, Voice, lost_superframe

_DELIVERED_KEPT = 64
"""Superframes remembered as delivered, to tell duplicates from late ones."""
_STEP_BACK_LIMIT = 8
"""A HELLO further back than this was not delayed: the count went astray and starts anew."""


class Stream:
    """Order, gaps and the end of one stream; holds at most `hold_superframes + 1`."""

    def __init__(
        self,
        stream_tag: int,
        profile: StreamProfile,
        sequence: int,
        *,
        hold_superframes: int,
        events: EventQueue,
        stats: LinkStats,
    ) -> None:
        self.profile = profile
        self.nonce: bytes | None = None
        self.heard_s = 0.0
        self.give_up_s: float | None = None
        """When the gap that is waited for will be given up."""
        self.is_over = False
        self._tag = stream_tag
        self._next = sequence
        self._end: int | None = None
        self._lost_until = 0
        self._hold = hold_superframes
        self._events = events
        self._stats = stats
        self._held: dict[int, Superframe] = {}
        self._earlier: dict[int, Superframe] = {}
        self._delivered: deque[int] = deque(maxlen=_DELIVERED_KEPT)

    def on_hello(self, sequence: int) -> None:
        """Start to count anew if the sender is far behind our count."""
        if self._extend(sequence) < self._next - _STEP_BACK_LIMIT:
            self._stats.voice_late += len(self._held)
            self._next, self._lost_until = sequence, 0
            self._held.clear()
            self._earlier.clear()
            self._delivered.clear()

    def on_voice(self, sequence: int, voice: Voice, *, now_s: float) -> None:
        """Take a superframe: early, in time, late or for the second time."""
        number = self._extend(sequence)
        if number in self._held or number in self._delivered:
            self._stats.voice_duplicate += 1
        elif number < self._next:
            self._stats.voice_late += 1
        else:
            self._held[number] = voice.superframe
            if voice.earlier is not None and number - voice.distance >= self._next:
                self._earlier[number - voice.distance] = voice.earlier
            self.advance(now_s=now_s)

    def on_lost(self, sequence: int, *, now_s: float) -> None:
        """Learn that this superframe was sent and cannot be read."""
        self._lost_until = max(self._lost_until, self._extend(sequence) + 1)
        self.advance(now_s=now_s)

    def on_end(self, sequence: int, *, now_s: float) -> None:
        """Learn the number behind the last superframe."""
        self._end = self._extend(sequence)
        self.advance(now_s=now_s)

    def advance(self, *, now_s: float) -> None:
        """Deliver what is complete, and give up gaps that were waited for long enough."""
        while self._next < self._known_until():
            if self._next in self._held:
                self._deliver(self._held.pop(self._next))
                self._stats.voice_delivered += 1
                self._delivered.append(self._next - 1)
            elif self._is_waiting(now_s):
                return
            elif self._next in self._earlier:
                self._deliver(self._earlier[self._next])
                self._stats.voice_recovered += 1
            else:
                self._lose_gap()
        if self._end is not None:
            self._finish(EndReason.END)

    def close(self, reason: EndReason, *, now_s: float) -> None:
        """Wait for nothing more: deliver what is held, then end."""
        self._hold, self.give_up_s = 0, None
        self.advance(now_s=now_s)
        self._finish(reason)

    def _extend(self, sequence: int) -> int:
        """The number with these low 8 bits that lies nearest to the next one."""
        return self._next + (sequence - self._next + 128) % 256 - 128

    def _known_until(self) -> int:
        """The number behind the last superframe that is known to exist."""
        return max([self._end or 0, self._lost_until, *(number + 1 for number in self._held)])

    def _is_waiting(self, now_s: float) -> bool:
        if self._known_until() - 1 - self._next > self._hold:
            return False
        if self.give_up_s is None:
            self.give_up_s = now_s + self._hold * self.profile.superframe_s
        return now_s < self.give_up_s

    def _lose_gap(self) -> None:
        known = [*self._held, *self._earlier, self._known_until()]
        count = min(number for number in known if number > self._next) - self._next
        self._stats.voice_lost += count
        self._events.put(PacketsLost(self._tag, count))
        for _ in range(count):
            self._deliver(lost_superframe(self.profile))

    def _deliver(self, superframe: Superframe) -> None:
        self._events.put(
            FramesReceived(self._tag, self._next, superframe.codes_FK, superframe.valid_layers_F)
        )
        self._earlier.pop(self._next, None)
        self.give_up_s = None
        self._next += 1

    def _finish(self, reason: EndReason) -> None:
        if not self.is_over:
            self.is_over = True
            self._events.put(StreamEnded(self._tag, reason))
