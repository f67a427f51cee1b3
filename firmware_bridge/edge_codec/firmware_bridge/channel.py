"""A bad radio channel, seeded: bit errors, bursts, byte slips and drops. No I/O, no clock.

For tests and for the virtual modem of the demo. The outcome depends on the seed and on the
bytes only, not on the pieces they come in; drops alone count pieces, as datagrams do.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from edge_codec.firmware_bridge.errors import LocalLinkError


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

    def __post_init__(self) -> None:
        rates = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "burst_bits"}
        for name, rate in rates.items():
            if not 0 <= rate <= 1:
                raise LocalLinkError(f"{name} must be 0 to 1, got {rate}")
        if self.burst_bits < 1 or self.burst_share == 1:
            raise LocalLinkError(f"bursts need burst_bits >= 1 and a share below 1, got {self}")


class Channel:
    """Bytes in, worse bytes out."""

    def __init__(self, model: ChannelModel, *, seed: int) -> None:
        """A channel at its start; the same seed and bytes give the same errors."""
        self.model = model
        errors, bursts, slips, drops = np.random.default_rng(seed).spawn(4)
        self._errors = errors
        self._slips = slips
        self._drops = drops
        self._runs = _burst_runs(model, bursts)
        self._run = (0, False)

    def send(self, chunk: bytes) -> bytes:
        """What comes out at the other end for what went in, at once; may be empty."""
        if self._drops.random() < self.model.drop_rate:
            return b""
        return self._slip(self._flip(chunk))

    def _flip(self, chunk: bytes) -> bytes:
        bits = np.unpackbits(np.frombuffer(chunk, np.uint8))
        rates = np.where(
            self._in_burst(len(bits)), self.model.burst_error_rate, self.model.bit_error_rate
        )
        return np.packbits(bits ^ (self._errors.random(len(bits)) < rates)).tobytes()

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
        pieces = np.stack([draws[:, 1] * 256, np.frombuffer(chunk, np.uint8)], 1)
        return pieces.astype(np.uint8)[np.stack([doubled, ~lost], 1)].tobytes()


def _burst_runs(model: ChannelModel, draws: np.random.Generator) -> Iterator[tuple[int, bool]]:
    """Lengths in bits of clean and burst runs in turn, geometric, without end."""
    if model.burst_share == 0:
        while True:
            yield 1 << 30, False
    clean_bits = max(1.0, model.burst_bits * (1 - model.burst_share) / model.burst_share)
    while True:
        yield int(draws.geometric(1 / clean_bits)), False
        yield int(draws.geometric(1 / model.burst_bits)), True
