"""A line, a clock and a wish to stop that tests can hold in their hands. Nothing sleeps."""

import io
import json
from collections.abc import Iterable
from signal import Signals
from typing import Any

import numpy as np

from edge_codec.firmware_bridge import ChannelModel, Route
from edge_codec.runtime.errors import PortError
from edge_codec.runtime.meter import Report
from edge_codec.runtime.transceiver import StopSignal

FloatArray = np.ndarray[Any, np.dtype[np.float32]]


class FakeClock:
    """Time that passes only while somebody waits."""

    def __init__(self, stop: StopSignal | None = None, stop_s: float = np.inf) -> None:
        self._now_s = 100.0
        self._stop, self._stop_s = stop, 100.0 + stop_s

    def now_s(self) -> float:
        return self._now_s

    def wait(self, sources: Iterable[Any], timeout_s: float) -> None:
        assert 0 <= timeout_s <= 10
        arrivals_s = [getattr(source, "next_arrival_s", np.inf) for source in sources]
        self._now_s = max(min([self._now_s + timeout_s, *arrivals_s]), self._now_s + 1e-4)
        if self._stop and self._now_s >= self._stop_s:
            self._stop.received = Signals.SIGINT


class WirePort:
    """Both ends of a paced wire; what was written can be read, `cut_s` unplugs it."""

    name = "wire"
    is_finished = False
    next_arrival_s = np.inf

    def __init__(self, clock: FakeClock, baud: int, cut_s: float = np.inf) -> None:
        self._clock = clock
        self._wire = Route(ChannelModel(baud=baud), seed=0, is_stream=True)
        self._cut_s = 100.0 + cut_s
        self.written: list[tuple[float, bytes]] = []
        self.is_open = True

    def fileno(self) -> int:
        return -1

    def read(self) -> bytes:
        self._check()
        return b"".join(self._wire.pull(self._clock.now_s()))

    def write(self, data: bytes) -> int:
        self._check()
        self.written.append((self._clock.now_s(), data))
        self._wire.push(data, self._clock.now_s())
        return len(data)

    def unsent_bytes(self) -> int:
        return 0

    def close(self) -> None:
        self.is_open = False

    def _check(self) -> None:
        if self._clock.now_s() >= self._cut_s:
            raise PortError("wire was lost")


class ReplayPort:
    """Bytes that arrive at given times, then silence; or the end, as of a file."""

    name = "replay"

    def __init__(
        self, clock: FakeClock, arrivals: Iterable[tuple[float, bytes]], *, ends: bool = False
    ) -> None:
        self._clock = clock
        self._arrivals = list(arrivals)
        self._ends = ends
        self.is_finished = False

    @property
    def next_arrival_s(self) -> float:
        return self._arrivals[0][0] if self._arrivals else np.inf

    def fileno(self) -> int:
        return -1

    def read(self) -> bytes:
        data = b""
        while self._arrivals and self._arrivals[0][0] <= self._clock.now_s():
            data += self._arrivals.pop(0)[1]
        self.is_finished = self._ends and not self._arrivals
        return data

    def write(self, data: bytes) -> int:
        return 0

    def unsent_bytes(self) -> int:
        return 0

    def close(self) -> None:
        pass


class ListSink:
    """Keeps what is played, and when its first sample was."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self._blocks = [np.zeros(0, np.float32)]
        self.first_s: float | None = None

    def write(self, samples_T: FloatArray) -> None:
        if len(samples_T) and self.first_s is None:
            self.first_s = self._clock.now_s()
        self._blocks.append(samples_T)

    def close(self) -> None:
        pass

    @property
    def played_T(self) -> FloatArray:  # noqa: N802
        return np.concatenate(self._blocks)


class Journal:
    """A report whose events can be read back."""

    def __init__(self, clock: FakeClock) -> None:
        self._text = io.StringIO()
        self.report = Report("test", clock.now_s, io.StringIO(), self._text)

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._text.getvalue().splitlines()]

    def names(self) -> list[str]:
        return [event["event"] for event in self.events if event["event"] != "meter"]
