"""Where frames of a few known lengths begin in a noisy byte pipe.

Knows the sync marker and the lengths, not what is in a frame: the caller judges each body. While
searching, a marker may have three wrong bits, and each length is tried behind it. Once locked, the
next marker of that length is looked for around its place, which follows lost and doubled bytes,
and else taken for granted. The buffer holds at most one frame, the search window and one piece.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from heapq import heappop, heappush

import numpy as np
import numpy.typing as npt

from edge_codec.firmware_bridge.raw_format import SYNC_MARKER

MAX_PIECE_BYTES = 256
"""Longest piece `receive` takes at once."""
WINDOW_BYTES = 4
"""How far from its place a marker is looked for while locked."""

_SEARCH_ERRORS = 3
_LOCKED_ERRORS = 6
_MOVE_PENALTY = 2
"""Wrong bits that a marker out of place must have less than the one in place."""
_MAX_CANDIDATES = 256
"""Frames that may be open at once while searching; hostile bytes are full of markers."""
_SLIP_PLACES = 5
"""Places a slip is guessed at: 10 % of a frame from the true one spoils 5 % of its bits."""
_WEIGHTS = np.array([byte.bit_count() for byte in range(256)])
_MARKER = np.frombuffer(SYNC_MARKER, np.uint8)


@dataclass(frozen=True, order=True, slots=True)
class _Candidate:
    """A frame as it would be if it began at this marker and had this length."""

    end: int
    place: int
    marker_errors: int = 0


class Synchronizer:
    """Bytes in, bodies of frames out; every body must be judged before the next one.

    Places count bytes from the first one received.
    """

    def __init__(self, *lengths: int) -> None:
        """Look for frames of these lengths, marker included."""
        self._lengths = lengths
        self._buffer = bytearray()
        self._origin = 0
        """Place of the first byte in the buffer."""
        self._searched = 0
        """Places before this one were searched for markers."""
        self._candidates: list[_Candidate] = []
        """Heap of those found and not yet judged, the earliest end first."""
        self._frame = _Candidate(0, 0)
        """The frame that was given out last, or is looked for while locked."""
        self._locked_bytes = 0
        """Length of the frames that are followed; 0 while searching."""

    @property
    def is_locked(self) -> bool:
        """Whether the place of the next frame is known."""
        return self._locked_bytes > 0

    def receive(self, piece: bytes) -> None:
        """Take at most `MAX_PIECE_BYTES`; then call `next_body` until it gives None."""
        self._buffer += piece

    def next_body(self) -> bytes | None:
        """The body of the frame that is complete first; None: need more data."""
        frame = self._follow() if self.is_locked else self._search()
        if frame is None or frame.end > self._available:
            self._forget()
            return None
        if not self.is_locked:
            heappop(self._candidates)
        self._frame = frame
        start = frame.place - self._origin
        return bytes(self._buffer[start + len(SYNC_MARKER) : frame.end - self._origin])

    def judge(self, *, is_good: bool) -> None:
        """Say whether the last body was one: that locks; a bad one with a bad marker unlocks."""
        frame = self._frame
        if is_good or (self.is_locked and frame.marker_errors <= _SEARCH_ERRORS):
            self._locked_bytes = frame.end - frame.place
            self._searched = frame.end
        elif self.is_locked:
            self._locked_bytes = 0
            self._searched = frame.place + 1
        else:
            return
        self._candidates.clear()

    def unlock(self) -> None:
        """Search again from the next byte: the sender is done."""
        self._locked_bytes = 0

    @property
    def _available(self) -> int:
        """Place behind the last byte received."""
        return self._origin + len(self._buffer)

    def _follow(self) -> _Candidate | None:
        """The next frame while locked, once all of its search window is there."""
        expected = self._searched
        first, last = max(self._origin, expected - WINDOW_BYTES), expected + WINDOW_BYTES
        if self._available < last + len(SYNC_MARKER):
            return None
        errors = self._marker_errors(first, last + 1)
        costs = errors + _MOVE_PENALTY * (np.arange(first, last + 1) != expected)
        best = int(costs.argmin())
        place = first + best if errors[best] <= _LOCKED_ERRORS else expected
        return _Candidate(place + self._locked_bytes, place, int(errors[place - first]))

    def _search(self) -> _Candidate | None:
        """The frame that ends first, behind any marker seen so far."""
        stop = self._available - len(SYNC_MARKER) + 1
        if stop > self._searched:
            errors = self._marker_errors(self._searched, stop)
            for offset in np.flatnonzero(errors <= _SEARCH_ERRORS).tolist():
                self._open(self._searched + offset, int(errors[offset]))
            self._searched = stop
        return self._candidates[0] if self._candidates else None

    def _open(self, place: int, errors: int) -> None:
        if len(self._candidates) + len(self._lengths) <= _MAX_CANDIDATES:
            for length in self._lengths:
                heappush(self._candidates, _Candidate(place + length, place, errors))

    def _marker_errors(self, first: int, stop: int) -> npt.NDArray[np.int64]:
        """Wrong bits of a marker at each place from `first` to before `stop`."""
        start, end = first - self._origin, stop - self._origin + len(SYNC_MARKER) - 1
        part = np.frombuffer(bytes(self._buffer[start:end]), np.uint8)
        windows = np.lib.stride_tricks.sliding_window_view(part, len(SYNC_MARKER))
        errors: npt.NDArray[np.int64] = _WEIGHTS[windows ^ _MARKER].sum(1)
        return errors

    def _forget(self) -> None:
        """Drop bytes that no frame and no window reaches any more."""
        needed = self._searched - WINDOW_BYTES * self.is_locked
        needed = min([needed, *(candidate.place for candidate in self._candidates)])
        behind = max(0, min(needed - self._origin, len(self._buffer)))
        del self._buffer[:behind]
        self._origin += behind


def slip_guesses(body: bytes) -> Iterator[bytes]:
    """A body as it may have been before one of its bytes got lost, or a stray one got in.

    Interleaving spreads what is still out of place over all blocks as single wrong bits.
    """
    for n in range(_SLIP_PLACES):
        place = (2 * n + 1) * len(body) // (2 * _SLIP_PLACES)
        yield body[:place] + b"\0" + body[place:-1]
        yield body[:place] + body[place + 1 :] + b"\0"
