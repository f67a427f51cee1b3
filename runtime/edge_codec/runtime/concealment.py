"""What to play for lost frames when the decoder graph was not trained to fill them in.

Needs numpy only. Shapes: F frames, K codebooks, T samples.
"""

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float32]

FADE_PER_FRAME = 10 ** (-3 / 20)
"""A held sound loses 3 dB a frame: a gap of one or two frames is hardly heard."""
HELD_FRAMES = 5
"""Then silence: a sound held for longer than 100 ms is heard as a buzz."""


class HoldConcealment:
    """Hold the last frame that arrived, fade it out, fade in again when frames return."""

    def __init__(self, layers: int, lost_code: int) -> None:
        self._codes_K: IntArray = np.full(layers, lost_code, np.int64)
        self._lost_frames = 0
        self._gain = 1.0

    def fill(self, codes_FK: IntArray, lost_F: npt.NDArray[np.bool_]) -> IntArray:
        """Codes with each lost frame replaced by the last one that arrived, [F, K]."""
        source_F = np.maximum.accumulate(np.where(lost_F, -1, np.arange(len(lost_F))))
        filled_FK = np.where(source_F[:, None] < 0, self._codes_K, codes_FK[source_F])
        if len(filled_FK):
            self._codes_K = filled_FK[-1]
        return filled_FK

    def fade(self, samples_T: FloatArray, lost_F: npt.NDArray[np.bool_]) -> FloatArray:
        """Samples of the filled frames with the gain ramped down over the lost ones, [T]."""
        samples_FH = samples_T.reshape(len(lost_F), -1)
        ramp_H = np.linspace(0, 1, samples_FH.shape[1], dtype=np.float32)
        gains = np.array([self._gain, *map(self._next_gain, lost_F)], np.float32)[:, None]
        gains_FH = gains[:-1] + (gains[1:] - gains[:-1]) * ramp_H
        return (samples_FH * gains_FH).reshape(-1)

    def _next_gain(self, is_lost: np.bool_) -> float:
        self._lost_frames = self._lost_frames + 1 if is_lost else 0
        is_silent = self._lost_frames > HELD_FRAMES
        self._gain = 0.0 if is_silent else FADE_PER_FRAME**self._lost_frames
        return self._gain
