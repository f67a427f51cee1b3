"""Round weights to 8 bits so that what a layer gives stays the same, not the weights themselves.

Each weight rounded leaves an error; those of the same output not rounded yet take it up, by how
the layer's inputs go together in real speech. The result is float weights that lie on an 8-bit
grid already, so whoever quantizes them afterwards, one scale an output, changes nothing.

Source: GPTQ, arXiv 2210.17323.

Shapes: N frames, I inputs, O outputs.
"""

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import cast

import torch
from torch import Tensor, nn

from edge_codec.export.fold import fold_codec
from edge_codec.training.codec import FrameCodec

LARGEST = 127
"""The grid is symmetric: -127 to 127 steps."""
DAMPING = 0.001
"""Share of the mean power of the inputs added to each: inputs that never vary divide by it."""
INT8_LAYERS = {
    "encoder": ("widen", "narrow"),
    "decoder": ("widen", "narrow", "linear", "head"),
}
"""Role -> last names of the layers that have int8 weights. Not the encoder's first, `embed`: log
magnitudes have a large mean, and rounding shifts all outputs by their share of it; nor `linear`,
which joins two frames of the residual stream itself, nor `head`: all codes hang on them."""


@torch.no_grad()
def round_codec(codec: FrameCodec, speech_1T: Tensor) -> FrameCodec:
    """A folded copy of `codec` whose `INT8_LAYERS` lie on an 8-bit grid, fitted to `speech_1T`."""
    rounded = cast(FrameCodec, fold_codec(codec))
    codes_1FK, _ = rounded.encode_step(speech_1T, rounded.encoder.zero_state())
    for role, run in {
        "encoder": lambda: rounded.encoder(speech_1T),
        "decoder": lambda: rounded.decode_step(codes_1FK, rounded.decoder.zero_state()),
    }.items():
        layers = int8_layers(rounded, role)
        for name, gram_II in input_grams(layers, run).items():
            layers[name].weight.copy_(round_weight(layers[name].weight, gram_II))
    return rounded


def int8_layers(codec: FrameCodec, role: str) -> dict[str, nn.Linear]:
    """The layers of the `encoder` or `decoder` that have int8 weights, by their full names."""
    return {
        name: module
        for name, module in getattr(codec, role).named_modules()
        if isinstance(module, nn.Linear) and name.rpartition(".")[2] in INT8_LAYERS[role]
    }


def input_grams(layers: Mapping[str, nn.Linear], run: Callable[[], object]) -> dict[str, Tensor]:
    """For each layer the products of its inputs with each other while `run` runs: [I, I]."""
    grams: dict[str, Tensor] = {}

    def add_up(name: str, x: Tensor) -> None:
        x_NI = x.flatten(0, -2).double()
        grams[name] = grams.get(name, 0) + x_NI.T @ x_NI

    with ExitStack() as hooks:
        for name, layer in layers.items():
            hook = layer.register_forward_pre_hook(lambda _, x, name=name: add_up(name, x[0]))
            hooks.callback(hook.remove)
        run()
    return grams


def round_weight(weight_OI: Tensor, gram_II: Tensor) -> Tensor:
    """`weight_OI` on a grid of one step an output, fitted to inputs with these products.

    Inputs with the most power come first: what they leave has the most weights left to take it up.
    """
    order_I = gram_II.diagonal().argsort(descending=True)
    left_OI, gram_II = weight_OI[:, order_I].double(), gram_II[order_I][:, order_I].clone()
    gram_II.diagonal().add_(DAMPING * gram_II.diagonal().mean() + torch.finfo(torch.float32).tiny)
    inverse_II = torch.cholesky_inverse(torch.linalg.cholesky(gram_II))
    spread_II = torch.linalg.cholesky(inverse_II, upper=True)
    largest_O1, largest_at_O1 = left_OI.abs().max(dim=1, keepdim=True)
    step_O1 = largest_O1.clamp_min(torch.finfo(torch.float32).tiny) / LARGEST
    rounded_OI = torch.empty_like(left_OI)
    for i in range(left_OI.shape[1]):
        column_O1 = left_OI[:, i : i + 1].clone()
        steps_O1 = (column_O1 / step_O1).round().clamp(-LARGEST, LARGEST)
        # The largest stays the largest, or the step could not be told from the weights.
        steps_O1 = torch.where(largest_at_O1 == i, column_O1.sign() * LARGEST, steps_O1)
        rounded_OI[:, i : i + 1] = steps_O1 * step_O1
        error_O1 = (column_O1 - rounded_OI[:, i : i + 1]) / spread_II[i, i]
        left_OI[:, i:] -= error_O1 * spread_II[i, i:]
    return rounded_OI[:, order_I.argsort()].to(weight_OI.dtype)
