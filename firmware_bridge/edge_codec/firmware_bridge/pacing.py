"""How much a wire carries: byte rates, a token bucket, the table of modes. No clock.

Knows profiles, no packets.
"""

from dataclasses import dataclass
from enum import StrEnum

from edge_codec.firmware_bridge.errors import LocalLinkError
from edge_codec.firmware_bridge.profile import StreamProfile, profile_for
from edge_codec.firmware_bridge.raw_format import RawFormat, raw_profile_for

USABLE_SHARE = 0.95
"""Share of a wire's rate that is used: clocks of two ends differ and buffers hide it."""
_SERIAL_JITTER_MS = 40


class Framing(StrEnum):
    """How superframes go on the wire."""

    PACKET = "P"
    """Stuffed packets, for pipes that are nearly free of errors."""
    RAW = "R"
    """Frames with their own error correction, for noisy pipes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Mode:
    """One row of the table of modes."""

    framing: Framing
    """Packets or raw frames."""
    profile: StreamProfile
    """How such a stream is packed."""

    @property
    def name(self) -> str:
        """Framing and the codec's bits per second, as in P3000."""
        return f"{self.framing}{self.profile.codec_bitrate_bps:.0f}"

    @property
    def mouth_to_ear_ms(self) -> int:
        """Fill a superframe, hold one in the jitter buffer, and one code frame."""
        frame_ms = round(self.profile.frame_duration_us / 1000)
        return 2 * self.profile.superframe_ms + _SERIAL_JITTER_MS + frame_ms

    def needed_bps(self, *, red: bool = False) -> float:
        """Bits per second on the wire, HELLOs included; RED is for packets only."""
        if self.framing is Framing.RAW:
            form = RawFormat(self.profile)
            return form.gross_bitrate_bps() + form.hello_bitrate_bps()
        return self.profile.gross_bitrate_bps(red=red) + self.profile.hello_bitrate_bps()


def modes(
    layers: int = 12,
    bits_per_code: int = 10,
    frame_rate_hz: float = 50.0,
    *,
    framing: Framing = Framing.PACKET,
) -> list[Mode]:
    """Every mode of a codec, one per number of layers, lowest bitrate first."""
    make = raw_profile_for if framing is Framing.RAW else profile_for
    return [
        Mode(framing=framing, profile=make(n, bits_per_code, frame_rate_hz))
        for n in range(1, layers + 1)
    ]


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
