"""Packet captures as Wireshark reads them, of UDP datagrams on IPv4."""

import struct
from collections.abc import Iterable
from pathlib import Path

_RAW_IP = 101
_HEADER = struct.Struct("<IHHiIII")
_RECORD = struct.Struct("<IIII")


def write_pcap(path: Path, datagrams: Iterable[tuple[float, bytes]], port: int) -> None:
    """Write datagrams to `port`, each with its time in seconds."""
    with path.open("wb") as file:
        file.write(_HEADER.pack(0xA1B2C3D4, 2, 4, 0, 0, 65535, _RAW_IP))
        for time_s, data in datagrams:
            frame = _ip(struct.pack(">HHHH", 40_000, port, 8 + len(data), 0) + data)
            seconds, microseconds = divmod(round(time_s * 1e6), 1_000_000)
            file.write(_RECORD.pack(seconds, microseconds, len(frame), len(frame)) + frame)


def _ip(payload: bytes) -> bytes:
    """An IPv4 packet from and to 127.0.0.1, checksum zero: not filled in yet."""
    ends = 2 * bytes((127, 0, 0, 1))
    length = 20 + len(payload)
    return struct.pack(">BBHHHBBH", 0x45, 0, length, 0, 0, 64, 17, 0) + ends + payload
