"""The processes that share one training: each works on its part of every batch.

Started by torchrun, one process for each device, on one machine or several; Lightning Fabric finds
out who is who and moves the numbers. All processes hold the same weights and take the same steps:
gradients are averaged, and whatever depends on a whole batch sees the whole batch.

Shapes: B items of a whole batch; a part has B / size of them.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from edge_codec.runtime.errors import ConfigError, MissingExtraError

if TYPE_CHECKING:
    from lightning_fabric import Fabric


@dataclass(frozen=True, slots=True)
class Crew:
    """All processes of a training, and this one's place among them."""

    fabric: "Fabric | None" = None
    """What connects them; None for a process on its own."""

    @property
    def size(self) -> int:
        """Number of processes."""
        return 1 if self.fabric is None else self.fabric.world_size

    @property
    def rank(self) -> int:
        """This process, from 0; the first one writes files."""
        return 0 if self.fabric is None else self.fabric.global_rank

    def check_batch(self, batch: int) -> None:
        """Refuse a batch that cannot be shared evenly.

        Raises:
            ConfigError: it cannot.
        """
        if batch % self.size:
            raise ConfigError(
                f"{self.size} processes cannot share a batch of {batch}; set data.batch to a "
                f"multiple of {self.size}"
            )

    def part(self, whole: Tensor) -> Tensor:
        """This process' items of a batch."""
        share = len(whole) // self.size
        return whole[self.rank * share : (self.rank + 1) * share]

    def gather(self, part: Tensor) -> Tensor:
        """The whole batch, in order, from everyone's part; nothing flows back through it."""
        if self.fabric is None:
            return part
        gathered = self.fabric.all_gather(part.detach().contiguous())
        assert isinstance(gathered, Tensor)
        return gathered.flatten(0, 1)

    def mean(self, value: Tensor) -> Tensor:
        """Mean over the processes."""
        if self.fabric is None:
            return value
        reduced = self.fabric.all_reduce(value.detach().clone(), reduce_op="mean")
        assert isinstance(reduced, Tensor)
        return reduced

    def norm(self, part: Tensor) -> Tensor:
        """Norm that the gradient of the whole batch's mean has, from this part's mean's."""
        norm: Tensor = torch.linalg.vector_norm(part)
        return norm if self.fabric is None else torch.sqrt(self.mean(norm.square()) / self.size)

    def average_gradients(self, weights: Iterable[Tensor]) -> None:
        """Replace the gradients by their mean over the processes."""
        if self.fabric is None:
            return
        gradients = [weight.grad for weight in weights if weight.grad is not None]
        mean = self.mean(torch.cat([gradient.flatten() for gradient in gradients]))
        pieces = torch.split(mean, [gradient.numel() for gradient in gradients])
        for gradient, piece in zip(gradients, pieces, strict=True):
            gradient.copy_(piece.view_as(gradient))

    def wants_stop(self, is_asked: bool) -> bool:
        """Whether any process was asked to stop: all must do so after the same step."""
        if self.fabric is None:
            return is_asked
        return bool(self.mean(torch.tensor(float(is_asked), device=self.fabric.device)) > 0)


ALONE = Crew()
"""A process on its own."""


def join_crew(device: str) -> tuple[Crew, str]:
    """The crew that torchrun started this process in, if it did, and this process' device.

    Raises:
        MissingExtraError: Lightning Fabric is needed and not installed.
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        return ALONE, device
    try:
        from lightning_fabric import Fabric  # noqa: PLC0415  only under torchrun
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            "several processes need Lightning Fabric: pip install 'edge-codec[train]'"
        ) from error
    on_machine = int(os.environ.get("LOCAL_WORLD_SIZE", size))
    fabric = Fabric(
        accelerator="cpu" if device == "cpu" else "cuda",
        strategy="ddp",
        devices=on_machine,
        num_nodes=size // on_machine,
    )
    fabric.launch()
    return Crew(fabric), str(fabric.device)
