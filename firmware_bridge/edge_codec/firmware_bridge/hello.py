"""HELLO: who speaks, with which model and which profile; 28 bytes, also inside END.

Knows bytes and fields, no packets and no state.
"""

from dataclasses import dataclass

from edge_codec.firmware_bridge.callsign import pack_callsign, unpack_callsign
from edge_codec.firmware_bridge.errors import LinkError, LocalLinkError
from edge_codec.firmware_bridge.profile import HELLO_BODY_BYTES, StreamProfile

MODEL_HASH_BYTES = 4
NONCE_BYTES = 8


@dataclass(frozen=True, kw_only=True, slots=True)
class Hello:
    """What a receiver must know about one talk spurt beyond its codes."""

    source: str
    """Callsign of the sender: up to nine of A-Z 0-9 - / . (empty: not given)."""
    destination: str = "@ALL"
    """Callsign of the receiver; `BROADCAST` is everybody."""
    model_hash: bytes
    """First 4 bytes of the SHA-256 of the codec bundle."""
    profile: StreamProfile
    """How the stream is packed; its numbers are the codec descriptor on the air."""
    nonce: bytes
    """8 random bytes, new for each talk spurt."""
    epoch: int = 0
    """Key epoch, 0 to 255."""

    def __post_init__(self) -> None:
        pack_callsign(self.source)
        pack_callsign(self.destination)
        if len(self.model_hash) != MODEL_HASH_BYTES or len(self.nonce) != NONCE_BYTES:
            raise LocalLinkError(
                f"HELLO needs {MODEL_HASH_BYTES} bytes of model hash and {NONCE_BYTES} of nonce,"
                f" got {len(self.model_hash)} and {len(self.nonce)}"
            )
        if not 0 <= self.epoch <= 255:
            raise LocalLinkError(f"epoch must be 0 to 255, got {self.epoch}")


def pack_hello(hello: Hello) -> bytes:
    """The 28 bytes of a HELLO's content."""
    return (
        pack_callsign(hello.destination)
        + pack_callsign(hello.source)
        + hello.model_hash
        + _pack_profile(hello.profile)
        + hello.nonce
        + bytes([hello.epoch])
    )


def unpack_hello(body: bytes) -> Hello:
    """Inverse of `pack_hello`.

    Raises:
        LinkError: wrong length, or a field holds a value that is not allowed.
    """
    if len(body) != HELLO_BODY_BYTES:
        raise LinkError(f"a HELLO has {HELLO_BODY_BYTES} bytes, got {len(body)}")
    return Hello(
        destination=unpack_callsign(body[0:6]),
        source=unpack_callsign(body[6:12]),
        model_hash=body[12:16],
        profile=_unpack_profile(body[16:19]),
        nonce=body[19:27],
        epoch=body[27],
    )


def describe_model_mismatch(stream_hash: bytes, board_hash: bytes) -> str | None:
    """The sentence for a stream this board cannot decode; None if the models agree.

    >>> describe_model_mismatch(bytes.fromhex("1a2b3c4d"), bytes.fromhex("5e6f7a8b"))
    'stream uses model 1a2b3c4d, this board has 5e6f7a8b'
    """
    stream, board = stream_hash[:MODEL_HASH_BYTES], board_hash[:MODEL_HASH_BYTES]
    if stream == board:
        return None
    return f"stream uses model {stream.hex()}, this board has {board.hex()}"


def _pack_profile(profile: StreamProfile) -> bytes:
    """24 bits: layers-1 (5), base-1 (3), bits-1 (4), frames-1 (6), superframe/10 ms-1 (6)."""
    value = profile.layers - 1
    value = value << 3 | profile.base_layers - 1
    value = value << 4 | profile.bits_per_code - 1
    value = value << 6 | profile.frames_per_superframe - 1
    value = value << 6 | profile.superframe_ms // 10 - 1
    return value.to_bytes(3, "big")


def _unpack_profile(descriptor: bytes) -> StreamProfile:
    value = int.from_bytes(descriptor, "big")
    return StreamProfile(
        layers=(value >> 19) + 1,
        base_layers=(value >> 16 & 0x7) + 1,
        bits_per_code=(value >> 12 & 0xF) + 1,
        frames_per_superframe=(value >> 6 & 0x3F) + 1,
        superframe_ms=((value & 0x3F) + 1) * 10,
    )
