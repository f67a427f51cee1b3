"""Microphone and speaker through PortAudio; needs the extra `audio`.

The device's own thread fills or empties a bounded queue; everything else happens in the caller.
"""

from collections import deque
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_codec.runtime.errors import AudioError

FloatArray = npt.NDArray[np.float32]

QUEUE_MAX_S = 0.2
"""Sound that waits for the speaker; what does not fit is dropped and counted."""
QUEUE_MAX_BLOCKS = 100
"""Blocks from the microphone that wait for us, some 10 ms each."""
PREFILL_S = 0.04
"""The speaker starts when this much is queued, so that it does not stutter."""


class Microphone:
    """The default input device as a source."""

    is_finished = False

    def __init__(self, sample_rate_hz: int) -> None:
        """Start to record, at the codec's rate or resampled to it.

        Raises:
            ModuleNotFoundError: the extra is not installed.
            AudioError: no library, no device, or the device is busy.
        """
        self._queue: deque[FloatArray] = deque()
        self.dropped_samples = 0
        """Samples we were too slow for."""
        self._stream, device_rate_hz = _open_stream("input", sample_rate_hz, self._store)
        self._resampler = _make_resampler(device_rate_hz, sample_rate_hz)

    def read(self, now_s: float) -> FloatArray:
        """Samples recorded since the last call."""
        if not self._stream.active:
            raise AudioError("the microphone is gone: plug it in again, then restart")
        blocks = [self._queue.popleft() for _ in range(len(self._queue))]
        samples_T = np.concatenate([np.zeros(0, np.float32), *blocks])
        return self._resampler.resample_chunk(samples_T) if self._resampler else samples_T

    def close(self) -> None:
        """Stop recording."""
        self._stream.close()

    def _store(self, data: FloatArray, frames: int, time: Any, status: Any) -> None:
        if len(self._queue) < QUEUE_MAX_BLOCKS:
            self._queue.append(data[:, 0].copy())
        else:
            self.dropped_samples += frames


class Speaker:
    """The default output device as a sink; plays silence while nothing is written."""

    def __init__(self, sample_rate_hz: int) -> None:
        """Start to play, at the codec's rate or resampled from it.

        Raises:
            ModuleNotFoundError: the extra is not installed.
            AudioError: no library, no device, or the device is busy.
        """
        self._queue: deque[FloatArray] = deque()
        self._written = self._played = 0
        self._is_filling = True
        self.dropped_samples = 0
        """Samples the device was too slow for."""
        self._rate_hz = sample_rate_hz  # the callback may run before the stream is known
        self._stream, self._rate_hz = _open_stream("output", sample_rate_hz, self._play)
        self._resampler = _make_resampler(sample_rate_hz, self._rate_hz)

    def write(self, samples_T: FloatArray) -> None:
        """Queue samples to be played."""
        if not self._stream.active:
            raise AudioError("the speaker is gone: plug it in again, then restart")
        if self._resampler:
            samples_T = self._resampler.resample_chunk(samples_T)
        if self._written - self._played + len(samples_T) > QUEUE_MAX_S * self._rate_hz:
            self.dropped_samples += len(samples_T)
            return
        self._written += len(samples_T)
        self._queue.append(samples_T)

    def close(self) -> None:
        """Play what is queued, then stop."""
        _import_sounddevice().sleep(round(1000 * (self._written - self._played) / self._rate_hz))
        self._stream.stop()
        self._stream.close()

    def _play(self, out: FloatArray, frames: int, time: Any, status: Any) -> None:
        out[:] = 0
        queued = self._written - self._played
        self._is_filling = queued < (PREFILL_S * self._rate_hz if self._is_filling else 1)
        filled = 0
        while not self._is_filling and filled < frames and self._queue:
            block_T = self._queue.popleft()
            taken_T = block_T[: frames - filled]
            out[filled : filled + len(taken_T), 0] = taken_T
            filled += len(taken_T)
            if len(taken_T) < len(block_T):
                self._queue.appendleft(block_T[len(taken_T) :])
        self._played += filled


def _open_stream(direction: str, sample_rate_hz: int, callback: Any) -> tuple[Any, int]:
    """Start a mono stream; returns it with its rate, the device's own if it has not ours."""
    sounddevice = _import_sounddevice()
    check = getattr(sounddevice, f"check_{direction}_settings")
    make = sounddevice.InputStream if direction == "input" else sounddevice.OutputStream
    settings = {"channels": 1, "dtype": "float32"}
    try:
        device = sounddevice.query_devices(kind=direction)
        try:
            check(samplerate=sample_rate_hz, **settings)
            rate_hz = sample_rate_hz
        except sounddevice.PortAudioError:
            rate_hz = round(device["default_samplerate"])
        stream = make(samplerate=rate_hz, callback=callback, latency="low", **settings)
        stream.start()
    except (sounddevice.PortAudioError, ValueError) as error:
        name = "microphone" if direction == "input" else "speaker"
        raise AudioError(
            f"no {name} can be used ({error}): plug one in, or give a file or `-`; "
            "`python -m sounddevice` lists devices"
        ) from error
    return stream, rate_hz


def _import_sounddevice() -> Any:
    try:
        import sounddevice  # noqa: PLC0415  optional, and loads a system library
    except OSError as error:
        raise AudioError(f"{error}: sudo apt install libportaudio2") from error
    return sounddevice


def _make_resampler(from_hz: int, to_hz: int) -> Any:
    if from_hz == to_hz:
        return None
    import soxr  # noqa: PLC0415  only if the device has not the codec's rate

    # The default quality would add 30 to 50 ms of delay, this one half of that.
    return soxr.ResampleStream(from_hz, to_hz, 1, dtype="float32", quality="MQ")
