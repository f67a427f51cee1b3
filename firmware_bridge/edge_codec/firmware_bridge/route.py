"""One direction of a bad channel in time: pieces in, worse pieces out, later. No I/O, no clock.

All chance is drawn when a piece is sent, so that the same seed and pieces have the same fate
whenever somebody looks for them. A stream keeps its order and comes byte by byte; datagrams stay
whole and may overtake each other.
"""

import heapq
import itertools
import math
from dataclasses import dataclass, field

import numpy as np

from edge_codec.firmware_bridge.channel import Channel, ChannelModel, ChannelStats

BITS_PER_BYTE = 10
"""8N1: start bit, 8 data bits, stop bit."""
QUEUE_MAX_BYTES = 8192
"""So much is under way at most; then the sender has to wait, or loses datagrams."""
OVERTAKEN_MAX_S = 1.0
"""A piece that waits to be overtaken goes on by itself after this time."""


@dataclass(order=True, slots=True)
class _Piece:
    """Bytes under way."""

    due_s: float
    """When the first byte has arrived."""
    number: int
    data: bytes = field(compare=False)


class Route:
    """A line or network, one way."""

    def __init__(self, model: ChannelModel, *, seed: int, is_stream: bool = False) -> None:
        """Nothing is under way.

        Args:
            model: what it does.
            seed: decides everything that is left to chance.
            is_stream: bytes of a serial line; else each piece is a datagram.
        """
        self.model = model
        self._channel = Channel(model, seed=seed)
        self._fates = np.random.default_rng(seed).spawn(5)[4]
        self._is_stream = is_stream
        self._byte_s = BITS_PER_BYTE / model.baud if model.baud else 0.0
        self._pieces: list[_Piece] = []
        self._numbers = itertools.count()
        self._waiting: tuple[float, bytes] | None = None
        self._queued_bytes = 0
        self._free_from_s = -math.inf
        self._last_due_s = -math.inf

    @property
    def stats(self) -> ChannelStats:
        """What happened so far."""
        return self._channel.stats

    @property
    def free_bytes(self) -> int:
        """How much more can be sent now."""
        return max(0, QUEUE_MAX_BYTES - self._queued_bytes)

    @property
    def is_idle(self) -> bool:
        """Whether nothing is under way."""
        return not self._pieces and self._waiting is None

    def push(self, piece: bytes, now_s: float) -> None:
        """Send a piece; what the line cannot hold is lost."""
        if not piece:
            return
        self.stats.pieces_in += 1
        self.stats.bytes_in += len(piece)
        if len(piece) > self.free_bytes:
            self.stats.overflowed += 1
            return
        is_twice, is_overtaken = self._fates.random(2) < (
            self.model.duplicate_rate,
            self.model.reorder_rate,
        )
        self.stats.duplicated += int(is_twice)
        waiting, self._waiting = self._waiting, None
        if is_overtaken and waiting is None:
            self._waiting = now_s + OVERTAKEN_MAX_S, piece
            self.stats.reordered += 1
        else:
            self._send(piece, now_s)
        for late in [piece] * int(is_twice) + ([waiting[1]] if waiting else []):
            self._send(late, now_s)

    def pull(self, now_s: float) -> list[bytes]:
        """What has arrived by now; of a stream the bytes, as one piece."""
        if self._waiting and now_s >= self._waiting[0]:
            (due_s, waited), self._waiting = self._waiting, None
            self._send(waited, due_s)
        arrived: list[bytes] = []
        while self._pieces and self._pieces[0].due_s <= now_s + 1e-9:
            piece = heapq.heappop(self._pieces)
            arrived.append(self._take(piece, now_s) if self._is_stream else piece.data)
        self._queued_bytes -= sum(map(len, arrived))
        if self._is_stream and arrived:
            arrived = [b"".join(arrived)]
        self.stats.pieces_out += len(arrived)
        self.stats.bytes_out += sum(map(len, arrived))
        return arrived

    def next_timeout_s(self) -> float | None:
        """When the next bytes arrive; None: nothing is under way."""
        times_s = [piece.due_s for piece in self._pieces[:1]]
        return min([*times_s, *([self._waiting[0]] if self._waiting else [])], default=None)

    def _send(self, piece: bytes, now_s: float) -> None:
        data = self._channel.send(piece)
        if not data:
            return
        start_s = max(now_s, self._free_from_s)
        self._free_from_s = start_s + len(data) * self._byte_s
        delay_s = self.model.delay_s + self.model.jitter_s * self._fates.random()
        due_s = delay_s + (start_s + self._byte_s if self._is_stream else self._free_from_s)
        if self._is_stream:
            due_s = max(due_s, self._last_due_s + self._byte_s)
            self._last_due_s = due_s + (len(data) - 1) * self._byte_s
        heapq.heappush(self._pieces, _Piece(due_s, next(self._numbers), data))
        self._queued_bytes += len(data)

    def _take(self, piece: _Piece, now_s: float) -> bytes:
        """The bytes of `piece` that have arrived; the others stay."""
        passed_s = now_s - piece.due_s
        count = len(piece.data)
        if self._byte_s and math.isfinite(now_s):
            count = min(count, int(passed_s / self._byte_s + 1e-6) + 1)
        if count < len(piece.data):
            later_s = piece.due_s + count * self._byte_s
            heapq.heappush(self._pieces, _Piece(later_s, piece.number, piece.data[count:]))
        return piece.data[:count]
