"""Reconstruction losses: multi-scale log-mel and compressed complex spectrum.

Each window's transform is computed once and shared by both.

Shapes: B batch, T samples, Q bins, M mel bands, F frames of the window at hand.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from edge_codec.training.config import LossConfig
from edge_codec.training.spectral import POWER, sine_window

MEL_FLOOR = 1e-5
"""Smallest mel magnitude that counts (thesis)."""
NOISE_FLOOR = 1e-12
"""Least power of the noise, far below that of 16 bits; bounds the gradient of a square root."""
HANN_POWER = 3 / 8
"""Mean square of a Hann window: white noise of power 1 has |X|² of this times the window length."""
SPECTRAL_FLOOR = 1e-5
"""Added to |X|² before compression; bounds its gradient."""
MELS_PER_SAMPLE = 5 / 32
"""Mel bands per window sample: 5 at 32 up to 320 at 2048 (thesis)."""


def mel_bands(window: int) -> int:
    """Mel bands for a window, 5 at 32 samples up to 320 at 2048."""
    return int(window * MELS_PER_SAMPLE)


def mel_filters(window: int, bands: int, sample_rate_hz: int) -> Tensor:
    """Triangular mel filters [Q, M], area-normalised (Slaney), HTK mel scale."""
    top_mel = 2595.0 * torch.log10(torch.tensor(1 + sample_rate_hz / 2 / 700.0))
    edges_mel = torch.linspace(0.0, float(top_mel), bands + 2, dtype=torch.float64)
    edges_hz = 700.0 * (10 ** (edges_mel / 2595.0) - 1)
    bins_hz = torch.linspace(0, sample_rate_hz / 2, window // 2 + 1, dtype=torch.float64)[:, None]
    low, centre, high = edges_hz[:-2], edges_hz[1:-1], edges_hz[2:]
    rise, fall = (bins_hz - low) / (centre - low), (high - bins_hz) / (high - centre)
    triangles = torch.minimum(rise, fall).clamp_min(0)
    return (triangles * 2 / (high - low)).float()


@dataclass(frozen=True, slots=True)
class Spectrum:
    """Complex bins as separate parts, each [B, F, Q]."""

    real: Tensor
    imag: Tensor

    def power(self) -> Tensor:
        """|X|²."""
        return self.real * self.real + self.imag * self.imag

    def compressed(self, power: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Real part, imaginary part and magnitude of X with its magnitude raised to POWER."""
        log_power = (power + SPECTRAL_FLOOR).log()
        scale = (log_power * ((POWER - 1) / 2)).exp()
        return self.real * scale, self.imag * scale, (log_power * (POWER / 2)).exp()


@dataclass(frozen=True, slots=True)
class Reconstruction:
    """Means over scales of the two distances."""

    mel: Tensor
    """Mean |log10 mel difference|."""
    spectral: Tensor
    """Mean squared difference of the compressed complex spectra, plus that of their magnitudes."""


class ReconstructionLoss(nn.Module):
    """Distances between decoded and original audio."""

    def __init__(self, config: LossConfig, sample_rate_hz: int) -> None:
        super().__init__()
        self.windows = config.mel_windows
        self.overlap = config.overlap
        self.spectral_windows = frozenset(config.spectral_windows)
        self.noise_ratio = 10 ** (config.noise_db / 10)
        for window in self.windows:
            filters = mel_filters(window, mel_bands(window), sample_rate_hz)
            self.register_buffer(f"filters_{window}", filters, persistent=False)
            hann = sine_window(window).square().float()
            self.register_buffer(f"taper_{window}", hann, persistent=False)

    def spectrum(self, audio_BT: Tensor, window: int) -> Spectrum:
        """Complex spectrum, real and imaginary parts [B, F, Q] kept apart: faster on a CPU."""
        bins = torch.fft.rfft(
            overlapping_frames(audio_BT, window, self.overlap) * self.taper(window)
        )
        return Spectrum(bins.real.contiguous(), bins.imag.contiguous())

    def taper(self, window: int) -> Tensor:
        """Hann window, [N]."""
        return self.get_buffer(f"taper_{window}")

    def mel(self, power_BFQ: Tensor, noise_B11: Tensor, window: int) -> Tensor:
        """Log10 mel magnitudes [B, F, M] with white noise of this power under them."""
        mels = (power_BFQ + noise_B11 * (HANN_POWER * window)).sqrt() @ self.get_buffer(
            f"filters_{window}"
        )
        return mels.clamp_min(MEL_FLOOR).log10()

    def forward(self, decoded_BT: Tensor, original_BT: Tensor) -> Reconstruction:
        """Both distances, in float32."""
        mel, spectral = [], []
        noise_B11 = original_BT.square().mean(dim=1)[:, None, None] * self.noise_ratio + NOISE_FLOOR
        for window in self.windows:
            decoded = self.spectrum(decoded_BT, window)
            decoded_power = decoded.power()
            with torch.no_grad():
                original = self.spectrum(original_BT, window)
                original_power = original.power()
                original_mel = self.mel(original_power, noise_B11, window)
            mel.append((self.mel(decoded_power, noise_B11, window) - original_mel).abs().mean())
            if window in self.spectral_windows:
                pairs = zip(
                    decoded.compressed(decoded_power),
                    original.compressed(original_power),
                    strict=True,
                )
                spectral.append(torch.stack([(a - b).square().mean() for a, b in pairs]).sum())
        return Reconstruction(torch.stack(mel).mean(), torch.stack(spectral).mean())


def overlapping_frames(audio_BT: Tensor, window: int, overlap: int) -> Tensor:
    """Frames [B, F, N] at hop = window / overlap; what does not fill a hop is left out."""
    hop = window // overlap
    count = audio_BT.shape[1] // hop
    hops = audio_BT[:, : count * hop].reshape(-1, count, hop)
    return torch.cat([hops[:, i : count - overlap + 1 + i] for i in range(overlap)], dim=2)
