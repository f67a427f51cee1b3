"""Recordings that the stub bundle can carry: tones below 300 Hz, at any rate."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile

FloatArray = npt.NDArray[np.float32]


def make_tones(sample_rate_hz: int, samples: int, channels: int = 1) -> FloatArray:
    """Three tones, [T, C]; each channel is softer than the one before."""
    t = np.arange(samples)[:, None] / sample_rate_hz
    tones = sum(0.2 * np.sin(2 * np.pi * hz * t + hz) for hz in (97.0, 150.3, 231.0))
    return np.asarray(tones * 0.8 ** np.arange(channels), np.float32)


def make_recording(path: Path, sample_rate_hz: int, samples: int, channels: int = 1) -> Path:
    """Write tones to an audio file and return its path."""
    soundfile.write(path, make_tones(sample_rate_hz, samples, channels), sample_rate_hz)
    return path


def snr_db(expected: FloatArray, got: FloatArray) -> float:
    """How far the difference lies below what was expected; shapes must be equal."""
    assert expected.shape == got.shape
    return float(10 * np.log10(np.sum(expected**2) / np.sum((expected - got) ** 2)))
