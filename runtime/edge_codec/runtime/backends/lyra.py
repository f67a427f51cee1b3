"""Run Lyra v2 with LiteRT: its graphs as they were published, chained as encoder and decoder.

They keep their state inside, so here the state of a stream is a loaded graph: `zero_state` loads
one, and `run` changes the one it is given and hands it back.

Source: google/lyra:lyra/soundstream_encoder.cc, residual_vector_quantizer.cc, lyra_gan_model.cc.
Shapes: T samples, F code frames, K codebooks.
"""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_codec.runtime.backends.tflite import open_signature

HOP_SAMPLES = 320
LAYERS = 46
CODEBOOK_SIZE = 16

_NOT_SENT = -1
"""Lyra's own value for a layer that was not sent."""

_AUDIO, _FEATURES, _CODES = "float32 [1, 320]", "float32 [1, 1, 64]", "int32 [46, 1, 1]"

_open_encoder = partial(
    open_signature, takes={"input_audio": _AUDIO}, gives={"output_0": _FEATURES}
)
_open_quantizer = partial(
    open_signature,
    name="encode",
    takes={"input_frames": _FEATURES, "num_quantizers": "int32 []"},
    gives={"output_0": _CODES},
)
_open_dequantizer = partial(
    open_signature,
    name="decode",
    takes={"encoding_indices": _CODES},
    gives={"output_0": _FEATURES},
)
_open_decoder = partial(
    open_signature, takes={"input_audio": _FEATURES}, gives={"output_0": _AUDIO}
)


class LyraEncoder:
    """Samples in, codes out."""

    def __init__(
        self, path: Path, quantizer_path: Path, *, threads: int = 1, layers: int = LAYERS
    ) -> None:
        """Load the quantizer; the rest is loaded for each stream.

        Args:
            path: soundstream_encoder.tflite, its hash already checked.
            quantizer_path: quantizer.tflite, likewise.
            threads: threads one call may use.
            layers: how many are wanted; the others come out as -1.

        Raises:
            BundleError: LiteRT cannot load it.
            MissingExtraError: LiteRT is not installed.
        """
        self._path, self._threads, self._layers = path, threads, np.int32(layers)
        self._quantize = _open_quantizer(quantizer_path, threads=threads)

    @property
    def zero_state(self) -> Any:
        """State at the start of a stream: the encoder's graph, loaded anew."""
        return _open_encoder(self._path, threads=self._threads)

    def run(self, x: npt.NDArray[Any], state: Any) -> tuple[npt.NDArray[Any], Any]:
        """Encode samples [1, T], T a multiple of the hop, to codes [1, F, K]; changes `state`."""
        frames = x.reshape(-1, 1, HOP_SAMPLES)
        return np.stack([self._encode(frame, state) for frame in frames])[None], state

    def _encode(self, samples_1T: npt.NDArray[Any], state: Any) -> npt.NDArray[Any]:
        features = state(input_audio=samples_1T)["output_0"]
        codes = self._quantize(input_frames=features, num_quantizers=self._layers)["output_0"]
        return np.asarray(codes).reshape(LAYERS)


class LyraDecoder:
    """Codes in, samples out; layers after the first may be not sent."""

    def __init__(self, path: Path, quantizer_path: Path, *, threads: int = 1) -> None:
        """Load the quantizer; the rest is loaded for each stream.

        Args:
            path: lyragan.tflite, its hash already checked.
            quantizer_path: quantizer.tflite, likewise.
            threads: threads one call may use.

        Raises:
            BundleError: LiteRT cannot load it.
            MissingExtraError: LiteRT is not installed.
        """
        self._path, self._threads = path, threads
        self._dequantize = _open_dequantizer(quantizer_path, threads=threads)

    @property
    def zero_state(self) -> Any:
        """State at the start of a stream: the decoder's graph, loaded anew."""
        return _open_decoder(self._path, threads=self._threads)

    def run(self, x: npt.NDArray[Any], state: Any) -> tuple[npt.NDArray[Any], Any]:
        """Decode codes [1, F, K] to samples [1, F * hop]; changes `state`."""
        frames = np.where(x == CODEBOOK_SIZE, _NOT_SENT, x).astype(np.int32)
        pieces = [self._decode(frame, state) for frame in frames.reshape(-1, LAYERS, 1, 1)]
        return np.concatenate(pieces, axis=1), state

    def _decode(self, codes: npt.NDArray[Any], state: Any) -> npt.NDArray[Any]:
        features = self._dequantize(encoding_indices=codes)["output_0"]
        return np.asarray(state(input_audio=features)["output_0"])
