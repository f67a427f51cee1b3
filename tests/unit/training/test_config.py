"""Recipes: TOML in, checked dataclasses out."""

from pathlib import Path

import pytest

from edge_codec.runtime.errors import ConfigError
from edge_codec.training.config import ModelConfig, Recipe, build, load_recipe
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
    with pytest.raises(ConfigError, match="not valid TOML"):
        load_recipe(path)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot read recipe"):
        load_recipe(tmp_path / "none.toml")
