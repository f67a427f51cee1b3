"""Time and waiting for the loops; tests bring a clock of their own."""

import select
import signal
import time
from collections.abc import Iterable
from types import FrameType, TracebackType
from typing import Protocol

WAIT_MAX_S = 0.2
"""A signal is noticed within this time."""


class Readable(Protocol):
    """What `select` can wait on."""

    def fileno(self) -> int:
        """Descriptor."""


class Clock(Protocol):
    """A clock that can wait."""

    def now_s(self) -> float:
        """Seconds since some moment; never goes back."""

    def wait(self, sources: Iterable[Readable], timeout_s: float) -> None:
        """Return when one of `sources` can be read, or after `timeout_s`."""


class SystemClock:
    """The monotonic clock, which all processes of one machine share."""

    def now_s(self) -> float:
        """Seconds since boot."""
        return time.monotonic()

    def wait(self, sources: Iterable[Readable], timeout_s: float) -> None:
        """Sleep until there is something to read, at most `WAIT_MAX_S`."""
        select.select(list(sources), [], [], max(0.0, min(timeout_s, WAIT_MAX_S)))


class StopSignal:
    """Turns the first Ctrl-C, SIGTERM or SIGHUP into a wish to stop; the second one acts at once.

    A terminal that is closed must not leave a transmitter on the air; `nohup` still holds.
    """

    _SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def __init__(self) -> None:
        self.received: signal.Signals | None = None
        self._previous: dict[signal.Signals, object] = {}

    def __enter__(self) -> "StopSignal":
        is_held = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        self._previous = {
            number: signal.signal(number, self._note)
            for number in self._SIGNALS
            if not (is_held and number is signal.SIGHUP)
        }
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._restore()

    @property
    def exit_code(self) -> int:
        """130 after Ctrl-C, else 0: being told to stop is not a failure."""
        return 130 if self.received == signal.SIGINT else 0

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.received = signal.Signals(number)
        self._restore()

    def _restore(self) -> None:
        for number, previous in self._previous.items():
            signal.signal(number, previous)  # type: ignore[arg-type]
