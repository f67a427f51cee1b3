"""How much a wire carries, what fits, and a token bucket that keeps to it. No clock.

Knows modes, no packets.
"""

from edge_codec.firmware_bridge.errors import LocalLinkError
from edge_codec.firmware_bridge.modes import Framing, Mode, modes
from edge_codec.firmware_bridge.profile import StreamProfile

USABLE_SHARE = 0.95
"""Share of a wire's rate that is used: clocks of two ends differ and buffers hide it."""
BITS_PER_BYTE = 10
"""8N1: start bit, 8 data bits, stop bit."""


def line_rate_bps(baud: int, *, synchronous: bool = False) -> float:
    """Bits per second of content a wire carries: 8 of 10 with start and stop bit (8N1).

    Raises:
        LocalLinkError: baud is not positive.
    """
    if baud <= 0:
        raise LocalLinkError(f"baud must be positive, got {baud}")
    return float(baud) if synchronous else baud * 8 / 10


def needed_bps(
    profile: StreamProfile, *, red: bool = False, framing: Framing = Framing.PACKET
) -> float:
    """Bits per second that a stream puts on the wire, packets and HELLOs together."""
    return Mode(framing=framing, profile=profile).needed_bps(red=red)


def refusal(
    profile: StreamProfile,
    baud: int,
    *,
    synchronous: bool = False,
    red: bool = False,
    framing: Framing = Framing.PACKET,
) -> str | None:
    """Why a stream cannot go over this wire and what could; None if it fits.

    >>> refusal(profile_for(12, 10, 50.0), 4800)
    'P6000 needs 6677 bit/s, 4800 baud 8N1 carries 3648; 3000 bit/s would fit'
    """
    carried_bps = USABLE_SHARE * line_rate_bps(baud, synchronous=synchronous)
    mode = Mode(framing=framing, profile=profile)
    if mode.needed_bps(red=red) <= carried_bps:
        return None
    line = "synchronous" if synchronous else "8N1"
    return (
        f"{mode.name} needs {mode.needed_bps(red=red):.0f} bit/s, {baud} baud {line} carries"
        f" {carried_bps:.0f}; {_advice(mode, carried_bps, red=red)}"
    )


def _advice(mode: Mode, carried_bps: float, *, red: bool) -> str:
    codec = (mode.profile.layers, mode.profile.bits_per_code, mode.profile.frame_rate_hz)
    for smaller in reversed(modes(*codec, framing=mode.framing)):
        if smaller.needed_bps(red=red) <= carried_bps:
            return f"{smaller.profile.codec_bitrate_bps:.0f} bit/s would fit"
    return "nothing would fit, use a faster line"


class TokenBucket:
    """Lets bytes through at a steady rate, with a little room for bursts."""

    def __init__(self, rate_bps: float, *, burst_bytes: int) -> None:
        """A full bucket.

        Args:
            rate_bps: bits per second, the wire's already reduced by `USABLE_SHARE`.
            burst_bytes: most bytes that may pass at once after a pause; longest packet or more.

        Raises:
            LocalLinkError: a number is not positive.
        """
        if rate_bps <= 0 or burst_bytes <= 0:
            raise LocalLinkError(f"need a positive rate and burst, got {rate_bps}, {burst_bytes}")
        self._rate_bytes_s = rate_bps / 8
        self._burst_bytes = float(burst_bytes)
        self._tokens = float(burst_bytes)
        self._filled_s: float | None = None

    @classmethod
    def for_line(
        cls, baud: int, *, synchronous: bool = False, burst_bytes: int = 257
    ) -> "TokenBucket":
        """A bucket that fills at the usable rate of a wire."""
        rate_bps = USABLE_SHARE * line_rate_bps(baud, synchronous=synchronous)
        return cls(rate_bps, burst_bytes=burst_bytes)

    def delay_s(self, n_bytes: int, *, now_s: float) -> float:
        """Seconds until `n_bytes` may be written; 0.0: now. Takes nothing.

        More bytes than the burst may go when the bucket is full: it then owes the rest.
        """
        self._fill(now_s)
        missing = min(float(n_bytes), self._burst_bytes) - self._tokens
        return max(0.0, missing / self._rate_bytes_s)

    def consume(self, n_bytes: int, *, now_s: float) -> None:
        """Note that `n_bytes` were written; the bucket may go below empty."""
        self._fill(now_s)
        self._tokens -= n_bytes

    def _fill(self, now_s: float) -> None:
        elapsed_s = max(0.0, now_s - (now_s if self._filled_s is None else self._filled_s))
        self._tokens = min(self._burst_bytes, self._tokens + elapsed_s * self._rate_bytes_s)
        self._filled_s = now_s
