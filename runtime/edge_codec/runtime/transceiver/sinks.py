"""Where samples go: a WAV file that is whole at every moment, or raw PCM on standard output.

Every sink takes mono float32 [T] at the codec's rate. Knows no codec and no port.
"""

import os
import select
import struct
from io import FileIO
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from edge_codec.runtime.errors import AudioError
from edge_codec.runtime.pcm import to_pcm

FloatArray = npt.NDArray[np.float32]

_HEADER = struct.Struct("<4sI4s4sIHHIIHH4sI")
_PCM, _MONO, _SAMPLE_BYTES = 1, 1, 2
WAV_MAX_BYTES = 2**32 - _HEADER.size
"""A WAV header cannot say more: 37 hours at 16 kHz."""


class Sink(Protocol):
    """Takes samples and never waits for long."""

    def write(self, samples_T: FloatArray) -> None:
        """Play or store [T] samples.

        Raises:
            AudioError: it cannot; what went before is kept.
        """

    def close(self) -> None:
        """Release device or file."""


class WavSink:
    """A 16-bit mono WAV file; after every write the file on disk is whole and valid."""

    def __init__(self, path: Path, sample_rate_hz: int) -> None:
        """Check that the file can be made; it is made, or replaced, when samples come.

        Raises:
            AudioError: it cannot be made, or has another suffix.
        """
        if path.suffix.lower() != ".wav":
            raise AudioError(f"{path}: only WAV can be written as it arrives; name it .wav")
        if path.is_dir() or not os.access(path if path.exists() else path.parent, os.W_OK):
            raise AudioError(f"cannot write {path}: check the name, the folder and its rights")
        self._path = path
        self._rate_hz = sample_rate_hz
        self._data_bytes = 0
        self._file: FileIO | None = None

    def write(self, samples_T: FloatArray) -> None:
        """Append samples."""
        if len(samples_T):
            self._store(to_pcm(samples_T))

    def close(self) -> None:
        """Close the file."""
        if self._file:
            self._file.close()

    def _store(self, data: bytes) -> None:
        # Samples first, then the header that counts them: a kill between the two costs one write.
        try:
            if self._data_bytes + len(data) > WAV_MAX_BYTES:
                raise OSError("a WAV file holds 4 GiB at most")
            self._file = self._file or self._path.open("wb", buffering=0)
            written = os.pwrite(self._file.fileno(), data, _HEADER.size + self._data_bytes)
            self._data_bytes += written // _SAMPLE_BYTES * _SAMPLE_BYTES
            os.pwrite(self._file.fileno(), self._header(), 0)
            if written < len(data):
                raise OSError("the disk is full")
        except OSError as error:
            kept_s = self._data_bytes / _SAMPLE_BYTES / self._rate_hz
            raise AudioError(
                f"cannot write {self._path}: {error.strerror or error};"
                f" {kept_s:.1f} s are kept in it"
            ) from error

    def _header(self) -> bytes:
        byte_rate = self._rate_hz * _SAMPLE_BYTES
        return _HEADER.pack(
            *(b"RIFF", _HEADER.size - 8 + self._data_bytes, b"WAVE"),
            *(b"fmt ", 16, _PCM, _MONO, self._rate_hz, byte_rate, _SAMPLE_BYTES, 16),
            *(b"data", self._data_bytes),
        )


class PcmSink:
    """Raw little-endian int16 mono on a descriptor."""

    def __init__(self, descriptor: int, *, may_wait: bool) -> None:
        """Use an open descriptor.

        Args:
            descriptor: of standard output, say.
            may_wait: wait for a slow reader; else, in real time, it misses samples.
        """
        self._descriptor = descriptor
        self._may_wait = may_wait
        self.dropped_samples = 0
        """Samples the reader was too slow for."""

    def write(self, samples_T: FloatArray) -> None:
        """Hand samples to the reader.

        Raises:
            AudioError: it cannot be written.
            BrokenPipeError: the reader has left.
        """
        if not len(samples_T):
            return
        if not self._may_wait and not select.select([], [self._descriptor], [], 0)[1]:
            self.dropped_samples += len(samples_T)
            return
        data = memoryview(to_pcm(samples_T))
        try:
            while data:
                data = data[os.write(self._descriptor, data) :]
        except BrokenPipeError:
            raise
        except OSError as error:
            raise AudioError(f"standard output cannot be written: {error.strerror}") from error

    def close(self) -> None:
        """Standard output belongs to the process."""
