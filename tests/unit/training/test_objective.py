"""Joint losses: weights, ramp, balancing."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from edge_codec.training.config import AdversarialConfig, LossConfig
from edge_codec.training.objective import GradientBalancer, Objective
from support.tiny_codec import TINY_RECIPE

CPU = torch.device("cpu")
ADVERSARIAL = AdversarialConfig(
    adversarial=1.0,
    features=2.0,
    periods=(2,),
    period_width=2,
    windows=(128,),
    band_width=2,
    ramp_steps=10,
)


def pair() -> tuple[Tensor, Tensor]:
    torch.manual_seed(0)
    return (0.1 * torch.randn(2, 3200)).requires_grad_(), 0.1 * torch.randn(2, 3200)


@pytest.mark.parametrize(("step", "ramp"), [(0, 0.0), (5, 0.5), (10, 1.0), (99, 1.0)])
def test_total_is_the_weighted_sum(step: int, ramp: float) -> None:
    loss = replace(TINY_RECIPE.loss, distillation=0.5)
    objective = Objective(replace(TINY_RECIPE, loss=loss, adversarial=ADVERSARIAL), CPU)
    decoded, original = pair()
    terms = objective.judge(decoded, original, taught_BT=0.5 * original).terms
    taught = objective.reconstruction(decoded, 0.5 * original)
    weighted = (
        loss.mel * terms["mel"]
        + loss.spectral * terms["spectral"]
        + 0.5 * (loss.mel * taught.mel + loss.spectral * taught.spectral)
        + ramp * (terms["adversarial"] + 2.0 * terms["features"])
    )
    total = objective.total(terms, step, decoded)
    assert float(total) == pytest.approx(float(weighted), rel=1e-5)


def test_without_adversary_there_is_no_discrimination() -> None:
    verdict = Objective(TINY_RECIPE, CPU).judge(*pair(), None)
    assert verdict.discrimination is None
    assert set(verdict.terms) == {"mel", "spectral"}


def test_balancing_gives_each_loss_its_share_whatever_its_scale() -> None:
    decoded, original = pair()
    balancer = GradientBalancer(["near", "loud"], CPU)
    terms = {"near": (decoded - original).square().mean(), "loud": 1e4 * decoded.abs().sum()}
    shares = {"near": 3.0, "loud": 1.0}
    (whole,) = torch.autograd.grad(
        balancer.total(terms, shares, decoded), decoded, retain_graph=True
    )
    directions = {
        name: torch.autograd.grad(term, decoded, retain_graph=True)[0]
        for name, term in terms.items()
    }
    expected = sum(
        shares[name] / 4.0 * gradient / gradient.norm() for name, gradient in directions.items()
    )
    torch.testing.assert_close(whole, expected)


def test_balancing_follows_the_mean_norm() -> None:
    balancer = GradientBalancer(["only"], CPU)
    x = torch.ones(4, requires_grad=True)
    for scale in (1.0, 3.0):
        total = balancer.total({"only": scale * x.sum()}, {"only": 1.0}, x)
    (gradient,) = torch.autograd.grad(total, x)
    mean = (0.999 * 2.0 + 6.0) / 1.999
    assert float(gradient.norm()) == pytest.approx(6.0 / mean, rel=1e-4)


def test_a_balanced_recipe_balances() -> None:
    recipe = replace(TINY_RECIPE, loss=LossConfig(mel_windows=(128, 256, 512, 1024), balanced=True))
    objective = Objective(recipe, CPU)
    decoded, original = pair()
    total = objective.total(objective.judge(decoded, original, None).terms, 0, decoded)
    (gradient,) = torch.autograd.grad(total, decoded)
    assert 0.1 < float(gradient.norm()) < 1.001
