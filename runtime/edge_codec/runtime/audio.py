"""Audio in and out: files of any rate and channel count, raw PCM on a pipe, resampling.

Everything moves in chunks, so memory does not grow with length. Loads libsndfile and soxr; knows
nothing of codes. Raw PCM is 16-bit little endian.

Shapes: T samples, C channels; float32, full scale is 1.
"""

import errno
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedIOBase
from pathlib import Path

import numpy as np
import soundfile
import soxr

from edge_codec.runtime.errors import AudioError
from edge_codec.runtime.pcm import PCM_SCALE, FloatArray, to_pcm
from edge_codec.runtime.streams import (
    STANDARD,
    iter_chunks,
    open_input,
    open_standard_output,
    staged,
)

CHUNK_SAMPLES = 8_192
SOURCE_RATES_HZ = (1_000, 768_000)
"""What a recording may have; a damaged header says anything."""
MAX_CHANNELS = 255
_FORMATS = {".wav": "WAV", ".flac": "FLAC"}


@dataclass(kw_only=True)
class AudioSource:
    """A recording that is being read, chunk by chunk."""

    name: str
    """What to call it in messages."""
    sample_rate_hz: int
    """Samples per second of each channel."""
    channels: int
    """Channels of every chunk."""
    length_samples: int | None
    """Length by the file's own word; None of a pipe."""
    raw_chunks: Iterator[FloatArray]
    """The samples as they come, [T, C]."""
    read_samples: int = 0
    """Samples of each channel taken so far."""

    def chunks(self) -> Iterator[FloatArray]:
        """Yield the samples, [T, C], and count them.

        Raises:
            AudioError: a sample is NaN or infinite.
        """
        for chunk in self.raw_chunks:
            if not np.isfinite(chunk).all():
                at_s = self.read_samples / self.sample_rate_hz
                raise AudioError(
                    f"{self.name} holds NaN or infinite samples after {at_s:.1f} s; "
                    "it must be repaired before it can be encoded"
                )
            self.read_samples += len(chunk)
            yield chunk


class _ForwardSound(soundfile.SoundFile):  # type: ignore[misc]
    """A file that is read from start to end.

    soundfile seeks to where it already is after each read of a file that can seek, and in an MP3
    that lands elsewhere: chunks would be joined with a jump.
    """

    def seekable(self) -> bool:
        return False


@contextmanager
def open_source(source: str, pcm_rate_hz: int) -> Iterator[AudioSource]:
    """Open an audio file, or standard input as mono PCM at `pcm_rate_hz` for "-".

    Raises:
        AudioError: missing, empty, or not audio.
    """
    if source == STANDARD:
        with open_input(source) as pcm:
            yield AudioSource(
                name="standard input",
                sample_rate_hz=pcm_rate_hz,
                channels=1,
                length_samples=None,
                raw_chunks=_iter_pcm(iter_chunks(pcm, 2 * CHUNK_SAMPLES)),
            )
        return
    with _open_sound(Path(source)) as sound:
        yield AudioSource(
            name=source,
            sample_rate_hz=sound.samplerate,
            channels=sound.channels,
            length_samples=sound.frames,
            raw_chunks=_iter_sound(sound),
        )


@contextmanager
def open_sink(
    target: str, sample_rate_hz: int, channels: int
) -> Iterator[Callable[[FloatArray], object]]:
    """Open a 16-bit audio file, or standard output as interleaved PCM for "-"; yields `write`.

    Raises:
        AudioError: an unknown suffix, or it cannot be written; may come on leaving.
        BrokenPipeError: the reader of standard output has left.
    """
    if target == STANDARD:
        with open_standard_output() as pcm:
            yield lambda samples_TC: _write_pcm(pcm, samples_TC)
        return
    kind = audio_format(target)
    with staged(Path(target)) as part:
        part.open("wb").close()  # says why it fails; libsndfile only says that it does
        with (
            _write_errors(),
            soundfile.SoundFile(
                os.fsencode(part), "w", sample_rate_hz, channels, "PCM_16", format=kind
            ) as file,
        ):
            yield file.write


def audio_format(target: str) -> str:
    """Name of the file format that the suffix of `target` asks for.

    Raises:
        AudioError: none that can be written.
    """
    suffix = Path(target).suffix.lower()
    if suffix not in _FORMATS:
        raise AudioError(f"cannot write {target}: its name must end in {' or '.join(_FORMATS)}")
    return _FORMATS[suffix]


def mixed(chunks: Iterable[FloatArray]) -> Iterator[FloatArray]:
    """Yield the mean of all channels, [T, 1]."""
    return (chunk.mean(axis=1, keepdims=True) for chunk in chunks)


def regrouped(chunks: Iterable[FloatArray], samples: int) -> Iterator[FloatArray]:
    """Yield the same audio in chunks of `samples`, the last one shorter."""
    kept: list[FloatArray] = []
    missing = samples
    for chunk in chunks:
        while len(chunk) >= missing:
            yield np.concatenate([*kept, chunk[:missing]])
            chunk, kept, missing = chunk[missing:], [], samples  # noqa: PLW2901
        kept.append(chunk)
        missing -= len(chunk)
    if missing < samples:
        yield np.concatenate(kept)


def resampled(
    chunks: Iterable[FloatArray], from_hz: int, to_hz: int, channels: int
) -> Iterator[FloatArray]:
    """Yield the audio at another rate, [T, C], in step with the input: no delay is added."""
    if from_hz == to_hz:
        yield from chunks
        return
    stream = soxr.ResampleStream(from_hz, to_hz, channels, dtype="float32")
    for chunk in chunks:
        yield stream.resample_chunk(chunk)
    yield stream.resample_chunk(np.zeros((0, channels), np.float32), last=True)


def _open_sound(path: Path) -> soundfile.SoundFile:
    with open_input(str(path)):  # says why it fails; libsndfile only says that it does
        pass
    if path.is_file() and path.stat().st_size == 0:
        raise AudioError(f"{path} is empty; give a file with audio in it")
    try:
        sound = _ForwardSound(os.fsencode(path))  # a name need not be UTF-8
    except soundfile.LibsndfileError as error:
        raise AudioError(
            f"{path} is not audio that can be read ({error.error_string.strip('.')}); "
            "convert it to WAV, FLAC, Ogg or MP3"
        ) from error
    for what, value, (lowest, highest) in (
        ("samples per second", sound.samplerate, SOURCE_RATES_HZ),
        ("channels", sound.channels, (1, MAX_CHANNELS)),
    ):
        if not lowest <= value <= highest:
            sound.close()
            raise AudioError(
                f"{path} has {value} {what}, {lowest} to {highest} can be read; it must be repaired"
            )
    return sound


def _iter_sound(sound: soundfile.SoundFile) -> Iterator[FloatArray]:
    while len(chunk := _read(sound)):
        yield chunk


def _read(sound: soundfile.SoundFile) -> FloatArray:
    """The next samples; none at the end, which in a damaged file comes before its time."""
    try:
        return np.asarray(sound.read(CHUNK_SAMPLES, dtype="float32", always_2d=True))
    except soundfile.LibsndfileError:
        return np.zeros((0, sound.channels), np.float32)


def _iter_pcm(chunks: Iterable[bytes]) -> Iterator[FloatArray]:
    kept = b""
    for chunk in chunks:
        data = kept + chunk
        kept = data[len(data) & ~1 :]
        samples = np.frombuffer(data[: len(data) & ~1], "<i2")
        yield samples.astype(np.float32)[:, None] / np.float32(PCM_SCALE)


def _write_pcm(file: BufferedIOBase, samples: FloatArray) -> None:
    file.write(to_pcm(samples))
    file.flush()


@contextmanager
def _write_errors() -> Iterator[None]:
    try:
        yield
    except soundfile.LibsndfileError as error:
        raise OSError(errno.EIO, "the write failed, as on a full disk") from error
