"""What importing costs: the board side never touches torch, and a command waits until it runs.

Who may import whom is in pyproject.toml and checked by `make lint`; here is what really loads.
"""

import ast
import json
import subprocess
import sys

import pytest

from support.repository import PACKAGES, PARTS, REPOSITORY, read_project

HEAVY = {"torch", "onnx", "onnxruntime", "scipy", "soundfile", "sounddevice", "soxr", "tensorboard"}
LIST_MODULES = "import json, sys; print(json.dumps(sorted({m.split('.')[0] for m in sys.modules})))"
BLOCK_TORCH = """
import sys
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.split('.')[0] == 'torch':
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Block())
"""
COMMANDS = read_project()["project"]["entry-points"]["edge_codec.commands"]


def third_party_after(code):
    """Top-level packages, other than our own, that a fresh interpreter holds after `code`."""
    roots = ":".join(str(REPOSITORY / part) for part in PARTS)
    done = subprocess.run(
        [sys.executable, "-S", "-c", f"{code}\n{LIST_MODULES}"],
        env={"PYTHONPATH": f"{roots}:{_site_packages()}", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    ours = {"__main__", "edge_codec"}
    names = set(json.loads(done.stdout)) - sys.stdlib_module_names - ours
    return {name for name in names if "cython" not in name}  # support code of compiled modules


def _site_packages():
    import numpy

    return numpy.__path__[0].rsplit("/", 1)[0]


def test_the_runtime_needs_only_numpy():
    assert third_party_after(f"{BLOCK_TORCH}\nimport edge_codec.runtime") <= {"numpy"}


def test_the_link_needs_only_its_small_libraries():
    loaded = third_party_after("import edge_codec.firmware_bridge")
    assert loaded <= {"numpy", "cobs", "fastcrc", "cffi", "cryptography"}


@pytest.mark.parametrize("name", ["errors", "spec"])
def test_what_training_shares_is_standard_library_only(name):
    tree = ast.parse((PACKAGES["runtime"] / f"{name}.py").read_text())
    sources = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    plain = {a.name for node in ast.walk(tree) if isinstance(node, ast.Import) for a in node.names}
    assert (sources | plain) - sys.stdlib_module_names <= {"edge_codec.runtime.errors"}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_loads_nothing_heavy_before_it_runs(command):
    module, function = COMMANDS[command].split(":")
    code = (
        f"import argparse, {module} as m\nm.{function}(argparse.ArgumentParser().add_subparsers())"
    )
    assert not third_party_after(code) & HEAVY
