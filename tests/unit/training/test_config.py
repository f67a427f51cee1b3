"""Recipes: TOML in, checked dataclasses out."""

import math
from pathlib import Path

import pytest

from edge_codec.runtime.errors import ConfigError
from edge_codec.training.config import ACTIVATIONS, ModelConfig, Recipe, load_recipe
from edge_codec.training.typed_toml import build
from support.repository import REPOSITORY

MODEL = {
    "name": "x",
    "channels": 8,
    "code_channels": 8,
    "encoder_blocks": [1, 1],
    "decoder_blocks": [1, 1],
}


@pytest.mark.parametrize("path", sorted((REPOSITORY / "training/recipes").glob("*.toml")), ids=str)
def test_shipped_recipes_load(path: Path) -> None:
    recipe = load_recipe(path)
    assert recipe.model.name.startswith(path.stem[:7])
    assert build(Recipe, recipe.to_dict()) == recipe


def test_spec_is_derived() -> None:
    spec = build(ModelConfig, MODEL).spec
    assert (spec.hop_samples, spec.frame_rate_hz, spec.delay_samples) == (320, 50.0, 160)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"chanels": 3}, "did you mean 'channels'"),
        ({"zzz": 3}, "valid keys: kind"),
        ({"channels": "wide"}, "expected int"),
        ({"encoder_blocks": [1]}, "expected 2 values"),
        ({"normalised_lookup": 1}, "expected bool"),
    ],
)
def test_wrong_keys_and_types(change: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build(ModelConfig, MODEL | change)


@pytest.mark.parametrize(
    ("table", "change", "message"),
    [
        ("model", {"activation": "relu"}, "gelu"),
        ("model", {"channels": 0}, "1 or more"),
        ("model", {"encoder_blocks": [-1, 1]}, "not less"),
        ("model", {"lookahead_frames": -1}, "not less"),
        ("model", {"code_dim": 65}, r"model\.latent"),
        ("model", {"hop_samples": 0}, "strides"),
        ("data", {"excerpt_s": math.nan}, "positive"),
        ("data", {"gain_db": [6.0, -12.0]}, "low to high"),
        ("data", {"eq_db": -1.0}, "eq_db"),
        ("loss", {"overlap": 0}, "overlap"),
        ("loss", {"mel_windows": [0, 512], "spectral_windows": [512]}, "mel_windows: 0"),
        ("loss", {"mel_windows": [510], "spectral_windows": [510]}, "multiple of 2"),
        ("loss", {"spectral_windows": []}, "must name"),
        ("loss", {"spectral_windows": [4096]}, r"\[4096\]"),
        ("adversarial", {"features": 1.0, "periods": [], "windows": []}, "needs periods"),
        ("adversarial", {"adversarial": -1.0}, "0 or more"),
        ("adversarial", {"band_width": 0}, "1 or more"),
        ("adversarial", {"scale_width": 2}, "4 or more"),
        ("quantizer", {"full_depth": 1.5}, "full_depth"),
        ("quantizer", {"lost_frames": 0.9}, "lost_frames"),
        ("quantizer", {"lost_burst": 0.0}, "1 at least"),
        ("quantizer", {"start_step": -1}, "start_step"),
        ("quantizer", {"initial_vectors": 0}, "initial_vectors"),
        ("quantizer", {"depths": []}, "depths"),
        ("quantizer", {"depths": [16]}, "up to 12"),
        ("optimiser", {"lr": 0.0}, "positive"),
        ("optimiser", {"muon_iterations": 0}, "muon"),
        ("optimiser", {"weight_decay": -1.0}, "weight_decay"),
        ("optimiser", {"warmup_steps": 0}, "warmup_steps"),
        ("optimiser", {"decay_fraction": 2.0}, "decay_fraction"),
        ("optimiser", {"ema": 1.0}, "ema"),
    ],
)
def test_values_that_cannot_train_are_refused(
    table: str, change: dict[str, object], message: str
) -> None:
    recipe = {"model": MODEL, "steps": 1}
    assert build(Recipe, recipe)
    with pytest.raises(ConfigError, match=message):
        build(Recipe, recipe | {table: (MODEL if table == "model" else {}) | change})


def test_a_training_has_no_negative_length() -> None:
    with pytest.raises(ConfigError, match="0 or more"):
        build(Recipe, {"model": MODEL, "steps": -1})


def test_every_activation_can_be_built() -> None:
    pytest.importorskip("torch")
    from edge_codec.training import layers

    assert tuple(layers.ACTIVATIONS) == ACTIVATIONS


def test_missing_key() -> None:
    with pytest.raises(ConfigError, match="missing key 'steps'"):
        build(Recipe, {"model": MODEL})


@pytest.mark.parametrize("document", [{"model": 3, "steps": 1}, ["model", "steps"], 3])
def test_table_expected(document: object) -> None:
    with pytest.raises(ConfigError, match="expected a table"):
        build(Recipe, document)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["fast", ["frame"], 3])
def test_a_kind_of_model_that_is_none(kind: object) -> None:
    with pytest.raises(ConfigError, match="one of frame, time"):
        build(Recipe, {"model": MODEL | {"kind": kind}, "steps": 1})


@pytest.mark.parametrize("content", [b"steps = ", b"\xff\xfe"])
def test_damaged_file(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "r.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match="is not TOML"):
        load_recipe(path)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot read"):
        load_recipe(tmp_path / "none.toml")
