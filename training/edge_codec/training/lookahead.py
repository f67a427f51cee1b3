"""Begin a frame codec that looks ahead with the weights of one that does not, or less far.

Its decoder speaks later, so the first convolution finds the same code frames further in the past:
its taps move there, the oldest are given up and those of the new frames begin at zero.

Shapes: C channels in, D channels out.
"""

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor

from edge_codec.training.codec import FIRST_KERNEL
from edge_codec.training.config import ModelConfig
from edge_codec.training.scatter import share_weights
from edge_codec.training.time_config import TimeModelConfig

_FIRST = "decoder.body.layers.0.linear.weight"


def frames_further(short: ModelConfig | TimeModelConfig, far: ModelConfig | TimeModelConfig) -> int:
    """Code frames by which `far` looks further ahead; 0 unless they are equal beside it."""
    if not isinstance(short, ModelConfig) or not isinstance(far, ModelConfig):
        return 0
    if not share_weights(replace(short, lookahead_frames=far.lookahead_frames), far):
        return 0
    return max(0, far.lookahead_frames - short.lookahead_frames)


def looking_ahead(tensors: Mapping[str, Tensor], frames: int) -> dict[str, Tensor]:
    """A checkpoint's tensors for a decoder that speaks `frames` code frames later."""
    return {
        name: _later(tensor, frames) if name.endswith(_FIRST) else tensor
        for name, tensor in tensors.items()
    }


def _later(weight_DC: Tensor, frames: int) -> Tensor:
    taps = list(weight_DC.chunk(FIRST_KERNEL, dim=1))  # oldest frame first
    new = [torch.zeros_like(taps[0])] * frames
    return torch.cat([*taps, *new][-FIRST_KERNEL:], dim=1)
