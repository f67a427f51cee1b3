"""Loudness of a mono signal by ITU-R BS.1770-5, measured chunk by chunk.

Knows arrays only. Shapes: T samples.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import signal

STEP_S = 0.1
"""Distance of gating blocks."""
STEPS_IN_BLOCK = 4
"""A gating block is 400 ms."""
OFFSET_LUFS = -0.691
"""Makes a full-scale sine of 997 Hz in one channel read -3.01 LUFS."""
ABSOLUTE_GATE_LUFS = -70.0
"""Blocks softer than this are silence."""
RELATIVE_GATE_LU = -10.0
"""Blocks softer than this below the mean of the others are pauses."""


class LoudnessMeter:
    """Takes a signal in pieces of any length and tells its integrated loudness."""

    def __init__(self, rate_hz: int) -> None:
        self._step_samples = round(STEP_S * rate_hz)
        self._sections = k_weighting(rate_hz)
        self._state = np.zeros((len(self._sections), 2))
        self._kept_T: NDArray[np.floating] = np.zeros(0)
        self._powers: list[float] = []

    def push(self, audio_T: NDArray[np.floating]) -> None:
        """Take the next samples, full scale 1."""
        if len(audio_T) == 0:  # the filter refuses that
            return
        weighted_T, self._state = signal.sosfilt(self._sections, audio_T, zi=self._state)
        weighted_T = np.concatenate([self._kept_T, weighted_T])
        whole = len(weighted_T) - len(weighted_T) % self._step_samples
        steps = weighted_T[:whole].reshape(-1, self._step_samples)
        self._powers += np.square(steps).mean(axis=1).tolist()
        self._kept_T = weighted_T[whole:]

    def lufs(self) -> float | None:
        """Integrated loudness so far; None if all of it is silence.

        A signal shorter than a block is taken as one block, without padding.
        """
        steps = np.array(self._powers)
        if len(steps) < STEPS_IN_BLOCK:
            squares = len(steps) * self._step_samples * steps.mean() if len(steps) else 0.0
            squares += np.square(self._kept_T).sum()
            samples = len(steps) * self._step_samples + len(self._kept_T)
            blocks = np.array([squares / max(samples, 1)])
        else:
            blocks = np.convolve(steps, np.full(STEPS_IN_BLOCK, 1 / STEPS_IN_BLOCK), "valid")
        loud = blocks[blocks > from_lufs(ABSOLUTE_GATE_LUFS)]
        if len(loud) == 0:
            return None
        loud = loud[loud > loud.mean() * 10 ** (RELATIVE_GATE_LU / 10)]
        return float(OFFSET_LUFS + 10 * np.log10(loud.mean()))


def from_lufs(lufs: float) -> float:
    """Mean square after K-weighting that reads as `lufs`."""
    return float(10 ** ((lufs - OFFSET_LUFS) / 10))


def k_weighting(rate_hz: int) -> NDArray[np.float64]:
    """The two second-order sections of the K-weighting, for any sample rate.

    BS.1770 lists coefficients at 48 kHz alone; these are the analogue filters behind them, as
    found by Mansbridge et al., "Implementation and evaluation of autonomous multi-track fader
    control", AES 132 (2012).
    """
    shelf = _high_shelf(1681.974450955533, 3.999843853973347, 0.7071752369554196, rate_hz)
    return np.array([shelf, _high_pass(38.13547087602444, 0.5003270373238773, rate_hz)])


def _high_shelf(hz: float, gain_db: float, q: float, rate_hz: int) -> list[float]:
    k = np.tan(np.pi * hz / rate_hz)
    high = 10 ** (gain_db / 20)
    band = high**0.4996667741545416
    norm = 1 + k / q + k * k
    zeros = [high + band * k / q + k * k, 2 * (k * k - high), high - band * k / q + k * k]
    return [
        *(zero / norm for zero in zeros),
        1.0,
        2 * (k * k - 1) / norm,
        (1 - k / q + k * k) / norm,
    ]


def _high_pass(hz: float, q: float, rate_hz: int) -> list[float]:
    k = np.tan(np.pi * hz / rate_hz)
    norm = 1 + k / q + k * k
    return [1.0, -2.0, 1.0, 1.0, 2 * (k * k - 1) / norm, (1 - k / q + k * k) / norm]
