"""Random excerpts from a prepared cache, drawn on the device that trains.

Every draw depends only on (seed, step), so a resumed training sees the same excerpts.

Shapes: B excerpts, T samples.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from edge_codec.runtime.errors import ConfigError
from edge_codec.training.config import DataConfig

IntArray = NDArray[np.int64]
FULL_SCALE = 32768.0
"""int16 to [-1, 1)."""


@dataclass(frozen=True, slots=True)
class ExcerptSource:
    """All clips end to end, and where each begins."""

    audio: Tensor
    """int16 samples of all clips."""
    offsets: IntArray
    """First sample of each clip."""
    lengths: IntArray
    """Samples of each clip."""

    def __post_init__(self) -> None:
        if len(self.lengths) == 0:
            raise ConfigError("the prepared cache holds no clips; run `edge-codec prepare` again")

    def draw(self, config: DataConfig, samples: int, rng: np.random.Generator) -> Tensor:
        """A batch of excerpts [B, T] with random gain and polarity; short clips end in silence.

        Every position of every clip is equally likely.
        """
        room = np.maximum(self.lengths - samples, 0) + 1
        clips = rng.choice(len(room), size=config.batch, p=room / room.sum())
        starts = (rng.random(config.batch) * room[clips]).astype(np.int64)
        gains = 10 ** (rng.uniform(*config.gain_db, config.batch) / 20)
        gains = gains * rng.choice([-1.0, 1.0], config.batch) / FULL_SCALE
        device = self.audio.device
        at = torch.arange(samples)
        last = torch.from_numpy(self.lengths[clips] - 1)[:, None]
        inside = torch.from_numpy(starts)[:, None] + at
        index = torch.from_numpy(self.offsets[clips])[:, None] + torch.minimum(inside, last)
        scale = (inside <= last) * torch.from_numpy(gains)[:, None]
        excerpts = self.audio[index.to(device)].float() * scale.float().to(device)
        return excerpts.clamp(-1.0, 1.0)
