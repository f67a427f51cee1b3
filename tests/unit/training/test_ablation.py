"""Ablations: the shipped ones are valid, and a run trains, scores and does nothing twice."""

import argparse
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from edge_codec.runtime import quality
from edge_codec.runtime.errors import ConfigError
from edge_codec.training import measures
from edge_codec.training.ablation import load_ablations, merge
from edge_codec.training.commands import ablate
from edge_codec.training.trainer import Trainer
from support.repository import REPOSITORY
from support.training_files import write_cache, write_recipe

SHIPPED = REPOSITORY / "training/recipes/ablations"


def run_ablate(*argv) -> None:
    parser = argparse.ArgumentParser()
    ablate.register(parser.add_subparsers())
    args = parser.parse_args(["ablate", *map(str, argv)])
    args.run(args)


def test_shipped_ablations_differ_from_the_base_in_one_table() -> None:
    recipes = load_ablations(SHIPPED)
    assert next(iter(recipes)) == "base"
    assert {"snake", "code-dim-2", "dropout-0", "adversarial"} <= set(recipes)
    base = recipes.pop("base").to_dict()
    for name, recipe in recipes.items():
        changed = [key for key, value in recipe.to_dict().items() if value != base[key]]
        assert len(changed) == 1, name


def test_values_are_merged_table_by_table() -> None:
    assert merge({"a": {"b": 1}, "c": 2}, {"a": {"d": 3}, "c": {"e": 4}}) == {
        "a": {"b": 1, "d": 3},
        "c": {"e": 4},
    }


@pytest.fixture
def given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Two recipes, their data, a clip; scored by what needs no speech."""

    def score(original_T, decoded_T, rate_hz):
        values = dict.fromkeys(measures.MODES["speech"].measures, 0.0)
        return values | {"mel": quality.mel_distance(original_T, decoded_T)}

    mode = measures.Mode(measures=measures.MODES["speech"].measures, score=score)
    monkeypatch.setitem(measures.MODES, "speech", mode)
    (tmp_path / "recipes").mkdir()
    write_recipe(tmp_path / "recipes/base.toml", steps=9)
    (tmp_path / "recipes/narrow.toml").write_text("[model]\ncode_dim = 2\n")
    (tmp_path / "clips").mkdir()
    noise_T = 0.1 * np.random.default_rng(0).standard_normal(9_600)
    soundfile.write(tmp_path / "clips/a.wav", noise_T, 16_000)
    cache = write_cache(tmp_path / "cache")
    flags = ["--data", cache, "--clips", tmp_path / "clips", "--out", tmp_path / "out"]
    return [tmp_path / "recipes", *flags, "--bitrate", 500]


def test_a_run_trains_scores_and_does_nothing_twice(given, tmp_path, capsys, monkeypatch) -> None:
    run_ablate(*given, "--only", "narrow")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["narrow"]
    run_ablate(*given)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(" | ")[:2] for line in lines[-4:]] == [
        [f"| {name}", rate] for name in ("base", "narrow") for rate in ("0.5", "1")
    ]
    monkeypatch.delattr(Trainer, "train_step")
    run_ablate(*given, "--json")
    base, narrow = json.loads(capsys.readouterr().out)
    assert (base["name"], base["steps"]) == ("base", 9)
    assert base["scores"]["1000"]["mel"] > 0
    assert 0 < narrow["bitrate_efficiency"] <= 1


def test_results_of_other_trainings_are_not_taken_for_these(given, tmp_path) -> None:
    run_ablate(*given, "--only", "narrow", "--steps", 4)
    for flags in (["--steps", 5], ["--steps", 4, "--seed", 2]):
        with pytest.raises(ConfigError, match=r"another recipe.*--out"):
            run_ablate(*given, "--only", "narrow", *flags)
    (tmp_path / "recipes/narrow.toml").write_text("[model]\ncode_dim = 3\n")
    with pytest.raises(ConfigError, match=r"another recipe"):
        run_ablate(*given, "--only", "narrow", "--steps", 4)


def test_what_is_wrong_is_named(given, tmp_path) -> None:
    with pytest.raises(ConfigError, match=r"'wide'; there are: base, narrow"):
        run_ablate(*given, "--only", "wide")
    with pytest.raises(ConfigError, match="no device"):
        run_ablate(*given, "--device", "abacus")
    with pytest.raises(ConfigError, match="--steps"):
        run_ablate(*given, "--steps", 0)
    (tmp_path / "out/base").mkdir(parents=True)
    (tmp_path / "out/base/result.json").write_text("{}")
    with pytest.raises(ConfigError, match="delete it"):
        run_ablate(*given)
    (tmp_path / "recipes/narrow.toml").write_text("[model]\ncode_dims = 2\n")
    with pytest.raises(ConfigError, match=r"narrow\.toml.*code_dim"):
        run_ablate(*given)
    with pytest.raises(ConfigError, match=r"base\.toml"):
        load_ablations(tmp_path)
