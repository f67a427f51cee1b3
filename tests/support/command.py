"""Run `edge-codec` as a process of its own."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from support.stub_bundle import STUB_BUNDLE

_MAIN = "import sys; from edge_codec.runtime.cli import main; sys.exit(main())"
EDGE_CODEC = [sys.executable, "-c", _MAIN]


STUB_MODELS = STUB_BUNDLE.parent
"""A directory in which the stub bundle is the model `stub_bundle`."""


def command_environment() -> dict[str, str]:
    """An environment in which the stub bundle is the model `stub_bundle`."""
    roots = os.pathsep.join(path for path in sys.path if Path(path, "edge_codec").is_dir())
    return os.environ | {"EDGE_CODEC_MODELS": str(STUB_MODELS), "PYTHONPATH": roots}


def run_command(*args: str | Path, **options: Any) -> subprocess.CompletedProcess[bytes]:
    """Run one command to its end; standard error is captured."""
    return subprocess.run(
        [*EDGE_CODEC, *map(str, args)],
        stderr=subprocess.PIPE,
        env=command_environment(),
        check=False,
        timeout=60,
        **options,
    )
