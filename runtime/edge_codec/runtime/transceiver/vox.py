"""VOX: speech keys the transmitter, silence lets it go. Samples in, talk spurts out.

Deterministic: counts samples, knows no clock. Shapes: T samples.
"""

import math
from collections import deque

import numpy as np
import numpy.typing as npt

from edge_codec.runtime.errors import ConfigError
from edge_codec.runtime.transceiver.sources import Source

FloatArray = npt.NDArray[np.float32]

WINDOW_S = 0.02
"""Levels are measured over this much."""
ATTACK_WINDOWS = 2
"""So many loud windows in a row are speech; one is a click."""
PRE_ROLL_S = 0.2
"""Sound kept from before speech was noticed, so that no word loses its beginning."""


class Vox:
    """An open or shut gate, by the level of what went through."""

    def __init__(self, sample_rate_hz: int, *, threshold_dbfs: float, hang_s: float) -> None:
        """Shut.

        Args:
            sample_rate_hz: of the samples.
            threshold_dbfs: level (RMS) from which on it is speech, below 0.
            hang_s: silence that ends a talk spurt.

        Raises:
            ConfigError: a number is out of range.
        """
        if not (threshold_dbfs < 0 and 0 < hang_s < math.inf):
            raise ConfigError(
                f"VOX needs a threshold below 0 dBFS and a hang time above 0 s,"
                f" got {threshold_dbfs:g} and {hang_s:g}"
            )
        self._window_samples = round(WINDOW_S * sample_rate_hz)
        self._power = 10 ** (threshold_dbfs / 10)
        self._hang_windows = math.ceil(hang_s / WINDOW_S)
        self._loud = self._quiet = 0
        self.is_open = False
        """Somebody speaks."""

    @property
    def window_samples(self) -> int:
        """Samples that `push` takes."""
        return self._window_samples

    def push(self, window_T: FloatArray) -> None:
        """Measure one window of `window_samples`."""
        is_loud = float(np.mean(np.square(window_T, dtype=np.float64))) >= self._power
        self._loud = self._loud + 1 if is_loud else 0
        self._quiet = 0 if is_loud else self._quiet + 1
        if self._loud >= ATTACK_WINDOWS:
            self.is_open = True
        elif self._quiet >= self._hang_windows:
            self.is_open = False


class VoxSource:
    """A source in which each talk spurt ends like a file, and the next one can be waited for."""

    def __init__(self, source: Source, sample_rate_hz: int, vox: Vox) -> None:
        """Nothing was heard yet: call `wait` before each talk spurt."""
        self._source = source
        self._vox = vox
        self._pieces: deque[FloatArray] = deque()
        self._pre_windows = round(PRE_ROLL_S * sample_rate_hz) // vox.window_samples
        self._rest_T: FloatArray = np.zeros(0, np.float32)
        self._is_armed = True

    @property
    def is_exhausted(self) -> bool:
        """The source behind has ended, and nobody speaks."""
        return self._source.is_finished and not self._pieces

    @property
    def is_finished(self) -> bool:
        """The talk spurt is over, or the source behind."""
        return (self._source.is_finished or not self._vox.is_open) and not self._pieces

    def wait(self, now_s: float) -> bool:
        """Listen; returns whether somebody has begun to speak since the gate was last shut."""
        self._listen(now_s)
        self._is_armed = self._is_armed or not self._vox.is_open
        is_speech = self._is_armed and self._vox.is_open
        while not is_speech and len(self._pieces) > self._pre_windows:
            self._pieces.popleft()
        if not is_speech and self._source.is_finished:
            self._pieces.clear()
        self._is_armed = not is_speech and self._is_armed
        return is_speech

    def read(self, now_s: float) -> FloatArray:
        """Samples of the talk spurt, from a moment before it began."""
        self._listen(now_s)
        samples_T = np.concatenate([np.zeros(0, np.float32), *self._pieces])
        self._pieces.clear()
        return samples_T

    def _listen(self, now_s: float) -> None:
        samples_T = np.concatenate([self._rest_T, self._source.read(now_s)])
        size = self._vox.window_samples
        whole = len(samples_T) // size * size
        self._rest_T = samples_T[whole:]
        for window_T in samples_T[:whole].reshape(-1, size):
            self._vox.push(window_T)
            self._pieces.append(window_T)
