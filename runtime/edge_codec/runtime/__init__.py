"""Run a trained codec: bundles, streams of codes, `.ecf` files. Never needs torch.

Importing this needs numpy only; ONNX Runtime is loaded when a codec is made, the audio libraries
when a file is read or written.
"""

from edge_codec.runtime.bits import pack_codes, unpack_codes
from edge_codec.runtime.bundle import Bundle, load_bundle
from edge_codec.runtime.codec import StreamDecoder, StreamEncoder
from edge_codec.runtime.spec import CodecSpec

__all__ = [
    "Bundle",
    "CodecSpec",
    "StreamDecoder",
    "StreamEncoder",
    "load_bundle",
    "pack_codes",
    "unpack_codes",
]
