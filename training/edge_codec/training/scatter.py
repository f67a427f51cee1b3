"""Random phases for hiss: what a net that hears only codes cannot make up.

A decoder without chance gives equal codes equal sound: a held "s" becomes the same 20 ms over and
over, a buzz. Spectral frames with more energy in their upper bins than below get phases from a
sequence that is the same in every runtime, so that decoding stays exact and can be tested.

Shapes: B batch, F spectral frames, Q bins.
"""

import math
from dataclasses import replace

import torch
from torch import Tensor

from edge_codec.training.config import ModelConfig
from edge_codec.training.layers import StepResult, StreamLayer
from edge_codec.training.spectral import MAX_LOG_MAGNITUDE
from edge_codec.training.time_config import TimeModelConfig

PERIOD = 251
"""Frames until the phases repeat, 2.5 s at 100 Hz; a prime, and small: float32 holds its cube."""
SEED = 0
"""Of the bins' rates."""
TINY = 1e-9
"""Power that silence has."""


def share_weights(one: ModelConfig | TimeModelConfig, other: ModelConfig | TimeModelConfig) -> bool:
    """Whether two models differ at most in what is scattered, which takes no weights."""
    if isinstance(one, ModelConfig) and isinstance(other, ModelConfig):
        one = replace(one, scatter_from_hz=other.scatter_from_hz)
    return one == other


class PhaseScatter(StreamLayer):
    """Log magnitudes and phases, [B, F, 2Q], to the same with scattered phases.

    Bin q of frame p turns by 2 pi rate_q p² / PERIOD: chirps, whose autocorrelation is zero at
    every lag (Chu, IEEE Trans. Inf. Theory 18, 1972). The state is p, a whole number below PERIOD.
    """

    rate_Q: Tensor

    def __init__(self, bins: int, first_bin: int) -> None:
        super().__init__()
        self.bins, self.first_bin = bins, first_bin
        self.state_size = 1
        generator = torch.Generator().manual_seed(SEED)
        rates = torch.randint(1, PERIOD, (bins,), generator=generator).float()
        rates[:first_bin] = 0
        self.register_buffer("rate_Q", rates, persistent=False)

    def zero_state(self, batch: int = 1) -> Tensor:  # noqa: D102
        return self.rate_Q.new_zeros(batch, self.state_size)

    def step(self, spectrum_BFC: Tensor, state_BS: Tensor) -> StepResult:  # noqa: D102
        log_magnitude, phase = torch.split(spectrum_BFC, self.bins, dim=2)
        power = torch.exp(2 * log_magnitude.clamp(max=MAX_LOG_MAGNITUDE))
        low = power[..., : self.first_bin].sum(2, keepdim=True)
        high = power[..., self.first_bin :].sum(2, keepdim=True)
        # Without a gradient: else a net learns to hide low sound in its frames, which overlap-add
        # cancels, until nothing is scattered.
        share_BF1 = (2 * high / (low + high + TINY)).clamp(max=1.0).detach()
        one_BF1 = 0 * share_BF1 + 1  # by values, not by shape: a trace serves any F
        place_BF1 = torch.remainder(state_BS[:, None] + one_BF1.cumsum(1), PERIOD)
        turns = torch.remainder(place_BF1.square(), PERIOD) * self.rate_Q / PERIOD
        phase = phase + share_BF1 * (2 * math.pi) * (turns - torch.round(turns))
        return torch.cat([log_magnitude, phase], dim=2), place_BF1[:, -1]
