"""Where samples come from: a file played at its own speed, or raw PCM on standard input.

Every source gives mono float32 [T] at the codec's rate, no sooner than a microphone would.
Knows no codec and no port.
"""

import os
import select
from collections.abc import Iterator
from typing import Protocol

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]

STEP_S = 0.02
"""Samples are handed over in pieces of about this length."""
CATCH_UP_S = 0.5
"""A process that was stopped makes up for this much at most."""
FULL_SCALE = 32768
"""int16 value that stands for 1.0."""


class Source(Protocol):
    """Gives samples as they come into being."""

    @property
    def is_finished(self) -> bool:
        """No more samples will come."""

    def read(self, now_s: float) -> FloatArray:
        """[T] samples new since the last call, often none."""


class SampleClock:
    """How many samples a microphone would have given by now; with `fast`, always a step."""

    def __init__(self, sample_rate_hz: int, *, fast: bool) -> None:
        self._rate_hz = sample_rate_hz
        self._fast = fast
        self._last_s: float | None = None
        self._credit = 0.0

    def due(self, now_s: float) -> int:
        """Samples that may be taken now: whole steps, not yet taken."""
        if self._fast:
            return round(STEP_S * self._rate_hz)
        elapsed_s = 0.0 if self._last_s is None else now_s - self._last_s
        self._last_s = now_s
        self._credit = min(self._credit + elapsed_s * self._rate_hz, CATCH_UP_S * self._rate_hz)
        # A clock's rounding must not cost a whole step.
        return int(self._credit + 1e-3) if self._credit + 1e-3 >= STEP_S * self._rate_hz else 0

    def take(self, samples: int) -> None:
        """Note samples that were there to be taken."""
        self._credit -= samples


class BlockSource:
    """Blocks of audio, of a file for instance, played at their own speed."""

    def __init__(self, blocks: Iterator[FloatArray], clock: SampleClock) -> None:
        self.is_finished = False
        self._blocks = blocks
        self._clock = clock
        self._kept_T: FloatArray = np.zeros(0, np.float32)

    def read(self, now_s: float) -> FloatArray:
        """Samples whose time has come."""
        due = self._clock.due(now_s)
        while len(self._kept_T) < due and not self.is_finished:
            block_T = next(self._blocks, None)
            if block_T is None:
                self.is_finished = True
            else:
                self._kept_T = np.concatenate([self._kept_T, block_T])
        samples_T, self._kept_T = self._kept_T[:due], self._kept_T[due:]
        self._clock.take(len(samples_T))
        return samples_T


class PcmSource:
    """Raw little-endian int16 mono on a descriptor: a pipe that fills live, or a file."""

    def __init__(self, descriptor: int, clock: SampleClock) -> None:
        self.is_finished = False
        self._descriptor = descriptor
        self._clock = clock
        self._odd = b""

    def read(self, now_s: float) -> FloatArray:
        """Samples that are due and have been written."""
        due = self._clock.due(now_s)
        if due == 0 or not select.select([self._descriptor], [], [], 0)[0]:
            return np.zeros(0, np.float32)
        data = os.read(self._descriptor, 2 * due - len(self._odd))
        self.is_finished = not data
        data = self._odd + data
        self._odd = data[len(data) // 2 * 2 :]
        samples_T = np.frombuffer(data[: len(data) // 2 * 2], "<i2").astype(np.float32)
        self._clock.take(len(samples_T))
        return samples_T / np.float32(FULL_SCALE)
