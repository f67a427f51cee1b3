"""Run a trained codec: bundles, streams of codes, `.ecf` files. Never needs torch.

Importing this needs numpy only; ONNX Runtime is loaded when a codec is made, the audio libraries
when a file is read or written.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from edge_codec.runtime.bits import pack_codes, unpack_codes
from edge_codec.runtime.bundle import Bundle, load_bundle
from edge_codec.runtime.codec import StreamDecoder, StreamEncoder
from edge_codec.runtime.ecf import EcfHeader, EcfReader, EcfWriter
from edge_codec.runtime.spec import CodecSpec

if TYPE_CHECKING:
    from edge_codec.runtime.file_decoder import decode_file
    from edge_codec.runtime.file_encoder import encode_file

__all__ = [
    "Bundle",
    "CodecSpec",
    "EcfHeader",
    "EcfReader",
    "EcfWriter",
    "StreamDecoder",
    "StreamEncoder",
    "decode_file",
    "encode_file",
    "load_bundle",
    "pack_codes",
    "unpack_codes",
]


_LAZY = {
    "decode_file": "edge_codec.runtime.file_decoder",
    "encode_file": "edge_codec.runtime.file_encoder",
}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
