"""How far up the spectrum of a recording goes, measured chunk by chunk.

Recordings that went through a lossy codec or a lower sample rate end before Nyquist; a codec
trained on many of those learns to end there too. Knows arrays only. Shapes: T samples.
"""

import numpy as np
from numpy.typing import NDArray

WINDOW_SAMPLES = 2048
BANDS = 64
"""Equal bands from 0 Hz to Nyquist in which the level is taken."""
DEPTH_DB = 80.0
"""A band this far below the strongest holds nothing of the recording."""
FLOOR_DBFS = -106.0
"""Neither does one this soft: rounding to 16 bits gives -116 in each of 64 bands."""
FULL_BAND_FROM = 0.85
"""Share of Nyquist that a full-band recording reaches: 18.7 kHz at 44.1 kHz.

Between what MP3 at 128 kbit/s keeps (16 kHz) and what Opus keeps (20 kHz).
"""


class BandwidthMeter:
    """Takes a signal in pieces of any length and tells where its spectrum ends."""

    def __init__(self, rate_hz: int) -> None:
        self._nyquist_hz = rate_hz / 2
        self._taper = np.hanning(WINDOW_SAMPLES + 1)[:-1]
        self._kept_T: NDArray[np.floating] = np.zeros(0)
        self._power = np.zeros(BANDS)
        self._windows = 0

    def push(self, audio_T: NDArray[np.floating]) -> None:
        """Take the next samples, full scale 1."""
        audio_T = np.concatenate([self._kept_T, audio_T])
        whole = len(audio_T) - len(audio_T) % WINDOW_SAMPLES
        self._add(audio_T[:whole].reshape(-1, WINDOW_SAMPLES))
        self._kept_T = audio_T[whole:]

    def cutoff_hz(self) -> float:
        """Upper edge of the highest band with something in it; 0 for silence."""
        power, windows = self._power, self._windows
        if windows == 0:  # shorter than a window: all there is, padded
            last = np.pad(self._kept_T, (0, WINDOW_SAMPLES - len(self._kept_T)))
            power, windows = _band_powers(last[None] * self._taper), 1
        levels_db = 10 * np.log10(power / windows + 1e-20)
        heard = np.flatnonzero(levels_db > max(levels_db.max() - DEPTH_DB, FLOOR_DBFS))
        return float((heard[-1] + 1) / BANDS * self._nyquist_hz) if len(heard) else 0.0

    def is_full_band(self) -> bool:
        """Whether the recording goes up to Nyquist, near enough."""
        return self.cutoff_hz() >= FULL_BAND_FROM * self._nyquist_hz

    def _add(self, windows: NDArray[np.floating]) -> None:
        self._power += _band_powers(windows * self._taper)
        self._windows += len(windows)


def _band_powers(windows: NDArray[np.floating]) -> NDArray[np.float64]:
    """[BANDS] power of all windows together; a full-scale sine has 0.5 in its band."""
    power = np.square(np.abs(np.fft.rfft(windows))).sum(axis=0)[:-1]
    # One-sided, and divided by the taper's energy.
    scale = 2 / (WINDOW_SAMPLES * WINDOW_SAMPLES * 3 / 8)
    bands: NDArray[np.float64] = power.reshape(BANDS, -1).sum(axis=1) * scale
    return bands
