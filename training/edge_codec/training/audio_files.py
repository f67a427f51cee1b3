"""Reading audio of any rate and channel count as mono float32, in bounded memory.

Knows soundfile and soxr; nothing of codecs, caches or clips' meaning.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from edge_codec.runtime.errors import AudioError
from edge_codec.training import stems

AUDIO_SUFFIXES = (".wav", ".flac", ".ogg", ".opus", ".mp3", ".au", stems.SUFFIX)
"""Ends of file names this project takes for audio (lower case)."""
RATES_HZ = (1_000, 1_000_000)
"""Rates of recordings: a file that claims a lower one would grow without bound when resampled."""
_BLOCK_SAMPLES = 1 << 18


class _ForwardSound(soundfile.SoundFile):  # type: ignore[misc]
    """Read from start to end: soundfile's seek after each block misplaces MP3 audio."""

    def seekable(self) -> bool:
        """No."""
        return False


def audio_suffix(name: str) -> str:
    """The suffix that makes a file name one of audio, or nothing.

    >>> audio_suffix("Song.STEM.mp4"), audio_suffix("film.mp4")
    ('.stem.mp4', '')
    """
    return next((suffix for suffix in AUDIO_SUFFIXES if name.lower().endswith(suffix)), "")


def find_audio(folder: Path) -> list[Path]:
    """Audio files anywhere below `folder`, sorted by path.

    Raises:
        AudioError: there are none.
    """
    found = sorted(path for path in folder.rglob("*") if audio_suffix(path.name) and path.is_file())
    if not found:
        suffixes = " ".join(sorted(AUDIO_SUFFIXES))
        raise AudioError(f"no audio in {folder}: expected a folder with {suffixes} files")
    return found


def read_mono(source: Path | BinaryIO, rate_hz: int) -> NDArray[np.float32]:
    """[T] the whole file, channels averaged, resampled to `rate_hz`; see `iter_mono`."""
    return np.concatenate(list(iter_mono(source, rate_hz)))


def iter_mono(source: Path | BinaryIO, rate_hz: int) -> Iterator[NDArray[np.float32]]:
    """Chunks of a file, channels averaged, resampled to `rate_hz`, nominally -1 to 1.

    Raises:
        AudioError: the file cannot be decoded, is empty, claims a rate outside `RATES_HZ`, or
            holds NaN or infinity.
        MissingExtraError: what decodes it is not installed.
    """
    name = getattr(source, "name", source)
    resampler = None
    with _reports_damage(name):
        for file_rate_hz, block in _iter_blocks(source):
            if not RATES_HZ[0] <= file_rate_hz <= RATES_HZ[1]:
                raise AudioError(f"{name}: claims a rate of {file_rate_hz} Hz; export it again")
            if not np.isfinite(block).all():
                raise AudioError(f"{name}: holds NaN or infinite samples; export it again")
            resampler = resampler or soxr.ResampleStream(file_rate_hz, rate_hz, 1, dtype="float32")
            yield resampler.resample_chunk(block.mean(axis=1))
    if resampler is None:
        raise AudioError(f"{name}: holds no samples")
    yield resampler.resample_chunk(np.empty(0, np.float32), last=True)


def _iter_blocks(source: Path | BinaryIO) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Sample rate and the next samples [T, C]."""
    if isinstance(source, Path) and audio_suffix(source.name) == stems.SUFFIX:
        return stems.iter_mixture(source)
    return _iter_sound(source)


def _iter_sound(source: Path | BinaryIO) -> Iterator[tuple[int, NDArray[np.float32]]]:
    with _ForwardSound(source) as file:
        while len(block := file.read(_BLOCK_SAMPLES, dtype="float32", always_2d=True)):
            yield file.samplerate, block


@contextmanager
def _reports_damage(name: object) -> Iterator[None]:
    try:
        yield
    except soundfile.LibsndfileError as error:
        raise AudioError(f"{name}: cannot be read as audio: {error.error_string}") from error
    except OSError as error:
        raise AudioError(f"{name}: cannot be read: {error.strerror}") from error
