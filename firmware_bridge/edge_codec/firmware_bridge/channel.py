"""What a bad radio channel does to bytes, seeded: bit errors, bursts, byte slips and drops.

No I/O, no clock; `route` adds time. The outcome depends on the seed and on the bytes only, not on
the pieces they come in; drops alone count pieces, as datagrams do.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from edge_codec.firmware_bridge.errors import LocalLinkError

MAX_VALUE = 1e9
"""Of everything that is no share."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ChannelModel:
    """What a channel does to bytes; all zero is a perfect one."""

    bit_error_rate: float = 0.0
    """Share of bits flipped outside bursts."""
    burst_share: float = 0.0
    """Share of bits inside bursts (Gilbert-Elliott), 0 to below 1."""
    burst_bits: float = 80.0
    """Mean length of a burst, at least 1."""
    burst_error_rate: float = 0.5
    """Share of bits flipped inside a burst."""
    slip_rate: float = 0.0
    """Share of bytes lost or preceded by a stray one, half each."""
    drop_rate: float = 0.0
    """Share of pieces (datagrams, writes) that vanish whole."""
    duplicate_rate: float = 0.0
    """Share of pieces that come twice."""
    reorder_rate: float = 0.0
    """Share of pieces that the next one overtakes."""
    delay_s: float = 0.0
    """How long everything takes."""
    jitter_s: float = 0.0
    """How much longer a piece takes at most; on average half of it."""
    baud: float = 0.0
    """Pace of the line, 10 bits a byte; 0: no limit."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            highest = 1 if field.name.endswith(("_rate", "_share")) else MAX_VALUE
            if not 0 <= value <= highest:
                raise LocalLinkError(f"{field.name} must be 0 to {highest:g}, got {value}")
        if self.burst_bits < 1 or self.burst_share == 1:
            raise LocalLinkError(f"bursts need burst_bits >= 1 and a share below 1, got {self}")


@dataclass(slots=True)
class ChannelStats:
    """What went in, what came out, and what happened between."""

    pieces_in: int = 0
    bytes_in: int = 0
    pieces_out: int = 0
    bytes_out: int = 0
    dropped: int = 0
    """Pieces that vanished."""
    overflowed: int = 0
    """Pieces that found the line full."""
    duplicated: int = 0
    """Pieces that came twice."""
    reordered: int = 0
    """Pieces that another one overtook on purpose; jitter moves more."""
    flipped_bits: int = 0
    lost_bytes: int = 0
    """Bytes that slipped away."""
    stray_bytes: int = 0
    """Bytes that nobody sent."""


class Channel:
    """Bytes in, worse bytes out."""

    def __init__(self, model: ChannelModel, *, seed: int) -> None:
        """A channel at its start; the same seed and bytes give the same errors."""
        self.model = model
        self.stats = ChannelStats()
        errors, bursts, slips, drops = np.random.default_rng(seed).spawn(4)
        self._errors = errors
        self._slips = slips
        self._drops = drops
        self._runs = _burst_runs(model, bursts)
        self._run = (0, False)

    def send(self, chunk: bytes) -> bytes:
        """What comes out at the other end for what went in, at once; may be empty."""
        if self._drops.random() < self.model.drop_rate:
            self.stats.dropped += 1
            return b""
        return self._slip(self._flip(chunk))

    def _flip(self, chunk: bytes) -> bytes:
        bits = np.unpackbits(np.frombuffer(chunk, np.uint8))
        rates = np.where(
            self._in_burst(len(bits)), self.model.burst_error_rate, self.model.bit_error_rate
        )
        errors = self._errors.random(len(bits)) < rates
        self.stats.flipped_bits += int(errors.sum())
        return np.packbits(bits ^ errors).tobytes()

    def _in_burst(self, n_bits: int) -> npt.NDArray[np.bool_]:
        """[n_bits] which of the next bits lie inside a burst."""
        state = np.zeros(n_bits, np.bool_)
        position = 0
        while position < n_bits:
            left, is_burst = self._run if self._run[0] else next(self._runs)
            taken = min(left, n_bits - position)
            state[position : position + taken] = is_burst
            self._run = (left - taken, is_burst)
            position += taken
        return state

    def _slip(self, chunk: bytes) -> bytes:
        draws = self._slips.random((len(chunk), 2))
        lost = draws[:, 0] < self.model.slip_rate / 2
        doubled = ~lost & (draws[:, 0] < self.model.slip_rate)
        self.stats.lost_bytes += int(lost.sum())
        self.stats.stray_bytes += int(doubled.sum())
        pieces = np.stack([draws[:, 1] * 256, np.frombuffer(chunk, np.uint8)], 1)
        return pieces.astype(np.uint8)[np.stack([doubled, ~lost], 1)].tobytes()


def _burst_runs(model: ChannelModel, draws: "np.random.Generator") -> Iterator[tuple[int, bool]]:
    """Lengths in bits of clean and burst runs in turn, geometric, without end."""
    if model.burst_share == 0:
        while True:
            yield 1 << 30, False
    clean_bits = max(1.0, model.burst_bits * (1 - model.burst_share) / model.burst_share)
    while True:
        yield int(draws.geometric(1 / clean_bits)), False
        yield int(draws.geometric(1 / model.burst_bits)), True
