"""One packet: header, content, CRC. Big endian, most significant bit first.

Knows the four header bytes and the checksum, not what the content means.
"""

from dataclasses import dataclass
from enum import IntEnum

from fastcrc import crc16

from edge_codec.firmware_bridge.events import DamageReason
from edge_codec.firmware_bridge.profile import CRC_BYTES, HEADER_BYTES, PROFILE_IN_HELLO

VERSION = 1
SECURED_FLAG, RED_FLAG, FIRST_FLAG = 4, 2, 1


class PacketType(IntEnum):
    """What the content is."""

    VOICE = 0
    HELLO = 1
    END = 2
    CTRL = 3
    TEXT = 4
    CLIP = 5
    STAT = 6


@dataclass(frozen=True, kw_only=True, slots=True)
class Packet:
    """A packet with a good checksum; header fields checked, content not."""

    type: PacketType
    stream_tag: int
    """0 to 255, random per talk spurt."""
    sequence: int
    """Low 8 bits of the number of this (VOICE) or the next (HELLO, END) superframe."""
    profile_id: int = PROFILE_IN_HELLO
    content: bytes = b""
    has_red: bool = False
    """The content repeats the base class of an earlier superframe."""
    is_first: bool = False
    """First VOICE packet of its stream."""

    @property
    def red_distance(self) -> int:
        """Of HELLO and END, whose two flags are one number: how far back VOICE repeats, or 0."""
        return RED_FLAG * self.has_red | FIRST_FLAG * self.is_first


def pack_packet(packet: Packet) -> bytes:
    """Header, content and CRC."""
    data = pack_header(packet) + packet.content
    return data + _crc(data)


def pack_header(packet: Packet, *, is_secured: bool = False) -> bytes:
    """The four bytes before the content."""
    flags = SECURED_FLAG * is_secured | RED_FLAG * packet.has_red | FIRST_FLAG * packet.is_first
    first = VERSION << 6 | packet.type << 3 | flags
    return bytes([first, packet.stream_tag, packet.sequence & 0xFF, packet.profile_id])


def unpack_packet(data: bytes) -> Packet | DamageReason:
    """Inverse of `pack_packet`; any bytes give a packet or the reason why not."""
    if len(data) < HEADER_BYTES + CRC_BYTES:
        return DamageReason.SHORT
    if data[-CRC_BYTES:] != _crc(data[:-CRC_BYTES]):
        # A tag made with a key takes the place of the CRC.
        return DamageReason.SECURED if is_secured(data) else DamageReason.CRC
    if is_secured(data):
        return DamageReason.SECURED
    return unpack_content(data[:-CRC_BYTES])


def is_secured(data: bytes) -> bool:
    """Whether a packet of this version, if these bytes are one, ends with a tag."""
    return len(data) >= HEADER_BYTES and data[0] >> 6 == VERSION and bool(data[0] & SECURED_FLAG)


def unpack_content(data: bytes) -> Packet | DamageReason:
    """The packet in a header and a content whose checksum or tag has been taken off."""
    if len(data) < HEADER_BYTES:
        return DamageReason.SHORT
    first, stream_tag, sequence, profile_id = data[:HEADER_BYTES]
    if first >> 6 != VERSION:
        return DamageReason.VERSION
    kind = first >> 3 & 7
    if kind > max(PacketType):
        return DamageReason.TYPE
    return Packet(
        type=PacketType(kind),
        stream_tag=stream_tag,
        sequence=sequence,
        profile_id=profile_id,
        content=data[HEADER_BYTES:],
        has_red=bool(first & RED_FLAG),
        is_first=bool(first & FIRST_FLAG),
    )


def _crc(data: bytes) -> bytes:
    """CRC-16/IBM-3740 ("123456789" gives 0x29B1), high byte first."""
    return crc16.ibm_3740(data).to_bytes(CRC_BYTES, "big")
