"""What secures the packets of one stream: its key, nonces and tags. Bytes only, no state.

A tag made with a key shared beforehand takes the place of the CRC. `auth` leaves the content in
the clear and needs the standard library alone; `aead` encrypts it and imports `cryptography`.
"""

import hashlib
import hmac
from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import TYPE_CHECKING

from edge_codec.firmware_bridge.callsign import pack_callsign
from edge_codec.firmware_bridge.errors import LocalLinkError
from edge_codec.firmware_bridge.events import DamageReason
from edge_codec.firmware_bridge.packet import Packet, PacketType, pack_header, unpack_content
from edge_codec.firmware_bridge.profile import (
    HEADER_BYTES,
    HELLO_BODY_BYTES,
    MAX_PACKET_BYTES,
    NUMBER_BYTES,
    StreamProfile,
)

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESCCM

    from edge_codec.firmware_bridge.hello import Hello

SECRET_BYTES = 32
"""Length of a pre-shared key."""
IN_CLEAR = (PacketType.HELLO, PacketType.END)
"""Never encrypted: they say which key it takes."""
NEVER_SECURED = (PacketType.CTRL, PacketType.STAT)
"""Between a host and its own modem, never on the air."""
_SALT = b"edge-codec v1"
MAX_NUMBER = (1 << 32) - 1
"""Of a packet in its stream: nonces have four bytes for it."""


class Protection(IntEnum):
    """What a tag protects; the value is the one on the air."""

    AUTH = 1
    """Content in the clear, HMAC-SHA-256 cut to `tag_bytes`."""
    AEAD = 2
    """Content encrypted, AES-128-CCM."""


_TAG_BYTES = {Protection.AUTH: (4, 8), Protection.AEAD: (4, 6, 8, 10, 12, 14, 16)}
_KEY_BYTES = {Protection.AUTH: 32, Protection.AEAD: 16}


@dataclass(frozen=True, kw_only=True, slots=True)
class Security:
    """What both ends agreed on: a secret and what is done with it."""

    secret: bytes = field(repr=False)
    """Pre-shared key, 32 bytes."""
    protection: Protection
    """Authentication alone, or encryption too."""
    tag_bytes: int = 8
    """Length of a tag: 4 or 8 for `auth`, an even number from 4 to 16 for `aead`."""

    def __post_init__(self) -> None:
        if len(self.secret) != SECRET_BYTES:
            raise LocalLinkError(f"a key has {SECRET_BYTES} bytes, got {len(self.secret)}")
        allowed = _TAG_BYTES[self.protection]
        if self.tag_bytes not in allowed:
            raise LocalLinkError(
                f"a tag of {self.protection.name.lower()} has {', '.join(map(str, allowed))}"
                f" bytes, got {self.tag_bytes}"
            )

    @property
    def suite(self) -> int:
        """Protection and tag length as one byte, as HELLO names them."""
        return self.protection << 4 | self.tag_bytes - 1

    @property
    def max_message_bytes(self) -> int:
        """Longest secured TEXT or CLIP."""
        return MAX_PACKET_BYTES - HEADER_BYTES - NUMBER_BYTES - self.tag_bytes

    def check_profile(self, profile: StreamProfile) -> None:
        """Raise if packets of this profile would become too long.

        Raises:
            LocalLinkError: they would.
        """
        if profile.packet_bytes(red=True, tag_bytes=self.tag_bytes) > MAX_PACKET_BYTES:
            raise LocalLinkError(
                f"{profile.content_bytes(red=True)} bytes of voice and a tag of {self.tag_bytes}"
                f" exceed a packet of {MAX_PACKET_BYTES}; use a shorter tag or fewer frames per"
                " superframe"
            )


def derive_key(security: Security, source: str, epoch: int) -> bytes:
    """The key of one sender and epoch: HKDF-SHA256 (RFC 5869) of the secret.

    Args:
        security: secret and suite; each suite has keys of its own.
        source: callsign of the sender.
        epoch: key epoch, 0 to 255.
    """
    info = pack_callsign(source) + bytes([epoch, security.suite])
    extracted = hmac.digest(_SALT, security.secret, "sha256")
    # One block of HKDF-Expand is as long as the longest key.
    return hmac.digest(extracted, info + b"\1", "sha256")[: _KEY_BYTES[security.protection]]


def fingerprint(secret: bytes) -> str:
    """16 hex digits by which people compare keys; tells nothing about the secret.

    >>> fingerprint(bytes(32))
    'ec6e d18d 01a4 3943'
    """
    digits = hashlib.sha256(b"edge-codec fingerprint" + secret).hexdigest()[:16]
    return " ".join(digits[i : i + 4] for i in range(0, 16, 4))


def ordered_nonce(unix_ms: int, random: bytes) -> bytes:
    """A stream nonce greater than all earlier ones: 48 bits of time, 16 random ones.

    >>> ordered_nonce(1_700_000_000_000, bytes([0xAB, 0xCD])).hex()
    '018bcfe56800abcd'
    """
    return unix_ms.to_bytes(6, "big") + random[:2]


class StreamSeal:
    """Seals and opens the packets of one stream, each by its number of 32 bits."""

    def __init__(self, security: Security, hello: "Hello") -> None:
        """Derive the key of the stream that `hello` announces.

        Raises:
            ModuleNotFoundError: `aead` needs the extra `crypto`.
        """
        self._security = security
        self._nonce = hello.nonce
        self._key = derive_key(security, hello.source, hello.epoch)
        is_aead = security.protection is Protection.AEAD
        self._cipher = _make_cipher(self._key, security.tag_bytes) if is_aead else None

    def seal(self, packet: Packet, number: int) -> bytes:
        """The packet with a tag; `number` counts the superframes, or the messages."""
        if number > MAX_NUMBER:
            raise LocalLinkError("a stream has at most 2**32 packets; open a new one")
        head = pack_header(packet, is_secured=True)
        content = packet.content
        if packet.type in IN_CLEAR:
            content += bytes([self._security.suite])
        if packet.type is not PacketType.VOICE:
            head += (number >> 8).to_bytes(NUMBER_BYTES, "big")
        if self._cipher is None:
            return head + content + self._tag(packet.type, number, head + content)
        clear, hidden = (head + content, b"") if packet.type in IN_CLEAR else (head, content)
        return clear + self._cipher.encrypt(self._nonce_of(packet.type, number), hidden, clear)

    def open(self, data: bytes, number: int) -> Packet | DamageReason:
        """Inverse of `seal`; `TAG` if the packet is not the one that was sealed."""
        packet = unpack_content(data[: -self._security.tag_bytes])
        if isinstance(packet, DamageReason):
            return packet
        head_bytes = HEADER_BYTES + NUMBER_BYTES * (packet.type is not PacketType.VOICE)
        content = self._verified(packet.type, number, data, head_bytes)
        if content is None:
            return DamageReason.TAG
        if packet.type in IN_CLEAR:
            content = content[:HELLO_BODY_BYTES]
        return replace(packet, content=content)

    def _verified(
        self, kind: PacketType, number: int, data: bytes, head_bytes: int
    ) -> bytes | None:
        """The content in the clear; None if the tag is wrong."""
        split = len(data) - self._security.tag_bytes
        if self._cipher is None:
            tag = self._tag(kind, number, data[:split])
            return data[head_bytes:split] if hmac.compare_digest(tag, data[split:]) else None
        from cryptography.exceptions import InvalidTag  # noqa: PLC0415  optional extra

        clear_bytes = split if kind in IN_CLEAR else head_bytes
        clear, hidden = data[:clear_bytes], data[clear_bytes:]
        try:
            content = self._cipher.decrypt(self._nonce_of(kind, number), hidden, clear)
        except InvalidTag:
            return None
        return clear[head_bytes:] + content

    def _tag(self, kind: PacketType, number: int, data: bytes) -> bytes:
        message = self._nonce_of(kind, number) + data
        return hmac.digest(self._key, message, "sha256")[: self._security.tag_bytes]

    def _nonce_of(self, kind: PacketType, number: int) -> bytes:
        """13 bytes that no two different packets under one key share."""
        return self._nonce + number.to_bytes(4, "big") + bytes([kind])


def _make_cipher(key: bytes, tag_bytes: int) -> "AESCCM":
    from cryptography.hazmat.primitives.ciphers.aead import (  # noqa: PLC0415  optional extra
        AESCCM,
    )

    return AESCCM(key, tag_length=tag_bytes)
