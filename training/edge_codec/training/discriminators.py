"""Discriminators: nets that tell decoded audio from recorded audio.

Multi-period and multi-scale ones look at the waveform, the multi-band one at the complex spectrum.
Each gives its verdicts and the features they rest on; what is made of them is `adversarial`'s.

Shapes: B batch, T samples, C channels, F frames, Q bins, P period.
"""

from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import weight_norm

from edge_codec.training.config import AdversarialConfig
from edge_codec.training.losses import overlapping_frames
from edge_codec.training.spectral import sine_window

SLOPE = 0.1
"""Of the leaky rectifiers (HiFi-GAN, arXiv 2010.05646)."""
PEAK = 0.8
"""Level at which all discriminators listen (thesis)."""
BANDS = (0.0, 0.1, 0.25, 0.5, 0.75, 1.0)
"""Edges of the spectrum's bands as parts of its bins (thesis)."""
OVERLAP = 4
"""Spectral windows over any one sample (thesis: hop = window / 4)."""


class Judgement(NamedTuple):
    """What one discriminator makes of a batch."""

    score: Tensor
    """Verdicts, any shape: trained towards 1 for recorded audio and 0 for decoded."""
    features: list[Tensor]
    """Outputs of the hidden layers, for feature matching."""


def judge(layers: nn.ModuleList, x: Tensor) -> list[Tensor]:
    """Outputs of convolutions with leaky rectifiers between them."""
    outputs = []
    for layer in layers:
        x = functional.leaky_relu(layer(x), SLOPE)
        outputs.append(x)
    return outputs


class PeriodDiscriminator(nn.Module):
    """Sees every P-th sample side by side (HiFi-GAN)."""

    def __init__(self, period: int, width: int) -> None:
        super().__init__()
        self.period = period
        widths = [1, width, 4 * width, 16 * width, 32 * width]
        strided = [
            weight_norm(nn.Conv2d(c_in, c_out, (5, 1), (3, 1), padding=(2, 0)))
            for c_in, c_out in pairwise(widths)
        ]
        last = weight_norm(nn.Conv2d(widths[-1], widths[-1], (5, 1), padding=(2, 0)))
        self.layers = nn.ModuleList([*strided, last])
        self.verdict = weight_norm(nn.Conv2d(widths[-1], 1, (3, 1), padding=(1, 0)))

    def forward(self, audio_BT: Tensor) -> Judgement:  # noqa: D102
        padding = -audio_BT.shape[1] % self.period
        padded = functional.pad(audio_BT, (0, padding), mode="reflect")
        features = judge(self.layers, padded.reshape(len(padded), 1, -1, self.period))
        return Judgement(self.verdict(features[-1]), features)


class ScaleDiscriminator(nn.Module):
    """Sees the waveform itself, at a fraction of its rate (MelGAN, arXiv 1910.06711)."""

    def __init__(self, factor: int, width: int) -> None:
        super().__init__()
        self.factor = factor
        widths = [width, 4 * width, 16 * width, 64 * width]
        grouped = [
            weight_norm(nn.Conv1d(c_in, c_out, 41, 4, padding=20, groups=c_in // 4))
            for c_in, c_out in pairwise(widths)
        ]
        self.layers = nn.ModuleList(
            [
                weight_norm(nn.Conv1d(1, width, 15, padding=7)),
                *grouped,
                weight_norm(nn.Conv1d(widths[-1], widths[-1], 5, padding=2)),
            ]
        )
        self.verdict = weight_norm(nn.Conv1d(widths[-1], 1, 3, padding=1))

    def forward(self, audio_BT: Tensor) -> Judgement:  # noqa: D102
        thinned = functional.avg_pool1d(audio_BT[:, None], self.factor)
        features = judge(self.layers, thinned)
        return Judgement(self.verdict(features[-1]), features)


class BandDiscriminator(nn.Module):
    """Sees the complex spectrum of one window length, each band with layers of its own (thesis)."""

    taper: Tensor

    def __init__(self, window: int, width: int) -> None:
        super().__init__()
        self.window = window
        self.edges = [round(edge * (window // 2 + 1)) for edge in BANDS]
        self.bands = nn.ModuleList(_band_layers(width) for _ in pairwise(BANDS))
        self.verdict = weight_norm(nn.Conv2d(width, 1, 3, padding=1))
        self.register_buffer("taper", sine_window(window).square().float(), persistent=False)

    def spectrum(self, audio_BT: Tensor) -> Tensor:
        """Real and imaginary parts as channels, [B, 2, F, Q]."""
        frames = overlapping_frames(audio_BT.float(), self.window, OVERLAP)
        bins = torch.fft.rfft(frames * self.taper)
        return torch.stack([bins.real, bins.imag], dim=1)

    def forward(self, audio_BT: Tensor) -> Judgement:  # noqa: D102
        spectrum = self.spectrum(audio_BT)
        features, ends = [], []
        for layers, (low, high) in zip(self.bands, pairwise(self.edges), strict=True):
            assert isinstance(layers, nn.ModuleList)
            outputs = judge(layers, spectrum[..., low:high])
            features += outputs
            ends.append(outputs[-1])
        return Judgement(self.verdict(torch.cat(ends, dim=3)), features)


def _band_layers(width: int) -> nn.ModuleList:
    """Five convolutions over frames and bins; the middle three halve the bins."""
    shapes = [(2, (3, 9), 1), *[(width, (3, 9), 2)] * 3, (width, (3, 3), 1)]
    return nn.ModuleList(
        weight_norm(
            nn.Conv2d(c_in, width, kernel, (1, step), padding=(kernel[0] // 2, kernel[1] // 2))
        )
        for c_in, kernel, step in shapes
    )


class Discriminators(nn.Module):
    """All discriminators that a recipe asks for."""

    def __init__(self, config: AdversarialConfig) -> None:
        super().__init__()
        self.nets = nn.ModuleList(
            [
                *(PeriodDiscriminator(p, config.period_width) for p in config.periods),
                *(BandDiscriminator(w, config.band_width) for w in config.windows),
                *(ScaleDiscriminator(f, config.scale_width) for f in config.scales),
            ]
        )

    def forward(self, audio_BT: Tensor) -> list[Judgement]:
        """Each one's judgement of audio [B, T], at one level and without its mean."""
        centred = audio_BT - audio_BT.mean(dim=1, keepdim=True)
        loudest = centred.abs().amax(dim=1, keepdim=True)
        level = centred * (PEAK / (loudest + 1e-9))
        return [net(level) for net in self.nets]
