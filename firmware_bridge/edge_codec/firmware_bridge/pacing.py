"""How much a wire carries: byte rates, a token bucket, the table of modes. No clock.

Knows profiles, no packets.
"""

from dataclasses import dataclass

from edge_codec.firmware_bridge.errors import LocalLinkError
from edge_codec.firmware_bridge.profile import StreamProfile, profile_for

USABLE_SHARE = 0.95
"""Share of a wire's rate that is used: clocks of two ends differ and buffers hide it."""
_SERIAL_JITTER_MS = 40


@dataclass(frozen=True, kw_only=True, slots=True)
class Mode:
    """One row of the table of modes."""

    name: str
    """P for packet framing and the codec's bits per second, as in P3000."""
    profile: StreamProfile
    """How such a stream is packed."""

    @property
    def mouth_to_ear_ms(self) -> int:
        """Fill a superframe, hold one in the jitter buffer, and one code frame."""
        frame_ms = round(self.profile.frame_duration_us / 1000)
        return 2 * self.profile.superframe_ms + _SERIAL_JITTER_MS + frame_ms


def modes(layers: int = 12, bits_per_code: int = 10, frame_rate_hz: float = 50.0) -> list[Mode]:
    """Every mode of a codec, one per number of layers, lowest bitrate first."""
    profiles = [profile_for(n, bits_per_code, frame_rate_hz) for n in range(1, layers + 1)]
    return [Mode(name=mode_name(profile), profile=profile) for profile in profiles]


def mode_name(profile: StreamProfile) -> str:
    """Name of the mode of a profile, as in P3000."""
    return f"P{profile.codec_bitrate_bps:.0f}"


def line_rate_bps(baud: int, *, synchronous: bool = False) -> float:
    """Bits per second of content a wire carries: 8 of 10 with start and stop bit (8N1).

    Raises:
        LocalLinkError: baud is not positive.
    """
    if baud <= 0:
        raise LocalLinkError(f"baud must be positive, got {baud}")
    return float(baud) if synchronous else baud * 8 / 10


def needed_bps(profile: StreamProfile, *, red: bool = False) -> float:
    """Bits per second that a stream puts on the wire, packets and HELLOs together."""
    return profile.gross_bitrate_bps(red=red) + profile.hello_bitrate_bps()


def refusal(
    profile: StreamProfile, baud: int, *, synchronous: bool = False, red: bool = False
) -> str | None:
    """Why a stream cannot go over this wire and what could; None if it fits.

    >>> refusal(profile_for(12, 10, 50.0), 4800)
    'P6000 needs 6677 bit/s, 4800 baud 8N1 carries 3648; 3000 bit/s would fit'
    """
    carried_bps = USABLE_SHARE * line_rate_bps(baud, synchronous=synchronous)
    needed = needed_bps(profile, red=red)
    if needed <= carried_bps:
        return None
    line = "synchronous" if synchronous else "8N1"
    return (
        f"{mode_name(profile)} needs {needed:.0f} bit/s, {baud} baud {line} carries"
        f" {carried_bps:.0f}; {_advice(profile, carried_bps, red=red)}"
    )


def _advice(profile: StreamProfile, carried_bps: float, *, red: bool) -> str:
    for mode in reversed(modes(profile.layers, profile.bits_per_code, profile.frame_rate_hz)):
        if needed_bps(mode.profile, red=red) <= carried_bps:
            return f"{mode.profile.codec_bitrate_bps:.0f} bit/s would fit"
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
