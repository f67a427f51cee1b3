"""What is between two sound-card modems: noise at a known signal to noise ratio."""

import numpy as np
import numpy.typing as npt

PcmArray = npt.NDArray[np.int16]

NOISE_BAND_HZ = 3000
"""The band in which the ratio is counted, as for single side band radios."""
HEADROOM = 0.25
"""Amplitude of the signal behind the channel, so that noise does not clip."""


def add_noise(
    samples_T: PcmArray, sample_rate_hz: int, *, snr_db: float, seed: int = 1
) -> PcmArray:
    """The same signal in white noise, with half a second of noise before and behind it.

    Args:
        samples_T: [T] what the modem sends, silence before and behind it at most.
        sample_rate_hz: of the samples.
        snr_db: power of the signal over that of the noise in 3 kHz.
        seed: of the noise.
    """
    signal_T = np.pad(samples_T.astype(np.float64) * HEADROOM, sample_rate_hz // 2)
    is_on_T = np.convolve(np.abs(signal_T) > 0, np.ones(48), "same") > 0
    power = np.mean(np.square(signal_T[is_on_T]))
    density = power / 10 ** (snr_db / 10) / NOISE_BAND_HZ
    sigma = np.sqrt(density * sample_rate_hz / 2)
    noisy_T = signal_T + np.random.default_rng(seed).normal(0.0, sigma, len(signal_T))
    return np.clip(np.round(noisy_T), -32768, 32767).astype(np.int16)
