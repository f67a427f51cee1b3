"""How much a wire carries, what fits, and a token bucket that keeps to it. No clock.

Knows modes, no packets.
"""

from dataclasses import dataclass, replace

from edge_codec.firmware_bridge.errors import LocalLinkError
from edge_codec.firmware_bridge.modes import Mode, modes

USABLE_SHARE = 0.95
"""Share of a wire's rate that is used: clocks of two ends differ and buffers hide it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """A wire with a rate of its own."""

    baud: int
    """Bits per second, start and stop bits included."""
    is_synchronous: bool = False
    """No start and stop bits: every bit is content; else 8N1."""

    def __post_init__(self) -> None:
        if self.baud <= 0:
            raise LocalLinkError(f"baud must be positive, got {self.baud}")

    def __str__(self) -> str:
        return f"{self.baud} baud {'synchronous' if self.is_synchronous else '8N1'}"

    @property
    def rate_bps(self) -> float:
        """Bits per second of content: 8 of 10 with start and stop bit."""
        return float(self.baud) if self.is_synchronous else self.baud * 8 / 10

    @property
    def usable_bps(self) -> float:
        """What a sender uses of it."""
        return USABLE_SHARE * self.rate_bps

    def airtime_s(self, n_bytes: int) -> float:
        """Seconds that bytes take."""
        return 8 * n_bytes / self.rate_bps


def refusal(mode: Mode, line: Line, *, red: bool = False) -> str | None:
    """Why a stream cannot go over this wire and what could; None if it fits.

    >>> refusal(modes()[11], Line(baud=4800))
    'P6000 needs 6677 bit/s, 4800 baud 8N1 carries 3648; P3000 would fit'
    """
    if mode.needed_bps(red=red) <= line.usable_bps:
        return None
    extras = " and ".join(["RED"] * red + ["tags"] * (mode.tag_bytes > 0))
    return (
        f"{mode.name} needs {mode.needed_bps(red=red):.0f} bit/s{extras and f' with {extras}'},"
        f" {line} carries"
        f" {line.usable_bps:.0f}; {_advice(mode, line, red=red)}"
    )


def _advice(mode: Mode, line: Line, *, red: bool) -> str:
    codec = (mode.profile.layers, mode.profile.bits_per_code, mode.profile.frame_rate_hz)
    for unsecured in reversed(modes(*codec, framing=mode.framing)):
        smaller = replace(unsecured, tag_bytes=mode.tag_bytes)
        if smaller.needed_bps(red=red) <= line.usable_bps:
            return f"{smaller.name} would fit"
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
    def for_line(cls, line: Line, *, burst_bytes: int = 257) -> "TokenBucket":
        """A bucket that fills at the usable rate of a wire."""
        return cls(line.usable_bps, burst_bytes=burst_bytes)

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
