"""Discriminators and their losses, against independent computations."""

import numpy as np
import pytest
import torch
from torch import Tensor

from edge_codec.training.adversarial import (
    Adversary,
    adversarial_loss,
    discrimination_loss,
    feature_loss,
)
from edge_codec.training.config import AdversarialConfig, OptimiserConfig
from edge_codec.training.discriminators import (
    PEAK,
    BandDiscriminator,
    Discriminators,
    Judgement,
    PeriodDiscriminator,
)

CONFIG = AdversarialConfig(
    adversarial=1.0,
    features=2.0,
    periods=(2, 3),
    period_width=2,
    windows=(256,),
    band_width=4,
    scales=(2,),
    scale_width=4,
)
SAMPLES = 1600


def noise(seed: int = 0, batch: int = 2) -> Tensor:
    return 0.1 * torch.randn(batch, SAMPLES, generator=torch.Generator().manual_seed(seed))


def judgements(seed: int) -> list[Judgement]:
    generator = torch.Generator().manual_seed(seed)
    draw = [torch.randn(2, n, generator=generator) for n in (3, 5, 7, 4)]
    return [Judgement(draw[0], [draw[1]]), Judgement(draw[2], [draw[3], draw[1]])]


def test_losses_are_those_of_the_papers() -> None:
    real, fake = judgements(1), judgements(2)
    r = [j.score.numpy().astype(np.float64) for j in real]
    f = [j.score.numpy().astype(np.float64) for j in fake]
    told = sum(np.mean((1 - a) ** 2) + np.mean(b**2) for a, b in zip(r, f, strict=True))
    assert float(discrimination_loss(real, fake)) == pytest.approx(told, rel=1e-5)
    assert float(adversarial_loss(fake)) == pytest.approx(
        sum(np.mean((1 - b) ** 2) for b in f), rel=1e-5
    )
    features = sum(
        float(np.mean(np.abs(a.numpy() - b.numpy())))
        for x, y in zip(real, fake, strict=True)
        for a, b in zip(x.features, y.features, strict=True)
    )
    assert float(feature_loss(real, fake)) == pytest.approx(features, rel=1e-5)


def test_features_of_originals_stand_still() -> None:
    original = torch.randn(3, requires_grad=True)
    decoded = torch.randn(3, requires_grad=True)
    feature_loss([Judgement(original, [original])], [Judgement(decoded, [decoded])]).backward()
    assert original.grad is None
    assert decoded.grad is not None


def test_level_and_offset_do_not_count() -> None:
    nets = Discriminators(CONFIG)
    for one, other in zip(nets(noise()), nets(3 * noise() + 0.2), strict=True):
        torch.testing.assert_close(one.score, other.score, atol=1e-4, rtol=1e-3)


def test_silence_is_judged_too() -> None:
    assert all(bool(j.score.isfinite().all()) for j in Discriminators(CONFIG)(torch.zeros(1, 1600)))


def test_period_sees_every_pth_sample_alone() -> None:
    net = PeriodDiscriminator(5, 2)
    before, after = noise(), noise()
    after[:, 7] += 1.0  # column 7 % 5 = 2
    changed = (net(before).score != net(after).score).any(dim=(0, 1, 2))
    assert changed.tolist() == [False, False, True, False, False]


def test_spectrum_is_the_windowed_transform() -> None:
    net, audio = BandDiscriminator(256, 4), noise()
    got = net.spectrum(audio)
    taper = np.sin(np.pi * (np.arange(256) + 0.5) / 256) ** 2
    want = np.fft.rfft(audio[1, 64 * 3 : 64 * 3 + 256].numpy() * taper)
    np.testing.assert_allclose(got[1, 0, 3].numpy(), want.real, atol=1e-5)
    np.testing.assert_allclose(got[1, 1, 3].numpy(), want.imag, atol=1e-5)


def test_bands_cover_the_spectrum_once() -> None:
    net = BandDiscriminator(512, 4)
    assert net.edges[0] == 0
    assert net.edges[-1] == 257
    assert net.edges == sorted(net.edges)
    audio = noise()
    touched = net.spectrum(PEAK * audio)[..., net.edges[2] : net.edges[3]]
    assert net(audio).features[2 * 5].shape[3] == touched.shape[3]


def test_discriminators_learn_to_tell_and_codec_grads_stay_apart() -> None:
    torch.manual_seed(0)
    adversary = Adversary(CONFIG, OptimiserConfig(), torch.device("cpu"))
    decoded = noise(5).sign().mul(0.05).requires_grad_()
    losses = []
    for _ in range(15):
        contest = adversary.contest(decoded, noise(6), bf16=False)
        adversary.learn(contest.discrimination, 5.0)
        losses.append(contest.discrimination.item())
    assert losses[-1] < 0.7 * losses[0]
    assert decoded.grad is None
