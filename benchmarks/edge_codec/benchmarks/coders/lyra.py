"""Lyra v2 (google/lyra 1.3.2) from its published TFLite graphs.

The runtime can run them as a model too, but quantizes all 46 stages whatever is sent; here, as in
Lyra itself, only what is sent, so that times compare.
"""

from pathlib import Path
from typing import Any

import numpy as np

from edge_codec.benchmarks.coders.coder import FloatArray, Packet
from edge_codec.runtime.backends.lyra import HOP_SAMPLES
from edge_codec.runtime.backends.tflite import open_signature
from edge_codec.runtime.errors import MissingExtraError
from edge_codec.runtime.lyra_bundle import GRAPHS, SPEC

_AUDIO, _FEATURES, _CODES = "float32 [1, 320]", "float32 [1, 1, 64]", "int32 [46, 1, 1]"


class Lyra:
    """Lyra v2 at one of its bitrates."""

    backend, precision = "lyra", "int8"
    rate_hz, delay_samples = SPEC.sample_rate_hz, SPEC.delay_samples
    frame_samples = unit_samples = HOP_SAMPLES

    def __init__(self, models: Path, bitrate_bps: int) -> None:
        """Open the quantizer in `models`; the rest with each stream.

        Raises:
            MissingExtraError: LiteRT or a graph is missing.
            BundleError: a graph is another than expected.
        """
        for file, _ in GRAPHS.values():
            if not (models / file).is_file():
                raise MissingExtraError(f"{file} is missing in the folder of --lyra-models")
        self.name = f"Lyra v2 {bitrate_bps / 1000:g}k"
        self._models = models
        self._stages = np.int32(bitrate_bps * HOP_SAMPLES // self.rate_hz // SPEC.bits_per_code)
        self._quantize = self._open(
            "quantizer", {"input_frames": _FEATURES, "num_quantizers": "int32 []"}, _CODES, "encode"
        )
        self._dequantize = self._open(
            "quantizer", {"encoding_indices": _CODES}, _FEATURES, "decode"
        )
        self.reset()

    def reset(self) -> None:
        """Begin a new stream: the state lives in the graphs, so open them anew."""
        self._encode = self._open("encoder", {"input_audio": _AUDIO}, _FEATURES)
        self._decode = self._open("decoder", {"input_audio": _FEATURES}, _AUDIO)

    def encode(self, frame_T: FloatArray) -> Packet:
        """Encode one frame."""
        features = self._encode(input_audio=np.asarray(frame_T)[None])["output_0"]
        codes = self._quantize(input_frames=features, num_quantizers=self._stages)["output_0"]
        return Packet(codes, int(self._stages) * SPEC.bits_per_code)

    def decode(self, packet: Packet) -> FloatArray:
        """[T] of one packet."""
        features = self._dequantize(encoding_indices=packet.content)["output_0"]
        return np.asarray(self._decode(input_audio=features)["output_0"][0])

    def _open(self, role: str, takes: dict[str, str], gives: str, name: str | None = None) -> Any:
        path = self._models / GRAPHS[role][0]
        return open_signature(path, name, takes=takes, gives={"output_0": gives})
