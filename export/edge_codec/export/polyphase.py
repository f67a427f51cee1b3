"""Transposed convolutions as one ordinary convolution per phase of the output.

ONNX Runtime copies the whole weight of a transposed convolution at each call, 75 MB for the
widest one of thesis-44k. A phase has a weight of its own, and needs no copy.
"""

import torch
from torch import Tensor, nn

from edge_codec.training.time_layers import Fill, TimeLayer


class Polyphase(TimeLayer):
    """What a `Fill` does without zeros around: `stride` convolutions over two inputs each."""

    def __init__(self, fill: Fill) -> None:
        super().__init__()
        self.factor, self.reach = fill.factor, fill.reach
        weight_IOK, stride = fill.conv.weight.detach(), fill.factor
        self.phases = nn.ModuleList()
        for phase in range(stride):
            conv = nn.Conv1d(weight_IOK.shape[0], weight_IOK.shape[1], 2)
            pair_IO2 = torch.stack([weight_IOK[..., phase + stride], weight_IOK[..., phase]], -1)
            conv.weight = nn.Parameter(pair_IO2.transpose(0, 1).contiguous(), requires_grad=False)
            conv.bias = fill.conv.bias
            self.phases.append(conv)

    def forward(self, x_BCT: Tensor, padded: bool) -> Tensor:  # noqa: D102
        assert not padded, "only a stream's window can be exported"
        y_BCTP = torch.stack([phase(x_BCT) for phase in self.phases], dim=-1)
        return y_BCTP.reshape(y_BCTP.shape[0], y_BCTP.shape[1], -1)


def split_phases(module: nn.Module) -> None:
    """Replace every `Fill` below `module`; its weight norm must be folded already."""
    for part in list(module.modules()):
        for name, child in part.named_children():
            if isinstance(child, Fill):
                setattr(part, name, Polyphase(child))
