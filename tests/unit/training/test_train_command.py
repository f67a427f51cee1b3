"""`train` as a user runs it: what it leaves behind, and what a kill or Ctrl-C costs."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from edge_codec.runtime.errors import ConfigError
from edge_codec.training.checkpoint import FACTS_FILE, STATE_FILE, load_checkpoint
from edge_codec.training.commands import train
from edge_codec.training.distributed import Crew
from edge_codec.training.monitor import spectrogram
from support.training_files import write_cache, write_recipe

REPOSITORY = Path(__file__).parents[3]


@pytest.fixture
def given(tmp_path):
    """Recipe and data flags of a training."""
    recipe = write_recipe(tmp_path / "tiny.toml")
    return [str(recipe), "--data", str(write_cache(tmp_path / "cache")), "--save-every", "5"]


def run_train(*argv) -> None:
    import argparse

    parser = argparse.ArgumentParser()
    train.register(parser.add_subparsers())
    args = parser.parse_args(["train", *map(str, argv)])
    args.run(args)


def start_train(*argv) -> subprocess.Popen:
    command = "from edge_codec.runtime.cli import main; main()"
    return subprocess.Popen(
        [sys.executable, "-c", command, "train", *map(str, argv)],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        cwd=REPOSITORY,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for(path: Path, process: subprocess.Popen) -> None:
    for _ in range(1200):
        if path.exists():
            return
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.05)
    raise AssertionError(f"{path} never came")


def assert_same_state(first: Path, second: Path) -> None:
    tensors, others = (load_file(folder / STATE_FILE) for folder in (first, second))
    assert tensors.keys() == others.keys()
    for name, tensor in tensors.items():
        assert torch.equal(tensor, others[name]), name


def test_a_killed_training_goes_on_as_if_it_had_not_been(given, tmp_path):
    run_train(*given, "--out", tmp_path / "whole")
    process = start_train(*given, "--steps", 100_000, "--out", tmp_path / "killed")
    wait_for(tmp_path / "killed" / FACTS_FILE, process)
    process.kill()
    process.communicate()
    _, _, facts = load_checkpoint(tmp_path / "killed")
    assert facts.step >= 5
    assert facts.step % 5 == 0
    # Its schedule was for more steps, so compare with a run of as many.
    last = facts.step + 4
    for out, flags in (("killed", ["--resume"]), ("again", [])):
        stop_after(last, *given, "--steps", 100_000, "--out", tmp_path / out, *flags)
    assert_same_state(tmp_path / "killed", tmp_path / "again")
    assert not (tmp_path / "killed" / "averaged").exists()


def stop_after(step: int, *argv) -> None:
    """Train until Ctrl-C comes in the middle of a step; it is heard after that step."""
    from edge_codec.training.trainer import Trainer

    plain = Trainer.train_step

    def step_and_interrupt(trainer):
        if trainer.step == step - 1:
            signal.raise_signal(signal.SIGINT)
        return plain(trainer)

    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Trainer, "train_step", step_and_interrupt)
        run_train(*argv)


def test_ctrl_c_saves_the_step_at_hand(given, tmp_path):
    out = tmp_path / "out"
    stop_after(7, *given, "--out", out)
    assert load_checkpoint(out)[2].step == 7
    run_train(*given, "--out", out, "--resume")
    run_train(*given, "--out", tmp_path / "whole")
    assert_same_state(out, tmp_path / "whole")
    assert (out / "averaged" / STATE_FILE).exists()


def test_a_training_that_goes_on_with_other_data_says_so(given, tmp_path, capsys):
    out = tmp_path / "run"
    run_train(*given, "--steps", 5, "--out", out)
    run_train(*given, "--steps", 6, "--out", out, "--resume")
    assert "other data" not in capsys.readouterr().err
    manifest = tmp_path / "cache" / "manifest.json"
    manifest.write_text(manifest.read_text() + "\n")
    run_train(*given, "--steps", 7, "--out", out, "--resume")
    assert f"{out} was trained on other data than" in capsys.readouterr().err


def test_only_the_first_process_of_a_crew_says_so(given, tmp_path, capsys, monkeypatch):
    out = tmp_path / "run"
    run_train(*given, "--steps", 5, "--out", out)
    manifest = tmp_path / "cache" / "manifest.json"
    manifest.write_text(manifest.read_text() + "\n")
    monkeypatch.setattr(Crew, "rank", 1)
    monkeypatch.setattr(Crew, "part", lambda crew, whole: whole)
    run_train(*given, "--steps", 6, "--out", out, "--resume")
    assert "other data" not in capsys.readouterr().err


def test_a_resumed_training_keeps_its_seed(given, tmp_path):
    out = tmp_path / "out"
    stop_after(4, *given, "--out", out, "--seed", 7)
    run_train(*given, "--out", out, "--resume")
    run_train(*given, "--out", tmp_path / "whole", "--seed", 7)
    assert load_checkpoint(out)[2].seed == 7
    assert_same_state(out, tmp_path / "whole")


def test_a_kill_between_the_two_files_is_no_harm(given, tmp_path):
    out = tmp_path / "out"
    stop_after(5, *given, "--out", out)
    older = (out / FACTS_FILE).read_text()
    stop_after(9, *given, "--out", out, "--resume")
    (out / FACTS_FILE).write_text(older)
    assert load_checkpoint(out)[2].step == 9


def test_tensorboard_has_curves_sounds_and_pictures(given, tmp_path, monkeypatch):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    monkeypatch.setattr(train, "SHOW_EVERY", 20)
    out = tmp_path / "out"
    stop_after(30, *given, "--out", out)
    run_train(*given, "--out", out, "--resume")
    # One by one: of two files begun within a second, TensorBoard's own order is by chance.
    runs = [EventAccumulator(str(path)).Reload() for path in out.glob("events*")]
    assert {"sample 0/original", "sample 3/1000 bit per s"} <= set(runs[0].Tags()["audio"])
    points = [point for run in runs for point in run.Scalars("loss/total")]
    assert sorted(point.step for point in points) == [20, 40, 60]
    assert all(np.isfinite(point.value) for run in runs for point in run.Scalars("loss/mel"))
    heard = [audio.step for run in runs for audio in run.Audio("sample 0/250 bit per s")]
    assert sorted(heard) == [20, 40, 60]
    picture = runs[0].Images("sample 0/1000 bit per s")[0]
    assert (picture.height, picture.width) == (257, 251)


def test_a_spectrogram_shows_a_tone_where_it_is():
    tone_T = torch.sin(torch.pi / 2 * (torch.arange(16_000) % 4))
    picture = spectrogram(tone_T)[:, 10:-10]
    assert (picture.argmax(dim=0) == 128).all()  # half of Nyquist, from the top
    assert picture[128].mean() == pytest.approx(1, abs=0.01)
    assert picture[:100].max() == 0


@pytest.mark.parametrize("flags", [["--save-every", "0"], ["--threads", "0"]])
def test_flags_out_of_range_are_refused(given, tmp_path, flags):
    with pytest.raises(ConfigError, match="1 or more"):
        run_train(*given, "--out", tmp_path / "out", *flags)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("kind", ["plain", "dropout", "adversarial"])
def test_two_processes_train_like_one(tmp_path, kind):
    """Each has half of the batch of the one; gloo connects them."""
    curves = {size: run_curves(tmp_path / f"{size}.npy", kind, size) for size in (1, 2)}
    assert curves[1].shape[0] == 40
    # With dropout, means over the kept frames weigh the two halves a little differently.
    np.testing.assert_allclose(curves[2], curves[1], rtol=0.05 if kind == "dropout" else 2e-3)


def run_curves(out: Path, kind: str, size: int) -> np.ndarray:
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(size)]
    script = str(REPOSITORY / "tests/support/loss_curve.py")
    done = subprocess.run(
        [sys.executable, *launcher, script, kind, str(out)],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return np.load(out)
