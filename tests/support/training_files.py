"""A recipe and a cache on disk for trainings that take seconds."""

from pathlib import Path

from edge_codec.training.cache import AUDIO_NAME, CachedClip, write_manifest
from support.tiny_codec import make_source

RECIPE = """
steps = {steps}
bf16 = false
[model]
name = "tiny"
channels = 16
code_channels = 24
encoder_blocks = [1, 1]
decoder_blocks = [1, 1]
latent = 12
layers = 4
bits_per_code = 5
code_dim = 4
[data]
excerpt_s = 0.2
batch = {batch}
[loss]
mel_windows = [128, 512]
spectral_windows = [512]
[quantizer]
start_step = 3
initial_vectors = 200
depths = [1, 2]
{quantizer}
[optimiser]
warmup_steps = 2
muon_lr = 0.01
"""


def write_cache(folder: Path) -> Path:
    """The clips of `make_source` as a finished cache."""
    source = make_source()
    folder.mkdir()
    source.audio.numpy().tofile(folder / AUDIO_NAME)
    places = zip(source.offsets.tolist(), source.lengths.tolist(), strict=True)
    clips = [CachedClip(source="x", offset=o, samples=n, sha256="") for o, n in places]
    write_manifest(folder, 16_000, clips, {})
    return folder


def write_recipe(path: Path, steps: int = 60, batch: int = 2, quantizer: str = "") -> Path:
    """A tiny recipe with so many steps and excerpts, and more lines for its quantizer table."""
    path.write_text(RECIPE.format(steps=steps, batch=batch, quantizer=quantizer))
    return path
