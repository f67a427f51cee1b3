"""Reading audio of any rate and channel count as mono float32, in bounded memory.

Knows soundfile and soxr; nothing of codecs, caches or clips' meaning.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from edge_codec.runtime.errors import AudioError

AUDIO_SUFFIXES = frozenset({".wav", ".flac", ".ogg", ".opus", ".mp3"})
"""File names this project takes for audio (lower case)."""
_BLOCK_SAMPLES = 1 << 18


class _ForwardSound(soundfile.SoundFile):  # type: ignore[misc]
    """Read from start to end: soundfile's seek after each block misplaces MP3 audio."""

    def seekable(self) -> bool:
        """No."""
        return False


def find_audio(folder: Path) -> list[Path]:
    """Audio files anywhere below `folder`, sorted by path.

    Raises:
        AudioError: there are none.
    """
    found = sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in AUDIO_SUFFIXES and path.is_file()
    )
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
        AudioError: the file cannot be decoded, is empty, or holds NaN or infinity.
    """
    name = getattr(source, "name", source)
    try:
        with _ForwardSound(source) as file:
            resampler = soxr.ResampleStream(file.samplerate, rate_hz, 1, dtype="float32")
            length_samples = 0
            while len(block := file.read(_BLOCK_SAMPLES, dtype="float32", always_2d=True)):
                length_samples += len(block)
                if not np.isfinite(block).all():
                    raise AudioError(f"{name}: holds NaN or infinite samples; export it again")
                yield resampler.resample_chunk(block.mean(axis=1))
            if length_samples == 0:
                raise AudioError(f"{name}: holds no samples")
            yield resampler.resample_chunk(np.empty(0, np.float32), last=True)
    except soundfile.LibsndfileError as error:
        raise AudioError(f"{name}: cannot be read as audio: {error.error_string}") from error
    except OSError as error:
        raise AudioError(f"{name}: cannot be read: {error.strerror}") from error
