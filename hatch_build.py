"""Builds the C library of the link into the package, where there is a C compiler.

Without one, or without Python's headers, the wheel is pure: numpy does the same work, slower.
The extension keeps to the limited API, so one file serves every Python from 3.11 on.
"""

import os
import shlex
import shutil
import subprocess
import sysconfig
from importlib import import_module
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from packaging.tags import sys_tags

PACKAGE = Path("firmware_bridge/edge_codec/firmware_bridge")
EXTENSION = "_edge_link.abi3.so"
LIBRARY = Path("firmware_bridge/c")
LIMITS = ("-DEDGE_MAX_BLOCK_BITS=2048", "-DEDGE_MAX_FRAME_BYTES=512")
"""Room for every profile that the protocol allows."""
LIMITED_API = "-DPy_LIMITED_API=0x030B0000"


class ExtensionBuildHook(BuildHookInterface[Any]):
    """Adds the extension to the wheel, or to the working tree of an editable install."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called before each wheel is built."""
        is_editable = version == "editable"
        root = Path(self.root)
        folder = root / PACKAGE if is_editable else Path(self.directory) / "extension"
        folder.mkdir(parents=True, exist_ok=True)
        if (problem := build_extension(root, folder)) is not None:
            (folder / EXTENSION).unlink(missing_ok=True)
            self.app.display_warning(f"no C library, numpy takes its place: {problem}")
            return
        platforms = (tag.platform for tag in sys_tags())
        platform = next(p for p in platforms if not p.startswith(("manylinux", "musllinux")))
        build_data["pure_python"] = False
        build_data["tag"] = f"cp311-abi3-{platform}"
        if not is_editable:
            target = f"edge_codec/firmware_bridge/{EXTENSION}"
            build_data["force_include"][str(folder / EXTENSION)] = target


def build_extension(root: Path, folder: Path) -> str | None:
    """Compile the extension into a folder; returns why that did not work, None if it did."""
    compiler = _compiler()
    if compiler is None:
        return "no C compiler found"
    try:
        source = _write_binding(root, folder)
    except ImportError as error:
        return str(error)
    library = root / LIBRARY
    command = [*compiler, "-O3", "-fPIC", *LIMITS, LIMITED_API]
    command += [f"-I{library}", f"-I{sysconfig.get_paths()['include']}", str(source)]
    command += [*map(str, sorted(library.glob("*.c"))), *_linking(), "-o", str(folder / EXTENSION)]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    source.unlink()
    return None if built.returncode == 0 else _first_error(built.stderr)


def _compiler() -> list[str] | None:
    candidates = [os.environ.get("CC"), sysconfig.get_config_var("CC"), "cc", "gcc", "clang"]
    for words in (shlex.split(candidate) for candidate in candidates if candidate):
        if shutil.which(words[0]):
            return words
    return None


def _linking() -> list[str]:
    """Flags that make a module of objects, as this Python was built with."""
    words = shlex.split(sysconfig.get_config_var("LDSHARED") or "cc -shared")
    return [word for word in words[1:] if not word.startswith(("-L", "-Wl"))]


def _write_binding(root: Path, folder: Path) -> Path:
    ffi = import_module("cffi").FFI()
    ffi.cdef((root / LIBRARY / "python" / "edge_link.cdef").read_text())
    module = "edge_codec.firmware_bridge._edge_link"
    includes = '#include "edge_raw.h"\n#include "edge_context.h"'
    ffi.set_source(module, includes, py_limited_api=True)
    source = folder / "_edge_link.c"
    ffi.emit_c_code(str(source))
    return source


def _first_error(stderr: str) -> str:
    lines = [line for line in stderr.splitlines() if "error" in line] or stderr.splitlines()
    return lines[0].strip() if lines else "the C compiler failed"
