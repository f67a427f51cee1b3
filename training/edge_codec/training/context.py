"""Learn how likely each code is, given the codes around it.

The net of `runtime.context_model`, trained as it will run: every value is rounded to the whole
numbers it becomes, and gradients pass as if it were not. Each layer of codes has a net of its own.

Shapes: B units, F code frames, K layers of the codec, L of them modelled, N codebook entries,
E numbers of an entry, P places around a code.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from math import log
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from edge_codec.runtime.context_odds import (
    HIDDEN_SHIFT,
    LOGIT_SHIFT,
    MAX_BIAS,
    NATS,
    RANK_SHIFT,
    UNIT,
)
from edge_codec.training.codec import Codec
from edge_codec.training.config import DataConfig
from edge_codec.training.data import ExcerptSource
from edge_codec.training.frame_loss import LAYER_DB, frame_levels_db

ENTRY_STEP, WEIGHT_STEP = 1 / 32, 1 / 64
"""What one whole number of an entry and of a weight stands for."""
HIDDEN_STEP = ENTRY_STEP * WEIGHT_STEP * (1 << HIDDEN_SHIFT)
RANK_STEP = HIDDEN_STEP * WEIGHT_STEP * (1 << RANK_SHIFT)
LOGIT_STEP = RANK_STEP * WEIGHT_STEP * (1 << LOGIT_SHIFT)
if LOGIT_STEP != NATS:
    raise AssertionError("the steps of training and runtime have come apart")
UNIT_FRAMES = (4, 8, 12, 24, 50)
"""Code frames of what is packed together: raw frames' groups, packets, blocks of files."""
EXCERPT_FRAMES = 200


@dataclass(frozen=True, kw_only=True, slots=True)
class ContextConfig:
    """Sizes of a context model, and how it is trained."""

    layers: int
    """First layers of the codec, whose codes are modelled."""
    hidden: int = 96
    rank: int = 32
    layer_db: int = LAYER_DB
    """See `ContextModel.layer_db`."""
    batch_frames: int = 600
    """Code frames of one step."""
    steps: int = 5000
    lr: float = 3e-3
    weight_decay: float = 0.01


@dataclass(frozen=True, slots=True)
class CodeSet:
    """Codes of many excerpts, and how loud each frame was."""

    codes_BFL: Tensor
    levels_db_BF: Tensor

    @classmethod
    def joined(cls, parts: Sequence["CodeSet"]) -> "CodeSet":
        """All excerpts of all parts."""
        codes, levels_db = zip(
            *((part.codes_BFL, part.levels_db_BF) for part in parts), strict=True
        )
        return cls(torch.cat(codes), torch.cat(levels_db))

    def split(self, share: float) -> tuple["CodeSet", "CodeSet"]:
        """All but the last ones, and this share of them, at least one excerpt."""
        at = len(self.codes_BFL) - max(1, round(share * len(self.codes_BFL)))
        codes, levels_db = self.codes_BFL, self.levels_db_BF
        return CodeSet(codes[:at], levels_db[:at]), CodeSet(codes[at:], levels_db[at:])


def draw_codes(
    codec: Codec, source: ExcerptSource, config: DataConfig, *, layers: int, seed: int
) -> Iterator[CodeSet]:
    """Codes of random excerpts, changed as in the codec's own training, batch after batch."""
    samples = EXCERPT_FRAMES * codec.spec.hop_samples
    for number in count():
        audio_BT = source.draw(config, samples, np.random.default_rng([seed, number]))
        with torch.inference_mode():
            latent_BFD = codec.encoder(audio_BT)
            codes_BFL, _ = codec.quantizer.encode_layers(latent_BFD, range(layers))
        yield CodeSet(codes_BFL.int(), frame_levels_db(audio_BT, codec.spec.hop_samples))


def mean_levels(codes: CodeSet, codebook_size: int) -> Tensor:
    """[N] mean level in dB of the frames of each first code, rounded; of rare ones the overall."""
    first, levels_db = codes.codes_BFL[..., 0].flatten(), codes.levels_db_BF.flatten()
    counts_N = torch.bincount(first, minlength=codebook_size)
    sums_N = torch.zeros(codebook_size).index_add_(0, first, levels_db)
    # One more frame of mean level for each: a code that never occurs has that.
    return ((sums_N + levels_db.mean()) / (counts_N + 1)).round()


def places(layer: int) -> list[tuple[int, int]]:
    """(frames later, layer) of the codes that the net of a layer looks at, where they are known."""
    if layer == 0:
        return [(-back, 0) for back in range(1, 7)]
    own = [(0, below) for below in sorted({0, *range(max(0, layer - 3), layer)})]
    near = [(later, below) for later in (-2, -1, 1, 2) for below in sorted({0, layer - 1, layer})]
    far = [(-3, 0), (3, 0)] if layer == 1 else []
    return own + near + far


class _LayerNet(nn.Module):
    """The net of one layer, in real numbers that round to those of the runtime."""

    def __init__(self, config: ContextConfig, layer: int, entry_dim: int, shares_N: Tensor) -> None:
        super().__init__()
        self.layer = layer
        self.places = places(layer)
        inputs = len(self.places) * entry_dim
        self.hidden = nn.Parameter(torch.randn(inputs, config.hidden) * inputs**-0.5)
        self.hidden_bias = nn.Parameter(torch.zeros(config.hidden))
        self.rank = nn.Parameter(torch.randn(config.hidden, config.rank) * config.hidden**-0.5)
        self.rank_bias = nn.Parameter(torch.zeros(config.rank))
        self.logit = nn.Parameter(torch.randn(config.rank, len(shares_N)) * 0.1)
        self.logit_bias = nn.Parameter(shares_N.log())

    def forward(self, entries_XI: Tensor) -> Tensor:
        """Logits [X, N] in nats."""
        hidden = entries_XI @ _whole(self.hidden, WEIGHT_STEP) + self.hidden_bias
        hidden = _floored(hidden, HIDDEN_STEP).clamp(0, UNIT * HIDDEN_STEP)
        rank = hidden @ _whole(self.rank, WEIGHT_STEP) + self.rank_bias
        rank = _floored(rank, RANK_STEP).clamp(-UNIT * RANK_STEP, UNIT * RANK_STEP)
        return _floored(rank @ _whole(self.logit, WEIGHT_STEP) + self.logit_bias, LOGIT_STEP)


class ContextNet(nn.Module):
    """The nets of all layers and the entries they share."""

    levels_N: Tensor

    def __init__(self, config: ContextConfig, codebooks_LNE: Tensor, codes: CodeSet) -> None:
        """Begin with the codec's codebooks and how often each code occurs."""
        super().__init__()
        self.config = config
        spread_L11 = codebooks_LNE.std(dim=(1, 2), keepdim=True)
        self.entries = nn.Parameter(codebooks_LNE / spread_L11)
        _, size, entry_dim = codebooks_LNE.shape
        self.register_buffer("levels_N", mean_levels(codes, size))
        self.nets = nn.ModuleList(
            _LayerNet(config, layer, entry_dim, _shares(codes.codes_BFL[..., layer], size))
            for layer in range(config.layers)
        )

    def bits(self, codes_BFL: Tensor) -> Tensor:
        """[B, F, L] bits that each code takes in units of F frames."""
        codes_BFL = codes_BFL.long()
        steps_BFL = self._steps(codes_BFL)
        entries_LNE = _whole(self.entries, ENTRY_STEP)
        return torch.stack(
            [self._layer_bits(net, entries_LNE, codes_BFL, steps_BFL) for net in self.nets], dim=2
        )

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The tables of `ContextModel`."""
        tables: dict[str, NDArray[Any]] = {
            "levels": self.levels_N.numpy().astype(np.int16),
            "layer_db": np.array(self.config.layer_db, np.int8),
            "entries": _as_whole(self.entries, ENTRY_STEP).astype(np.int8),
        }
        sums = (ENTRY_STEP, HIDDEN_STEP, RANK_STEP)
        for layer, net in enumerate(self.nets):
            tables[f"places_{layer}"] = np.array(net.places, np.int8)
            for name, step in zip(("hidden", "rank", "logit"), sums, strict=True):
                weights, bias = getattr(net, name), getattr(net, f"{name}_bias")
                tables[f"{name}_{layer}"] = _as_whole(weights, WEIGHT_STEP).astype(np.int8)
                tables[f"{name}_bias_{layer}"] = _as_whole(bias, step * WEIGHT_STEP, limit=MAX_BIAS)
        return tables

    def _layer_bits(
        self, net: Any, entries_LNE: Tensor, codes_BFL: Tensor, steps_BFL: Tensor
    ) -> Tensor:
        frames = codes_BFL.shape[1]
        seen = []
        for later, below in net.places:
            at_F = (torch.arange(frames) + later).clamp(0, frames - 1)
            inside_F = (torch.arange(frames) + later) == at_F
            known_BF = inside_F & (steps_BFL[:, at_F, below] < steps_BFL[..., net.layer])
            seen.append(entries_LNE[below][codes_BFL[:, at_F, below]] * known_BF[..., None])
        logits = net(torch.cat(seen, dim=2).flatten(0, 1))
        nats = functional.cross_entropy(
            logits, codes_BFL[..., net.layer].flatten(), reduction="none"
        )
        return nats.reshape(codes_BFL.shape[:2]) / log(2)

    def _steps(self, codes_BFL: Tensor) -> Tensor:
        """In which step each code becomes known, [B, F, L]; see `ContextCoder`."""
        frames = torch.arange(codes_BFL.shape[1])
        levels_BF = self.levels_N[codes_BFL[..., 0]]
        below_db_BF = levels_BF.amax(1, keepdim=True) - levels_BF
        waves_BF = below_db_BF.div(self.config.layer_db, rounding_mode="floor")
        steps_BFL = 2 * (waves_BF[..., None] + torch.arange(self.config.layers))
        steps_BFL = steps_BFL + (frames % 2)[:, None]
        steps_BFL[..., 0] = frames - len(frames)
        return steps_BFL


def train_context(
    net: ContextNet, codes_BFL: Tensor, generator: torch.Generator
) -> Iterator[float]:
    """Train in place; yields the mean bits per code of each step."""
    config = net.config
    optimiser = torch.optim.AdamW(net.parameters(), config.lr, weight_decay=config.weight_decay)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda step: min(1.0, 1.5 * (1 - step / config.steps))
    )
    for step in range(config.steps):
        frames = UNIT_FRAMES[step % len(UNIT_FRAMES)]
        shape = (config.batch_frames // frames, 1)
        excerpts = torch.randint(len(codes_BFL), shape, generator=generator)
        starts = torch.randint(codes_BFL.shape[1] - frames + 1, shape, generator=generator)
        bits = net.bits(codes_BFL[excerpts, starts + torch.arange(frames)]).mean()
        optimiser.zero_grad()
        bits.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
        yield float(bits.detach())


def layer_bits(net: ContextNet, codes_BFL: Tensor, frames: int) -> list[float]:
    """[L] mean bits of a code of each layer, in units of so many frames."""
    whole = codes_BFL.shape[1] // frames * frames
    blocks_BFL = codes_BFL[:, :whole].reshape(-1, frames, codes_BFL.shape[2])
    with torch.inference_mode():
        bits = torch.cat([net.bits(part) for part in torch.split(blocks_BFL, 64)])
    return [float(value) for value in bits.mean(dim=(0, 1))]


def _shares(codes_BF: Tensor, size: int) -> Tensor:
    counts_N = torch.bincount(codes_BF.flatten(), minlength=size) + 1.0
    return counts_N / counts_N.sum()


def _whole(values: Tensor, step: float) -> Tensor:
    """Rounded to whole steps up to `UNIT`, with the gradient of the unrounded."""
    within = values.clamp(-UNIT * step, UNIT * step)
    return within + ((within / step).round() * step - within).detach()


def _floored(values: Tensor, step: float) -> Tensor:
    return values + ((values / step).floor() * step - values).detach()


def _as_whole(values: Tensor, step: float, limit: int = UNIT) -> NDArray[np.int32]:
    whole = (values.detach() / step).round().clamp(-limit, limit)
    return whole.numpy().astype(np.int32)
