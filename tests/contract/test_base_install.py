"""The wheel, installed alone as on a board: no torch, and it works."""

import subprocess
import sys
import venv

import pytest

from support.repository import REPOSITORY

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

DEVELOPER_PACKAGES = ("torch", "onnx", "scipy", "pesq", "pystoi", "visqol", "safetensors", "pytest")


@pytest.fixture(scope="module")
def board(tmp_path_factory):
    """`bin` of an environment that holds the built wheel and what it depends on."""
    folder = tmp_path_factory.mktemp("board")
    wheels = folder / "wheels"
    build = [sys.executable, "-m", "pip", "wheel", "--no-deps", "-q", "-w", wheels, REPOSITORY]
    subprocess.run(build, check=True)
    venv.create(folder / "venv", with_pip=True)
    programs = folder / "venv" / "bin"
    (wheel,) = wheels.glob("*.whl")
    subprocess.run([programs / "pip", "install", "-q", wheel], check=True)
    return programs


def run_on(board, *argv):
    command = [board / argv[0], *argv[1:]]
    done = subprocess.run(command, capture_output=True, text=True, cwd="/", check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_nothing_of_training_is_installed(board):
    code = "import importlib.util as u, sys; print([n for n in sys.argv[1:] if u.find_spec(n)])"
    assert run_on(board, "python", "-c", code, *DEVELOPER_PACKAGES).strip() == "[]"


def test_the_command_explains_itself(board):
    shown = run_on(board, "edge-codec", "--help")
    for command in ("encode", "decode", "info", "tx", "rx", "demo"):
        assert command in shown


def test_speech_and_models_come_with_the_wheel(board):
    code = """
from importlib.resources import files
runtime = files("edge_codec.runtime")
print(*sorted(f.name for f in (runtime / "clips").iterdir()))
print(*sorted(f.name for f in (runtime / "models").iterdir()))
"""
    clips, models = run_on(board, "python", "-c", code).splitlines()
    assert clips.count(".flac") >= 3
    assert "ATTRIBUTION.md" in clips
    assert "ATTRIBUTION.md" in models


def test_training_commands_name_their_extra(board):
    argv = [board / "edge-codec", "evaluate", "voice-m", "/nowhere"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
