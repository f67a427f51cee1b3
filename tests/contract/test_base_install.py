"""The wheel, installed alone as on a board: no torch, and it works."""

import os
import platform
import subprocess
import sys
import venv

import pytest

from support.repository import REPOSITORY

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

DEVELOPER_PACKAGES = ("torch", "onnx", "scipy", "pesq", "pystoi", "visqol", "safetensors", "pytest")


# With a compiler, where this machine has one, and as on a board without.
@pytest.fixture(scope="module", params=["any compiler", "no compiler"])
def wheel(request, tmp_path_factory):
    """The built wheel."""
    wheels = tmp_path_factory.mktemp("wheels")
    build = [sys.executable, "-m", "pip", "wheel", "--no-deps", "-q", "-w", wheels, REPOSITORY]
    if request.param == "no compiler":
        environment = os.environ | {"PATH": "/nowhere"}
    else:
        environment = dict(os.environ)
    subprocess.run(build, check=True, env=environment)
    (wheel,) = wheels.glob("*.whl")
    if request.param == "no compiler":
        assert wheel.name.endswith("-py3-none-any.whl")
    return wheel


@pytest.fixture(scope="module")
def board(wheel, tmp_path_factory):
    """`bin` of an environment that holds the built wheel and what it depends on."""
    folder = tmp_path_factory.mktemp("board")
    venv.create(folder / "venv", with_pip=True)
    programs = folder / "venv" / "bin"
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


def test_both_back_ends_are_installed_where_both_have_wheels(board):
    code = """
from edge_codec.runtime.backends.selection import is_installed
print(is_installed("onnx"), is_installed("tflite"))
"""
    has_litert = sys.platform == "linux" and platform.machine() in ("x86_64", "aarch64")
    assert run_on(board, "python", "-c", code).split() == ["True", str(has_litert)]


def test_the_link_runs_in_c_where_the_wheel_could_be_built_so(board, wheel):
    shown = run_on(board, "edge-codec", "info").splitlines()[-1]
    is_pure = wheel.name.endswith("-py3-none-any.whl")
    assert is_pure or "-cp311-abi3-" in wheel.name
    expected = "numpy (built without a C compiler)" if is_pure else "C library"
    assert shown == f"link: {expected}"


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
    assert models.split() == ["ATTRIBUTION.md", "voice-m", "voice-s"]


def test_training_commands_name_their_extra(board):
    argv = [board / "edge-codec", "evaluate", "voice-m", "/nowhere"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
