"""What every port can do, and the one class behind all ports that are file descriptors.

Knows descriptors and their errors; knows no URLs, no packets and no clock.
"""

import array
import contextlib
import fcntl
import os
import select
import termios
from collections.abc import Callable
from typing import Protocol

from edge_codec.runtime.errors import PortError

READ_MAX_BYTES = 4096
"""Most that one read returns: 4 s of a 9600 baud line."""


class Port(Protocol):
    """A device that moves bytes and never blocks."""

    name: str
    """What to call it in messages."""

    @property
    def is_finished(self) -> bool:
        """A file or pipe has given its last byte; a line or socket never finishes."""

    def fileno(self) -> int:
        """Descriptor that `select` can wait on until bytes arrive."""

    def read(self) -> bytes:
        """Bytes that have arrived; empty when there are none now.

        Raises:
            PortError: the device is gone.
        """

    def write(self, data: bytes) -> int:
        """Hand over `data`; returns how many bytes were taken, 0 when the device is full.

        Raises:
            PortError: the device is gone.
        """

    def unsent_bytes(self) -> int:
        """How many bytes were taken but have not left yet, as far as the system knows.

        Raises:
            PortError: the device is gone, and so are they.
        """

    def close(self) -> None:
        """Release the device; bytes it has taken are still sent."""


class DescriptorPort:
    """A port on one or two non-blocking descriptors: serial line, pty, pipe or file."""

    def __init__(
        self,
        name: str,
        descriptor: int,
        *,
        ends: bool = False,
        release: Callable[[], None] | None = None,
        write_descriptor: int | None = None,
    ) -> None:
        """Take over open descriptors.

        Args:
            name: what to call the port in messages.
            descriptor: read from, and written to unless `write_descriptor` is given.
            ends: an empty read is the end of a file, not a line that was unplugged.
            release: called by `close` in place of closing `descriptor`.
            write_descriptor: written to; `release` must close it.
        """
        self.name = name
        self.is_finished = False
        self._descriptor = descriptor
        self._write_descriptor = descriptor if write_descriptor is None else write_descriptor
        self._ends = ends
        self._release = release or (lambda: os.close(descriptor))

    def fileno(self) -> int:
        """Descriptor to wait on."""
        return self._descriptor

    def read(self) -> bytes:
        """Bytes that have arrived; empty when there are none now."""
        # A tty with VMIN=0 reads b"" when idle too: only readiness tells that from a hang-up.
        if not select.select([self._descriptor], [], [], 0)[0]:
            return b""
        try:
            data = os.read(self._descriptor, READ_MAX_BYTES)
        except BlockingIOError:
            return b""
        except OSError as error:
            raise self._lost(error) from error
        if not data:
            if not self._ends:
                raise self._lost("the line hung up")
            self.is_finished = True
        return data

    def write(self, data: bytes) -> int:
        """Hand over `data`; returns how many bytes were taken."""
        # Standard output may block; a pipe that `select` calls writable takes any packet whole.
        if not select.select([], [self._write_descriptor], [], 0)[1]:
            return 0
        try:
            return os.write(self._write_descriptor, data)
        except BlockingIOError:
            return 0
        except OSError as error:
            raise self._lost(error) from error

    def unsent_bytes(self) -> int:
        """Bytes in the driver; 0 where it does not say."""
        count = array.array("i", [0])
        with contextlib.suppress(OSError):
            fcntl.ioctl(self._write_descriptor, termios.TIOCOUTQ, count)
        return count[0]

    def close(self) -> None:
        """Release the descriptors."""
        self._release()

    def _lost(self, reason: object) -> PortError:
        return PortError(
            f"{self.name} was lost ({reason}): likely the cable, the power or the other program; "
            "see docs/troubleshooting.md"
        )
