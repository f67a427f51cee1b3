"""Merge what is constant after training into the weights: same function, fewer operations.

Works on torch modules alone; knows nothing of graphs or files.
"""

import copy

import torch
from torch import nn
from torch.nn.utils import parametrize

from edge_codec.export.polyphase import split_phases
from edge_codec.training.codec import Codec, FrameCodec
from edge_codec.training.layers import ConvNeXtBlock


def fold_codec(codec: Codec) -> Codec:
    """A copy of `codec` with the same codes and samples, in as few operations as can be."""
    folded = copy.deepcopy(codec).eval().requires_grad_(False)
    remove_parametrizations(folded)
    for module in folded.modules():
        if isinstance(module, ConvNeXtBlock):
            fold_gain(module)
            fold_norm(module.norm, module.widen)
    if isinstance(folded, FrameCodec):
        for end in (folded.encoder, folded.decoder):
            fold_norm(end.body.layers[-1], end.head)
        fold_standardising(folded)
    split_phases(folded)
    return folded


def remove_parametrizations(module: nn.Module) -> None:
    """Turn every parametrized weight below `module`, such as weight norm's, into a plain one."""
    for part in list(module.modules()):
        if parametrize.is_parametrized(part):
            # Copies share the class that torch made for the first, and it is about to be changed.
            shared = part.__class__
            part.__class__ = type(shared.__name__, shared.__bases__, dict(shared.__dict__))
            for name in list(part.parametrizations):  # type: ignore[arg-type]
                parametrize.remove_parametrizations(part, name)


@torch.no_grad()
def fold_gain(block: ConvNeXtBlock) -> None:
    """Move the gain of a block's residual branch into its last linear layer."""
    block.narrow.weight.mul_(block.gain[:, None])
    block.narrow.bias.mul_(block.gain)
    block.gain = nn.Parameter(torch.ones(()), requires_grad=False)


@torch.no_grad()
def fold_norm(norm: nn.Module, linear: nn.Linear) -> None:
    """Move scale and shift of a LayerNorm into the linear layer behind it.

    A converter that did so by itself would take int8 weights off their grid.
    """
    if not isinstance(norm, nn.LayerNorm):
        return
    linear.bias.add_(linear.weight @ norm.bias)
    linear.weight.mul_(norm.weight)
    norm.weight.fill_(1)
    norm.bias.zero_()


@torch.no_grad()
def fold_standardising(codec: FrameCodec) -> None:
    """Move the features' mean and scale into the encoder's first linear layer."""
    analysis, embed = codec.encoder.analysis, codec.encoder.embed
    embed.weight.mul_(analysis.scale)
    embed.bias.sub_(embed.weight @ analysis.mean)
    analysis.mean, analysis.scale = torch.zeros(()), torch.ones(())
