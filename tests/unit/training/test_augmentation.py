"""What a batch is made of: domains, bandwidth, loudness, and changes with known effect."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from edge_codec.runtime.errors import ConfigError
from edge_codec.training.augmentation import (
    apply_response,
    draw_noise_levels,
    draw_response,
    draw_span,
    interpolate_points,
    mix_noise,
    played_in,
)
from edge_codec.training.config import DataConfig
from edge_codec.training.data import ExcerptSource

PLAIN = DataConfig(batch=12, gain_db=(0.0, 0.0))
DOMAINS = np.array(["speech"] * 90 + ["music"] * 9 + ["environment"])
LENGTH = 1_000


def make_source(full_band=DOMAINS == "music"):
    """Clip n holds the constant n + 1, so an excerpt tells which clip it is of."""
    audio = np.repeat(np.arange(1, 101, dtype=np.int16), LENGTH)
    offsets = np.arange(100) * LENGTH
    loudness = np.linspace(-50, -10, 100)
    return ExcerptSource(
        torch.from_numpy(audio),
        offsets,
        np.full(100, LENGTH),
        16_000,
        DOMAINS,
        loudness,
        full_band,
    )


def clips_of(excerpts_BT):
    return (excerpts_BT.abs().amax(dim=1) * 32_768).round().long().numpy() - 1


def draw(config, seed=0, source=None):
    return (source or make_source()).draw(config, 100, np.random.default_rng(seed))


def test_domains_are_balanced_in_every_batch():
    for seed in range(5):
        domains = DOMAINS[clips_of(draw(replace(PLAIN, balance_domains=True), seed))]
        assert [(domains == name).sum() for name in ("speech", "music", "environment")] == [4, 4, 4]


def test_domains_have_their_shares():
    shares = {"speech": 0.5, "music": 0.3, "environment": 0.2, "silence": 0.0}
    config = replace(PLAIN, batch=8, domain_shares=shares)
    counts = np.array(
        [
            [(DOMAINS[clips_of(draw(config, seed))] == name).sum() for name in shares]
            for seed in range(200)
        ]
    )
    assert (np.abs(counts - np.array([4, 2.4, 1.6, 0])) < 1).all()
    np.testing.assert_allclose(counts.mean(axis=0), [4, 2.4, 1.6, 0], atol=0.15)


@pytest.mark.parametrize("is_balanced", [True, False])
@pytest.mark.parametrize("share", [0.1, 0.5, 1.0])
def test_every_batch_has_its_full_band_share(is_balanced, share):
    config = replace(PLAIN, balance_domains=is_balanced, full_band_share=share)
    source = make_source()
    for seed in range(5):
        clips = clips_of(draw(config, seed))
        assert source.full_band[clips].sum() >= np.ceil(share * 12)


def test_what_the_cache_lacks_is_said():
    bare = replace(make_source(), domains=None, loudness_lufs=None, full_band=None)
    for asked, message in (
        ({"balance_domains": True}, "no domains"),
        ({"domain_shares": {"speech": 1.0}}, "'speech'"),
        ({"full_band_share": 0.1}, "full-band"),
        ({"loudness_lufs": -24.0}, "how loud"),
        ({"noise_share": 0.5}, "'environment'"),
    ):
        with pytest.raises(ConfigError, match=message):
            draw(replace(PLAIN, **asked), source=bare)


@pytest.mark.parametrize(
    "asked",
    [
        {"full_band_share": 2.0},
        {"noise_share": -0.1},
        {"batch": 0},
        {"speed": (0.0, 1.0)},
        {"speed": (1.2, 0.8)},
        {"domain_shares": {"speech": 0.0}},
        {"domain_shares": {"speech": 2.0, "music": -1.0}},
    ],
)
def test_settings_out_of_range_are_refused(asked):
    with pytest.raises(ConfigError, match="data"):
        DataConfig(**asked)


def test_clips_are_brought_to_the_asked_loudness():
    source = make_source()
    levelled = draw(replace(PLAIN, loudness_lufs=-24.0))
    clips = clips_of(draw(PLAIN))
    gains_db = 20 * np.log10(levelled.abs().amax(dim=1).numpy() * 32_768 / (clips + 1))
    np.testing.assert_allclose(gains_db, -24 - source.loudness_lufs[clips], atol=0.01)


def test_silent_clips_keep_their_level():
    loudness = np.full(100, np.nan)
    loudness[0] = -10
    source = replace(make_source(), loudness_lufs=loudness)
    excerpts = draw(replace(PLAIN, loudness_lufs=-24.0), source=source)
    clips = clips_of(draw(PLAIN))
    assert (clips_of(excerpts)[clips > 0] == clips[clips > 0]).all()


def test_everything_depends_on_the_draw_only():
    config = replace(
        PLAIN, balance_domains=True, full_band_share=0.3, loudness_lufs=-24.0,
        speed=(0.8, 1.25), phase_rotation=0.5, eq_db=6.0, noise_share=0.5,
    )  # fmt: skip
    assert torch.equal(draw(config, 3), draw(config, 3))
    assert not torch.equal(draw(config, 3), draw(config, 4))
    assert draw(config).abs().max() <= 1


@pytest.mark.parametrize("span", [400, 512, 640])
def test_speed_moves_a_tone(span):
    tone = torch.cos(2 * torch.pi * 20 * torch.arange(span) / span)[None]
    expected = torch.cos(2 * torch.pi * 20 * torch.arange(512) / 512)[None]
    torch.testing.assert_close(played_in(512, tone), expected, atol=1e-4, rtol=0)


def test_what_speed_moves_beyond_nyquist_is_gone():
    tone = torch.cos(torch.pi * 0.9 * torch.arange(1_280))[None]
    assert played_in(1_024, tone).abs().max() < 1e-3


def test_speeds_are_drawn_from_their_range():
    spans = [
        draw_span(DataConfig(speed=(0.8, 1.25)), 1_000, np.random.default_rng(seed))
        for seed in range(200)
    ]
    assert 800 <= min(spans) < 850 and 1_200 < max(spans) <= 1_250
    assert draw_span(DataConfig(), 1_000, np.random.default_rng(0)) == 1_000


def test_a_faster_excerpt_is_a_longer_piece_of_its_clip():
    ramp = torch.arange(2_000, dtype=torch.int16)
    source = ExcerptSource(ramp, np.array([0]), np.array([2_000]), 16_000)
    excerpt = draw(replace(PLAIN, batch=1, speed=(1.5, 1.5)), source=source)[0].abs() * 32_768
    steps = excerpt[20:-20].diff()
    assert float(steps.median()) == pytest.approx(1.5, abs=0.05)


def test_phase_rotation_turns_a_cosine():
    t = torch.arange(512)
    cosine = torch.cos(2 * torch.pi * 8 * t / 512)[None]
    config = DataConfig(phase_rotation=1.0)
    response = draw_response(config, 1, 257, np.random.default_rng(0))
    angle = float(response[0, 0].angle())
    expected = torch.cos(2 * torch.pi * 8 * t / 512 + angle)[None]
    torch.testing.assert_close(apply_response(cosine, response), expected, atol=1e-4, rtol=0)


def test_no_rotation_and_no_equaliser_change_nothing():
    noise = torch.randn(3, 101)
    response = draw_response(DataConfig(), 3, 51, np.random.default_rng(0))
    torch.testing.assert_close(apply_response(noise, response), noise)


def test_equaliser_is_a_line_over_log_frequency():
    gains = interpolate_points(np.array([[-6.0, 6.0]]), 129)[0]
    assert gains[0] == gains[1] == pytest.approx(-6)  # the lowest point is Nyquist / 128
    assert gains[-1] == pytest.approx(6)
    octaves = gains[[2, 4, 8, 16, 32, 64]]
    np.testing.assert_allclose(np.diff(octaves), 12 / 7)


def test_noise_has_the_asked_level():
    config = DataConfig(noise_share=1.0, noise_snr_db=(10.0, 10.0))
    levels = draw_noise_levels(config, 2, np.random.default_rng(0))
    clean, noise = torch.randn(2, 4_000), 30 * torch.randn(2, 4_000)
    added = mix_noise(clean, noise, levels) - clean
    snr_db = 10 * torch.log10(clean.square().mean(1) / added.square().mean(1))
    torch.testing.assert_close(snr_db, torch.full((2,), 10.0), atol=1e-3, rtol=0)
    assert not draw_noise_levels(DataConfig(), 9, np.random.default_rng(0)).any()
    assert not mix_noise(torch.zeros(1, 9), torch.ones(1, 9), torch.ones(1)).any()
