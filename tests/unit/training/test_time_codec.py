"""The time-domain codec: size, exact reach, and windows that join without seams."""

import copy
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from edge_codec.runtime.errors import ConfigError
from edge_codec.training.checkpoint import load_codec
from edge_codec.training.config import LossConfig, QuantizerConfig, Recipe, load_recipe
from edge_codec.training.registry import make_codec
from edge_codec.training.time_codec import TimeCodec, TimeDecoder, TimeEncoder
from edge_codec.training.time_config import TimeModelConfig
from edge_codec.training.time_layers import INITIAL_SPREAD, ChannelSnake, TimeConv
from edge_codec.training.trainer import Trainer
from edge_codec.training.typed_toml import build
from support.repository import REPOSITORY
from support.tiny_codec import TINY_RECIPE, make_source

SMALL = TimeModelConfig(
    name="small",
    sample_rate_hz=16_000,
    encoder_channels=4,
    decoder_channels=32,
    strides=(2, 4, 4),
    latent=12,
    layers=4,
    bits_per_code=5,
    code_dim=4,
)
SMALL_RECIPE = replace(
    TINY_RECIPE,
    model=SMALL,
    quantizer=QuantizerConfig(from_data=False, start_step=0, depths=(1, 2), harden_from=1.0),
    loss=LossConfig(mel_windows=(128, 512), spectral_windows=(512,), spectral=0.0),
)


def make_lively(config: TimeModelConfig = SMALL, seed: int = 0) -> TimeCodec:
    """Untrained, but with weights that let every sample of its reach be heard."""
    torch.manual_seed(seed)
    codec = TimeCodec(config)
    for name, weight in codec.named_parameters():
        if name.endswith("original0"):
            torch.nn.init.constant_(weight, 0.4)
    return codec.requires_grad_(False).eval()


@pytest.fixture(scope="module")
def codec() -> TimeCodec:
    return make_lively()


@pytest.fixture(scope="module")
def audio() -> torch.Tensor:
    return 0.3 * torch.randn(1, 160 * 32, generator=torch.Generator().manual_seed(1))


def parameters(module: torch.nn.Module) -> int:
    return sum(weight.numel() for weight in module.parameters())


def test_reference_model_has_the_published_size_and_rates() -> None:
    recipe = load_recipe(REPOSITORY / "training/recipes/thesis-44k.toml")
    with torch.device("meta"):
        codec = make_codec(recipe)
    assert parameters(codec.encoder) == pytest.approx(22.3e6, rel=0.01)
    assert parameters(codec.decoder) == pytest.approx(54.1e6, rel=0.01)
    assert codec.quantizer.codebooks.shape == (9, 1024, 8)
    assert codec.quantizer.normalised
    assert codec.spec.hop_samples == 512
    assert codec.spec.frame_rate_hz == pytest.approx(86.13, abs=0.01)
    assert codec.spec.bitrate_bps(9) == pytest.approx(7750, abs=2)
    assert recipe.quantizer.full_depth == 0.5
    assert not recipe.quantizer.from_data


def test_new_weights_follow_the_reference(codec: TimeCodec) -> None:
    torch.manual_seed(0)
    conv = TimeConv(64, 64, 7).requires_grad_(False).conv
    assert conv.weight.std() == pytest.approx(INITIAL_SPREAD, rel=0.15)
    assert conv.weight.abs().max() <= 2 * INITIAL_SPREAD + 1e-6
    assert not conv.bias.any()
    snakes = [module for module in codec.modules() if isinstance(module, ChannelSnake)]
    assert snakes
    assert all((snake.alpha == 1).all() for snake in snakes)


def test_a_latent_frame_hears_exactly_its_reach(codec: TimeCodec) -> None:
    encoder, hop, frame = codec.encoder, codec.spec.hop_samples, 40
    assert isinstance(encoder, TimeEncoder)
    audio = (0.3 * torch.randn(1, 80 * hop)).requires_grad_()
    encoder(audio)[0, frame].sum().backward()
    assert audio.grad is not None
    heard = audio.grad[0].nonzero()[:, 0]
    assert heard.min() == frame * hop - encoder.delay_samples
    assert heard.max() == (frame + 1) * hop - 1 + encoder.delay_samples


def test_a_latent_frame_is_heard_exactly_in_its_reach(codec: TimeCodec) -> None:
    decoder, hop, frame = codec.decoder, codec.spec.hop_samples, 30
    assert isinstance(decoder, TimeDecoder)
    latent = torch.randn(1, SMALL.latent, 60)
    nudged = latent.clone()
    nudged[..., frame] += 1
    body = copy.deepcopy(decoder.body).double()
    before, after = (body(x.double(), padded=True)[0, 0] for x in (latent, nudged))
    changed = (before != after).nonzero()[:, 0]
    assert changed.min() == frame * hop - decoder.delay_samples
    assert changed.max() == (frame + 1) * hop - 1 + decoder.delay_samples


def test_streams_give_what_training_sees_but_for_the_ends(
    codec: TimeCodec, audio: torch.Tensor
) -> None:
    encoder, decoder = codec.encoder, codec.decoder
    assert isinstance(encoder, TimeEncoder)
    assert isinstance(decoder, TimeDecoder)
    hop, reach = codec.spec.hop_samples, encoder.delay_samples
    cut = -reach % hop  # so that both framings begin frames at the same samples
    latent = encoder.body(audio[:, None, cut:], padded=False).transpose(1, 2)
    first = (reach + cut) // hop
    centred = encoder(audio)[:, first : first + latent.shape[1]]
    torch.testing.assert_close(latent, centred, atol=1e-5, rtol=0)
    samples = decoder.body(latent.transpose(1, 2), padded=False)[:, 0].tanh()
    inside = slice(decoder.delay_samples, -decoder.delay_samples)
    torch.testing.assert_close(samples, decoder(latent)[:, inside], atol=1e-6, rtol=0)


@pytest.mark.parametrize("frames", [1, 3, 16, 50])
def test_windows_join_without_seams(codec: TimeCodec, audio: torch.Tensor, frames: int) -> None:
    hop = codec.spec.hop_samples
    latent, _ = codec.encoder.step(audio, codec.encoder.zero_state())
    whole, _ = codec.decoder.step(latent, codec.decoder.zero_state())
    assert whole.shape == audio.shape
    encoder_state, decoder_state = codec.encoder.zero_state(), codec.decoder.zero_state()
    pieces = []
    for start in range(0, audio.shape[1], frames * hop):
        window = audio[:, start : start + frames * hop]
        piece, encoder_state = codec.encoder.step(window, encoder_state)
        piece, decoder_state = codec.decoder.step(piece, decoder_state)
        pieces.append(piece)
    torch.testing.assert_close(torch.cat(pieces, dim=1), whole, atol=1e-6, rtol=0)


def test_it_learns_without_data_initialisation() -> None:
    recipe = replace(SMALL_RECIPE, steps=25)
    losses = list(Trainer(recipe, make_source(), seed=1, data_sha256="0" * 64).run())
    assert "commitment" in losses[0]
    assert losses[-1]["mel"] < 0.9 * losses[0]["mel"]


def test_resumed_training_is_bit_exact(tmp_path: Path) -> None:
    def start() -> Trainer:
        return Trainer(SMALL_RECIPE, make_source(), seed=1, data_sha256="0" * 64)

    expected = list(start().run())
    first = start()
    begun = [first.train_step() for _ in range(4)]
    first.save(tmp_path)
    second = start()
    second.resume(tmp_path)
    assert begun + list(second.run()) == expected
    second.save(tmp_path)
    codec, recipe, _ = load_codec(tmp_path)
    assert isinstance(codec, TimeCodec)
    assert recipe == SMALL_RECIPE


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "wave"}, "expected one of frame, time, got 'wave'"),
        ({"strides": [2, 5]}, "strides must be even"),
        ({"strides": []}, "strides must be even"),
        ({"decoder_channels": 100}, "must halve 4 times"),
        ({"dilations": []}, "dilations must be 1 or more"),
        ({"code_stride": 2}, "unknown key 'code_stride'"),
    ],
)
def test_impossible_models_are_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build(Recipe, {"model": {"kind": "time", "name": "x"} | change, "steps": 1})
