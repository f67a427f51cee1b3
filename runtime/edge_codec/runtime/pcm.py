"""Samples as bytes, and how loud they are. Numpy alone: a live link loads no file libraries."""

from math import log10

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]

SILENCE_DBFS = -120.0
PCM_SCALE = 32_768


def to_pcm(samples: FloatArray) -> bytes:
    """16-bit little endian samples, rounded, clipped at full scale."""
    scaled = np.round(samples * PCM_SCALE).clip(-PCM_SCALE, PCM_SCALE - 1)
    return scaled.astype("<i2").tobytes()


class LevelMeter:
    """RMS level of all that was added."""

    def __init__(self) -> None:
        self._energy = 0.0
        self._count = 0

    def add(self, samples: FloatArray) -> None:
        """Take samples of any shape into account."""
        self._energy += float(np.square(samples, dtype=np.float64).sum())
        self._count += samples.size

    @property
    def dbfs(self) -> float:
        """Decibels, 0 = constant full scale; `SILENCE_DBFS` at the least, and if there is none."""
        mean = self._energy / max(1, self._count)
        return min(max(10 * log10(mean or 1e-99), SILENCE_DBFS), -SILENCE_DBFS)
