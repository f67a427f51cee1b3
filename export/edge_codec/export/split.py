"""Products with int8 weights that are as exact as float ones: factors as sums of two int8 ones.

An int8 product rounds each frame of its input anew, to 255 steps between its least and largest
value. What that leaves can be rounded as well: as one more frame of the same product it costs next
to nothing, since reading the weights is what takes time. Works on torch modules alone.

Shapes: F frames, I inputs, O outputs.
"""

import copy

import torch
from torch import Tensor, nn

from edge_codec.export.rounding import INT8_LAYERS, LARGEST
from edge_codec.training.codec import Encoder
from edge_codec.training.layers import Downsample

STEPS = 255
"""Of an input between its least and its largest value; zero is one of the two or in between."""
INNER_LAYER = "product"
"""Last name of the linear layer inside a `SplitInput`."""


class SplitInput(nn.Module):
    """A linear layer that takes its input rounded to int8, then what the rounding left."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.product = copy.deepcopy(linear)
        if self.product.bias is not None:
            self.product.bias.data /= 2

    def forward(self, x_1FI: Tensor) -> Tensor:
        """What the layer gives, [1, F, O]."""
        rounded_1FI = rounded_input(x_1FI)
        y_1FO = self.product(torch.cat([rounded_1FI, x_1FI - rounded_1FI], dim=1))
        coarse_1FO, fine_1FO = torch.split(y_1FO, x_1FI.shape[1], dim=1)
        return coarse_1FO + fine_1FO


class SplitWeights(nn.Module):
    """A linear layer as the sum of two with int8 weights, the second for what the first leaves."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        coarse, fine = copy.deepcopy(linear), copy.deepcopy(linear)
        step_O1 = linear.weight.abs().amax(dim=1, keepdim=True) / LARGEST
        coarse.weight.data = (linear.weight / step_O1).round() * step_O1
        fine.weight.data = linear.weight - coarse.weight
        fine.bias = None  # type: ignore[assignment]
        self.coarse, self.fine = SplitInput(coarse), SplitInput(fine)

    def forward(self, x_1FI: Tensor) -> Tensor:
        """What the layer gives, [1, F, O]."""
        y: Tensor = self.coarse(x_1FI) + self.fine(x_1FI)
        return y


def rounded_input(x_1FI: Tensor) -> Tensor:
    """`x_1FI` on the grid of each frame that an int8 product rounds it to by itself."""
    low_1F1 = x_1FI.amin(dim=-1, keepdim=True).clamp(max=0)
    high_1F1 = x_1FI.amax(dim=-1, keepdim=True).clamp(min=0)
    step_1F1 = ((high_1F1 - low_1F1) / STEPS).clamp_min(torch.finfo(torch.float32).tiny)
    return (x_1FI / step_1F1).round() * step_1F1


def split_encoder(encoder: Encoder) -> int:
    """Make every int8 product of an encoder from `round_codec` exact; returns how many there are.

    The layer that joins two frames gets int8 weights here, too: in two parts, as codes hang on it.
    """
    products = 0
    for module in list(encoder.modules()):
        if isinstance(module, Downsample):
            module.linear = SplitWeights(module.linear)  # type: ignore[assignment]
            products += 2
        for name in INT8_LAYERS["encoder"]:
            if isinstance(layer := getattr(module, name, None), nn.Linear):
                setattr(module, name, SplitInput(layer))
                products += 1
    return products
