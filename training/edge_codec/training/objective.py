"""What a codec is trained towards: all losses on decoded audio, and their joint gradient.

Shapes: B batch, T samples.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from edge_codec.training.adversarial import Adversary
from edge_codec.training.config import Recipe
from edge_codec.training.distributed import ALONE, Crew
from edge_codec.training.losses import ReconstructionLoss
from edge_codec.training.precision import all_bits

NORM_DECAY = 0.999
"""Of the running gradient norms that balancing divides by (EnCodec, arXiv 2210.13438)."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Losses of one batch of decoded audio."""

    terms: dict[str, Tensor]
    """Plain losses by name."""
    discrimination: Tensor | None
    """The discriminators' own loss, if there are any."""


class Objective:
    """The losses a recipe asks for, with their weights."""

    def __init__(self, recipe: Recipe, device: torch.device, crew: Crew = ALONE) -> None:
        loss, adversarial = recipe.loss, recipe.adversarial
        self.recipe = recipe
        self.reconstruction = ReconstructionLoss(loss, recipe.model.sample_rate_hz).to(device)
        self.adversary = (
            Adversary(adversarial, recipe.optimiser, device) if adversarial.is_used else None
        )
        self.weights = {
            "mel": loss.mel,
            "spectral": loss.spectral,
            "distillation": loss.distillation,
            "adversarial": adversarial.adversarial,
            "features": adversarial.features,
        }
        self.balancer = (
            GradientBalancer(list(self.weights), device, crew) if loss.balanced else None
        )

    def judge(self, decoded_BT: Tensor, original_BT: Tensor, taught_BT: Tensor | None) -> Verdict:
        """All losses of decoded audio against the original, and a teacher's rendering if given."""
        with all_bits():
            distance = self.reconstruction(decoded_BT, original_BT)
        terms = {"mel": distance.mel, "spectral": distance.spectral}
        if taught_BT is not None:
            with all_bits():
                taught = self.reconstruction(decoded_BT, taught_BT)
            loss = self.recipe.loss
            terms["distillation"] = loss.mel * taught.mel + loss.spectral * taught.spectral
        if self.adversary is None:
            return Verdict(terms, None)
        contest = self.adversary.contest(decoded_BT, original_BT, bf16=self.recipe.bf16)
        terms |= {"adversarial": contest.adversarial, "features": contest.features}
        return Verdict(terms, contest.discrimination)

    def total(self, terms: Mapping[str, Tensor], schedule_step: int, decoded_BT: Tensor) -> Tensor:
        """The weighted sum; balanced, it has the balanced gradient with respect to the audio."""
        ramp = min(1.0, schedule_step / max(1, self.recipe.adversarial.ramp_steps))
        late = {"adversarial": ramp, "features": ramp}
        weights = {name: self.weights[name] * late.get(name, 1.0) for name in terms}
        if self.balancer is not None:
            return self.balancer.total(terms, weights, decoded_BT)
        return torch.stack([weight * terms[name] for name, weight in weights.items()]).sum()

    def state(self) -> dict[str, Tensor]:
        """Everything that a resumed training needs, as named tensors."""
        tensors = {} if self.balancer is None else {"balancer.norms": self.balancer.norms}
        return tensors if self.adversary is None else tensors | self.adversary.state()

    def restore(self, tensors: Mapping[str, Tensor], *, with_moments: bool) -> None:
        """Put back what `state` gave; what a checkpoint lacks starts anew."""
        if self.balancer is not None and "balancer.norms" in tensors:
            self.balancer.norms.copy_(tensors["balancer.norms"])
        if self.adversary is not None:
            self.adversary.restore(tensors, with_moments=with_moments)


class GradientBalancer:
    """Scales each loss so that its gradient on the decoded audio has the share its weight says.

    The norms are running means, so that a loss may still grow and shrink from step to step.
    Source: EnCodec (arXiv 2210.13438), section 3.4.
    """

    def __init__(self, names: list[str], device: torch.device, crew: Crew = ALONE) -> None:
        self.names = names
        self.crew = crew
        self.norms = torch.zeros(2, len(names), device=device)
        """Decayed sums of the norms, and of the number of times each was seen."""

    def total(
        self, terms: Mapping[str, Tensor], weights: Mapping[str, float], decoded_BT: Tensor
    ) -> Tensor:
        """Sum of the losses, each multiplied so that its mean gradient norm is its weight's share.

        Args:
            terms: losses that depend on `decoded_BT`, by name.
            weights: shares, by name; their sum is made one.
            decoded_BT: where the gradients are compared.
        """
        parts = []
        whole = sum(weights.values()) or 1.0
        for name, term in terms.items():
            (gradient,) = torch.autograd.grad(term, decoded_BT, retain_graph=True)
            seen = self.norms[:, self.names.index(name)]
            seen.mul_(NORM_DECAY)
            seen += (1 - NORM_DECAY) * torch.stack(
                [self.crew.norm(gradient), gradient.new_ones(())]
            )
            mean_norm = seen[0] / seen[1]
            parts.append(term * (weights[name] / whole) / mean_norm.clamp_min(1e-12))
        return torch.stack(parts).sum()
