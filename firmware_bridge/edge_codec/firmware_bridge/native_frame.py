"""R frames by the C library, through cffi. Bit for bit what `NumpyFrames` gives.

Knows the C functions of `firmware_bridge/c`; imported only where the extension was built.
"""

from functools import cached_property
from typing import Any

import numpy as np

from edge_codec.firmware_bridge._edge_link import ffi, lib
from edge_codec.firmware_bridge.bits import IntArray
from edge_codec.firmware_bridge.errors import LocalLinkError
from edge_codec.firmware_bridge.hello import Hello, pack_hello, unpack_hello
from edge_codec.firmware_bridge.profile import HELLO_BODY_BYTES, StreamProfile
from edge_codec.firmware_bridge.raw_format import RawFormat
from edge_codec.firmware_bridge.raw_header import RawHeader
from edge_codec.firmware_bridge.voice import Superframe

Cdata = Any
"""Memory of C; cffi has no types for it."""


class NativeFrames:
    """A `FrameCodec` in C."""

    def __init__(self, form: RawFormat, *, paths: int = 1) -> None:
        """Frames of one profile.

        Args:
            form: sizes.
            paths: 1 to 32 candidates tried for a block whose checksum is wrong.

        Raises:
            LocalLinkError: the C library has no room for such frames.
        """
        self._form = form
        self._paths = paths
        self._profile = _profile_of(form.profile)
        self._format = ffi.new("edge_raw_format_t *")
        if not lib.edge_raw_format(self._profile, self._format):
            raise LocalLinkError(f"the C library has no room for frames of {form.profile}")

    def pack_voice(self, header: RawHeader, codes_FK: IntArray) -> bytes:
        """The frame of one superframe: [F, K], all layers."""
        codes = np.ascontiguousarray(codes_FK, np.uint16)
        frame = ffi.new("uint8_t[]", self._form.frame_bytes)
        base, enhancement = self._classes
        lib.edge_pack_codes(self._profile, ffi.from_buffer("uint16_t[]", codes), base, enhancement)
        tag, sequence = header.stream_tag, header.sequence & 0xFF
        lib.edge_raw_pack_voice(self._format, tag, sequence, base, enhancement, frame)
        return bytes(ffi.buffer(frame))

    def pack_hello(self, header: RawHeader, hello: Hello) -> bytes:
        """The frame of a HELLO or END: its coded bits again and again until the frame is full."""
        fields = ffi.new("edge_hello_t *")
        frame = ffi.new("uint8_t[]", self._form.frame_bytes)
        lib.edge_unpack_hello(pack_hello(hello), fields)
        tag, sequence = header.stream_tag, header.sequence & 0xFF
        lib.edge_raw_pack_hello(self._format, int(header.type), tag, sequence, fields, frame)
        return bytes(ffi.buffer(frame))

    def header_bits(self, body: bytes) -> int:
        """The 48 received bits of the header, as a number."""
        self._form.check_body(body)
        return int(lib.edge_raw_open(self._format, self._decoder, body))

    def decode_voice(self, header: RawHeader, body: bytes) -> Superframe | None:
        """As many layers of each frame as survived; None if not one frame did."""
        self.header_bits(body)
        frames = ffi.new("edge_frames_t *")
        fields = _header_of(header)
        if not lib.edge_raw_decode_voice(self._format, self._decoder, fields, frames):
            return None
        return self._superframe(frames)

    def decode_hello(self, header: RawHeader, body: bytes) -> Hello | None:
        """The HELLO of a frame; None if it did not survive or holds what is not allowed."""
        self.header_bits(body)
        fields, packed = ffi.new("edge_hello_t *"), ffi.new("uint8_t[]", HELLO_BODY_BYTES)
        if not lib.edge_raw_decode_hello(self._format, self._decoder, _header_of(header), fields):
            return None
        lib.edge_pack_hello(fields, packed)
        return unpack_hello(bytes(ffi.buffer(packed)))

    @cached_property
    def _classes(self) -> tuple[Cdata, Cdata]:
        """Room for a packed base and enhancement class."""
        profile = self._form.profile
        upper_bytes = profile.enhancement_bytes(profile.layers)
        return ffi.new("uint8_t[]", profile.base_bytes), ffi.new("uint8_t[]", upper_bytes or 1)

    @cached_property
    def _decoder(self) -> Cdata:
        decoder = ffi.new("edge_raw_decoder_t *")
        if self._paths > 1:
            lib.edge_raw_use_list(decoder, self._list, self._paths)
        return decoder

    @cached_property
    def _list(self) -> Cdata:
        """Large, and touched only as far as a profile needs."""
        return ffi.new_allocator(should_clear_after_alloc=False)("edge_list_t *")

    def _superframe(self, frames: Cdata) -> Superframe:
        profile = self._form.profile
        shape = profile.frames_per_superframe, profile.layers
        codes_FK, layers = np.empty(shape, np.uint16), int(frames.layers)
        room = ffi.from_buffer("uint16_t[]", codes_FK)
        lib.edge_unpack_codes(self._profile, frames.base, frames.enhancement, layers, room)
        is_lost_F = (int(frames.lost_frames) >> np.arange(shape[0], dtype=object) & 1).astype(bool)
        arrived_FK = codes_FK.astype(np.int64)
        arrived_FK[is_lost_F] = arrived_FK[:, layers:] = 1 << profile.bits_per_code
        return Superframe(arrived_FK, np.where(is_lost_F, 0, layers))


def _profile_of(profile: StreamProfile) -> Cdata:
    return ffi.new(
        "edge_profile_t *",
        {
            "layers": profile.layers,
            "base_layers": profile.base_layers,
            "bits_per_code": profile.bits_per_code,
            "frames": profile.frames_per_superframe,
            "superframe_ms": profile.superframe_ms,
        },
    )


def _header_of(header: RawHeader) -> Cdata:
    return ffi.new(
        "edge_raw_header_t *", (int(header.type), header.stream_tag, header.sequence & 0xFF)
    )
