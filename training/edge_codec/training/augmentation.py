"""Random changes to excerpts that leave them speech or music: speed, phase, timbre, noise.

The random numbers are drawn by numpy for the whole batch, the samples change on the device that
trains. Each function leaves its input alone; all but `played_in` give as many samples back.

Shapes: B excerpts, T samples, Q frequency bins, P points of an equaliser.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from edge_codec.training.config import DataConfig

FloatArray = NDArray[np.float64]

EQ_POINTS = 6
"""Random gains of an equaliser, evenly spaced on a logarithmic frequency axis."""
EQ_FROM = 1 / 128
"""Frequency of the lowest point over Nyquist: 62 Hz at 16 kHz."""


def draw_span(config: DataConfig, samples: int, rng: np.random.Generator) -> int:
    """Samples of a recording that a random speed plays in the time of `samples`."""
    low, high = config.speed
    return samples if low == high == 1 else round(samples * rng.uniform(low, high))


def played_in(samples: int, excerpts_BT: Tensor) -> Tensor:
    """Excerpts [B, any] resampled to `samples` [B, T], as on a tape that runs at another speed.

    Band-limited; a few samples at one end hear the other.
    """
    span = excerpts_BT.shape[1]
    if span == samples:
        return excerpts_BT
    spectrum_BQ = torch.fft.rfft(excerpts_BT)[:, : samples // 2 + 1]
    played: Tensor = torch.fft.irfft(spectrum_BQ, n=samples) * (samples / span)
    return played


def draw_response(config: DataConfig, batch: int, bins: int, rng: np.random.Generator) -> Tensor:
    """Complex response [B, Q] of each excerpt's filter: random phase rotation and equaliser."""
    is_turned = rng.random(batch) < config.phase_rotation
    phase_B = np.where(is_turned, rng.uniform(-np.pi, np.pi, batch), 0.0)
    points_BP = rng.uniform(-config.eq_db, config.eq_db, (batch, EQ_POINTS))
    gains_BQ = 10 ** (interpolate_points(points_BP, bins) / 20)
    return torch.from_numpy(gains_BQ * np.exp(1j * phase_B)[:, None]).to(torch.complex64)


def interpolate_points(points_db_BP: FloatArray, bins: int) -> FloatArray:
    """Gain in decibels at each bin [B, Q], straight lines over log frequency between the points."""
    frequencies = np.linspace(0, 1, bins)
    positions = np.log(np.maximum(frequencies, EQ_FROM) / EQ_FROM) / np.log(1 / EQ_FROM)
    points = np.linspace(0, 1, points_db_BP.shape[1])
    return np.stack([np.interp(positions, points, gains) for gains in points_db_BP])


def apply_response(excerpts_BT: Tensor, response_BQ: Tensor) -> Tensor:
    """Filter excerpts in the frequency domain; what runs over an end comes in at the other."""
    spectrum_BQ = torch.fft.rfft(excerpts_BT) * response_BQ
    filtered: Tensor = torch.fft.irfft(spectrum_BQ, n=excerpts_BT.shape[1])
    return filtered


def draw_noise_levels(config: DataConfig, batch: int, rng: np.random.Generator) -> Tensor:
    """Level [B] of the noise over the excerpt's, as an amplitude; 0 for no noise."""
    is_noisy = rng.random(batch) < config.noise_share
    snr_db_B = rng.uniform(*config.noise_snr_db, batch)
    return torch.from_numpy(np.where(is_noisy, 10 ** (-snr_db_B / 20), 0.0)).float()


def mix_noise(excerpts_BT: Tensor, noise_BT: Tensor, levels_B: Tensor) -> Tensor:
    """Excerpts with noise of the asked level over their own; silence gets none."""
    own, of_noise = (x.square().mean(dim=1).sqrt() for x in (excerpts_BT, noise_BT))
    return excerpts_BT + noise_BT * (levels_B * own / of_noise.clamp_min(1e-9))[:, None]
