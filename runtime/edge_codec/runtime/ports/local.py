"""Ports within this machine: pseudo terminals, a loop, files and standard streams."""

import os
import pty
import sys
import tty
from pathlib import Path

from edge_codec.runtime.errors import PortError
from edge_codec.runtime.ports.port import DescriptorPort


def open_pty(link: str = "") -> DescriptorPort:
    """Create a pseudo terminal; other programs open `name`, or the symlink at `link`.

    Raises:
        PortError: no terminals are left, or the symlink cannot be made.
    """
    path = Path(link) if link else None
    try:
        master, slave = pty.openpty()
        terminal = os.ttyname(slave)
        tty.setraw(slave)
        os.set_blocking(master, False)
        if path:
            _replace_symlink(path, terminal)
    except OSError as error:
        raise PortError(f"cannot make pty://{link}: {error}; give a path not in use") from error

    def release() -> None:
        os.close(master)
        os.close(slave)
        if path and path.is_symlink() and str(path.readlink()) == terminal:
            path.unlink()  # else another program has put its own there since

    # Our own slave stays open, so that the line survives programs that come and go.
    return DescriptorPort(link or terminal, master, release=release)


def open_loop() -> DescriptorPort:
    """Open a line whose written bytes come back to be read."""
    read_end, write_end = os.pipe()
    os.set_blocking(read_end, False)
    os.set_blocking(write_end, False)

    def release() -> None:
        os.close(read_end)
        os.close(write_end)

    return DescriptorPort("loop://", read_end, write_descriptor=write_end, release=release)


def open_file(path: str, *, writes: bool) -> DescriptorPort:
    """Open a file or named pipe; `-` is standard input or output.

    Raises:
        PortError: missing, a folder, or not permitted.
    """
    if path == "-":
        stream = sys.stdout if writes else sys.stdin
        return DescriptorPort("-", stream.fileno(), ends=True, release=_keep_open)
    if Path(path).is_dir():
        raise PortError(f"{path} is a folder; give a file or a port")
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC if writes else os.O_RDONLY
    try:
        return DescriptorPort(path, os.open(path, flags, 0o666), ends=True)
    except OSError as error:
        raise PortError(f"cannot open {path}: {error.strerror}; give a file or a port") from error


def _replace_symlink(path: Path, target: str) -> None:
    if path.is_symlink():
        path.unlink()
    path.symlink_to(target)


def _keep_open() -> None:
    """Standard streams belong to the process."""
