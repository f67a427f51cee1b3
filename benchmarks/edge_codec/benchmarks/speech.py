"""Clips as arrays: the packaged ones, and any folder's."""

from importlib.resources import as_file, files
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_codec.runtime.audio import mixed, open_source, resampled
from edge_codec.runtime.errors import AudioError

AUDIO_SUFFIXES = frozenset({".wav", ".flac", ".ogg", ".opus", ".mp3", ".au"})


def find_audio(folder: Path) -> list[Path]:
    """Audio files below `folder`, sorted.

    Raises:
        AudioError: there are none.
    """
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in AUDIO_SUFFIXES)
    if not found:
        suffixes = " ".join(sorted(AUDIO_SUFFIXES))
        raise AudioError(f"no audio in {folder}: expected a folder with {suffixes} files")
    return found


def read_mono(path: Path, rate_hz: int) -> NDArray[np.float32]:
    """[T] a whole file, channels averaged, at `rate_hz`.

    Raises:
        AudioError: it cannot be read.
    """
    with open_source(str(path), rate_hz) as source:
        chunks = resampled(mixed(source.chunks()), source.sample_rate_hz, rate_hz, 1)
        return np.concatenate([chunk_TC[:, 0] for chunk_TC in chunks])


def read_clips(folder: Path, rate_hz: int) -> dict[str, NDArray[np.float32]]:
    """Path below `folder`, without suffix -> [T] of every audio file there.

    Raises:
        AudioError: there are none, one cannot be read, or two differ by their suffix alone.
    """
    clips: dict[str, NDArray[np.float32]] = {}
    for path in find_audio(folder):
        name = path.relative_to(folder).with_suffix("").as_posix()
        if name in clips:
            raise AudioError(f"{folder} holds {name} twice; keep one of {name}.*")
        clips[name] = read_mono(path, rate_hz)
    return clips


def packaged_clips(rate_hz: int) -> dict[str, NDArray[np.float32]]:
    """Name -> [T] of the clips that come with the package."""
    with as_file(files("edge_codec.runtime") / "clips") as folder:
        return read_clips(folder, rate_hz)


def packaged_speech(rate_hz: int, samples: int) -> NDArray[np.float32]:
    """[samples] of the clips that come with the package, over and over."""
    return np.resize(np.concatenate(list(packaged_clips(rate_hz).values())), samples)
