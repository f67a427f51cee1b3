"""KISS: whole frames to and from a TNC over a byte pipe (Chepponis and Karn, 1987).

Knows frames, not what is in them. The receive buffer never holds more than one frame.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

from edge_codec.firmware_bridge.errors import LocalLinkError
from edge_codec.firmware_bridge.events import DamageReason

FEND, FESC, TFEND, TFESC = b"\xc0", b"\xdb", b"\xdc", b"\xdd"
MAX_DATA_BYTES = 1024
"""Longest content of a frame; an AX.25 frame has 328 at most."""
_MAX_ESCAPED_BYTES = 2 * (1 + MAX_DATA_BYTES)


class KissCommand(IntEnum):
    """The commands in use; a TNC answers only with DATA, and some with SET_HARDWARE."""

    DATA = 0
    TX_DELAY = 1
    """One byte, units of 10 ms: from key down to the first byte."""
    PERSISTENCE = 2
    SLOT_TIME = 3
    TX_TAIL = 4
    FULL_DUPLEX = 5
    SET_HARDWARE = 6


@dataclass(frozen=True, slots=True)
class KissFrame:
    """One frame; what stands between two FEND."""

    data: bytes
    """Up to `MAX_DATA_BYTES`."""
    command: int = KissCommand.DATA
    """0 to 15, mostly a `KissCommand`."""
    port: int = 0
    """0 to 15: which radio of the TNC."""


def pack_kiss(frame: KissFrame) -> bytes:
    r"""The frame as it goes to the TNC.

    >>> pack_kiss(KissFrame(b"\xc0A"))
    b'\xc0\x00\xdb\xdcA\xc0'

    Raises:
        LocalLinkError: a field is out of range.
    """
    if not (0 <= frame.port < 16 and 0 <= frame.command < 16):
        raise LocalLinkError(f"port and command must be 0 to 15, got {frame.port}, {frame.command}")
    if len(frame.data) > MAX_DATA_BYTES:
        raise LocalLinkError(f"KISS carries {MAX_DATA_BYTES} bytes here, got {len(frame.data)}")
    data = bytes([frame.port << 4 | frame.command]) + frame.data
    return FEND + data.replace(FESC, FESC + TFESC).replace(FEND, FESC + TFEND) + FEND


def unpack_kiss(escaped: bytes) -> KissFrame | DamageReason:
    """Inverse of `pack_kiss`, the FENDs already taken off; `escaped` is not empty."""
    first, *parts = escaped.split(FESC)
    if not all(part[:1] in (TFEND, TFESC) for part in parts):
        return DamageReason.STUFFING
    data = first + b"".join((FEND if part[:1] == TFEND else FESC) + part[1:] for part in parts)
    if len(data) > 1 + MAX_DATA_BYTES:
        return DamageReason.OVERSIZE
    return KissFrame(data[1:], command=data[0] & 15, port=data[0] >> 4)


class KissUnpacker:
    """Cuts a byte stream, in any pieces, into frames."""

    def __init__(self) -> None:
        self._escaped = bytearray()

    def receive(self, chunk: bytes) -> Iterator[KissFrame | DamageReason]:
        """Yield each frame that is complete now, or why it is none.

        Consume the iterator before the next call.
        """
        *ended, rest = chunk.split(FEND)
        for piece in ended:
            self._keep(piece)
            escaped = bytes(self._escaped)
            self._escaped.clear()
            if len(escaped) > _MAX_ESCAPED_BYTES:
                yield DamageReason.OVERSIZE
            elif escaped:
                yield unpack_kiss(escaped)
        self._keep(rest)

    def _keep(self, piece: bytes) -> None:
        """Append, up to one byte more than allowed: enough to know it is too long."""
        self._escaped += piece[: _MAX_ESCAPED_BYTES + 1 - len(self._escaped)]
