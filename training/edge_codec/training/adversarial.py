"""Adversarial training: least-squares GAN and feature matching (thesis).

One pass of the discriminators over a pair serves both sides: the codec's losses and the
discriminators' own see the same weights.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from edge_codec.runtime.errors import ConfigError
from edge_codec.training.config import AdversarialConfig, OptimiserConfig
from edge_codec.training.discriminators import Discriminators, Judgement
from edge_codec.training.distributed import ALONE, Crew
from edge_codec.training.optimisers import optimiser_tensors, restore_optimiser

NETS = "discriminators."
"""Prefix of the discriminators' weights in a checkpoint."""
MOMENTS = "adversary."
"""Prefix of their optimiser's moments."""


def discrimination_loss(original: list[Judgement], decoded: list[Judgement]) -> Tensor:
    """What the discriminators minimise: verdicts of 1 on originals, 0 on decoded audio."""
    return torch.stack(
        [
            (1 - real.score.float()).square().mean() + fake.score.float().square().mean()
            for real, fake in zip(original, decoded, strict=True)
        ]
    ).sum()


def adversarial_loss(decoded: list[Judgement]) -> Tensor:
    """What the codec minimises: verdicts of 1 on decoded audio."""
    return torch.stack([(1 - fake.score.float()).square().mean() for fake in decoded]).sum()


def feature_loss(original: list[Judgement], decoded: list[Judgement]) -> Tensor:
    """Mean absolute distance of hidden features, summed over layers; originals stand still."""
    return torch.stack(
        [
            (ours.float() - theirs.detach().float()).abs().mean()
            for real, fake in zip(original, decoded, strict=True)
            for theirs, ours in zip(real.features, fake.features, strict=True)
        ]
    ).sum()


@dataclass(frozen=True, slots=True)
class Contest:
    """Losses of both sides over one batch, on one graph."""

    adversarial: Tensor
    features: Tensor
    discrimination: Tensor


class Adversary:
    """The discriminators and their optimiser."""

    def __init__(
        self, config: AdversarialConfig, optimiser: OptimiserConfig, device: torch.device
    ) -> None:
        self.config = config
        self.nets = Discriminators(config).to(device)
        self.optimiser = torch.optim.AdamW(
            self.nets.parameters(), lr=config.lr, betas=optimiser.betas, fused=True
        )

    def contest(self, decoded_BT: Tensor, original_BT: Tensor, *, bf16: bool) -> Contest:
        """Let the discriminators judge both."""
        with torch.autocast(decoded_BT.device.type, torch.bfloat16, enabled=bf16):
            original, decoded = self.nets(original_BT), self.nets(decoded_BT)
        return Contest(
            adversarial=adversarial_loss(decoded),
            features=feature_loss(original, decoded),
            discrimination=discrimination_loss(original, decoded),
        )

    def learn(self, discrimination: Tensor, factor: float, crew: Crew = ALONE) -> None:
        """One step of the discriminators, their step size scaled by `factor`."""
        weights = list(self.nets.parameters())
        self.optimiser.param_groups[0]["lr"] = self.config.lr * factor
        self.optimiser.zero_grad(set_to_none=True)
        discrimination.backward(inputs=weights)  # type: ignore[no-untyped-call]
        crew.average_gradients(weights)
        nn.utils.clip_grad_norm_(weights, self.config.clip)
        self.optimiser.step()

    def state(self) -> dict[str, Tensor]:
        """Weights and moments as named tensors."""
        weights = {NETS + name: tensor for name, tensor in self.nets.state_dict().items()}
        return weights | optimiser_tensors(self.optimiser, MOMENTS)

    def restore(self, tensors: Mapping[str, Tensor], *, with_moments: bool) -> None:
        """Put back what `state` gave; a checkpoint without discriminators leaves them fresh.

        Raises:
            ConfigError: they are of other shapes than the recipe's.
        """
        saved = {k.removeprefix(NETS): v for k, v in tensors.items() if k.startswith(NETS)}
        if not saved:
            return
        try:
            self.nets.load_state_dict(saved)
        except RuntimeError as error:
            raise ConfigError(
                "the checkpoint's discriminators differ from the recipe's; give the recipe their "
                "widths, or start from averaged weights, which bring none"
            ) from error
        if with_moments:
            restore_optimiser(self.optimiser, tensors, MOMENTS)
