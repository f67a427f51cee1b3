"""Where frames of a fixed length begin in a noisy byte pipe.

Knows the sync marker and the length, not what is in a frame: the caller judges each body. While
searching, a marker may have three wrong bits. Once locked, the next one is looked for around its
place, which follows lost and doubled bytes, and else taken for granted. The buffer holds at most
one frame, the search window and one piece.
"""

from collections.abc import Iterator

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
_SLIP_PLACES = 5
"""Places a slip is guessed at: 10 % of a frame from the true one spoils 5 % of its bits."""
_WEIGHTS = np.array([byte.bit_count() for byte in range(256)])
_MARKER = np.frombuffer(SYNC_MARKER, np.uint8)


class Synchronizer:
    """Bytes in, bodies of frames out; every body must be judged before the next one."""

    def __init__(self, frame_bytes: int) -> None:
        self.is_locked = False
        self._frame_bytes = frame_bytes
        self._buffer = bytearray()
        self._place = 0
        """Where the next marker is expected (locked) or was found (searching)."""
        self._errors: int | None = None
        """Wrong bits of the marker at that place; None: not found yet."""

    def receive(self, piece: bytes) -> None:
        """Take at most `MAX_PIECE_BYTES`; then call `next_body` until it gives None."""
        self._buffer += piece

    def next_body(self) -> bytes | None:
        """The body behind the next marker; None: need more data."""
        if self._errors is None and not self._find():
            return None
        end = self._place + self._frame_bytes
        if len(self._buffer) < end:
            return None
        return bytes(self._buffer[self._place + len(SYNC_MARKER) : end])

    def judge(self, *, is_good: bool) -> None:
        """Say whether the last body was one: that locks; a bad one with a bad marker unlocks."""
        was_locked, errors = self.is_locked, self._errors or 0
        self.is_locked = is_good or (was_locked and errors <= _SEARCH_ERRORS)
        self._place += self._frame_bytes if self.is_locked else 1
        self._errors = None
        self._forget()

    def unlock(self) -> None:
        """Search again from the next byte: the sender is done."""
        self.is_locked = False

    def _find(self) -> bool:
        if not self.is_locked:
            return self._search()
        first = max(0, self._place - WINDOW_BYTES)
        last = self._place + WINDOW_BYTES
        if len(self._buffer) < last + len(SYNC_MARKER):
            return False
        errors = self._marker_errors(first, last + 1)
        costs = errors + _MOVE_PENALTY * (np.arange(first, last + 1) != self._place)
        best = int(costs.argmin())
        if errors[best] <= _LOCKED_ERRORS:
            self._place = first + best
        self._errors = int(self._marker_errors(self._place, self._place + 1)[0])
        return True

    def _search(self) -> bool:
        last = len(self._buffer) - len(SYNC_MARKER)
        if last < self._place:
            return False
        errors = self._marker_errors(self._place, last + 1)
        hits = np.flatnonzero(errors <= _SEARCH_ERRORS)
        if len(hits):
            self._place += int(hits[0])
            self._errors = int(errors[hits[0]])
            return True
        self._place = last + 1
        self._forget()
        return False

    def _marker_errors(self, first: int, stop: int) -> npt.NDArray[np.int64]:
        """Wrong bits of a marker at each place from `first` to before `stop`."""
        part = np.frombuffer(bytes(self._buffer[first : stop + len(SYNC_MARKER) - 1]), np.uint8)
        windows = np.lib.stride_tricks.sliding_window_view(part, len(SYNC_MARKER))
        errors: npt.NDArray[np.int64] = _WEIGHTS[windows ^ _MARKER].sum(1)
        return errors

    def _forget(self) -> None:
        """Drop bytes that no window reaches any more."""
        behind = max(0, min(self._place - WINDOW_BYTES, len(self._buffer)))
        del self._buffer[:behind]
        self._place -= behind


def slip_guesses(body: bytes) -> Iterator[bytes]:
    """A body as it may have been before one of its bytes got lost, or a stray one got in.

    Interleaving spreads what is still out of place over all blocks as single wrong bits.
    """
    for n in range(_SLIP_PLACES):
        place = (2 * n + 1) * len(body) // (2 * _SLIP_PLACES)
        yield body[:place] + b"\0" + body[place:-1]
        yield body[:place] + body[place + 1 :] + b"\0"
