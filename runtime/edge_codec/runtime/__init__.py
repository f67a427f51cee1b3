"""Run a trained codec: bundles, streams of codes, `.ecf` files. Never needs torch.

Each name is loaded when it is first used, so that the command line starts at once on a slow board:
numpy with the first one, ONNX Runtime when a codec is made, the audio libraries with a file.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edge_codec.runtime.bits import pack_codes, unpack_codes
    from edge_codec.runtime.bundle import Bundle, load_bundle
    from edge_codec.runtime.codec import StreamDecoder, StreamEncoder
    from edge_codec.runtime.ecf import EcfHeader, EcfReader, EcfWriter
    from edge_codec.runtime.file_decoder import decode_file
    from edge_codec.runtime.file_encoder import encode_file
    from edge_codec.runtime.spec import CodecSpec

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

_HOMES = {
    "Bundle": "bundle",
    "CodecSpec": "spec",
    "EcfHeader": "ecf",
    "EcfReader": "ecf",
    "EcfWriter": "ecf",
    "StreamDecoder": "codec",
    "StreamEncoder": "codec",
    "decode_file": "file_decoder",
    "encode_file": "file_encoder",
    "load_bundle": "bundle",
    "pack_codes": "bits",
    "unpack_codes": "bits",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
