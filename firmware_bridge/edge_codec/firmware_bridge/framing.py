"""Packets on a byte pipe: COBS stuffing and a zero byte behind each packet.

Knows where packets begin and end, not what is in them. The receive buffer never holds more
than one stuffed packet; what is longer is skipped up to the next zero.
"""

from collections.abc import Iterator

from cobs import cobs

from edge_codec.firmware_bridge.events import DamageReason
from edge_codec.firmware_bridge.profile import MAX_PACKET_BYTES, framed_bytes

DELIMITER = b"\0"
MAX_STUFFED_BYTES = framed_bytes(MAX_PACKET_BYTES) - 1
"""Longest stuffed packet, delimiter not counted."""


def stuff(packet: bytes) -> bytes:
    """The packet as it goes on the wire: no zero inside, one behind."""
    return bytes(cobs.encode(packet)) + DELIMITER


def unstuff(stuffed: bytes) -> bytes | DamageReason:
    """Inverse of `stuff`, delimiter already taken off."""
    if len(stuffed) > MAX_STUFFED_BYTES:
        return DamageReason.OVERSIZE
    try:
        packet = bytes(cobs.decode(stuffed))
    except cobs.DecodeError:
        return DamageReason.STUFFING
    return packet if len(packet) <= MAX_PACKET_BYTES else DamageReason.OVERSIZE


class Unstuffer:
    """Cuts a byte stream, in any pieces, into packets."""

    def __init__(self) -> None:
        self._stuffed = bytearray()

    def receive(self, chunk: bytes) -> Iterator[bytes | DamageReason]:
        """Yield each packet that is complete now, or why it is none.

        Consume the iterator before the next call.
        """
        *ended, rest = chunk.split(DELIMITER)
        for piece in ended:
            self._keep(piece)
            stuffed = bytes(self._stuffed)
            self._stuffed.clear()
            if stuffed:
                yield unstuff(stuffed)
        self._keep(rest)

    def _keep(self, piece: bytes) -> None:
        """Append, up to one byte more than allowed: enough to know it is too long."""
        self._stuffed += piece[: MAX_STUFFED_BYTES + 1 - len(self._stuffed)]
