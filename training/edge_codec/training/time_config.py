"""Shape of the time-domain codec, as a recipe's `[model]` table says it. Standard library only."""

from dataclasses import dataclass

from edge_codec.runtime.errors import ConfigError


@dataclass(frozen=True, kw_only=True, slots=True)
class TimeModelConfig:
    """Shape of the time-domain codec: convolutions on samples, narrower and wider by each stride.

    The defaults are the reference model's. Source: DAC, arXiv 2306.06546.
    """

    kind: str = "time"
    """Tells it from the other kinds of model."""
    name: str
    """Name of the bundle this model becomes."""
    sample_rate_hz: int = 44_100
    """Rate of the audio."""
    strides: tuple[int, ...] = (2, 4, 8, 8)
    """Factors of the encoder's blocks; the decoder has them in reverse."""
    encoder_channels: int = 64
    """Width before the encoder's first block; each block doubles it."""
    decoder_channels: int = 1536
    """Width before the decoder's first block; each block halves it."""
    dilations: tuple[int, ...] = (1, 3, 9)
    """One residual unit of each block per dilation."""
    latent: int = 1024
    """Channels between encoder, quantizer and decoder."""
    layers: int = 9
    """RVQ layers."""
    bits_per_code: int = 10
    """Bits of one code."""
    code_dim: int = 8
    """Dimensions of the factorised codebooks."""
    normalised_lookup: bool = True
    """Compare directions only."""
    loudness_lufs: float = -16.0
    """Loudness that audio files are brought to before they are encoded."""

    def __post_init__(self) -> None:
        if not self.strides or any(stride < 2 or stride % 2 for stride in self.strides):
            raise ConfigError(f"strides must be even numbers from 2 on, got {list(self.strides)}")
        if self.decoder_channels % 2 ** len(self.strides):
            raise ConfigError(
                f"decoder_channels must halve {len(self.strides)} times, "
                f"got {self.decoder_channels}"
            )
        if not self.dilations or min(self.dilations) < 1:
            raise ConfigError(f"dilations must be 1 or more, got {list(self.dilations)}")
