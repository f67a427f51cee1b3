"""Recipes that differ in one thing, trained alike and scored alike.

A folder holds `base.toml`, a whole recipe, and beside it files that say only what they change.
"""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from edge_codec.runtime.errors import ConfigError
from edge_codec.training.checkpoint import load_record
from edge_codec.training.coders import CodecCoder
from edge_codec.training.config import Recipe
from edge_codec.training.data import ExcerptSource
from edge_codec.training.evaluation import Clip, evaluate
from edge_codec.training.trainer import Trainer
from edge_codec.training.typed_toml import build, read_table

BASE_FILE = "base.toml"
RESULT_FILE = "result.json"
LAST_STEPS = 20
"""Steps at the end that the mel loss is averaged over."""
COLUMNS = {"estoi": 3, "pesq_wb": 2, "visqol": 2, "mel": 2, "stft": 3, "si_sdr_db": 1}
"""Measures in the table -> digits behind the point."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """What one recipe came to."""

    name: str
    """File it came from, without suffix."""
    steps: int
    """Steps trained."""
    minutes: float
    """How long they took here."""
    mel_loss: float
    """Mean mel loss of the last steps."""
    bitrate_efficiency: float
    """Used part of the bits, at all layers."""
    scores: dict[str, dict[str, float]]
    """Bit/s -> measure -> mean over the clips."""


def load_ablations(folder: Path) -> dict[str, Recipe]:
    """Name -> recipe of a folder of ablations, the base first.

    Raises:
        ConfigError: there is no base, or a file is not valid.
    """
    base = read_table(folder / BASE_FILE)
    others = sorted(path for path in folder.glob("*.toml") if path.name != BASE_FILE)
    tables = {"base": base} | {path.stem: merge(base, read_table(path)) for path in others}
    return {name: build(Recipe, table, where=f"{name}.toml") for name, table in tables.items()}


def merge(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with the values of `changes`, table by table.

    >>> merge({"a": {"b": 1, "c": 2}}, {"a": {"b": 3}, "d": 4})
    {'a': {'b': 3, 'c': 2}, 'd': 4}
    """
    merged = dict(base)
    for key, value in changes.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = merge(merged[key], value) if both else value
    return merged


def run_ablations(
    recipes: Mapping[str, Recipe],
    source: ExcerptSource,
    clips: Mapping[str, Clip],
    out: Path,
    *,
    steps: int | None,
    bitrates_bps: Sequence[float],
    seed: int,
    data_sha256: str,
) -> Iterator[Result]:
    """Train and score each recipe; what `out` already holds a result of is not done again.

    Raises:
        ConfigError: a recipe does not fit the data, or `out` holds a result of another recipe,
            length, seed or data.
        AudioError: no clip could be scored.
    """
    for name, recipe in recipes.items():
        path = out / name / RESULT_FILE
        recipe = replace(recipe, steps=steps or recipe.steps)  # noqa: PLW2901
        if path.exists():
            result = _load_result(path)
            _check_same(path.parent, recipe, seed, data_sha256)
            yield result
            continue
        trainer = Trainer(recipe, source, seed=seed, data_sha256=data_sha256)
        result = _run(name, trainer, clips, bitrates_bps)
        trainer.save_averaged(path.parent)
        path.write_text(json.dumps(asdict(result), indent=1) + "\n", encoding="utf-8")
        yield result


def format_results(results: Sequence[Result]) -> str:
    """Markdown: one line for each recipe and bitrate."""
    titles = ["recipe", "kbit/s", *COLUMNS, "efficiency", "mel loss", "minutes"]
    lines = [f"| {' | '.join(titles)} |", "| --- " + "| ---: " * (len(titles) - 1) + "|"]
    for result in results:
        for bitrate_bps, means in result.scores.items():
            cells = [result.name, f"{float(bitrate_bps) / 1000:g}"]
            cells += [f"{means[name]:.{decimals}f}" for name, decimals in COLUMNS.items()]
            cells += [f"{100 * result.bitrate_efficiency:.1f} %", f"{result.mel_loss:.3f}"]
            lines.append(f"| {' | '.join([*cells, f'{result.minutes:.1f}'])} |")
    return "\n".join(lines)


def _run(
    name: str, trainer: Trainer, clips: Mapping[str, Clip], bitrates_bps: Sequence[float]
) -> Result:
    start_s = time.monotonic()
    losses = [step["mel"] for step in trainer.run()]
    minutes = (time.monotonic() - start_s) / 60
    spec = trainer.codec.spec
    layers = {spec.layers_for(bitrate_bps) for bitrate_bps in bitrates_bps} | {spec.layers}
    scored = evaluate(CodecCoder(trainer.averaged.cpu().eval()), clips, spec, layers=sorted(layers))
    return Result(
        name=name,
        steps=trainer.schedule_step,
        minutes=round(minutes, 2),
        mel_loss=float(np.mean(losses[-LAST_STEPS:])),
        bitrate_efficiency=scored.bitrate_efficiency,
        scores={
            f"{row.bitrate_bps:g}": {measure: mean.mean for measure, mean in row.means.items()}
            for row in scored.rows
        },
    )


def _check_same(folder: Path, recipe: Recipe, seed: int, data_sha256: str) -> None:
    known, facts = load_record(folder)
    if (known, facts.seed, facts.data) != (recipe, seed, data_sha256):
        raise ConfigError(
            f"{folder} is the result of another recipe, --steps, --seed or --data; "
            "delete it or name another --out"
        )


def _load_result(path: Path) -> Result:
    try:
        return Result(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise ConfigError(f"{path} is damaged ({error}); delete it and run again") from error
