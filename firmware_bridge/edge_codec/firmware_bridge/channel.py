"""A bad radio channel, seeded: bit errors, bursts, byte slips and drops. No I/O, no clock.

For tests and for the virtual modem of the demo. The outcome depends on the seed and on the
bytes only, not on the pieces they come in; drops alone count pieces, as datagrams do.
"""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class ChannelModel:
    """What a channel does to bytes; all zero is a perfect one."""

    bit_error_rate: float = 0.0
    """Share of bits flipped outside bursts."""
    burst_share: float = 0.0
    """Share of time spent in bursts (Gilbert-Elliott), 0 to below 1."""
    burst_bits: float = 80.0
    """Mean length of a burst."""
    burst_error_rate: float = 0.5
    """Share of bits flipped inside a burst."""
    slip_rate: float = 0.0
    """Share of bytes lost or doubled with a stray one, half each."""
    drop_rate: float = 0.0
    """Share of pieces (datagrams, writes) that vanish whole."""


class Channel:
    """Bytes in, worse bytes out."""

    def __init__(self, model: ChannelModel, *, seed: int) -> None:
        self.model = model
        raise NotImplementedError(seed)

    def send(self, chunk: bytes) -> bytes:
        """What comes out at the other end for what went in, at once; may be empty."""
        raise NotImplementedError
