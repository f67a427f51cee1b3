"""Other programs, run to their end: what they print, or one line that says why they failed."""

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from edge_codec.runtime.errors import EdgeCodecError

_MAIN = "import sys; from edge_codec.runtime.cli import main; sys.exit(main())"


def edge_codec(*words: object) -> list[str]:
    """The command line of `edge-codec` in this Python, wherever its script may be."""
    return [sys.executable, "-c", _MAIN, *map(str, words)]


def output_of(command: Sequence[str], environment: Mapping[str, str] | None = None) -> str:
    """Standard output of a command.

    Args:
        command: program and its arguments.
        environment: all of its variables; None: ours.

    Raises:
        EdgeCodecError: it ended with an error; the message has its last line.
    """
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise EdgeCodecError(f"{Path(command[0]).name} failed: {last:.300}")
    return done.stdout
