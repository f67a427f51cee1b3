"""What one R frame looks like on the air: every size is derived here from the profile.

Knows sizes only, no bits and no state. A frame is a sync marker and a body of fixed length.
"""

from dataclasses import dataclass

from edge_codec.firmware_bridge.convolution import FULL, PUNCTURED, TAIL_BITS, coded_bits
from edge_codec.firmware_bridge.errors import LocalLinkError
from edge_codec.firmware_bridge.golay import CODED_BITS
from edge_codec.firmware_bridge.profile import (
    HELLO_BODY_BYTES,
    Framing,
    Shape,
    StreamProfile,
    default_profile,
)

SYNC_MARKER = bytes.fromhex("1acffc1d")
HEADER_BITS = 2 * CODED_BITS
"""Coded bits of the header."""
GROUP_CRC_BITS = 8
CRC_BITS = 16
HELLO_BITS = 8 * HELLO_BODY_BYTES + CRC_BITS + TAIL_BITS
"""Bits of a HELLO or END before coding."""

# R3000 fits 9600 baud with all layers at the strong rate; what is slower keeps to slower lines. See
# docs/adr/0008.
_SHAPES = (
    Shape(480, up_to_bps=1000, groups=3),
    Shape(240, up_to_bps=2000, groups=3),
    Shape(240, up_to_bps=3000, groups=3, base_bps=3000),
    Shape(240, up_to_bps=4000, groups=3),
    Shape(160, groups=2),
)
HELLO_INTERVAL_S = 5.0
"""Seconds between two HELLOs while voice is sent: each takes a whole frame."""
_LONG_GROUPS_ABOVE_MS = 240


@dataclass(frozen=True, slots=True)
class RawFormat:
    """Sizes of the R frames of one profile.

    Raises:
        LocalLinkError: the superframe is not a whole number of groups.
    """

    profile: StreamProfile

    def __post_init__(self) -> None:
        if self.profile.frames_per_superframe % self.groups:
            raise LocalLinkError(
                f"R needs superframes of a multiple of {self.groups} code frames, got"
                f" {self.profile.frames_per_superframe}"
            )

    @property
    def groups(self) -> int:
        """Parts of the base class with a CRC-8 each: 80 ms, 160 ms in superframes over 240 ms."""
        group_ms = 160 if self.profile.superframe_ms > _LONG_GROUPS_ABOVE_MS else 80
        return max(1, round(self.profile.superframe_ms / group_ms))

    @property
    def group_frames(self) -> int:
        """Code frames of one group."""
        return self.profile.frames_per_superframe // self.groups

    @property
    def group_bits(self) -> int:
        """Bits of the codes of one group."""
        return self.profile.base_layers * self.group_frames * self.profile.bits_per_code

    @property
    def base_bits(self) -> int:
        """Bits of the base block before coding: groups with their CRCs, tail."""
        return self.groups * (self.group_bits + GROUP_CRC_BITS) + TAIL_BITS

    @property
    def upper_bits(self) -> int:
        """Bits of the upper block before coding: codes, CRC, tail; 0 if all layers are base."""
        layers = self.profile.layers - self.profile.base_layers
        return layers * self.profile.layer_bits + CRC_BITS + TAIL_BITS if layers else 0

    @property
    def content_bits(self) -> int:
        """Bits of the body behind the header: whole bytes, with room for a HELLO."""
        voice_bits = coded_bits(self.base_bits, FULL) + coded_bits(self.upper_bits, PUNCTURED)
        return -max(voice_bits, coded_bits(HELLO_BITS, FULL)) // 8 * -8

    @property
    def frame_bytes(self) -> int:
        """Bytes of a frame with its sync marker."""
        return len(SYNC_MARKER) + self.body_bytes

    @property
    def body_bytes(self) -> int:
        """Bytes of a frame behind its sync marker."""
        return (HEADER_BITS + self.content_bits) // 8

    def check_body(self, body: bytes) -> None:
        """Refuse what is not as long as a body.

        Raises:
            LocalLinkError: another length.
        """
        if len(body) != self.body_bytes:
            raise LocalLinkError(f"a body has {self.body_bytes} bytes here, got {len(body)}")

    def gross_bitrate_bps(self) -> float:
        """Bits per second on the wire of VOICE frames, HELLOs left out."""
        return self.frame_bytes * 8 / self.profile.superframe_s

    def hello_bitrate_bps(self) -> float:
        """Bits per second that the repeated HELLO adds: it takes a whole frame."""
        return self.frame_bytes * 8 / HELLO_INTERVAL_S


def unit_frames(framing: Framing, profile: StreamProfile) -> int:
    """Code frames that arrive or are lost together: a packet's, or a group's of a raw frame."""
    if framing is Framing.RAW:
        return RawFormat(profile).group_frames
    return profile.frames_per_superframe


def raw_profile_for(layers: int, bits_per_code: int, frame_rate_hz: float) -> StreamProfile:
    """The default R profile of a codec.

    Superframes of 480 ms up to 1 kbit/s, 240 ms up to 4 kbit/s, 160 ms above. The base class
    is about 1 kbit/s, but everything above 2 and up to 3 kbit/s.

    Raises:
        LocalLinkError: no frame can hold such a stream.
    """
    return default_profile(layers, bits_per_code, frame_rate_hz, _SHAPES)
