"""The content of a VOICE packet: base class, RED field, enhancement class.

Knows codes, classes and their sizes. Each class is packed layer by layer, each layer frame
by frame, so the enhancement class ends well behind any layer.
Legend: F code frames of one superframe, K layers of the profile.
"""

from dataclasses import dataclass

import numpy as np

from edge_codec.firmware_bridge.bits import IntArray, pack_bits, unpack_bits
from edge_codec.firmware_bridge.events import DamageReason
from edge_codec.firmware_bridge.profile import StreamProfile


@dataclass(frozen=True, slots=True, eq=False)
class Superframe:
    """Codes of one superframe, as many layers of them as arrived."""

    codes_FK: IntArray
    """[F, K], 2**bits_per_code where a layer is missing."""
    valid_layers_F: IntArray
    """[F], layers that arrived of each frame."""


@dataclass(frozen=True, slots=True, eq=False)
class Voice:
    """What one VOICE packet brings."""

    superframe: Superframe
    earlier: Superframe | None = None
    """Base class of the superframe `distance` before this one, from the RED field."""
    distance: int = 0
    """1 to 255 superframes back; 0: no RED field."""


def pack_base(codes_FK: IntArray, profile: StreamProfile) -> bytes:
    """Base class of one superframe."""
    return _pack_layers(codes_FK[:, : profile.base_layers], profile)


def pack_voice(
    codes_FK: IntArray, profile: StreamProfile, layers: int, red: tuple[int, bytes] | None = None
) -> bytes:
    """Content of a VOICE packet.

    Args:
        codes_FK: [F, K], one whole superframe.
        profile: layout of the stream.
        layers: layers to send, base_layers to K.
        red: how far back, 1 to 255, and that superframe's base class.
    """
    field = b"" if red is None else bytes([red[0]]) + red[1]
    upper = _pack_layers(codes_FK[:, profile.base_layers : layers], profile)
    return pack_base(codes_FK, profile) + field + upper


def unpack_voice(content: bytes, profile: StreamProfile, *, has_red: bool) -> Voice | DamageReason:
    """Inverse of `pack_voice`; the length tells how many layers were sent."""
    classes = split_voice(content, profile, has_red=has_red)
    if classes is None:
        return DamageReason.LENGTH
    base, field, upper = classes
    layers = profile.base_layers + len(upper) * 8 // profile.layer_bits
    if layers > profile.layers or len(upper) != profile.enhancement_bytes(layers):
        return DamageReason.LENGTH
    superframe = _superframe(profile, base, upper, layers)
    if not has_red:
        return Voice(superframe)
    if field[0] == 0:
        return DamageReason.CONTENT
    return Voice(superframe, _superframe(profile, field[1:], b"", profile.base_layers), field[0])


def split_voice(
    content: bytes, profile: StreamProfile, *, has_red: bool
) -> tuple[bytes, bytes, bytes] | None:
    """Base class, RED field and enhancement class; None if the first two do not fit."""
    base_end = profile.base_bytes
    red_end = base_end + (1 + profile.base_bytes) * has_red
    if len(content) < red_end:
        return None
    return content[:base_end], content[base_end:red_end], content[red_end:]


def lost_superframe(profile: StreamProfile) -> Superframe:
    """A superframe of which nothing arrived."""
    return _superframe(profile, b"", b"", 0)


def _superframe(profile: StreamProfile, base: bytes, upper: bytes, layers: int) -> Superframe:
    frames = profile.frames_per_superframe
    codes_KF = np.full((profile.layers, frames), 1 << profile.bits_per_code, np.int64)
    split = min(layers, profile.base_layers)
    codes_KF[:split] = _unpack_layers(base, split, profile)
    codes_KF[split:layers] = _unpack_layers(upper, layers - split, profile)
    return Superframe(np.ascontiguousarray(codes_KF.T), np.full(frames, layers, np.int64))


def _pack_layers(codes_FK: IntArray, profile: StreamProfile) -> bytes:
    return pack_bits(codes_FK.T.reshape(-1), profile.bits_per_code)


def _unpack_layers(packed: bytes, layers: int, profile: StreamProfile) -> IntArray:
    """[layers, F]."""
    frames = profile.frames_per_superframe
    codes = unpack_bits(packed, layers * frames, profile.bits_per_code)
    return codes.reshape(layers, frames)
