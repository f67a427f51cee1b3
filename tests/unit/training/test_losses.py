"""Losses against an independent computation with numpy."""

import numpy as np
import pytest
import torch

from edge_codec.training.config import LossConfig
from edge_codec.training.losses import (
    MEL_FLOOR,
    SPECTRAL_FLOOR,
    ReconstructionLoss,
    mel_bands,
    overlapping_frames,
)

RATE_HZ = 16_000


def hann(window: int) -> np.ndarray:
    return np.sin(np.pi * (np.arange(window) + 0.5) / window) ** 2


def numpy_spectrum(audio: np.ndarray, window: int, hop: int) -> np.ndarray:
    taper = hann(window)
    starts = range(0, len(audio) - window + 1, hop)
    return np.array([np.fft.rfft(audio[s : s + window] * taper) for s in starts])


def numpy_mel(magnitude: np.ndarray, window: int, bands: int) -> np.ndarray:
    def to_hz(mel: float) -> float:
        return 700 * (10 ** (mel / 2595) - 1)

    top = 2595 * np.log10(1 + RATE_HZ / 2 / 700)
    edges = [to_hz(top * i / (bands + 1)) for i in range(bands + 2)]
    bins = np.arange(window // 2 + 1) * RATE_HZ / window
    out = np.zeros((len(magnitude), bands))
    for m in range(bands):
        low, centre, high = edges[m : m + 3]
        rise, fall = (bins - low) / (centre - low), (high - bins) / (high - centre)
        triangle = np.clip(np.minimum(rise, fall), 0, None) * 2 / (high - low)
        out[:, m] = magnitude @ triangle
    return np.log10(np.maximum(out, MEL_FLOOR))


def signals() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    original = rng.normal(0, 0.1, 4096)
    return original + rng.normal(0, 0.02, 4096), original


@pytest.mark.parametrize("overlap", [2, 4])
@pytest.mark.parametrize("noise_db", [-100.0, -20.0])
def test_mel_distance(overlap: int, noise_db: float) -> None:
    config = LossConfig(
        mel_windows=(256, 1024), spectral_windows=(256,), overlap=overlap, noise_db=noise_db
    )
    decoded, original = signals()
    expected = []
    for window in config.mel_windows:
        noise_power = 10 ** (noise_db / 10) * (original**2).mean() * (hann(window) ** 2).sum()
        mels = [
            numpy_mel(
                np.sqrt(np.abs(numpy_spectrum(x, window, window // overlap)) ** 2 + noise_power),
                window,
                mel_bands(window),
            )
            for x in (decoded, original)
        ]
        expected.append(np.abs(mels[0] - mels[1]).mean())
    loss = ReconstructionLoss(config, RATE_HZ)
    found = loss(*(torch.from_numpy(x).float()[None] for x in (decoded, original)))
    assert found.mel.item() == pytest.approx(np.mean(expected), rel=1e-3)


def test_complex_distance() -> None:
    config = LossConfig(mel_windows=(256, 512), spectral_windows=(256, 512))
    decoded, original = signals()
    expected = []
    for window in config.spectral_windows:
        a, b = (numpy_spectrum(x, window, window // 4) for x in (decoded, original))
        a_size, b_size = (np.sqrt(np.abs(x) ** 2 + SPECTRAL_FLOOR) for x in (a, b))
        gap = a * a_size**-0.7 - b * b_size**-0.7
        parts = (gap.real**2).mean() + (gap.imag**2).mean()
        expected.append(parts + ((a_size**0.3 - b_size**0.3) ** 2).mean())
    loss = ReconstructionLoss(config, RATE_HZ)
    found = loss(*(torch.from_numpy(x).float()[None] for x in (decoded, original)))
    assert found.spectral.item() == pytest.approx(np.mean(expected), rel=1e-3)


def test_equal_audio_has_no_loss_and_silence_has_a_finite_gradient() -> None:
    loss = ReconstructionLoss(LossConfig(), RATE_HZ)
    audio = 0.1 * torch.randn(2, 8000)
    same = loss(audio, audio)
    assert same.mel.item() == same.spectral.item() == 0
    silent = torch.zeros(1, 8000, requires_grad=True)
    distance = loss(silent, audio[:1])
    (distance.mel + distance.spectral).backward()
    assert silent.grad.isfinite().all()


def test_bands_follow_the_window() -> None:
    assert [mel_bands(window) for window in (32, 64, 128, 256, 512, 1024, 2048)] == [
        5, 10, 20, 40, 80, 160, 320,
    ]  # fmt: skip


def test_frames_overlap_as_asked() -> None:
    frames = overlapping_frames(torch.arange(20.0)[None], 8, 4)
    assert frames.shape == (1, 7, 8)
    assert frames[0, 1].tolist() == list(range(2, 10))
