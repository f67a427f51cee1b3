"""A codec in training as what `evaluation` scores.

Shapes: T samples, F code frames, K codebooks.
"""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from edge_codec.training.codec import Codec


class CodecCoder:
    """A torch codec on a CPU, whole clips at a time."""

    def __init__(self, codec: Codec) -> None:
        self._codec = codec

    @torch.inference_mode()
    def encode(self, audio_T: NDArray[np.float32]) -> NDArray[np.int64]:
        """Codes [F, K] from whole frames."""
        audio_1T = torch.from_numpy(audio_T)[None]
        codes_1FK, _ = self._codec.encode_step(audio_1T, self._codec.encoder.zero_state())
        return np.asarray(codes_1FK[0].numpy(), np.int64)

    @torch.inference_mode()
    def decode(self, codes_FK: NDArray[np.integer[Any]]) -> NDArray[np.float32]:
        """[T] from codes."""
        codes_1FK = torch.from_numpy(codes_FK)[None]
        audio_1T, _ = self._codec.decode_step(codes_1FK, self._codec.decoder.zero_state())
        return np.asarray(audio_1T[0].numpy(), np.float32)
