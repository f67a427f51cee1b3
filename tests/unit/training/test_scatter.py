"""Phases scattered where a frame hisses: the same in every chunk, and never where it does not."""

from dataclasses import replace

import pytest
import torch

from edge_codec.runtime.errors import ConfigError
from edge_codec.training.codec import FrameCodec
from edge_codec.training.scatter import PERIOD, PhaseScatter, share_weights
from edge_codec.training.spectral import Synthesis
from support.tiny_codec import TINY

HOP = 160
FIRST = 60
BINS = HOP + 1


def spectrum(frames, low, high, batch=1):
    """[B, F, 2Q] of constant log magnitudes below and from `FIRST`, phases zero."""
    logs = torch.cat([torch.full((FIRST,), low), torch.full((BINS - FIRST,), high)])
    return torch.cat([logs, torch.zeros(BINS)]).repeat(batch, frames, 1)


def phases(frames, low, high):
    scatter = PhaseScatter(BINS, FIRST)
    return scatter(spectrum(frames, low, high))[..., BINS:]


def test_hiss_gets_phases_from_everywhere_and_magnitudes_stay():
    given = spectrum(PERIOD, -9.0, 0.0)
    scattered = PhaseScatter(BINS, FIRST)(given)
    assert torch.equal(scattered[..., :BINS], given[..., :BINS])
    turned = scattered[0, :, BINS + FIRST :]
    assert turned.abs().max() <= torch.pi
    assert turned.std() == pytest.approx(torch.pi / 3**0.5, rel=0.03)
    assert not scattered[..., BINS : BINS + FIRST].any()


def test_voice_keeps_its_phases():
    assert phases(50, 0.0, -6.0).abs().max() < 0.02
    assert phases(50, 0.0, -40.0).abs().max() < 1e-6


def test_silence_and_damage_stay_finite():
    scatter = PhaseScatter(BINS, FIRST)
    for level in (-1e9, 1e9):
        assert scatter(spectrum(4, level, level)).isfinite().all()


def test_nothing_is_gained_by_hiding_low_sound():
    given = spectrum(20, 1.0, 0.0).requires_grad_()  # a share of .37
    log_magnitude, phase = torch.split(PhaseScatter(BINS, FIRST)(given), BINS, dim=2)
    (log_magnitude.sum() + phase.cos().sum()).backward()
    torch.testing.assert_close(given.grad[..., :BINS], torch.ones(1, 20, BINS))


def test_a_held_hiss_does_not_repeat():
    scattered = PhaseScatter(BINS, FIRST)(spectrum(4 * PERIOD, -9.0, 0.0))
    audio = Synthesis(HOP)(scattered)[0]
    audio = audio / audio.std()
    for lag in range(HOP, 40 * HOP, HOP):
        assert abs(float((audio[lag:] * audio[:-lag]).mean())) < 0.1
    power = audio[: len(audio) // HOP * HOP].reshape(-1, HOP).square().mean(0)
    assert power.std() < 0.15  # a buzz at the rate of the frames would show here


def test_chunks_join_without_seams():
    scatter = PhaseScatter(BINS, FIRST)
    given = spectrum(2 * PERIOD, -1.0, 0.0, batch=2)
    whole, state = scatter.step(given, scatter.zero_state(2))
    pieces, then = [], scatter.zero_state(2)
    for piece in given.split(7, dim=1):
        scattered, then = scatter.step(piece, then)
        pieces.append(scattered)
    assert torch.equal(torch.cat(pieces, dim=1), whole)
    assert torch.equal(then, state)
    assert (state == state.round()).all() and (state < PERIOD).all()


def test_only_the_scattered_codec_remembers_its_place():
    plain = FrameCodec(replace(TINY, scatter_from_hz=0))
    scattering = FrameCodec(TINY)
    assert scattering.decoder.state_size == plain.decoder.state_size + 1
    assert scattering.state_dict().keys() == plain.state_dict().keys()
    assert share_weights(plain.config, scattering.config)
    assert not share_weights(replace(plain.config, channels=17), scattering.config)


@pytest.mark.parametrize("frequency", [-1, 8_000])
def test_scattering_starts_inside_the_band(frequency):
    with pytest.raises(ConfigError, match="scatter_from_hz"):
        replace(TINY, scatter_from_hz=frequency)
