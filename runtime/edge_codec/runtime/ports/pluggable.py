"""A line that may be pulled out and plugged in again, as USB adapters are.

Knows how to open the line, not what it is. The clock is passed in.
"""

import os
from collections.abc import Callable

from edge_codec.runtime.errors import PortError
from edge_codec.runtime.ports.port import Port

REOPEN_INTERVAL_S = 1.0
"""A line that is gone is tried this often."""


class PluggablePort:
    """A port that outlives its device: while that is away nothing arrives and writes are lost."""

    is_finished = False

    def __init__(
        self,
        open_line: Callable[[], Port],
        now_s: Callable[[], float],
        tell: Callable[[str, str], None],
    ) -> None:
        """Open the line for the first time.

        Args:
            open_line: opens it, or raises PortError.
            now_s: the clock.
            tell: takes the name of an event and a sentence, when the line goes and comes.

        Raises:
            PortError: it cannot be opened.
        """
        self._open_line = open_line
        self._now_s = now_s
        self._tell = tell
        self._port: Port | None = open_line()
        self.name = self._port.name
        self._reopen_s = 0.0
        self._loss = ""
        self._set_up: Callable[[], None] = lambda: None
        # Never readable: what `select` waits on while there is no device.
        self._nothing = os.eventfd(0)

    def when_back(self, set_up: Callable[[], None]) -> None:
        """Call `set_up` whenever the line has come back, before anything is written."""
        self._set_up = set_up

    def fileno(self) -> int:
        """Descriptor to wait on."""
        return self._port.fileno() if self._port else self._nothing

    def read(self) -> bytes:
        """Bytes that have arrived; none while the line is away."""
        try:
            return self._port.read() if self._is_there() and self._port else b""
        except PortError as error:
            self._lose(error)
            return b""

    def write(self, data: bytes) -> int:
        """Hand over `data`; it is taken and lost while the line is away."""
        try:
            return self._port.write(data) if self._is_there() and self._port else len(data)
        except PortError as error:
            self._lose(error)
            return len(data)

    def unsent_bytes(self) -> int:
        """How many bytes were taken but have not left yet."""
        if self._port is None:
            # A new one each time: an error that is kept and raised again grows a longer traceback.
            raise PortError(self._loss)
        return self._port.unsent_bytes()

    def close(self) -> None:
        """Release the device."""
        self._drop()
        os.close(self._nothing)

    def _is_there(self) -> bool:
        now_s = self._now_s()
        if self._port is None and now_s >= self._reopen_s:
            self._reopen_s = now_s + REOPEN_INTERVAL_S
            try:
                self._port = self._open_line()
                self._set_up()
            except PortError:
                self._drop()
                return False
            self._tell("port_back", f"{self.name} is back")
        return self._port is not None

    def _lose(self, error: PortError) -> None:
        self._drop()
        self._loss = str(error)
        self._reopen_s = self._now_s() + REOPEN_INTERVAL_S
        self._tell("port_lost", f"{error}; waiting for it to come back")

    def _drop(self) -> None:
        if self._port:
            self._port.close()
        self._port = None
