"""The time-domain codec: convolutions to the code rate, RVQ, convolutions back.

`forward` of its ends is for excerpts in training: output in step with the input, zeros around
each layer. `step` is for streams: the state is the stretch of input that the window must reach
back over, so the output is what the whole recording would give, with silence before its start.

Shapes: B batch, C channels, T samples, F code frames, D latent, S state numbers.
"""

from math import ceil, prod

import torch
from torch import Tensor, nn

from edge_codec.runtime.spec import CodecSpec
from edge_codec.training.codec import Codec, CodecEnd
from edge_codec.training.layers import StepResult, join_history
from edge_codec.training.time_config import TimeModelConfig
from edge_codec.training.time_layers import (
    KERNEL,
    ChannelSnake,
    Fill,
    ResidualUnit,
    Stack,
    Thin,
    TimeConv,
)

LATENT_KERNEL = 3
"""Frames seen by the encoder's last convolution."""


class TimeEncoder(CodecEnd):
    """Samples [B, T] to latent frames [B, F, D]."""

    def __init__(self, config: TimeModelConfig) -> None:
        super().__init__()
        width = config.encoder_channels
        layers: list[nn.Module] = [TimeConv(1, width, KERNEL)]
        for stride in config.strides:
            layers += [ResidualUnit(width, dilation) for dilation in config.dilations]
            layers += [ChannelSnake(width), Thin(width, 2 * width, stride)]
            width *= 2
        layers += [ChannelSnake(width), TimeConv(width, config.latent, LATENT_KERNEL)]
        self.body = Stack(*layers)
        self.delay_samples = self.body.reach_of_input()
        self.state_size = 2 * self.delay_samples

    def step(self, audio_BT: Tensor, state_BS: Tensor) -> StepResult:  # noqa: D102
        joined = torch.cat([state_BS, audio_BT], dim=1)
        latent_BDF = self.body(joined[:, None], padded=False)
        return latent_BDF.transpose(1, 2), joined[:, -self.state_size :]

    def forward(self, audio_BT: Tensor) -> Tensor:
        """Latent frames in step with the samples."""
        latent: Tensor = self.body(audio_BT[:, None], padded=True)
        return latent.transpose(1, 2)


class TimeDecoder(CodecEnd):
    """Latent frames [B, F, D] to samples [B, T]."""

    def __init__(self, config: TimeModelConfig) -> None:
        super().__init__()
        width = config.decoder_channels
        layers: list[nn.Module] = [TimeConv(config.latent, width, KERNEL)]
        for stride in reversed(config.strides):
            layers += [ChannelSnake(width), Fill(width, width // 2, stride)]
            width //= 2
            layers += [ResidualUnit(width, dilation) for dilation in config.dilations]
        layers += [ChannelSnake(width), TimeConv(width, 1, KERNEL)]
        self.body = Stack(*layers)
        hop = prod(config.strides)
        self.delay_samples = self.body.reach_of_output()
        self.past_frames = ceil(2 * self.delay_samples / hop)
        self.state_size = self.past_frames * config.latent
        self._surplus = self.past_frames * hop - 2 * self.delay_samples

    def step(self, latent_BFD: Tensor, state_BS: Tensor) -> StepResult:  # noqa: D102
        joined, next_state = join_history(latent_BFD, state_BS, self.past_frames)
        audio_B1T = self.body(joined.transpose(1, 2), padded=False)
        return torch.tanh(audio_B1T[:, 0, self._surplus :]), next_state

    def forward(self, latent_BFD: Tensor) -> Tensor:
        """Samples in step with the latent frames."""
        return torch.tanh(self.body(latent_BFD.transpose(1, 2), padded=True)[:, 0])


class TimeCodec(Codec):
    """Encoder, quantizer and decoder of the time domain; its delay follows from its layers."""

    forward_delay_samples = 0

    def __init__(self, config: TimeModelConfig) -> None:
        encoder, decoder = TimeEncoder(config), TimeDecoder(config)
        spec = CodecSpec(
            sample_rate_hz=config.sample_rate_hz,
            strides=config.strides,
            layers=config.layers,
            bits_per_code=config.bits_per_code,
            delay_samples=encoder.delay_samples + decoder.delay_samples,
        )
        super().__init__(config, spec, encoder, decoder)
