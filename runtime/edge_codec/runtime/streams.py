"""Open what a command reads and writes: files by name, "-" for standard input and output.

Standard library only. An output file appears under its own name when it is whole, or on Ctrl-C.
Every failure becomes one `AudioError`.
"""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedIOBase
from pathlib import Path

from edge_codec.runtime.errors import AudioError

STANDARD = "-"
"""Stands for standard input or output."""

_STDIN, _STDOUT = 0, 1
_log = logging.getLogger(__name__)


def open_input(source: str) -> BufferedIOBase:
    """Open a file, or standard input for "-".

    Raises:
        AudioError: it cannot be opened.
    """
    is_standard = source == STANDARD
    try:
        file = open(_STDIN if is_standard else source, "rb", closefd=not is_standard)  # noqa: SIM115
    except OSError as error:
        raise AudioError(f"cannot read {source}: {error.strerror}; check the name") from error
    if file.isatty():
        raise AudioError(f"cannot read {source}: it is a terminal; pipe another command into it")
    return file


def refuse_same_file(source: str, target: str) -> None:
    """Raise if writing the target would destroy the source.

    Raises:
        AudioError: both are the same file.
    """
    paths = Path(source), Path(target)
    if all(path.is_file() for path in paths) and paths[0].samefile(paths[1]):
        raise AudioError(f"{source} and {target} are the same file; give the result another name")


def iter_chunks(file: BufferedIOBase, size_bytes: int) -> Iterator[bytes]:
    """Yield bytes as soon as there are any, at most `size_bytes` at a time.

    Raises:
        AudioError: reading failed.
    """
    try:
        while chunk := file.read1(size_bytes):
            yield chunk
    except OSError as error:
        raise AudioError(f"the input cannot be read on: {error.strerror}") from error


@contextmanager
def open_output(target: str) -> Iterator[BufferedIOBase]:
    """Open a file to be written, or standard output for "-".

    Raises:
        AudioError: it cannot be opened or written; may come on leaving.
        BrokenPipeError: the reader of standard output has left.
    """
    if target == STANDARD:
        with open_standard_output() as file:
            yield file
    else:
        with staged(Path(target)) as part, part.open("wb") as file:
            yield file


@contextmanager
def open_standard_output() -> Iterator[BufferedIOBase]:
    """Standard output for bytes; see `open_output`."""
    if os.isatty(_STDOUT):
        raise AudioError("standard output is a terminal; send it to a file or another command")
    try:
        with open(_STDOUT, "wb", closefd=False) as file:
            yield file
    except BrokenPipeError:
        raise
    except OSError as error:
        raise AudioError(f"cannot write to standard output: {error.strerror}") from error


@contextmanager
def staged(path: Path) -> Iterator[Path]:
    """The name to write a file under until it is whole.

    On success or Ctrl-C the file gets its own name; when the disk is full what fitted stays under
    the first one; after any other error nothing stays. Devices and pipes are written directly.

    Raises:
        AudioError: `path` is a directory, or writing failed.
    """
    if path.is_dir():
        raise AudioError(f"{path} is a directory; give the name of a file in it")
    is_file = path.is_file() or not path.exists()
    part = path.with_name(path.name + ".part") if is_file else path
    try:
        yield part
    except OSError as error:
        kept = f"what fitted is in {part}; " if is_file and part.exists() else ""
        raise AudioError(
            f"cannot write {path}: {error.strerror}; {kept}check the place, rights and free space"
        ) from error
    except KeyboardInterrupt:
        if is_file and part.exists():
            part.replace(path)
            _log.warning("stopped; %s holds what was done", path)
        raise
    except BaseException:
        if is_file:
            part.unlink(missing_ok=True)
        raise
    if is_file:
        part.replace(path)
