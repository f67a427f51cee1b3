"""Jitter buffer: superframes in whenever they come, one frame out each time one is due.

Knows positions and times, nothing of codes, links or sound; the clock is passed in.
A frame's position counts code frames since the stream's sequence number 0.
"""

import math
from collections import deque
from collections.abc import Sequence
from heapq import nsmallest
from itertools import accumulate
from typing import Generic, Protocol, TypeVar

Frame = TypeVar("Frame")

SERIAL_MARGIN_S = 0.04
"""What a serial line may be late: USB adapters collect bytes for 16 ms, schedulers the rest."""
STALL_S = 1.0
"""After this long without a frame playing stops, until the next one."""
CAPACITY_S = 3.0
"""A superframe further from the playing position than this starts playing anew."""
ARRIVALS_REMEMBERED = 128
"""The earliest of these is the reference; older ones would mix in clock drift."""
SKIP_BEYOND_S = 0.06
"""Playing later than it should by more than this, a stream skips a frame now and then."""
SKIP_INTERVAL_S = 1.0
"""At most one frame is skipped per interval: each one is heard."""


class Delay(Protocol):
    """How long to hold frames back, counted from the earliest arrival."""

    delay_s: float

    def observe(self, lateness_s: float) -> None:
        """Note a superframe that came this much after the earliest possible time."""

    def widen(self, by_s: float) -> None:
        """Note a superframe of which this much came too late to be played."""


class FixedDelay:
    """A line whose timing is known does not need to learn it."""

    def __init__(self, delay_s: float) -> None:
        self.delay_s = delay_s

    def observe(self, lateness_s: float) -> None:
        """Nothing to learn."""

    def widen(self, by_s: float) -> None:
        """Nothing to learn."""


def serial_delay(superframe_s: float, airtime_s: float, repeated_s: float = 0.0) -> FixedDelay:
    """Play a superframe one superframe and 40 ms after its transmission began.

    Args:
        superframe_s: audio in one packet.
        airtime_s: what the line needs for one packet; that much has passed when it arrives.
        repeated_s: how much later a lost superframe is repeated; it is waited for.
    """
    return FixedDelay(max(superframe_s - airtime_s, 0.0) + SERIAL_MARGIN_S + repeated_s)


class AdaptiveDelay:
    """The 95th percentile of recent lateness, and for a while more after a miss.

    Source: the forgetting histogram of WebRTC's NetEQ (delay_manager), with its factor.
    """

    _BIN_S = 0.01
    _BINS = 100
    _FORGETTING = 0.9993
    _QUANTILE = 0.95
    _BONUS_FORGETTING = 0.98
    """A miss is forgiven within some fifty packets."""

    def __init__(self, superframe_s: float) -> None:
        self._superframe_s = superframe_s
        self._weights = [0.0] * self._BINS
        self._bonus_s = 0.0
        self._least_s = 0.0
        self.delay_s = SERIAL_MARGIN_S

    @property
    def least_s(self) -> float:
        """Lateness that is always waited for: how much later lost superframes are repeated."""
        return self._least_s

    @least_s.setter
    def least_s(self, least_s: float) -> None:
        self._least_s = least_s
        self._update()

    def observe(self, lateness_s: float) -> None:
        """Learn from one arrival."""
        self._weights = [weight * self._FORGETTING for weight in self._weights]
        self._weights[min(int(lateness_s / self._BIN_S), self._BINS - 1)] += 1.0
        self._bonus_s *= self._BONUS_FORGETTING
        self._update()

    def widen(self, by_s: float) -> None:
        """Hold frames as much longer as was missing, and half as much again."""
        # A whole superframe would be safer, but the pause that makes it is as long as 0.24 s.
        self._bonus_s = min(self._bonus_s + 1.5 * by_s, self._superframe_s)

    def _update(self) -> None:
        self.delay_s = max(self._quantile_s(), self._least_s) + SERIAL_MARGIN_S + self._bonus_s

    def _quantile_s(self) -> float:
        wanted = self._QUANTILE * sum(self._weights)
        bins = next(
            n for n, reached in enumerate(accumulate(self._weights), 1) if reached >= wanted
        )
        return bins * self._BIN_S


class JitterBuffer(Generic[Frame]):
    """Plays the frames of one stream at an even pace; None where one is missing."""

    def __init__(self, frame_s: float, delay: Delay) -> None:
        self._frame_s = frame_s
        self._delay = delay
        self._frames: dict[int, Frame] = {}
        self._arrivals: deque[float] = deque(maxlen=ARRIVALS_REMEMBERED)
        self._position = 0
        self._due_s: float | None = None
        self._skipped_s = 0.0
        self._missing = 0
        self._is_ending = False
        self.late_frames = 0
        """Frames that came after their time."""

    @property
    def next_timeout_s(self) -> float | None:
        """When the next frame is due; None while nothing is playing."""
        return self._due_s

    @property
    def depth_s(self) -> float:
        """Audio held at present."""
        return len(self._frames) * self._frame_s

    def push(self, position: int, frames: Sequence[Frame], now_s: float) -> None:
        """Store the frames of one superframe, the first of them at `position`."""
        ahead_s = (position - self._position) * self._frame_s
        if self._due_s is None or abs(ahead_s) > CAPACITY_S:
            self._start(position, now_s)
        self._arrivals.append(now_s - position * self._frame_s)
        self._delay.observe(self._arrivals[-1] - min(self._arrivals))
        late = min(max(self._position - position, 0), len(frames))
        self._frames.update(enumerate(frames[late:], start=position + late))
        if late:
            self.late_frames += late
            self._delay.widen(late * self._frame_s)

    def pull(self, now_s: float) -> list[Frame | None]:
        """Return the frames due by `now_s`; None asks the decoder to conceal one."""
        played: list[Frame | None] = []
        while self._due_s is not None and self._due_s <= now_s:
            self._play_next(played, self._due_s)
        return played

    def finish(self) -> None:
        """No more frames will come: play what is held, then stop."""
        self._is_ending = True
        if not self._frames:
            self._due_s = None

    def _start(self, position: int, now_s: float) -> None:
        self._arrivals.clear()
        self._frames.clear()
        self._position, self._missing = position, 0
        self._due_s = self._skipped_s = now_s + self._delay.delay_s

    def _play_next(self, played: list[Frame | None], due_s: float) -> None:
        self._due_s = due_s + self._frame_s
        # One early arrival alone is no reason to hurry: the last superframe of a stream, filled
        # up with silence, is sent before its time.
        earliest_s, second_s = nsmallest(2, [*self._arrivals, math.inf])
        waited_s = due_s - self._position * self._frame_s - self._delay.delay_s
        if waited_s - earliest_s < -self._frame_s:
            played.append(None)
            return
        if waited_s - second_s > SKIP_BEYOND_S and due_s - self._skipped_s >= SKIP_INTERVAL_S:
            self._skipped_s = due_s
            self._frames.pop(self._position, None)
            self._position += 1
        frame = self._frames.pop(self._position, None)
        self._position += 1
        played.append(frame)
        self._note_gap(frame is None)

    def _note_gap(self, is_missing: bool) -> None:
        self._missing = self._missing + 1 if is_missing else 0
        is_over = self._is_ending and not self._frames
        if is_over or self._missing * self._frame_s >= STALL_S:
            self._due_s = None


class Passage(Generic[Frame]):
    """No buffer and no clock, for bytes that do not come in real time: plays what it has."""

    next_timeout_s = None
    depth_s = 0.0
    late_frames = 0

    def __init__(self, frame_s: float) -> None:
        self._gap_limit = int(STALL_S / frame_s)
        self._position: int | None = None
        self._ready: list[Frame | None] = []

    def push(self, position: int, frames: Sequence[Frame], now_s: float) -> None:
        """Store the frames of one superframe, behind a gap for those that are missing."""
        missing = 0 if self._position is None else position - self._position
        self._ready += [None] * min(missing, self._gap_limit)
        self._ready += frames
        self._position = position + len(frames)

    def pull(self, now_s: float) -> list[Frame | None]:
        """Return all frames there are."""
        played, self._ready = self._ready, []
        return played

    def finish(self) -> None:
        """Nothing is held back that could be played now."""
