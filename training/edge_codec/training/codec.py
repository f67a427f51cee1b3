"""The frame-domain voice codec: spectrum -> ConvNeXt -> RVQ -> ConvNeXt -> spectrum.

Samples in, codes out; codes in, samples out; both with one flat state. This module knows the
net's shape; training rules live in `trainer`, graph forms in the export part.

Shapes: B batch, T samples, F code frames, K layers, D latent, S state numbers.
"""

import torch
from torch import Tensor, nn

from edge_codec.runtime.spec import CodecSpec
from edge_codec.training.config import ModelConfig
from edge_codec.training.layers import (
    CausalConv,
    Chain,
    ConvNeXtBlock,
    Downsample,
    StepResult,
    StreamLayer,
    Upsample,
)
from edge_codec.training.rvq import ResidualVQ
from edge_codec.training.scatter import PhaseScatter
from edge_codec.training.spectral import Analysis, Synthesis
from edge_codec.training.time_config import TimeModelConfig

FIRST_KERNEL = 3
"""Code frames that the decoder's first convolution sees."""


def blocks(count: int, channels: int, activation: str) -> list[nn.Module]:
    """`count` equal ConvNeXt blocks."""
    return [ConvNeXtBlock(channels, activation) for _ in range(count)]


class CodecEnd(StreamLayer):
    """One end of a codec: `body` is its trunk."""

    body: nn.Module


class Encoder(CodecEnd):
    """Samples [B, T] to latent frames [B, F, D]."""

    body: Chain

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        fast, slow = config.encoder_blocks
        self.analysis = Analysis(config.hop_samples)
        self.embed = nn.Linear(self.analysis.features, config.channels)
        self.body = Chain(
            nn.LayerNorm(config.channels),
            *blocks(fast, config.channels, config.activation),
            Downsample(config.channels, config.code_channels, config.code_stride),
            *blocks(slow, config.code_channels, config.activation),
            nn.LayerNorm(config.code_channels),
        )
        self.head = nn.Linear(config.code_channels, config.latent)
        self.sizes = [self.analysis.state_size, self.body.state_size]
        self.state_size = sum(self.sizes)

    def step(self, audio_BT: Tensor, state_BS: Tensor) -> StepResult:  # noqa: D102
        past, hidden = torch.split(state_BS, self.sizes, dim=1)
        features, past = self.analysis.step(audio_BT, past)
        y, hidden = self.body.step(self.embed(features), hidden)
        return self.head(y), torch.cat([past, hidden], dim=1)


class Decoder(CodecEnd):
    """Latent frames [B, F, D] to samples [B, T]."""

    body: Chain

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        slow, fast = config.decoder_blocks
        self.synthesis = Synthesis(config.hop_samples)
        self.scatter = make_scatter(config)
        self.body = Chain(
            CausalConv(config.latent, config.code_channels, FIRST_KERNEL),
            *blocks(slow, config.code_channels, config.activation),
            Upsample(config.code_channels, config.channels, config.code_stride),
            *blocks(fast, config.channels, config.activation),
            nn.LayerNorm(config.channels),
        )
        self.head = nn.Linear(config.channels, self.synthesis.features)
        ends = [self.synthesis] if self.scatter is None else [self.scatter, self.synthesis]
        self.render_sizes = [layer.state_size for layer in ends]
        self.sizes = [self.body.state_size, sum(self.render_sizes)]
        self.state_size = sum(self.sizes)

    def step(self, latent_BFD: Tensor, state_BS: Tensor) -> StepResult:  # noqa: D102
        hidden, rendered = torch.split(state_BS, self.sizes, dim=1)
        y, hidden = self.body.step(latent_BFD, hidden)
        # Phase needs more than bfloat16's eight bits.
        with torch.autocast(y.device.type, enabled=False):
            audio_BT, rendered = self.render(y.float(), rendered)
        return audio_BT, torch.cat([hidden, rendered], dim=1)

    def render(self, y_BFC: Tensor, state_BS: Tensor) -> StepResult:
        """What the body gives, [B, F, C], to samples [B, T]."""
        spectrum = self.head(y_BFC)
        if self.scatter is None:
            return self.synthesis.step(spectrum, state_BS)
        place, tail = torch.split(state_BS, self.render_sizes, dim=1)
        spectrum, place = self.scatter.step(spectrum, place)
        audio_BT, tail = self.synthesis.step(spectrum, tail)
        return audio_BT, torch.cat([place, tail], dim=1)

    @torch.no_grad()
    def start_at(self, log_magnitude_Q: Tensor) -> None:
        """Make the untrained decoder give noise of the training audio's mean spectrum."""
        self.head.weight.mul_(0.3)
        self.head.bias[: len(log_magnitude_Q)] = log_magnitude_Q


def make_scatter(config: ModelConfig) -> PhaseScatter | None:
    """What scatters the decoder's phases, if the config asks for it."""
    if config.scatter_from_hz == 0:
        return None
    first_bin = round(config.scatter_from_hz / config.sample_rate_hz * 2 * config.hop_samples)
    return PhaseScatter(config.hop_samples + 1, first_bin)


class Codec(nn.Module):
    """Encoder, quantizer and decoder: what any kind of codec can do."""

    forward_delay_samples: int
    """Samples by which `decoder(encoder(audio))` lags the audio: in training, not in a stream."""

    def __init__(
        self,
        config: ModelConfig | TimeModelConfig,
        spec: CodecSpec,
        encoder: CodecEnd,
        decoder: CodecEnd,
    ) -> None:
        super().__init__()
        self.config, self.spec = config, spec
        self.encoder = encoder
        self.quantizer = ResidualVQ(
            config.latent,
            config.layers,
            spec.codebook_size,
            config.code_dim,
            normalised=config.normalised_lookup,
        )
        self.decoder = decoder

    def start_from(self, audio_BT: Tensor) -> None:
        """Set what an untrained codec knows from audio alone, such as the scale of its input."""

    def forward(self, audio_BT: Tensor) -> Tensor:
        """What the whole codec makes of audio, all layers kept; late by its forward delay."""
        codes_BFK = self.quantizer.encode(self.encoder(audio_BT))
        audio: Tensor = self.decoder(self.quantizer.decode(codes_BFK))
        return audio

    def encode_step(self, audio_BT: Tensor, state_BS: Tensor) -> StepResult:
        """Codes [B, F, K] of the next whole frames, and the next encoder state."""
        latent, next_state = self.encoder.step(audio_BT, state_BS)
        return self.quantizer.encode(latent), next_state

    def decode_step(self, codes_BFK: Tensor, state_BS: Tensor) -> StepResult:
        """Samples [B, F * hop] from codes, and the next decoder state.

        A code equal to the codebook size was not sent; a frame of only those was lost.
        """
        return self.decoder.step(self.quantizer.decode(codes_BFK), state_BS)


class FrameCodec(Codec):
    """The frame-domain codec."""

    encoder: Encoder
    decoder: Decoder

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config, config.spec, Encoder(config), Decoder(config))
        self.forward_delay_samples = self.spec.delay_samples

    def start_from(self, audio_BT: Tensor) -> None:  # noqa: D102
        self.encoder.analysis.standardise(audio_BT)
        self.decoder.start_at(self.encoder.analysis.log_magnitude_mean())


def mask_layers(codes_BFK: Tensor, layers: int, codebook_size: int) -> Tensor:
    """Codes with every layer from `layers` on marked as not sent."""
    kept = torch.arange(codes_BFK.shape[-1], device=codes_BFK.device) < layers
    return torch.where(kept, codes_BFK, codebook_size)
