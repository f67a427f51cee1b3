"""What the link does to frames, drawn at random for training: layers cut, frames lost, codes wrong.

Shapes: B batch, F code frames, K layers.
"""

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from edge_codec.training.config import QuantizerConfig

LAYER_DB = 8
"""A frame softer by so much keeps a layer less where depth goes by level (context coding)."""
SOFTEST = 1e-8
"""Power below which a frame counts as silence, -80 dBFS."""


def before_hardening(config: QuantizerConfig) -> QuantizerConfig:
    """The same quantizer with nothing happening to single frames."""
    return replace(
        config, depth_per_frame=0.0, depth_by_level=0.0, lost_frames=0.0, wrong_codes=0.0
    )


def draw_depths(
    config: QuantizerConfig, layers: int, shape: tuple[int, int], rng: np.random.Generator
) -> NDArray[np.int64]:
    """Layers kept of each frame, [B, F]: quantizer dropout, per-frame cuts and lost bursts."""
    batch, _ = shape
    depths = np.array([depth for depth in config.depths if depth <= layers])
    per_item = np.where(
        rng.random(batch) < config.full_depth, layers, rng.choice(depths, size=batch)
    )
    kept = np.broadcast_to(per_item[:, None], shape)
    varied = rng.random((batch, 1)) < config.depth_per_frame
    kept = np.where(varied, np.minimum(kept, rng.integers(1, layers + 1, size=shape)), kept)
    lost = draw_bursts(config.lost_frames, config.lost_burst, shape, rng)
    return np.where(lost, 0, kept).astype(np.int64)


def draw_levelled(share: float, batch: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Layers more for the loudest frames of excerpts whose depth goes by level, [B]; else -1."""
    return np.where(rng.random(batch) < share, rng.integers(0, 4, batch), -1)


def level_depths(kept_BF: Tensor, more_B: Tensor, levels_db_BF: Tensor, layers: int) -> Tensor:
    """Layers kept [B, F], fewer of softer frames.

    Args:
        kept_BF: drawn before; lost frames stay lost.
        more_B: from `draw_levelled`.
        levels_db_BF: of each frame.
        layers: of the codec.
    """
    below_db_BF = levels_db_BF.amax(1, keepdim=True) - levels_db_BF
    fewer_BF = below_db_BF.div(LAYER_DB, rounding_mode="floor").long()
    levelled_BF = (kept_BF + more_B[:, None] - fewer_BF).clamp(1, layers)
    return torch.where((more_B[:, None] >= 0) & (kept_BF > 0), levelled_BF, kept_BF)


def frame_levels_db(audio_BT: Tensor, hop_samples: int) -> Tensor:
    """Level of each code frame, [B, F], in dB below full scale."""
    power_BF = audio_BT.reshape(len(audio_BT), -1, hop_samples).square().mean(2)
    return 10 * power_BF.clamp_min(SOFTEST).log10()


def draw_bursts(
    share: float, mean_length: float, shape: tuple[int, int], rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Frames lost by a two-state chain: `share` of all, in bursts of geometric length."""
    batch, frames = shape
    enter = share / (mean_length * (1 - share))
    lost = np.zeros(shape, dtype=bool)
    state = np.zeros(batch, dtype=bool)
    for frame in range(frames):
        chance = rng.random(batch)
        state = np.where(state, chance < 1 - 1 / mean_length, chance < enter)
        lost[:, frame] = state
    return lost


def draw_wrong_codes(
    share: float, codebook_size: int, shape: tuple[int, int, int], rng: np.random.Generator
) -> NDArray[np.int64]:
    """Codes that replace the right ones, [B, F, K]; -1 where the right one arrives."""
    wrong = rng.random(shape) < share
    return np.where(wrong, rng.integers(codebook_size, size=shape), -1)
