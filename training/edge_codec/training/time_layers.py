"""Layers of the time-domain codec: weight-normalised convolutions, and how far each one reaches.

Every layer is one function in two framings, chosen by the caller at each call:
`padded` puts zeros around each layer's input, so that the output is as long as the rates say:
cheap on the short excerpts of training. Without, only outputs that see nothing but input are
given: a window of a longer recording, whose results join without seams.

Shapes: B batch, C channels, T time at the layer's own rate.
"""

from collections.abc import Iterable
from typing import TypeVar, cast

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import weight_norm

from edge_codec.training.layers import snake

_Conv = TypeVar("_Conv", nn.Conv1d, nn.ConvTranspose1d)

KERNEL = 7
"""Samples seen by the wide convolutions (DAC)."""
INITIAL_SPREAD = 0.02
"""Standard deviation of new weights, cut at twice itself."""


class TimeLayer(nn.Module):
    """A layer between two rates, one `factor` times the other."""

    factor: int = 1
    """The faster rate over the slower one."""
    reach: int = 0
    """Samples an output needs on each side of its own place, at the faster rate."""

    def forward(self, x_BCT: Tensor, padded: bool) -> Tensor:
        """Output for `x_BCT`: all of it with zeros around, or only what needs none."""
        raise NotImplementedError


class ChannelSnake(nn.Module):
    """Snake of [B, C, T] with one trainable frequency per channel."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.alpha = nn.Parameter(torch.ones(channels, 1))

    def forward(self, x_BCT: Tensor) -> Tensor:
        """Same shape."""
        return snake(x_BCT, self.alpha)


class TimeConv(TimeLayer):
    """Convolution at one rate; an odd kernel, centred."""

    def __init__(self, c_in: int, c_out: int, kernel: int, dilation: int = 1) -> None:
        super().__init__()
        self.reach = dilation * (kernel - 1) // 2
        self.conv = normalised(nn.Conv1d(c_in, c_out, kernel, dilation=dilation))

    def forward(self, x_BCT: Tensor, padded: bool) -> Tensor:  # noqa: D102
        return functional.conv1d(
            x_BCT,
            self.conv.weight,
            self.conv.bias,
            padding=self.reach if padded else 0,
            dilation=self.conv.dilation,
        )


class ResidualUnit(TimeLayer):
    """Snake, dilated convolution, Snake, pointwise convolution; added to the input."""

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        self.body = Stack(
            ChannelSnake(channels),
            TimeConv(channels, channels, KERNEL, dilation),
            ChannelSnake(channels),
            TimeConv(channels, channels, 1),
        )
        self.reach = self.body.reach_of_input()

    def forward(self, x_BCT: Tensor, padded: bool) -> Tensor:  # noqa: D102
        y: Tensor = self.body(x_BCT, padded)
        return y + (x_BCT if padded else x_BCT[..., self.reach : -self.reach])


class Thin(TimeLayer):
    """Strided convolution, kernel = 2 * stride: one output for `stride` samples."""

    def __init__(self, c_in: int, c_out: int, stride: int) -> None:
        super().__init__()
        self.factor, self.reach = stride, stride // 2
        self.conv = normalised(nn.Conv1d(c_in, c_out, 2 * stride, stride=stride))

    def forward(self, x_BCT: Tensor, padded: bool) -> Tensor:  # noqa: D102
        return functional.conv1d(
            x_BCT,
            self.conv.weight,
            self.conv.bias,
            stride=self.factor,
            padding=self.reach if padded else 0,
        )


class Fill(TimeLayer):
    """Transposed convolution, kernel = 2 * stride: `stride` samples for one input."""

    def __init__(self, c_in: int, c_out: int, stride: int) -> None:
        super().__init__()
        self.factor, self.reach = stride, stride // 2
        self.conv = normalised(nn.ConvTranspose1d(c_in, c_out, 2 * stride, stride=stride))

    def forward(self, x_BCT: Tensor, padded: bool) -> Tensor:  # noqa: D102
        # The outermost `stride` samples of each side lack one of their two inputs.
        return functional.conv_transpose1d(
            x_BCT,
            self.conv.weight,
            self.conv.bias,
            stride=self.factor,
            padding=self.reach if padded else self.factor,
        )


class Stack(nn.Module):
    """Layers one after another, and modules without reach, such as `ChannelSnake`, among them."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)

    def forward(self, x_BCT: Tensor, padded: bool) -> Tensor:
        """All layers in the same framing."""
        for layer in self.layers:
            x_BCT = layer(x_BCT, padded) if isinstance(layer, TimeLayer) else layer(x_BCT)
        return x_BCT

    def reach_of_input(self) -> int:
        """Input samples that an output needs on each side, where rates never rise."""
        reach = 0
        for layer in reversed(list(self._time_layers())):
            reach = reach * layer.factor + layer.reach
        return reach

    def reach_of_output(self) -> int:
        """Output samples on each side that lack some input, where rates never fall."""
        reach = 0
        for layer in self._time_layers():
            reach = reach * layer.factor + layer.reach
        return reach

    def _time_layers(self) -> Iterable[TimeLayer]:
        return (layer for layer in self.layers if isinstance(layer, TimeLayer))


def normalised(conv: _Conv) -> _Conv:
    """`conv` with new small weights, of which length and direction are trained apart."""
    cut = 2 * INITIAL_SPREAD
    nn.init.trunc_normal_(conv.weight, std=INITIAL_SPREAD, a=-cut, b=cut)
    nn.init.zeros_(cast(Tensor, conv.bias))
    return cast(_Conv, weight_norm(conv))
