"""A codec small enough to train and export in a test."""

import numpy as np
import torch

from edge_codec.training.codec import FrameCodec
from edge_codec.training.config import (
    DataConfig,
    LossConfig,
    ModelConfig,
    OptimiserConfig,
    QuantizerConfig,
    Recipe,
)
from edge_codec.training.data import ExcerptSource

TINY = ModelConfig(
    name="tiny",
    channels=16,
    code_channels=24,
    encoder_blocks=(1, 1),
    decoder_blocks=(1, 1),
    latent=12,
    layers=4,
    bits_per_code=5,
    scatter_from_hz=3000,
    code_dim=4,
)
TINY_RECIPE = Recipe(
    model=TINY,
    steps=12,
    bf16=False,
    data=DataConfig(excerpt_s=0.2, batch=2),
    loss=LossConfig(mel_windows=(128, 512), spectral_windows=(512,)),
    quantizer=QuantizerConfig(
        start_step=3,
        harden_from=0.5,
        initial_vectors=200,
        depths=(1, 2),
        lost_frames=0.1,
        depth_per_frame=0.5,
    ),
    optimiser=OptimiserConfig(warmup_steps=2, muon_lr=0.01),
)


def make_codec(seed: int = 0) -> FrameCodec:
    """Randomly initialised, with codebooks on the scale of the latent; in evaluation mode."""
    torch.manual_seed(seed)
    codec = FrameCodec(TINY)
    noise = 0.1 * torch.randn(8, 16 * codec.spec.hop_samples)
    codec.encoder.analysis.standardise(noise)
    latent = codec.encoder(noise).detach().flatten(0, 1)
    codec.quantizer.initialise(latent, torch.Generator().manual_seed(seed))
    torch.nn.init.normal_(codec.quantizer.lost)
    return codec.eval()


def make_source(seed: int = 0, sample_rate_hz: int = 16_000) -> ExcerptSource:
    """Three clips of noise with a moving tone; the last is shorter than an excerpt."""
    rng = np.random.default_rng(seed)
    lengths = np.array([16_000, 9_000, 1_000])
    t = np.arange(lengths.sum())
    audio = 6000 * np.sin(1e-5 * t**1.6) + rng.normal(0, 300, len(t))
    offsets = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    samples = torch.from_numpy(audio.astype(np.int16))
    return ExcerptSource(samples, offsets, lengths, sample_rate_hz)
