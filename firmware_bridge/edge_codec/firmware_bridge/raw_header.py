"""The header of an R frame: which frame of which stream; two Golay codewords on the air.

Knows its three bytes, no content and no state.
"""

from dataclasses import dataclass

from edge_codec.firmware_bridge.golay import CODED_BITS, decode_golay, encode_golay
from edge_codec.firmware_bridge.packet import VERSION, PacketType


@dataclass(frozen=True, slots=True)
class RawHeader:
    """The first three bytes of a packet's header, without flags."""

    type: PacketType
    stream_tag: int
    sequence: int

    def pack(self) -> bytes:
        """Three bytes: version and type, tag, sequence."""
        return bytes([VERSION << 6 | self.type << 3, self.stream_tag, self.sequence & 0xFF])

    def coded(self) -> int:
        """The 48 bits of the two Golay codewords, as a number."""
        value = int.from_bytes(self.pack(), "big")
        return encode_golay(value >> 12) << CODED_BITS | encode_golay(value & 0xFFF)


def decode_header(coded: int) -> RawHeader | None:
    """The header nearest to 48 received bits; None if it is too far or means nothing."""
    upper = decode_golay(coded >> CODED_BITS)
    lower = decode_golay(coded & (1 << CODED_BITS) - 1)
    if upper is None or lower is None:
        return None
    first, stream_tag, sequence = (upper << 12 | lower).to_bytes(3, "big")
    if first & 0xC7 != VERSION << 6 or first >> 3 & 7 > PacketType.END:
        return None
    return RawHeader(PacketType(first >> 3 & 7), stream_tag, sequence)
