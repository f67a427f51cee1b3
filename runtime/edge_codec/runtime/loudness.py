"""Loudness by ITU-R BS.1770-5, measured chunk by chunk. Needs numpy alone.

Shapes: T samples, C channels.
"""

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

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
RESPONSE_S = 0.1
"""After this the K-weighting has forgotten an impulse to 1e-9 of it."""
SHELF_HZ = 1681.974450955533
"""Where the K-weighting begins to raise."""

Floats = NDArray[np.floating[Any]]


class LoudnessMeter:
    """Takes a signal in pieces of any length and tells its integrated loudness."""

    def __init__(self, rate_hz: int) -> None:
        self._step_samples = round(STEP_S * rate_hz)
        self._response_T = k_response(rate_hz)
        self._past_TC: Floats | None = None
        self._kept_T: Floats = np.zeros(0)
        self._powers: list[float] = []

    def push(self, audio: Floats) -> None:
        """Take the next samples, full scale 1: [T], or [T, C] with front channels alone."""
        audio_TC = audio[:, None] if audio.ndim == 1 else audio
        power_T = np.concatenate([self._kept_T, np.square(self._weighted(audio_TC)).sum(axis=1)])
        whole = len(power_T) - len(power_T) % self._step_samples
        self._powers += power_T[:whole].reshape(-1, self._step_samples).mean(axis=1).tolist()
        self._kept_T = power_T[whole:]

    def lufs(self) -> float | None:
        """Integrated loudness so far; None if all of it is silence.

        A signal shorter than a block is taken as one block, without padding.
        """
        steps = np.array(self._powers)
        if len(steps) < STEPS_IN_BLOCK:
            power = steps.sum() * self._step_samples + self._kept_T.sum()
            samples = len(steps) * self._step_samples + len(self._kept_T)
            blocks = np.array([power / max(samples, 1)])
        else:
            blocks = np.convolve(steps, np.full(STEPS_IN_BLOCK, 1 / STEPS_IN_BLOCK), "valid")
        loud = blocks[blocks > from_lufs(ABSOLUTE_GATE_LUFS)]
        if len(loud) == 0:
            return None
        loud = loud[loud > loud.mean() * 10 ** (RELATIVE_GATE_LU / 10)]
        return float(OFFSET_LUFS + 10 * np.log10(loud.mean()))

    def _weighted(self, audio_TC: Floats) -> Floats:
        """K-weighted samples that follow those of the last call."""
        reach = len(self._response_T) - 1
        if self._past_TC is None:
            self._past_TC = np.zeros((reach, audio_TC.shape[1]))
        joined_TC = np.concatenate([self._past_TC, audio_TC])
        self._past_TC = joined_TC[len(audio_TC) :]
        size = 1 << (len(joined_TC) - 1).bit_length()
        spectrum = np.fft.rfft(self._response_T, size)[:, None]
        weighted_TC = np.fft.irfft(np.fft.rfft(joined_TC, size, axis=0) * spectrum, size, axis=0)
        return weighted_TC[reach : len(joined_TC)]


def from_lufs(lufs: float) -> float:
    """Mean square after K-weighting that reads as `lufs`."""
    return float(10 ** ((lufs - OFFSET_LUFS) / 10))


@cache
def k_response(rate_hz: int) -> Floats:
    """What the K-weighting makes of an impulse, [T], until it is forgotten."""
    response_T: Floats = np.zeros(round(RESPONSE_S * rate_hz))
    response_T[0] = 1.0
    for section in k_weighting(rate_hz):
        response_T = _filtered(response_T, section)
    response_T.setflags(write=False)
    return response_T


def k_weighting(rate_hz: int) -> NDArray[np.float64]:
    """The two second-order sections of the K-weighting, [2, 6]; [1, 6] at rates below its shelf.

    BS.1770 lists coefficients at 48 kHz alone; these are the analogue filters behind them, as
    found by Mansbridge et al., "Implementation and evaluation of autonomous multi-track fader
    control", AES 132 (2012).
    """
    high_pass = _high_pass(38.13547087602444, 0.5003270373238773, rate_hz)
    if rate_hz < 2 * SHELF_HZ:  # nothing is left to raise, and the filter would not be stable
        return np.array([high_pass])
    shelf = _high_shelf(SHELF_HZ, 3.999843853973347, 0.7071752369554196, rate_hz)
    return np.array([shelf, high_pass])


def _filtered(x_T: Floats, section: Floats) -> Floats:
    """One second-order section over a short signal."""
    b0, b1, b2, _, a1, a2 = section.tolist()
    y, first, second = [], 0.0, 0.0
    for x in x_T.tolist():
        y.append(b0 * x + first)
        first, second = b1 * x - a1 * y[-1] + second, b2 * x - a2 * y[-1]
    return np.array(y)


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
