"""A borrowed machine, here this one: what is sent, what comes back, and that nothing is lost."""

import argparse
import hashlib
import json
import os
import signal
import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from safetensors.torch import load_file

from edge_codec.runtime.errors import ConfigError
from edge_codec.training import borrowed
from edge_codec.training.cache import read_manifest
from edge_codec.training.checkpoint import STATE_FILE, load_checkpoint
from edge_codec.training.commands import borrow
from edge_codec.training.config import load_recipe
from edge_codec.training.data import load_source
from edge_codec.training.parcels import INDEX_NAME, ParcelError, read_parcels, write_parcels
from edge_codec.training.trainer import Trainer
from support.training_files import write_cache, write_recipe


def run_borrow(*argv) -> None:
    parser = argparse.ArgumentParser()
    borrow.register(parser.add_subparsers())
    args = parser.parse_args(["borrow", *map(str, argv)])
    args.run(args)


def make_files(folder: Path, sizes=(0, 1, 700, 2_500)) -> dict[str, Path]:
    folder.mkdir()
    rng = np.random.default_rng(0)
    for size in sizes:
        (folder / str(size)).write_bytes(rng.bytes(size))
    return {f"in/{size}": folder / str(size) for size in sizes}


@pytest.mark.parametrize("part_bytes", [1, 64, 1_000, 10_000])
def test_parcels_arrive_as_they_were(tmp_path, part_bytes):
    files = make_files(tmp_path / "files")
    written = write_parcels(files, tmp_path / "parts", part_bytes)
    assert written[-1].name == INDEX_NAME
    assert max(path.stat().st_size for path in written[:-1]) <= part_bytes
    read_parcels(tmp_path / "parts", tmp_path / "there")
    for name, path in files.items():
        assert (tmp_path / "there" / name).read_bytes() == path.read_bytes()
    with pytest.raises(ParcelError, match="not empty"):
        write_parcels(files, tmp_path / "parts", part_bytes)


def test_damaged_parcels_are_refused(tmp_path):
    write_parcels(make_files(tmp_path / "files"), tmp_path / "parts", 1_000)
    part = tmp_path / "parts" / "part-0001"
    whole = part.read_bytes()
    for damage, message in (
        (whole[:-1] + bytes([whole[-1] ^ 1]), "arrived damaged"),
        (whole[:-5], "arrived damaged|too soon"),
    ):
        part.write_bytes(damage)
        with pytest.raises(ParcelError, match=message):
            read_parcels(tmp_path / "parts", tmp_path / "there")
    part.unlink()
    with pytest.raises(ParcelError, match="is it all there"):
        read_parcels(tmp_path / "parts", tmp_path / "there")
    assert not list((tmp_path / "there").rglob("2500"))


@pytest.mark.parametrize("name", ["../up", "/abs", "", "a/../../b", 3, None])
@pytest.mark.parametrize("field", ["parts", "files"])
def test_hostile_indexes_are_refused(tmp_path, name, field):
    entry = {"name": name, "bytes": 0, "sha256": hashlib.sha256().hexdigest()}
    index = {"format_version": 1, "parts": [], "files": []}
    index[field] = [name if field == "parts" else entry]
    (tmp_path / INDEX_NAME).write_text(json.dumps(index))
    with pytest.raises(ParcelError, match="hostile"):
        read_parcels(tmp_path, tmp_path / "there")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format_version": 2}', "\x00"])
def test_damaged_indexes_are_refused(tmp_path, text):
    (tmp_path / INDEX_NAME).write_text(text)
    with pytest.raises(ParcelError, match=INDEX_NAME):
        read_parcels(tmp_path, tmp_path / "there")


def start(job: Path, result: Path) -> None:
    """As on the other machine: no installed package, a shell, a python3."""
    (job.parent / "bin").mkdir(exist_ok=True)
    python = job.parent / "bin/python3"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    done = subprocess.run(
        ["sh", job / "start.sh", result],
        env={
            "PATH": f"{python.parent}:/usr/bin:/bin",
            "WORK": str(job.parent / f"work-{job.name}"),
            "OMP_NUM_THREADS": "1",
            "HOME": os.environ.get("HOME", "/"),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_stretches_of_training_are_one_training(tmp_path, monkeypatch, capsys):
    """Pack, run by the shell script and collect, twice; then compare with one training here."""
    monkeypatch.setattr(borrowed, "SENT_PART_BYTES", 50_000)
    recipe, cache = write_recipe(tmp_path / "r.toml", steps=12), write_cache(tmp_path / "cache")
    run = tmp_path / "run"
    given = [recipe, "--data", cache, "--run", run, "--device", "cpu"]
    for number, minutes in enumerate((0, 30)):
        job, result = tmp_path / f"job{number}", tmp_path / f"result{number}"
        run_borrow("pack", job, *given, "--minutes", minutes)
        start(job, result)
        run_borrow("collect", result, "--run", run)
        assert load_checkpoint(run)[2].step == (1, 12)[number]
        assert max(path.stat().st_size for path in result.iterdir()) <= 16 << 20
    assert f"{run} is at step 12" in capsys.readouterr().out
    whole = Trainer(load_recipe(recipe), load_source(cache, "cpu"), seed=1, data_sha256="")
    list(whole.run())
    tensors = load_file(run / STATE_FILE)
    for name, tensor in whole.codec.state_dict().items():
        assert torch.equal(tensor, tensors[name]), name
    with pytest.raises(ConfigError, match="another job's"):
        run_borrow("collect", tmp_path / "result0", "--run", run)


def send_speech(tmp_path, steps=1):
    """Recordings on their way: a loose file, one in a folder and one in an archive."""
    (tmp_path / "speech/inner").mkdir(parents=True)
    noise_T = 0.1 * np.random.default_rng(0).standard_normal(32_000)
    for name in ("a", "inner/b", "c"):
        soundfile.write(tmp_path / f"speech/{name}.flac", noise_T, 16_000)
    with tarfile.open(tmp_path / "speech/more.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "speech/c.flac", "c.flac")
    (tmp_path / "speech/c.flac").unlink()
    recipe = write_recipe(tmp_path / "r.toml", steps=steps)
    job = borrowed.Job(minutes=9, device="cpu", seed=None)
    sent = {"recipe": recipe, "data": tmp_path / "speech", "run": tmp_path / "run"}
    borrowed.pack_job(tmp_path / "job", job, **sent, part_bytes=100_000)
    read_parcels(tmp_path / "job/parts", tmp_path / "work")


def test_audio_is_prepared_there(tmp_path):
    send_speech(tmp_path)
    borrowed.run_job(tmp_path / "work", tmp_path / "result", part_bytes=10_000)
    names = [clip["source"] for clip in read_manifest(tmp_path / "work/cache")["clips"]]
    assert names == ["data/a.flac", "data/inner/b.flac", "more.tar.gz/c.flac"]
    assert len(list((tmp_path / "result").iterdir())) > 2
    assert borrowed.collect_result(tmp_path / "result", tmp_path / "run") == 1
    assert not list(tmp_path.glob(".run-*"))


def test_a_machine_that_is_taken_back_early_gives_what_it_has(tmp_path, monkeypatch):
    send_speech(tmp_path, steps=9)
    plain = Trainer.train_step

    def step_and_terminate(trainer):
        if trainer.step == 2:
            signal.raise_signal(signal.SIGTERM)
        return plain(trainer)

    monkeypatch.setattr(Trainer, "train_step", step_and_terminate)
    borrowed.run_job(tmp_path / "work", tmp_path / "result")
    assert borrowed.collect_result(tmp_path / "result", tmp_path / "run") == 3


def test_a_folder_that_is_not_empty_is_refused_before_hours_are_spent(tmp_path):
    send_speech(tmp_path)
    with pytest.raises(ConfigError, match="new folder for the result"):
        borrowed.run_job(tmp_path / "work", tmp_path / "speech")
    before = (tmp_path / "job/job.json").read_bytes()
    job = borrowed.Job(minutes=1, device="cpu", seed=2)
    sent = {"recipe": tmp_path / "r.toml", "data": tmp_path / "speech", "run": tmp_path / "run"}
    with pytest.raises(ConfigError, match="not empty"):
        borrowed.pack_job(tmp_path / "job", job, **sent)
    assert (tmp_path / "job/job.json").read_bytes() == before


def test_what_is_missing_is_named_before_anything_is_sent(tmp_path):
    recipe = write_recipe(tmp_path / "r.toml")
    with pytest.raises(ConfigError, match="no cache, audio or tar"):
        run_borrow("pack", tmp_path / "job", recipe, "--data", tmp_path / "no", "--run", "x")
    with pytest.raises(ConfigError, match="cannot read"):
        run_borrow("pack", tmp_path / "job", "no.toml", "--data", tmp_path, "--run", "x")
    with pytest.raises(ConfigError, match=INDEX_NAME):
        run_borrow("collect", tmp_path, "--run", tmp_path / "run")
