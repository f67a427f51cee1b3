"""What one stream looks like on the air: every size and rate is derived here, once.

Knows the layout of design sizes only, no bytes and no state. Legend: F code frames of one
superframe, K layers. Times are nominal, to 10 ms: the codec's own clock paces the audio.
"""

from dataclasses import KW_ONLY, dataclass
from enum import StrEnum

from cobs import cobs

from edge_codec.firmware_bridge.errors import LocalLinkError

MAX_PACKET_BYTES = 255
"""Longest packet before stuffing: header, content and CRC."""
HEADER_BYTES = 4
CRC_BYTES = 2
HELLO_BODY_BYTES = 28
NUMBER_BYTES = 3
"""High bytes of a secured packet's number, sent in all but VOICE; the low one is in the header."""
SUITE_BYTES = 1
"""Of a secured HELLO or END: protection and length of its tag."""
PROFILE_IN_HELLO = 0xFF
"""Profile id that says: the HELLO of this stream describes it."""


class Framing(StrEnum):
    """How superframes go on the wire."""

    PACKET = "P"
    """Stuffed packets, for pipes that are nearly free of errors."""
    RAW = "R"
    """Frames with their own error correction, for noisy pipes."""


@dataclass(frozen=True, slots=True)
class Shape:
    """Default superframe and base class of codecs up to some bitrate."""

    superframe_ms: int
    _: KW_ONLY
    up_to_bps: float = float("inf")
    groups: int = 1
    """Equal parts the superframe must have, in whole code frames."""
    base_bps: float = 1000
    """Bits per second that the base class comes nearest to."""


_SLOW_BPS = 2400
_SHAPES = (Shape(480, up_to_bps=1500), Shape(240, up_to_bps=4000), Shape(120))
MAX_LAYERS = 32
"""A codec may have more: the link sends its first ones."""
_LIMITS = {
    "layers": (1, MAX_LAYERS),
    "base_layers": (1, 8),
    "bits_per_code": (1, 16),
    "frames_per_superframe": (1, 64),
    "superframe_ms": (40, 640),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class StreamProfile:
    """How the codes of one stream are cut into superframes, one packet each.

    The first `base_layers` layers of all its frames are the base class, the rest the
    enhancement class, layer after layer, so that it can be cut behind any layer.
    """

    layers: int
    """RVQ layers sent when nothing is cut, 1 to 32."""
    base_layers: int
    """Layers of the base class, 1 to 8 and at most `layers`: never cut, carried by RED."""
    bits_per_code: int
    """Bits of one code, 1 to 16."""
    frames_per_superframe: int
    """Code frames in one packet, 1 to 64."""
    superframe_ms: int
    """Nominal duration of one packet's audio, a multiple of 10 from 40 to 640."""

    def __post_init__(self) -> None:
        for name, (lowest, highest) in _LIMITS.items():
            value = getattr(self, name)
            if type(value) is not int or not lowest <= value <= highest:
                raise LocalLinkError(f"{name} must be {lowest} to {highest}, got {value!r}")
        if self.base_layers > self.layers or self.superframe_ms % 10 or self.layer_bits < 8:
            raise LocalLinkError(
                "a profile needs base_layers <= layers, superframe_ms a multiple of 10 and"
                f" at least 8 bits per layer and superframe, got {self}"
            )
        if self.packet_bytes(red=True) > MAX_PACKET_BYTES:
            raise LocalLinkError(
                f"a packet would take {self.packet_bytes(red=True)} bytes, at most"
                f" {MAX_PACKET_BYTES} are allowed; use fewer frames per superframe"
            )

    @property
    def superframe_s(self) -> float:
        """Seconds of audio in one packet."""
        return self.superframe_ms / 1000

    @property
    def frame_duration_us(self) -> int:
        """Microseconds of one code frame, rounded."""
        return round(self.superframe_ms * 1000 / self.frames_per_superframe)

    @property
    def frame_rate_hz(self) -> float:
        """Code frames per second."""
        return self.frames_per_superframe / self.superframe_s

    @property
    def layer_bits(self) -> int:
        """Bits of one layer of one superframe."""
        return self.frames_per_superframe * self.bits_per_code

    @property
    def codec_bitrate_bps(self) -> float:
        """Bits of codes per second, all layers."""
        return self.layers * self.layer_bits / self.superframe_s

    @property
    def base_bytes(self) -> int:
        """Bytes of the base class."""
        return _bytes_of(self.base_layers * self.layer_bits)

    @property
    def hello_interval_s(self) -> float:
        """Seconds between two HELLOs while voice is sent."""
        return 5.0 if self.codec_bitrate_bps <= _SLOW_BPS else 2.0

    def enhancement_bytes(self, layers: int) -> int:
        """Bytes of the enhancement class when `layers` layers are sent in all."""
        return _bytes_of((layers - self.base_layers) * self.layer_bits)

    def packet_bytes(
        self, layers: int | None = None, *, red: bool = False, tag_bytes: int = 0
    ) -> int:
        """Bytes of a VOICE packet before stuffing.

        Args:
            layers: those that are sent; None means all.
            red: it repeats a base class.
            tag_bytes: of the tag that secures it; 0: a CRC.
        """
        return HEADER_BYTES + self.content_bytes(layers, red=red) + (tag_bytes or CRC_BYTES)

    def content_bytes(self, layers: int | None = None, *, red: bool = False) -> int:
        """Bytes of a VOICE packet's content; `layers` None means all."""
        classes = self.base_bytes + self.enhancement_bytes(layers or self.layers)
        return classes + (1 + self.base_bytes if red else 0)

    def gross_bitrate_bps(self, *, red: bool = False) -> float:
        """Bits per second of the VOICE packets on the wire, HELLOs left out."""
        return framed_bytes(self.packet_bytes(red=red)) * 8 / self.superframe_s

    def hello_bitrate_bps(self, *, tag_bytes: int = 0) -> float:
        """Bits per second that the repeated HELLO adds; `tag_bytes` as for `packet_bytes`."""
        check_bytes = NUMBER_BYTES + SUITE_BYTES + tag_bytes if tag_bytes else CRC_BYTES
        packet_bytes = HEADER_BYTES + HELLO_BODY_BYTES + check_bytes
        return framed_bytes(packet_bytes) * 8 / self.hello_interval_s


def profile_for(layers: int, bits_per_code: int, frame_rate_hz: float) -> StreamProfile:
    """The default packet profile of a codec: superframes shorten as the bitrate grows.

    480 ms up to 1.5 kbit/s, 240 ms up to 4 kbit/s, 120 ms above; the base class is about
    1 kbit/s.

    Raises:
        LocalLinkError: no packet can hold such a stream.
    """
    return default_profile(layers, bits_per_code, frame_rate_hz, _SHAPES)


def default_profile(
    layers: int,
    bits_per_code: int,
    frame_rate_hz: float,
    shapes: tuple[Shape, ...],
) -> StreamProfile:
    """A profile with the shape of its bitrate, in whole code frames.

    Raises:
        LocalLinkError: no packet can hold such a stream.
    """
    layer_bps = bits_per_code * frame_rate_hz
    wanted = next(shape for shape in shapes if layers * layer_bps <= shape.up_to_bps)
    groups = wanted.groups
    frames = groups * max(1, round(wanted.superframe_ms / 1000 * frame_rate_hz / groups))
    return StreamProfile(
        layers=layers,
        base_layers=min(layers, 8, max(1, round(wanted.base_bps / layer_bps))),
        bits_per_code=bits_per_code,
        frames_per_superframe=frames,
        superframe_ms=10 * round(100 * frames / frame_rate_hz),
    )


def framed_bytes(packet_bytes: int) -> int:
    """Most bytes a packet takes on the wire: stuffed, with its delimiter."""
    return int(cobs.max_encoded_length(packet_bytes)) + 1


def profile_id(profile: StreamProfile) -> int:
    """The id that names this profile, or `PROFILE_IN_HELLO`."""
    return next((key for key, known in PROFILES.items() if known == profile), PROFILE_IN_HELLO)


def _bytes_of(bits: int) -> int:
    return (bits + 7) // 8


PROFILES = {layers: profile_for(layers, 10, 50.0) for layers in range(1, 13)}
"""Profiles a receiver knows without a HELLO, by id: 10-bit codes at 50 Hz, id = layers."""
