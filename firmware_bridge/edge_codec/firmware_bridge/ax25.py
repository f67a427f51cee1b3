"""AX.25 UI frames: content for everybody who listens, with callsigns, without connection.

AX.25 2.2, section 3. Knows addresses and fields; the frame check is the TNC's business.
"""

import re
from dataclasses import dataclass

from edge_codec.firmware_bridge.errors import LocalLinkError
from edge_codec.firmware_bridge.events import DamageReason

UI, POLL = 0x03, 0x10
NO_LAYER_3 = 0xF0
"""Protocol id: the content belongs to no protocol above."""
MAX_PATH = 8
MAX_CONTENT_BYTES = 256
_ADDRESS_BYTES = 7
_LAST, _RESERVED, _COMMAND_OR_REPEATED = 0x01, 0x60, 0x80
_CALLSIGN = re.compile(r"[A-Z0-9]{1,6}", re.ASCII)
_ADDRESS = re.compile(r"(?P<callsign>[A-Z0-9]{1,6})(?:-(?P<ssid>\d{1,2}))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Ax25Address:
    """A station: callsign and secondary station id."""

    callsign: str
    """1 to 6 of A-Z 0-9."""
    ssid: int = 0
    """0 to 15."""

    def __post_init__(self) -> None:
        if not (_CALLSIGN.fullmatch(self.callsign) and 0 <= self.ssid <= 15):
            raise LocalLinkError(_describe_wrong(str(self)))

    def __str__(self) -> str:
        return f"{self.callsign}-{self.ssid}" if self.ssid else self.callsign

    @classmethod
    def parse(cls, text: str) -> "Ax25Address":
        """The address that is written as AB1CD or AB1CD-5.

        Raises:
            LocalLinkError: it is none.
        """
        match = _ADDRESS.fullmatch(text.upper())
        if match is None:
            raise LocalLinkError(_describe_wrong(text))
        return cls(match["callsign"], int(match["ssid"] or 0))


@dataclass(frozen=True, kw_only=True, slots=True)
class UiFrame:
    """One unnumbered information frame, as a command, without protocol above."""

    destination: Ax25Address
    source: Ax25Address
    path: tuple[Ax25Address, ...] = ()
    """Digipeaters to go through, at most eight."""
    content: bytes
    """Up to 256 bytes."""


def pack_ui(frame: UiFrame) -> bytes:
    """Addresses, control, protocol id and content.

    Raises:
        LocalLinkError: the path or the content is too long.
    """
    if len(frame.path) > MAX_PATH or len(frame.content) > MAX_CONTENT_BYTES:
        raise LocalLinkError(
            f"AX.25 has {MAX_PATH} digipeaters and {MAX_CONTENT_BYTES} bytes at most,"
            f" got {len(frame.path)} and {len(frame.content)}"
        )
    addresses = bytearray(_pack_address(frame.destination, _COMMAND_OR_REPEATED))
    for address in (frame.source, *frame.path):
        addresses += _pack_address(address, 0)
    addresses[-1] |= _LAST
    return bytes(addresses) + bytes([UI, NO_LAYER_3]) + frame.content


def unpack_ui(data: bytes) -> UiFrame | DamageReason:
    """Inverse of `pack_ui`; any bytes give a frame or the reason why not."""
    end = next((i + 1 for i, byte in enumerate(data) if byte & _LAST), 0)
    if end == 0 or len(data) < end + 2:
        return DamageReason.SHORT
    if end % _ADDRESS_BYTES or not 2 <= end // _ADDRESS_BYTES <= 2 + MAX_PATH:
        return DamageReason.LENGTH
    if data[end] & ~POLL != UI or data[end + 1] != NO_LAYER_3:
        return DamageReason.TYPE
    try:
        destination, source, *path = [
            _unpack_address(data[i : i + _ADDRESS_BYTES]) for i in range(0, end, _ADDRESS_BYTES)
        ]
    except LocalLinkError:
        return DamageReason.CONTENT
    if len(content := data[end + 2 :]) > MAX_CONTENT_BYTES:
        return DamageReason.OVERSIZE
    return UiFrame(destination=destination, source=source, path=tuple(path), content=content)


def _pack_address(address: Ax25Address, flag: int) -> bytes:
    callsign = bytes(byte << 1 for byte in address.callsign.ljust(6).encode("ascii"))
    return callsign + bytes([flag | _RESERVED | address.ssid << 1])


def _unpack_address(data: bytes) -> Ax25Address:
    callsign = bytes(byte >> 1 for byte in data[:-1]).decode("ascii")
    return Ax25Address(callsign.rstrip(" "), data[-1] >> 1 & 0xF)


def _describe_wrong(text: str) -> str:
    return (
        f"{text!r} is no AX.25 address: write AB1CD or AB1CD-5, up to six of A-Z 0-9 and an id"
        " up to 15"
    )
