"""CTRL and STAT messages between a host and the modem on its wire; never on the air.

Knows the content of those packets. Every message says its own kind and length, since the CRC does
not see zero bytes behind it.
"""

import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar

from edge_codec.firmware_bridge.errors import LocalLinkError
from edge_codec.firmware_bridge.events import DamageReason
from edge_codec.firmware_bridge.framing import stuff
from edge_codec.firmware_bridge.packet import Packet, PacketType, pack_packet

STAT_INTERVAL_S = 0.5
"""How often a modem tells its state."""
MAX_TEXT_BYTES = 32
"""Longest name, and longest content of a PING."""
UNKNOWN_DB = -128
"""Level or ratio that the modem cannot measure."""
_ANSWER = 0x80


class Kind(IntEnum):
    """First byte of a message; the modem's answer has the highest bit set, too."""

    PING = 1
    INFO = 2
    SET = 3
    PTT = 4
    RESET = 5
    STAT = 6


class Parameter(IntEnum):
    """What SET can set."""

    FREQUENCY_HZ = 1
    AIR_RATE_BPS = 2
    POWER_DBM = 3
    TX_DELAY_MS = 4
    TAIL_MS = 5


@dataclass(frozen=True, slots=True)
class Ping:
    """Are you there? The answer carries the same bytes."""

    data: bytes = b""
    is_answer: bool = False


@dataclass(frozen=True, slots=True)
class InfoRequest:
    """Who are you? The answer is `Info`."""


@dataclass(frozen=True, slots=True)
class Info:
    """What a modem is."""

    version: tuple[int, int, int]
    """Of the firmware."""
    tx_buffer_bytes: int
    """Room for packets that wait to be sent, up to 65535."""
    name: str
    is_answer: ClassVar[bool] = True


@dataclass(frozen=True, slots=True)
class Set:
    """Change a parameter; the answer carries the value in force."""

    parameter: Parameter
    value: int
    is_answer: bool = False


@dataclass(frozen=True, slots=True)
class Ptt:
    """Key or unkey the transmitter; the answer carries the state in force."""

    is_on: bool
    is_answer: bool = False


@dataclass(frozen=True, slots=True)
class Reset:
    """Start anew. The modem does not answer; its next STAT shows that it is back."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Stat:
    """State of a modem, told every `STAT_INTERVAL_S`."""

    rssi_dbm: int = UNKNOWN_DB
    """Level on the channel now, -127 to 127."""
    snr_db: int = UNKNOWN_DB
    """Of the last packet, -127 to 127."""
    tx_free_bytes: int
    """Room for more packets."""
    queue_ms: int
    """Time on the air of what waits to be sent."""
    errors: int
    """Packets lost in the modem since it started, 32 bits."""
    is_keyed: bool = False
    is_busy: bool = False
    """Somebody else is on the channel."""


Message = Ping | InfoRequest | Info | Set | Ptt | Reset | Stat

_KINDS = {
    Ping: Kind.PING,
    InfoRequest: Kind.INFO,
    Info: Kind.INFO,
    Set: Kind.SET,
    Ptt: Kind.PTT,
    Reset: Kind.RESET,
    Stat: Kind.STAT,
}
_INFO = struct.Struct(">3BH")
_SET = struct.Struct(">Bi")
_STAT = struct.Struct(">bbHHIB")


def pack_control(message: Message) -> bytes:
    """The content of a CTRL or STAT packet: kind, length, body.

    Raises:
        LocalLinkError: a value does not fit.
    """
    try:
        body = _pack_body(message)
    except (struct.error, ValueError) as error:
        raise LocalLinkError(f"{message} does not fit: {error}") from error
    answer = _ANSWER * getattr(message, "is_answer", False)
    return bytes([_KINDS[type(message)] | answer, len(body)]) + body


def unpack_control(content: bytes) -> Message | DamageReason:
    """Inverse of `pack_control`; bytes behind the message mean nothing."""
    if len(content) < 2 or len(content) < 2 + content[1]:
        return DamageReason.SHORT
    try:
        kind = Kind(content[0] & ~_ANSWER)
    except ValueError:
        return DamageReason.TYPE
    try:
        return _unpack_body(kind, content[2 : 2 + content[1]], is_answer=content[0] > _ANSWER)
    except struct.error:
        return DamageReason.LENGTH
    except ValueError:
        return DamageReason.CONTENT


def control_packet(message: Message, number: int) -> bytes:
    """A message stuffed and ready for the wire, on its own: it belongs to no stream."""
    kind = PacketType.STAT if isinstance(message, Stat) else PacketType.CTRL
    packet = Packet(type=kind, stream_tag=0, sequence=number, content=pack_control(message))
    return stuff(pack_packet(packet))


def _pack_body(message: Message) -> bytes:
    match message:
        case Ping():
            return _short(message.data)
        case Info():
            return _INFO.pack(*message.version, message.tx_buffer_bytes) + _short(
                message.name.encode()
            )
        case Set():
            return _SET.pack(message.parameter, message.value)
        case Ptt():
            return bytes([message.is_on])
        case Stat():
            levels = (message.rssi_dbm, message.snr_db)
            queue = (message.tx_free_bytes, message.queue_ms, message.errors)
            return _STAT.pack(*levels, *queue, message.is_keyed | message.is_busy << 1)
        case _:
            return b""


def _unpack_body(kind: Kind, body: bytes, *, is_answer: bool) -> Message:
    """Raises struct.error for a wrong length and ValueError for a wrong value."""
    match kind:
        case Kind.PING:
            return Ping(_short(body), is_answer)
        case Kind.INFO if is_answer:
            major, minor, patch, tx_buffer_bytes = _INFO.unpack(body[: _INFO.size])
            name = _short(body[_INFO.size :]).decode()
            return Info((major, minor, patch), tx_buffer_bytes, name)
        case Kind.SET:
            parameter, value = _SET.unpack(body)
            return Set(Parameter(parameter), value, is_answer)
        case Kind.PTT:
            (is_on,) = struct.unpack(">?", body)
            return Ptt(is_on, is_answer)
        case Kind.STAT:
            return _unpack_stat(body)
    struct.unpack("", body)
    return Reset() if kind is Kind.RESET else InfoRequest()


def _unpack_stat(body: bytes) -> Stat:
    rssi_dbm, snr_db, tx_free_bytes, queue_ms, errors, flags = _STAT.unpack(body)
    return Stat(
        rssi_dbm=rssi_dbm,
        snr_db=snr_db,
        tx_free_bytes=tx_free_bytes,
        queue_ms=queue_ms,
        errors=errors,
        is_keyed=bool(flags & 1),
        is_busy=bool(flags & 2),
    )


def _short(data: bytes) -> bytes:
    if len(data) > MAX_TEXT_BYTES:
        raise ValueError(f"{MAX_TEXT_BYTES} bytes at most, got {len(data)}")
    return data
