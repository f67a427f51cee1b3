"""Checkpoints: tensors in safetensors, everything else in JSON. Nothing in them is executed.

A folder holds `state.safetensors` (weights, averaged weights, optimiser state) and
`training.json` (recipe, step, seed, data, commit). The first carries a copy of the second, and
both are replaced whole: a training killed at any moment leaves a state that knows its step.
"""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from edge_codec.runtime.errors import ConfigError
from edge_codec.training.codec import Codec
from edge_codec.training.config import Recipe
from edge_codec.training.registry import make_codec
from edge_codec.training.text_file import read_json
from edge_codec.training.typed_toml import build

STATE_FILE = "state.safetensors"
FACTS_FILE = "training.json"
CONTEXT_FILE = "context.npz"
"""Tables of the context model, if one was trained for the codec."""
RECORD = "training"
"""Key of the copy of `training.json` in the state's metadata."""
AVERAGED = "ema."
"""Prefix of the averaged weights, the ones that ship."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """Where a checkpoint's weights come from."""

    step: int
    """Steps done, over all trainings that led here."""
    schedule_step: int
    """Steps done in the present recipe."""
    seed: int
    """Seed of the present training."""
    data: str
    """SHA-256 of the prepared data's manifest."""
    commit: str
    """Source revision that trained."""


def save_checkpoint(folder: Path, tensors: dict[str, Tensor], recipe: Recipe, facts: Facts) -> None:
    """Write both files, each by rename."""
    folder.mkdir(parents=True, exist_ok=True)
    record = json.dumps({"recipe": recipe.to_dict(), "facts": asdict(facts)}, indent=1)
    partial = folder / (STATE_FILE + ".part")
    contiguous = {name: tensor.contiguous() for name, tensor in tensors.items()}
    save_file(contiguous, partial, metadata={RECORD: record})
    partial.replace(folder / STATE_FILE)
    partial = folder / (FACTS_FILE + ".part")
    partial.write_text(record + "\n", encoding="utf-8")
    partial.replace(folder / FACTS_FILE)


def save_context(folder: Path, arrays: dict[str, NDArray[Any]]) -> None:
    """Write the tables of a context model beside the weights it belongs to, by rename."""
    partial = folder / (CONTEXT_FILE + ".part")
    with partial.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)
    partial.replace(folder / CONTEXT_FILE)


def load_checkpoint(folder: Path) -> tuple[dict[str, Tensor], Recipe, Facts]:
    """Tensors, recipe and facts of a checkpoint.

    Raises:
        ConfigError: a file is missing or damaged.
    """
    recipe, facts = load_record(folder)
    with _reports_damage(folder):
        return load_file(folder / STATE_FILE), recipe, facts


def load_record(folder: Path) -> tuple[Recipe, Facts]:
    """Recipe and facts of a checkpoint, without its tensors.

    Raises:
        ConfigError: a file is missing or damaged.
    """
    with _reports_damage(folder):
        record: dict[str, Any] = read_json(folder / FACTS_FILE)
        with safe_open(folder / STATE_FILE, "pt") as state:
            # Later than the file if the training was killed between the two.
            record = json.loads((state.metadata() or {}).get(RECORD, "null")) or record
        recipe = build(Recipe, record["recipe"], where=FACTS_FILE)
        return recipe, build(Facts, record["facts"], where=FACTS_FILE)


@contextmanager
def _reports_damage(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ConfigError(
            f"no checkpoint in {folder}: {error}; name the folder of a training"
        ) from error
    except (ValueError, KeyError, TypeError, RecursionError, SafetensorError) as error:
        raise ConfigError(f"checkpoint {folder} is damaged: {error}") from error


def load_codec(folder: Path) -> tuple[Codec, Recipe, Facts]:
    """The averaged weights of a checkpoint as a codec ready to use."""
    tensors, recipe, facts = load_checkpoint(folder)
    codec = make_codec(recipe)
    weights = {k.removeprefix(AVERAGED): v for k, v in tensors.items() if k.startswith(AVERAGED)}
    try:
        codec.load_state_dict({name: tensor.float() for name, tensor in weights.items()})
    except RuntimeError as error:
        raise ConfigError(f"checkpoint {folder} does not fit its own recipe: {error}") from error
    return codec.eval(), recipe, facts


def source_commit() -> str:
    """Revision of the running source, or `unknown` outside a checkout."""
    try:
        done = subprocess.run(
            ["git", "rev-parse", "HEAD"],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return done.stdout.strip()
