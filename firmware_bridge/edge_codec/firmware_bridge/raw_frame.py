"""One R frame in numpy: sync marker, header, content; each protected as it deserves.

Knows the bits of a frame, not which frame belongs to which stream. Legend: F code frames of one
superframe, K layers, N bits of a block, G groups of the base class.
"""

from collections.abc import Callable
from itertools import islice

import numpy as np
from fastcrc import crc8, crc16

from edge_codec.firmware_bridge.bits import IntArray, pack_bits, unpack_bits
from edge_codec.firmware_bridge.convolution import (
    FULL,
    PUNCTURED,
    TAIL_BITS,
    BitArray,
    SoftArray,
    coded_bits,
    convolve,
    disagreement,
    iter_blocks,
    unpuncture,
)
from edge_codec.firmware_bridge.errors import LinkError
from edge_codec.firmware_bridge.hello import Hello, pack_hello, unpack_hello
from edge_codec.firmware_bridge.profile import StreamProfile
from edge_codec.firmware_bridge.raw_format import (
    CRC_BITS,
    GROUP_CRC_BITS,
    HEADER_BITS,
    HELLO_BITS,
    SYNC_MARKER,
    RawFormat,
)
from edge_codec.firmware_bridge.raw_header import RawHeader
from edge_codec.firmware_bridge.scramble import scramble, unscramble
from edge_codec.firmware_bridge.voice import Superframe

MAX_DISAGREEMENT = 1 / 12
"""Share of contradicted bits beyond which a block is none: noise comes to 0.14."""
MAX_GROUP_DISAGREEMENT = 0.1
"""The same of one group of a base block."""

_Check = Callable[[int, BitArray], bool]


class NumpyFrames:
    """A `FrameCodec` for machines without the C library; that library is held to it in tests."""

    def __init__(self, form: RawFormat, *, paths: int = 1) -> None:
        """Frames of one profile.

        Args:
            form: sizes.
            paths: candidates tried for a block whose checksum is wrong.
        """
        self._form = form
        self._paths = paths

    def pack_voice(self, header: RawHeader, codes_FK: IntArray) -> bytes:
        """The frame of one superframe: [F, K], all layers."""
        form, profile = self._form, self._form.profile
        base_layers, bits_per_code = profile.base_layers, profile.bits_per_code
        groups = [
            _with_crc8(header, n, _bits_of(group_FK[:, :base_layers], bits_per_code))
            for n, group_FK in enumerate(np.split(codes_FK, form.groups))
        ]
        content = convolve(_with_tail(groups), FULL)
        if form.upper_bits:
            upper = _with_crc16(header, _bits_of(codes_FK[:, base_layers:], bits_per_code))
            content = np.concatenate([content, convolve(_with_tail([upper]), PUNCTURED)])
        return _pack_frame(header, content, form)

    def pack_hello(self, header: RawHeader, hello: Hello) -> bytes:
        """The frame of a HELLO or END: its coded bits again and again until the frame is full."""
        body = np.unpackbits(np.frombuffer(pack_hello(hello), np.uint8))
        coded = convolve(_with_tail([_with_crc16(header, body)]), FULL)
        return _pack_frame(header, np.resize(coded, self._form.content_bits), self._form)

    def header_bits(self, body: bytes) -> int:
        """The 48 received bits of the header, as a number."""
        bits = _unscrambled(body, self._form)[:HEADER_BITS]
        return int.from_bytes(np.packbits(bits).tobytes(), "big")

    def decode_voice(self, header: RawHeader, body: bytes) -> Superframe | None:
        """As many layers of each frame as survived; None if not one frame did."""
        form, paths, soft = self._form, self._paths, _soft_content(body, self._form)
        base_end = coded_bits(form.base_bits, FULL)
        base_N2 = unpuncture(soft[:base_end], form.base_bits, FULL)
        groups = _decode(base_N2, form.groups, lambda n, bits: _is_crc8(header, n, bits), paths)
        if not any(group is not None for group in groups):
            return None
        upper = None
        if form.upper_bits:
            upper_end = base_end + coded_bits(form.upper_bits, PUNCTURED)
            upper_N2 = unpuncture(soft[base_end:upper_end], form.upper_bits, PUNCTURED)
            upper = _decode(upper_N2, 1, lambda _, bits: _is_crc16(header, bits), paths, limit=1)[0]
        return _superframe(groups, upper, form)

    def decode_hello(self, header: RawHeader, body: bytes) -> Hello | None:
        """The HELLO of a frame; None if it did not survive or holds what is not allowed."""
        soft = _soft_content(body, self._form)
        repeated = np.zeros(coded_bits(HELLO_BITS, FULL), np.int32)
        np.add.at(repeated, np.arange(len(soft)) % len(repeated), soft)
        pairs_N2 = unpuncture(repeated, HELLO_BITS, FULL)
        bits = _decode(pairs_N2, 1, lambda _, bits: _is_crc16(header, bits), self._paths)[0]
        if bits is None:
            return None
        try:
            return unpack_hello(np.packbits(bits[:-CRC_BITS]).tobytes())
        except LinkError:
            return None


def _unscrambled(body: bytes, form: RawFormat) -> BitArray:
    form.check_body(body)
    return unscramble(np.unpackbits(np.frombuffer(body, np.uint8)))


def _soft_content(body: bytes, form: RawFormat) -> SoftArray:
    """Soft values of the bits behind the header."""
    return 2 * _unscrambled(body, form)[HEADER_BITS:].astype(np.int32) - 1


def _pack_frame(header: RawHeader, content: BitArray, form: RawFormat) -> bytes:
    bits = np.zeros(HEADER_BITS + form.content_bits, np.uint8)
    bits[:HEADER_BITS] = np.unpackbits(np.frombuffer(header.coded().to_bytes(6, "big"), np.uint8))
    bits[HEADER_BITS : HEADER_BITS + len(content)] = content
    return SYNC_MARKER + np.packbits(scramble(bits)).tobytes()


def _decode(
    pairs_N2: SoftArray, groups: int, check: _Check, paths: int, *, limit: float = MAX_DISAGREEMENT
) -> list[BitArray | None]:
    """Each group of a block, from the likeliest path in which its checksum is right."""
    size = (len(pairs_N2) - TAIL_BITS) // groups
    known_N = np.full(len(pairs_N2), -1)
    known_N[-TAIL_BITS:] = 0
    block = next(iter_blocks(pairs_N2, known_N))
    found: list[BitArray | None] = [None] * groups
    if disagreement(block, pairs_N2) > limit:
        return found
    _take(found, block, check, pairs_N2)
    if paths > 1 and any(group is None for group in found):
        for n, group in enumerate(found):
            if group is not None:
                known_N[n * size : (n + 1) * size] = group
        for block in islice(iter_blocks(pairs_N2, known_N), 1, paths):
            _take(found, block, check, pairs_N2)
    return found


def _take(
    found: list[BitArray | None], block: BitArray, check: _Check, pairs_N2: SoftArray
) -> None:
    """Fill groups not found yet from a block, where checksum and received bits bear them out."""
    size = (len(block) - TAIL_BITS) // len(found)
    for n, bits in enumerate(np.split(block[:-TAIL_BITS], len(found))):
        part = slice(n * size, (n + 1) * size)
        if found[n] is None and check(n, bits) and _is_credible(block, pairs_N2, part, len(found)):
            found[n] = bits


def _is_credible(block: BitArray, pairs_N2: SoftArray, part: slice, groups: int) -> bool:
    """Whether a group may be what was sent: its eight bits of checksum alone are too few."""
    return groups == 1 or disagreement(block, pairs_N2, part) <= MAX_GROUP_DISAGREEMENT


def _superframe(
    groups: list[BitArray | None], upper: BitArray | None, form: RawFormat
) -> Superframe:
    profile = form.profile
    shape = (profile.frames_per_superframe, profile.layers)
    codes_FK = np.full(shape, 1 << profile.bits_per_code, np.int64)
    valid_layers_F = np.zeros(shape[0], np.int64)
    if upper is not None:
        codes_FK[:, profile.base_layers :] = _codes_of(upper[:-CRC_BITS], shape[0], profile)
    for n, bits in enumerate(groups):
        frames = slice(n * form.group_frames, (n + 1) * form.group_frames)
        if bits is None:
            codes_FK[frames] = 1 << profile.bits_per_code
            continue
        codes = _codes_of(bits[:-GROUP_CRC_BITS], form.group_frames, profile)
        codes_FK[frames, : profile.base_layers] = codes
        valid_layers_F[frames] = profile.base_layers if upper is None else profile.layers
    return Superframe(codes_FK, valid_layers_F)


def _bits_of(codes_FK: IntArray, bits_per_code: int) -> BitArray:
    """Codes layer after layer, frame after frame."""
    packed = pack_bits(codes_FK.T.reshape(-1), bits_per_code)
    return np.unpackbits(np.frombuffer(packed, np.uint8), count=codes_FK.size * bits_per_code)


def _codes_of(bits: BitArray, frames: int, profile: StreamProfile) -> IntArray:
    """[frames, layers] inverse of `_bits_of`."""
    count = len(bits) // profile.bits_per_code
    packed = np.packbits(bits).tobytes()
    return unpack_bits(packed, count, profile.bits_per_code).reshape(-1, frames).T


def _with_tail(parts: list[BitArray]) -> BitArray:
    return np.concatenate([*parts, np.zeros(TAIL_BITS, np.uint8)])


def _with_crc8(header: RawHeader, group: int, bits: BitArray) -> BitArray:
    """CRC-8/AUTOSAR of header, group number and bits, so it fits no other place."""
    crc = crc8.autosar(header.pack() + bytes([group]) + np.packbits(bits).tobytes())
    return np.concatenate([bits, np.unpackbits(np.array([crc], np.uint8))])


def _with_crc16(header: RawHeader, bits: BitArray) -> BitArray:
    """CRC-16/IBM-3740 of header and bits."""
    crc = crc16.ibm_3740(header.pack() + np.packbits(bits).tobytes())
    return np.concatenate([bits, np.unpackbits(np.array([crc >> 8, crc & 0xFF], np.uint8))])


def _is_crc8(header: RawHeader, group: int, bits: BitArray) -> bool:
    return np.array_equal(_with_crc8(header, group, bits[:-GROUP_CRC_BITS]), bits)


def _is_crc16(header: RawHeader, bits: BitArray) -> bool:
    return np.array_equal(_with_crc16(header, bits[:-CRC_BITS]), bits)
