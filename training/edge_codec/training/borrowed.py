"""A stretch of training on a borrowed machine: what is sent there, what runs, what comes back.

`pack_job` makes a folder of parts with everything that the machine needs; any file transfer moves
it. There `sh start.sh RESULT` unpacks, prepares the audio and trains until the time is over;
RESULT travels back and `collect_result` adds it to the training, from which the next job goes on.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path

from edge_codec.runtime.errors import ConfigError, EdgeCodecError
from edge_codec.training import parcels
from edge_codec.training.audio_files import audio_suffix
from edge_codec.training.cache import MANIFEST_NAME
from edge_codec.training.checkpoint import FACTS_FILE, STATE_FILE, load_checkpoint, load_record
from edge_codec.training.config import load_recipe
from edge_codec.training.parcels import MIB, ParcelError, read_parcels, write_parcels

SENT_PART_BYTES = 64 * MIB
RETURNED_PART_BYTES = 16 * MIB
PARTS = ("training", "runtime", "firmware_bridge")
"""Parts of this project that training needs."""
JOB_FILE = "job.json"
START = """#!/bin/sh
# Run a stretch of training: sh start.sh RESULT_FOLDER
set -eu
job=$(cd "$(dirname "$0")" && pwd)
work=${WORK:-$job/work}
python3 "$job/parcels.py" "$job/parts" "$work"
[ ! -d "$work/wheels" ] || python3 -m pip install --quiet --no-index --find-links "$work/wheels" \\
  "$work"/wheels/*.whl
PYTHONPATH=$work/source exec python3 -m edge_codec.training.borrowed "$work" "$1"
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """What the borrowed machine is asked to do."""

    minutes: float
    """Time from start to result."""
    device: str
    """cpu or cuda."""
    seed: int | None
    """Of the training; None: that of the training so far, or 1."""


def pack_job(
    out: Path,
    job: Job,
    *,
    recipe: Path,
    data: Path,
    run: Path,
    wheels: Path | None = None,
    part_bytes: int = SENT_PART_BYTES,
) -> list[Path]:
    """Write the folder that goes to the borrowed machine.

    Args:
        out: new folder.
        job: what to do there.
        recipe: of the training.
        data: a prepared cache, or a folder of audio or tars to prepare there.
        run: the training so far; may not exist yet.
        wheels: packages to install there, for a machine without network.
        part_bytes: size of the largest file.
    Raises:
        ConfigError: something is missing, or `out` is not empty.
    """
    if out.exists() and any(out.iterdir()):
        raise ConfigError(f"{out} is not empty; name a new folder")
    load_recipe(recipe)  # an error here costs less than one there
    if not (data / MANIFEST_NAME).exists():
        _find_sources(data)
    files = {f"source/{name}": path for name, path in _source_files()}
    files |= {"recipe.toml": recipe} | dict(_files_below(data, "data"))
    if (run / FACTS_FILE).exists():
        files |= {f"run/{name}": run / name for name in (STATE_FILE, FACTS_FILE)}
    if wheels is not None:
        files |= dict(_files_below(wheels, "wheels"))
    out.mkdir(parents=True, exist_ok=True)
    (out / "start.sh").write_text(START)
    (out / "parcels.py").write_bytes(Path(parcels.__file__).read_bytes())
    (out / JOB_FILE).write_text(json.dumps(asdict(job)))
    try:
        return write_parcels(files | {JOB_FILE: out / JOB_FILE}, out / "parts", part_bytes)
    except ParcelError as error:
        raise ConfigError(str(error)) from error


def run_job(work: Path, out: Path, part_bytes: int = RETURNED_PART_BYTES) -> None:
    """On the borrowed machine: prepare, train until the time is over, write the result.

    A machine that is taken back early sends SIGTERM first: what was trained until then is written.

    Raises:
        ConfigError: `out` holds something already.
    """
    start_s = time.monotonic()
    if out.exists() and any(out.iterdir()):
        raise ConfigError(f"{out} is not empty; name a new folder for the result")
    job = Job(**json.loads((work / JOB_FILE).read_text()))
    data, run = _prepared(work), work / "run"
    resume = ["--resume"] if (run / FACTS_FILE).exists() else []
    seed = [] if job.seed is None else ["--seed", job.seed]
    minutes = job.minutes - (time.monotonic() - start_s) / 60
    with suppress(KeyboardInterrupt):
        _run_command(
            "train", work / "recipe.toml", "--data", data, "--out", run, *resume, *seed,
            "--device", job.device, "--minutes", max(0.0, minutes),
        )  # fmt: skip
    write_parcels(dict(_files_below(run, "")), out, part_bytes)


def _prepared(work: Path) -> Path:
    """The cache that was sent, or one made of the recordings that were."""
    data, cache = work / "data", work / "cache"
    if (data / MANIFEST_NAME).exists():
        return data
    rate_hz = load_recipe(work / "recipe.toml").model.sample_rate_hz
    flags = ["--rate", rate_hz, "--jobs", os.cpu_count() or 1]
    _run_command("prepare", cache, *_find_sources(data), *flags)
    return cache


def _find_sources(data: Path) -> list[Path]:
    """What `prepare` is to read below a folder: the folder itself and the archives in it.

    Raises:
        ConfigError: there is nothing to read.
    """
    files = sorted(path for path in data.rglob("*") if path.is_file())
    archives = [path for path in files if ".tar" in path.suffixes[-2:]]
    has_audio = any(audio_suffix(path.name) for path in files)
    if not archives and not has_audio:
        raise ConfigError(f"{data} holds no cache, audio or tar; name what the training is to hear")
    return [data, *archives] if has_audio else archives


def collect_result(folder: Path, run: Path) -> int:
    """Add what came back to the training in `run`; its step.

    Raises:
        ConfigError: the result is damaged, or not ahead of `run`.
    """
    before = load_record(run)[1].step if (run / FACTS_FILE).exists() else 0
    run.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=run.parent, prefix=f".{run.name}-") as name:
        arrived = Path(name)
        try:
            paths = read_parcels(folder, arrived)
        except ParcelError as error:
            raise ConfigError(str(error)) from error
        step = load_checkpoint(arrived)[2].step
        if step < before:
            raise ConfigError(f"{run} is at step {before}, {folder} at {step} only: another job's?")
        for path in paths:
            place = run / path.relative_to(arrived)
            place.parent.mkdir(parents=True, exist_ok=True)
            path.replace(place)
    return step


def _source_files() -> Iterable[tuple[str, Path]]:
    for part in PARTS:
        spec = find_spec(f"edge_codec.{part}")
        assert spec is not None and spec.origin is not None
        package = Path(spec.origin).parent
        for path in sorted(package.rglob("*.py")):
            yield f"edge_codec/{part}/{path.relative_to(package).as_posix()}", path


def _files_below(folder: Path, prefix: str) -> Mapping[str, Path]:
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    if not found:
        raise ConfigError(f"{folder} is not a folder with files")
    return {f"{prefix}/{path.relative_to(folder).as_posix()}".lstrip("/"): path for path in found}


def _run_command(*argv: object) -> None:
    """A subcommand, without the entry points that only an installed package has."""
    from edge_codec.training.commands import prepare, train  # noqa: PLC0415  needs argparse only

    parser = argparse.ArgumentParser()
    subparsers = parser.add_subparsers()
    for module in (prepare, train):
        module.register(subparsers)
    args = parser.parse_args([str(arg) for arg in argv])
    args.run(args)


if __name__ == "__main__":
    try:
        run_job(Path(sys.argv[1]), Path(sys.argv[2]))
    except EdgeCodecError as error:
        sys.exit(str(error))
