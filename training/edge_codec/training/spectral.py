"""The frame-domain codec's two ends: samples to spectral features, predicted spectrum to samples.

Both are matrix products with a fixed DFT, so an exported graph takes and gives samples and
needs no FFT operator. Windows overlap by half; the state is the other half.

Shapes: B batch, T samples, F spectral frames, N window length, H = N / 2 hop, Q = H + 1 bins.
"""

import math

import torch
from torch import Tensor

from edge_codec.training.layers import StepResult, StreamLayer

POWER = 0.3
"""Magnitude compression of the features, as in the complex spectral loss."""
POWER_FLOOR = 1e-6
"""Added to |X|²: below the noise of 16-bit audio, keeps the logarithm finite."""
MAX_LOG_MAGNITUDE = 6.0
"""Above the log magnitude of a full-scale sine; bounds what a damaged stream can play."""


def sine_window(length: int) -> Tensor:
    """Square root of the periodic Hann window: analysis times synthesis overlap-adds to one."""
    return torch.sin(torch.pi * (torch.arange(length, dtype=torch.float64) + 0.5) / length)


def dft_matrix(length: int) -> Tensor:
    """Real-input DFT as a matrix [N, 2Q]: N samples -> Q real parts, then Q imaginary parts."""
    n = torch.arange(length, dtype=torch.float64)
    q = torch.arange(length // 2 + 1, dtype=torch.float64)
    angle = 2 * math.pi / length * n[:, None] * q[None, :]
    return torch.cat([torch.cos(angle), -torch.sin(angle)], dim=1)


def inverse_dft_matrix(length: int) -> Tensor:
    """Inverse of `dft_matrix`, [2Q, N]; imaginary parts of the first and last bin are ignored."""
    weight = torch.full((length // 2 + 1,), 2.0 / length, dtype=torch.float64)
    weight[0] = weight[-1] = 1.0 / length
    return dft_matrix(length).T * weight.repeat(2)[:, None]


class Analysis(StreamLayer):
    """Samples to standardised features: compressed log magnitude, then compressed complex bins."""

    mean: Tensor
    scale: Tensor
    dft: Tensor

    def __init__(self, hop: int) -> None:
        super().__init__()
        self.hop = hop
        self.state_size = hop
        self.features = 3 * (hop + 1)
        dft = sine_window(2 * hop)[:, None] * dft_matrix(2 * hop)
        self.register_buffer("dft", dft.float(), persistent=False)
        self.register_buffer("mean", torch.zeros(self.features))
        self.register_buffer("scale", torch.ones(self.features))

    def zero_state(self, batch: int = 1) -> Tensor:  # noqa: D102
        return self.mean.new_zeros(batch, self.state_size)

    def raw_features(self, audio_BT: Tensor, state_BS: Tensor) -> StepResult:
        """Features before standardising: [B, F, 3Q] for T = F * hop new samples."""
        joined = torch.cat([state_BS, audio_BT], dim=1).reshape(audio_BT.shape[0], -1, self.hop)
        frames_BFN = torch.cat([joined[:, :-1], joined[:, 1:]], dim=2)
        real, imag = torch.split(self.transform(frames_BFN), self.hop + 1, dim=2)
        log_power = torch.log(real.square() + imag.square() + POWER_FLOOR)
        compress = torch.exp(log_power * ((POWER - 1) / 2))
        features = torch.cat([log_power * (POWER / 2), real * compress, imag * compress], dim=2)
        return features, joined[:, -1]

    def transform(self, frames_BFN: Tensor) -> Tensor:
        """Windowed DFT: [B, F, N] to real, then imaginary parts, [B, F, 2Q]."""
        return frames_BFN @ self.dft

    def step(self, audio_BT: Tensor, state_BS: Tensor) -> StepResult:  # noqa: D102
        features, next_state = self.raw_features(audio_BT, state_BS)
        return (features - self.mean) * self.scale, next_state

    @torch.no_grad()
    def standardise(self, audio_BT: Tensor) -> None:
        """Set mean and scale so that features of `audio_BT` have zero mean and unit variance."""
        features, _ = self.raw_features(audio_BT, self.zero_state(audio_BT.shape[0]))
        flat = features.flatten(0, 1)
        self.mean.copy_(flat.mean(0))
        self.scale.copy_(1 / flat.std(0).clamp_min(1e-3))

    def log_magnitude_mean(self) -> Tensor:
        """Mean natural log magnitude of each bin in the standardising audio, [Q]."""
        return self.mean[: self.hop + 1] / POWER


class Synthesis(StreamLayer):
    """Predicted log magnitude and phase, [B, F, 2Q], to samples by windowed overlap-add.

    Output lags the analysed input by one hop: the last window still waits for its other half.
    """

    inverse_dft: Tensor

    def __init__(self, hop: int) -> None:
        super().__init__()
        self.hop = hop
        self.state_size = hop
        self.features = 2 * (hop + 1)
        inverse = inverse_dft_matrix(2 * hop) * sine_window(2 * hop)
        self.register_buffer("inverse_dft", inverse.float(), persistent=False)

    def zero_state(self, batch: int = 1) -> Tensor:  # noqa: D102
        return self.inverse_dft.new_zeros(batch, self.state_size)

    def transform(self, bins_BFC: Tensor) -> Tensor:
        """Windowed inverse DFT: real, then imaginary parts, [B, F, 2Q], to [B, F, N]."""
        return bins_BFC @ self.inverse_dft

    def step(self, spectrum_BFC: Tensor, state_BS: Tensor) -> StepResult:  # noqa: D102
        log_magnitude, phase = torch.split(spectrum_BFC, self.hop + 1, dim=2)
        magnitude = torch.exp(log_magnitude.clamp(max=MAX_LOG_MAGNITUDE))
        bins = torch.cat([magnitude * torch.cos(phase), magnitude * torch.sin(phase)], dim=2)
        starts, ends = torch.split(self.transform(bins), self.hop, dim=2)
        ends = torch.cat([state_BS[:, None], ends], dim=1)
        return (starts + ends[:, :-1]).flatten(1), ends[:, -1]
