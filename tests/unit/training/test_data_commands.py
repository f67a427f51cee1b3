"""`prepare` and `evaluate` as a user calls them: what is printed, and for which kinds of model."""

import argparse
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from edge_codec.runtime.errors import ConfigError
from edge_codec.training.commands import evaluate, prepare
from support.stub_bundle import STUB_BUNDLE


def run_command(module, *argv):
    parser = argparse.ArgumentParser()
    module.register(parser.add_subparsers())
    args = parser.parse_args([str(arg) for arg in argv])
    args.run(args)


@pytest.fixture
def speech(tmp_path):
    """A folder with one second that every measure takes for speech, and a file that is none."""
    folder = tmp_path / "speech"
    folder.mkdir()
    rng = np.random.default_rng(0)
    syllables = np.sin(np.arange(16_000) * 2 * np.pi * 3 / 16_000) > -0.5
    audio = 0.2 * syllables * np.cumsum(rng.standard_normal(16_000)) / 50
    soundfile.write(folder / "one.wav", np.clip(audio, -1, 1), 16_000)
    (folder / "broken.wav").write_text("no audio")
    return folder


@pytest.fixture
def checkpoint(tmp_path):
    """An untrained codec of a few thousand weights, saved as the trainer saves one."""
    from edge_codec.training.checkpoint import AVERAGED, Facts, save_checkpoint
    from edge_codec.training.codec import FrameCodec
    from edge_codec.training.config import ModelConfig, Recipe

    model = ModelConfig(
        name="tiny",
        channels=8,
        code_channels=8,
        encoder_blocks=(1, 1),
        decoder_blocks=(1, 1),
        layers=2,
        bits_per_code=4,
    )
    weights = {AVERAGED + name: value for name, value in FrameCodec(model).state_dict().items()}
    facts = Facts(step=1, schedule_step=1, seed=0, data="", commit="unknown")
    save_checkpoint(tmp_path / "checkpoint", weights, Recipe(model=model, steps=1), facts)
    return tmp_path / "checkpoint"


def test_a_bundle_is_scored_at_the_asked_bitrates(speech, capsys):
    run_command(evaluate, "evaluate", STUB_BUNDLE, speech, "--bitrate", 500, 6000, "--json")
    result = json.loads(capsys.readouterr().out)
    assert [row["bitrate_bps"] for row in result["rows"]] == [500, 6000]
    assert result["clips"] == 1
    assert list(result["unscored"]) == ["broken.wav"]
    assert len(result["code_entropy_bits"]) == 12
    assert result["rows"][0]["means"]["mel"]["mean"] > result["rows"][1]["means"]["mel"]["mean"]


def test_a_checkpoint_is_scored_at_its_own_bitrates(speech, checkpoint, capsys):
    run_command(evaluate, "evaluate", checkpoint, speech)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(" | ")[0] for line in lines[2:4]] == ["| 0.2", "| 0.4"]
    assert any("bits of 4 per layer" in line for line in lines)


def test_flags_out_of_range_are_refused(speech, tmp_path):
    with pytest.raises(ConfigError, match="--jobs"):
        run_command(evaluate, "evaluate", STUB_BUNDLE, speech, "--jobs", 0)
    with pytest.raises(ConfigError, match="--rate"):
        run_command(prepare, "prepare", tmp_path / "out", speech, "--rate", 0)


def test_prepare_says_what_it_made_and_left_out(speech, tmp_path, capsys):
    table = tmp_path / "table.csv"
    table.write_text("file,speaker\none.wav,ann\n")
    others = tmp_path / "others.csv"
    others.write_text("file,language\ntwo.wav,fr\n")
    flags = ("--manifest", table, "--manifest", others, "--domain", "speech")
    run_command(prepare, "prepare", tmp_path / "out", speech, *flags)
    printed = capsys.readouterr()
    assert printed.out == f"{tmp_path / 'out'}: 1 clips, 0.00 h; 1 files skipped\n"
    assert "skipped speech/broken.wav: broken.wav: cannot be read as audio" in printed.err
    assert "1 of 2 files in the manifests are in no source, such as 'two.wav'" in printed.err
    manifest = json.loads(Path(tmp_path / "out" / "manifest.json").read_text())
    assert manifest["clips"][0]["labels"] == {"domain": "speech", "speaker": "ann"}
