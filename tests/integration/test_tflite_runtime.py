"""A board that has tflite-runtime 2.14 and nothing newer runs the models that ship."""

import json
import subprocess
import sys
import venv
from pathlib import Path

import numpy as np
import pytest
import soundfile

from edge_codec.runtime.quality import stoi
from support.repository import PACKAGES, REPOSITORY

CLIP = next(iter(sorted((PACKAGES["runtime"] / "clips").glob("*.flac"))))
NEEDS = ["tflite-runtime==2.14.0", "numpy<2", "cffi", "cobs", "fastcrc", "pyserial"]
NEEDS += ["soundfile", "soxr", "tqdm"]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Python of an environment with tflite-runtime alone."""
    if sys.version_info[:2] > (3, 11):
        pytest.skip("tflite-runtime 2.14 has no wheels for this Python")
    folder = tmp_path_factory.mktemp("board")
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    install = [python, "-m", "pip", "install", "-q"]
    done = subprocess.run([*install, *NEEDS], capture_output=True, check=False)
    if done.returncode:
        pytest.skip(f"tflite-runtime cannot be installed: {done.stderr.decode()[-200:]}")
    subprocess.run([*install, "--no-deps", REPOSITORY], check=True)
    return python


def run_on(python: Path, *argv: str) -> str:
    command = [python, "-m", "edge_codec.runtime", *argv]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("name", ["voice-s", "voice-m"])
def test_it_codes_speech_as_well_as_litert(board: Path, tmp_path: Path, name: str) -> None:
    model = str(REPOSITORY / "models" / name)
    heard = {}
    for where, python in (("board", board), ("here", Path(sys.executable))):
        code, wav = str(tmp_path / f"{where}.ecf"), str(tmp_path / f"{where}.wav")
        run_on(python, "encode", str(CLIP), code, "--model", model, "--backend", "tflite")
        run_on(python, "decode", code, wav, "--model", model, "--backend", "tflite")
        heard[where], _ = soundfile.read(wav, dtype="float32")
    speech_T, _ = soundfile.read(CLIP, dtype="float32")
    scores = {where: stoi(speech_T, decoded_T) for where, decoded_T in heard.items()}
    assert scores["board"] > scores["here"] - 0.01
    assert np.abs(heard["board"]).mean() > 0.5 * np.abs(heard["here"]).mean()


def test_it_makes_the_golden_codes(board: Path) -> None:
    model = str(REPOSITORY / "models" / "voice-s")
    facts = json.loads(run_on(board, "models", "verify", model, "--json"))
    assert set(facts["backends"]) == {"tflite"}
    assert facts["backends"]["tflite"]["golden_first_layer_equal_percent"]["int8"] > 97
