"""RTP packets (RFC 3550): one link packet each, so that any RTP tool can follow a stream.

Sequence, timestamp and SSRC come from the packets: no clock, no random numbers.
"""

import struct
from dataclasses import dataclass

from edge_codec.firmware_bridge.errors import LocalLinkError
from edge_codec.firmware_bridge.events import DamageReason
from edge_codec.firmware_bridge.hello import unpack_hello
from edge_codec.firmware_bridge.packet import PacketType, is_secured
from edge_codec.firmware_bridge.profile import (
    CRC_BYTES,
    HEADER_BYTES,
    HELLO_BODY_BYTES,
    NUMBER_BYTES,
    PROFILES,
)

PAYLOAD_TYPE = 96
"""Dynamic; what `edge-codec sdp` announces."""
CLOCK_HZ = 16_000
"""Rate of the timestamps, whatever rate the codec has."""
_VERSION = 2
_HEADER = struct.Struct(">BBHII")
_PADDING, _EXTENSION, _SOURCES, _MARKER = 0x20, 0x10, 0x0F, 0x80


@dataclass(frozen=True, kw_only=True, slots=True)
class RtpPacket:
    """One RTP packet without contributing sources, extension and padding."""

    sequence: int
    """0 to 65535, rises by one from packet to packet."""
    timestamp: int
    """32 bits, 16 kHz: when the superframe begins."""
    ssrc: int
    """32 bits: which stream."""
    payload: bytes
    payload_type: int = PAYLOAD_TYPE
    is_marked: bool = False
    """The first voice of a talk spurt."""


def pack_rtp(packet: RtpPacket) -> bytes:
    """Twelve bytes of header and the payload."""
    kind = _MARKER * packet.is_marked | packet.payload_type
    header = (_VERSION << 6, kind, packet.sequence, packet.timestamp, packet.ssrc)
    return _HEADER.pack(*header) + packet.payload


def unpack_rtp(data: bytes) -> RtpPacket | DamageReason:
    """Inverse of `pack_rtp`; skips what others may put in; any bytes give a packet or a reason."""
    if len(data) < _HEADER.size:
        return DamageReason.SHORT
    first, kind, sequence, timestamp, ssrc = _HEADER.unpack_from(data)
    if first >> 6 != _VERSION:
        return DamageReason.VERSION
    start = _HEADER.size + 4 * (first & _SOURCES)
    if first & _EXTENSION:
        start += 4 + 4 * int.from_bytes(data[start + 2 : start + 4], "big")
    padding = data[-1] if first & _PADDING else 0
    if start + padding > len(data) or (first & _PADDING and padding == 0):
        return DamageReason.LENGTH
    return RtpPacket(
        sequence=sequence,
        timestamp=timestamp,
        ssrc=ssrc,
        payload=data[start : len(data) - padding],
        payload_type=kind & 0x7F,
        is_marked=bool(kind & _MARKER),
    )


class RtpNumbering:
    """Gives the packets of a link, stream after stream, their RTP headers."""

    def __init__(self) -> None:
        """No stream yet."""
        self._nonce = bytes(8)
        self._sequence = 0
        self._superframe = 0
        self._superframe_ticks = 0

    def number(self, packet: bytes) -> RtpPacket:
        """The RTP packet that carries `packet`, which is not stuffed.

        A HELLO with a new nonce begins a new stream: its SSRC is the second half of the nonce,
        its timestamps count from the first half, its sequence from the end of that.

        Raises:
            LinkError: these bytes are no packet.
        """
        if len(packet) < HEADER_BYTES + CRC_BYTES:
            raise LocalLinkError(f"{len(packet)} bytes are no packet")
        kind, superframe, profile_id = packet[0] >> 3 & 7, packet[2], packet[3]
        if kind in (PacketType.HELLO, PacketType.END):
            self._meet(packet[HEADER_BYTES + NUMBER_BYTES * is_secured(packet) :])
        if profile_id in PROFILES:
            self._superframe_ticks = PROFILES[profile_id].superframe_ms * CLOCK_HZ // 1000
        if kind <= PacketType.END:
            self._superframe += (superframe - self._superframe + 128) % 256 - 128
        first_timestamp = int.from_bytes(self._nonce[:4], "big")
        rtp = RtpPacket(
            sequence=self._sequence,
            timestamp=(first_timestamp + self._superframe * self._superframe_ticks) % 2**32,
            ssrc=int.from_bytes(self._nonce[4:], "big"),
            payload=packet,
            is_marked=kind == PacketType.VOICE and bool(packet[0] & 1),
        )
        self._sequence = (self._sequence + 1) % 2**16
        return rtp

    def _meet(self, content: bytes) -> None:
        hello = unpack_hello(content[:HELLO_BODY_BYTES])
        if hello.nonce != self._nonce:
            self._nonce, self._superframe = hello.nonce, 0
            self._sequence = int.from_bytes(hello.nonce[2:4], "big")
        self._superframe_ticks = hello.profile.superframe_ms * CLOCK_HZ // 1000
