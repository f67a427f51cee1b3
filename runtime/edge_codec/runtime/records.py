"""A byte stream cut into records that check themselves, so that damage costs only what it hits.

Sans-I/O: bytes in, intact records out; what is in a record is the caller's affair. Every buffer
is bounded by `MAX_PAYLOAD_BYTES`. Big endian:

    sync 2 | kind 1 | frame 4 | payload length 2 | payload | CRC-32 of all before it 4
"""

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from zlib import crc32

SYNC = b"\xec\xf1"
MAX_PAYLOAD_BYTES = 8192

_HEAD = struct.Struct(">2sBIH")
_CRC = struct.Struct(">I")
PATIENCE_BYTES = 1 << 24
"""So many bytes without an intact record are something else: a disk image, /dev/zero."""
OVERHEAD_BYTES = _HEAD.size + _CRC.size


@dataclass(frozen=True, slots=True)
class Record:
    """One intact record."""

    kind: int
    """What it holds, 0 to 255."""
    frame: int
    """Where in the stream it belongs, in code frames."""
    payload: bytes
    """At most `MAX_PAYLOAD_BYTES`."""


def pack_record(record: Record) -> bytes:
    """The bytes of a record."""
    head = _HEAD.pack(SYNC, record.kind, record.frame, len(record.payload))
    return head + record.payload + _CRC.pack(crc32(head + record.payload))


class RecordScanner:
    """Find the intact records of a byte stream; skip everything else."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self.limit_bytes = MAX_PAYLOAD_BYTES
        """Longest payload to believe; lower it once known, so that a damaged length field of a
        live stream does not make the scanner wait for bytes that will not come."""

    def scan(self, chunks: Iterable[bytes]) -> Iterator[Record]:
        """Yield each intact record as soon as its last byte is there; give up in the end."""
        idle_bytes = 0
        for chunk in chunks:
            self._buffer += chunk
            idle_bytes += len(chunk)
            for record in self._take(is_end=False):
                idle_bytes = 0
                yield record
            if idle_bytes > PATIENCE_BYTES:
                return
        yield from self._take(is_end=True)

    def _take(self, *, is_end: bool) -> Iterator[Record]:
        while self._seek_sync():
            size = self._claimed_bytes()
            if size > len(self._buffer) and not is_end:
                return
            record = self._parse(size)
            del self._buffer[: size if record else 1]
            if record:
                yield record

    def _seek_sync(self) -> bool:
        """Drop what cannot begin a record; tell whether what is left may be one."""
        start = self._buffer.find(SYNC)
        if start < 0:
            start = len(self._buffer) - self._buffer.endswith(SYNC[:1])
        del self._buffer[:start]
        return len(self._buffer) >= len(SYNC)

    def _claimed_bytes(self) -> int:
        """Size of the record at the front by its own word; 0 if it cannot be that long."""
        if len(self._buffer) < _HEAD.size:
            return _HEAD.size
        _, _, _, length = _HEAD.unpack_from(self._buffer)
        return OVERHEAD_BYTES + length if length <= self.limit_bytes else 0

    def _parse(self, size: int) -> Record | None:
        """The record of `size` bytes at the front; None if it is damaged or cut off."""
        if not OVERHEAD_BYTES <= size <= len(self._buffer):
            return None
        data = bytes(self._buffer[:size])
        _, kind, frame, _ = _HEAD.unpack_from(data)
        if _CRC.unpack(data[-_CRC.size :])[0] != crc32(data[: -_CRC.size]):
            return None
        return Record(kind, frame, data[_HEAD.size : -_CRC.size])
