"""Who makes and reads R frames: the C library or numpy. The one place that chooses.

Both give the same bytes and read the same out of any bytes; C is many times faster.
"""

import os
from importlib import import_module
from typing import Protocol

from edge_codec.firmware_bridge.bits import IntArray
from edge_codec.firmware_bridge.errors import LocalLinkError
from edge_codec.firmware_bridge.hello import Hello
from edge_codec.firmware_bridge.raw_format import RawFormat
from edge_codec.firmware_bridge.raw_frame import NumpyFrames
from edge_codec.firmware_bridge.raw_header import RawHeader
from edge_codec.firmware_bridge.voice import Superframe

VARIABLE = "EDGE_CODEC_LINK"
"""Environment variable that forces an implementation: `c`, `python`, or `auto`."""


class FrameCodec(Protocol):
    """R frames of one profile; belongs to one thread. Legend: F code frames, K layers."""

    def __init__(self, form: RawFormat, *, paths: int) -> None:
        """Sizes, and candidates tried for a block whose checksum is wrong."""

    def pack_voice(self, header: RawHeader, codes_FK: IntArray) -> bytes:
        """The frame of one superframe: [F, K], all layers."""

    def pack_hello(self, header: RawHeader, hello: Hello) -> bytes:
        """The frame of a HELLO or END."""

    def header_bits(self, body: bytes) -> int:
        """The 48 received bits of the header of a body, as a number."""

    def decode_voice(self, header: RawHeader, body: bytes) -> Superframe | None:
        """As many layers of each frame as survived; None if not one frame did."""

    def decode_hello(self, header: RawHeader, body: bytes) -> Hello | None:
        """The HELLO of a frame; None if it did not survive or holds what is not allowed."""


def frame_codec_for(form: RawFormat, *, paths: int = 1, link: str | None = None) -> FrameCodec:
    """The implementation to use here.

    Args:
        form: sizes of the frames.
        paths: 1 to 32 candidates tried for a block whose checksum is wrong.
        link: `c`, `python` or `auto`; None: what the environment says, else `auto`.

    Raises:
        LocalLinkError: no such implementation, or not in this install.
    """
    wanted = link or os.environ.get(VARIABLE) or "auto"
    if wanted not in ("c", "python", "auto"):
        raise LocalLinkError(f"{VARIABLE} must be c, python or auto, got {wanted!r}")
    native = NumpyFrames if wanted == "python" else _native_frames()
    if not isinstance(native, str):
        return native(form, paths=paths)
    if wanted == "auto":
        return NumpyFrames(form, paths=paths)
    raise LocalLinkError(
        f"the C library of the link is not in this install ({native}); install edge-codec again"
        f" where gcc and python3-dev are, or set {VARIABLE}=auto"
    )


def describe_link() -> str:
    """Which implementation `frame_codec_for` gives, and why, in a few words."""
    if os.environ.get(VARIABLE) == "python":
        return f"numpy ({VARIABLE}=python)"
    native = _native_frames()
    return f"numpy ({native})" if isinstance(native, str) else "C library"


def _native_frames() -> type[FrameCodec] | str:
    """Frames in C; or why there are none. Loaded no sooner than asked for, to spare memory."""
    try:
        module = import_module("edge_codec.firmware_bridge.native_frame")
    except ImportError as error:
        return "built without a C compiler" if "_edge_link" in str(error) else str(error)
    frames: type[FrameCodec] = module.NativeFrames
    return frames
