"""Begin a frame codec of a higher sample rate with the weights of one of a lower rate.

Both must see frames of the same length in time: then their spectra have the same bins, the wider
one only has more of them, and every layer between the spectra fits as it is. The new bins start
unheard by the encoder, the quantizer starts afresh.

Shapes: Q bins, C channels.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from edge_codec.training.config import ModelConfig
from edge_codec.training.spectral import POWER
from edge_codec.training.time_config import TimeModelConfig

Weights = Mapping[str, Tensor]

_FRESH = ("quantizer.",)
"""Beginnings of the names of weights that are not taken over."""


def is_widening(narrow: ModelConfig | TimeModelConfig, wide: ModelConfig | TimeModelConfig) -> bool:
    """Whether `wide` differs from `narrow` by its higher rate, besides name and quantizer."""
    if not isinstance(narrow, ModelConfig) or not isinstance(wide, ModelConfig):
        return False
    if narrow.sample_rate_hz >= wide.sample_rate_hz:
        return False
    return _frames_and_blocks(narrow) == _frames_and_blocks(wide)


def widened(narrow: Weights, wide: Weights) -> dict[str, Tensor]:
    """The wide codec's weights with everything of the narrow one in it.

    Args:
        narrow: weights of the codec of the lower rate.
        wide: untrained weights of the other, knowing the scale of its audio.
    """
    weights = {
        name: tensor if name.startswith(_FRESH) else narrow.get(name, tensor)
        for name, tensor in wide.items()
    }
    # The narrow one's Nyquist bin has no phase; as an inner bin of the wide one it has.
    bins = _bins(narrow) - 1
    ratio = (_bins(wide) - 1) / bins  # of the window lengths, and so of all magnitudes
    louder = POWER * torch.log(torch.tensor(ratio))
    mean = _joined(wide["encoder.analysis.mean"], narrow["encoder.analysis.mean"], 3, bins)
    scale = _joined(wide["encoder.analysis.scale"], narrow["encoder.analysis.scale"], 3, bins)
    logs, complex_parts = mean.chunk(3)[0], mean.chunk(3)[1:]
    logs[:bins] += louder
    for part in complex_parts:
        part[:bins] *= ratio**POWER
    for part in scale.chunk(3)[1:]:
        part[:bins] /= ratio**POWER
    weights["encoder.analysis.mean"], weights["encoder.analysis.scale"] = mean, scale
    unheard = torch.zeros_like(wide["encoder.embed.weight"].T)
    weights["encoder.embed.weight"] = _joined(unheard, narrow["encoder.embed.weight"].T, 3, bins).T
    for name in ("decoder.head.weight", "decoder.head.bias"):
        weights[name] = _joined(wide[name], narrow[name], 2, bins)
    weights["decoder.head.bias"][:bins] += louder / POWER
    return weights


def _frames_and_blocks(config: ModelConfig) -> tuple[object, ...]:
    return (
        config.sample_rate_hz / config.hop_samples,
        config.code_stride,
        config.lookahead_frames,
        config.channels,
        config.code_channels,
        config.encoder_blocks,
        config.decoder_blocks,
        config.activation,
        config.latent,
    )


def _bins(weights: Weights) -> int:
    return len(weights["encoder.analysis.mean"]) // 3


def _joined(wide: Tensor, narrow: Tensor, groups: int, bins: int) -> Tensor:
    """A copy of `wide` with the first `bins` rows of each of its groups taken from `narrow`."""
    joined = wide.clone()
    for into, part in zip(joined.chunk(groups), narrow.chunk(groups), strict=True):
        into[:bins] = part[:bins]
    return joined
