"""Optimisers: which weights each one moves, its moments in a checkpoint, the step-size schedule."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from edge_codec.training.codec import Codec
from edge_codec.training.config import OptimiserConfig, Recipe


def make_optimisers(codec: Codec, recipe: Recipe) -> list[tuple[torch.optim.Optimizer, float]]:
    """Optimisers with their peak step sizes: Muon for the blocks' matrices if asked, AdamW else."""
    config = recipe.optimiser
    trained: nn.Module = codec.decoder if recipe.freeze_bitstream else codec
    ends = [codec.decoder] if recipe.freeze_bitstream else [codec.encoder, codec.decoder]
    matrices = [
        weight
        for end in ends
        for weight in end.body.parameters()
        if config.muon_lr > 0 and weight.ndim == 2
    ]
    chosen = {id(weight) for weight in matrices}
    others = [weight for weight in trained.parameters() if id(weight) not in chosen]
    adamw = torch.optim.AdamW(
        others, betas=config.betas, weight_decay=config.weight_decay, fused=True
    )
    optimisers: list[tuple[torch.optim.Optimizer, float]] = [(adamw, config.lr)]
    if matrices:
        muon = torch.optim.Muon(
            matrices, weight_decay=config.weight_decay, ns_steps=config.muon_iterations
        )
        optimisers.append((muon, config.muon_lr))
    return optimisers


def optimiser_tensors(optimiser: torch.optim.Optimizer, prefix: str) -> dict[str, Tensor]:
    """An optimiser's moments as named tensors."""
    return {
        f"{prefix}{index}.{name}": tensor
        for index, state in optimiser.state_dict()["state"].items()
        for name, tensor in state.items()
    }


def restore_optimiser(
    optimiser: torch.optim.Optimizer, tensors: Mapping[str, Tensor], prefix: str
) -> None:
    """Put saved moments back; a checkpoint without them leaves the optimiser fresh.

    Raises:
        ValueError: they are of other weights.
    """
    saved: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        if name.startswith(prefix):
            index, key = name.removeprefix(prefix).split(".", 1)
            saved.setdefault(int(index), {})[key] = tensor
    weights = [weight for group in optimiser.param_groups for weight in group["params"]]
    for place, moments in saved.items():
        if place >= len(weights) or any(
            moment.ndim > 0 and moment.shape != weights[place].shape for moment in moments.values()
        ):
            raise ValueError(f"{prefix}{place} holds the moments of another weight")
    optimiser.load_state_dict(optimiser.state_dict() | {"state": saved})


def schedule(step: int, steps: int, config: OptimiserConfig) -> float:
    """Step-size factor: linear warm-up, hold, linear fall to zero over the last part."""
    warm = min(1.0, (step + 1) / config.warmup_steps)
    falling = max(1.0, steps * config.decay_fraction)
    return min(warm, (steps - step) / falling)
