"""The audio cache a trainer reads: one flat file of samples and a manifest of its clips.

    audio.s16      little-endian int16 mono, clips end to end, made to be memory-mapped
    manifest.json  format version, rate, per clip: source, offset, samples, sha256, labels

The manifest is written last: a folder without one is not a cache.
"""

import hashlib
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_codec.runtime.errors import AudioError

FORMAT_VERSION = 1
AUDIO_NAME = "audio.s16"
MANIFEST_NAME = "manifest.json"
SAMPLE_DTYPE = np.dtype("<i2")
"""Full scale is 32768: float samples in [-1, 1) times 32768, rounded."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CachedClip:
    """One clip of the cache."""

    source: str
    """Folder or tar it came from, and its path there."""
    offset: int
    """First sample in the audio file."""
    samples: int
    """Length at the cache's rate."""
    sha256: str
    """Hash of the file it was decoded from, hex."""
    labels: dict[str, str] = field(default_factory=dict)
    """What a CSV manifest says of it, such as speaker and domain."""


def load_cache(
    folder: Path,
) -> tuple["np.memmap[Any, np.dtype[np.int16]]", NDArray[np.int64], NDArray[np.int64]]:
    """Map the samples and list the clips.

    Returns:
        The samples of all clips (int16, on disk until touched; writing does not change the file),
        offsets and lengths.
    Raises:
        AudioError: the folder is not a finished cache of this format.
    """
    clips = read_manifest(folder)["clips"]
    offsets = np.array([clip["offset"] for clip in clips], np.int64)
    lengths = np.array([clip["samples"] for clip in clips], np.int64)
    samples = np.memmap(folder / AUDIO_NAME, SAMPLE_DTYPE, mode="c")
    if len(samples) != lengths.sum():
        raise AudioError(
            f"{folder / AUDIO_NAME}: {len(samples)} samples, its manifest lists {lengths.sum()}; "
            "prepare it again"
        )
    return samples, offsets, lengths


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a finished cache.

    Raises:
        AudioError: there is none, or it is of another format.
    """
    path = folder / MANIFEST_NAME
    try:
        manifest = json.loads(path.read_text())
    except FileNotFoundError as error:
        raise AudioError(f"{folder} is no audio cache; make one: edge-codec prepare") from error
    except ValueError as error:
        raise AudioError(f"{path} is damaged ({error}); prepare it again") from error
    if not isinstance(manifest, dict) or manifest.get("format_version") != FORMAT_VERSION:
        raise AudioError(f"{path} is not of format version {FORMAT_VERSION}; prepare it again")
    return manifest


def manifest_sha256(folder: Path) -> str:
    """Hash of the manifest, which holds the hash of every source: it names the data.

    Raises:
        AudioError: the folder is not a finished cache of this format.
    """
    read_manifest(folder)
    return hashlib.sha256((folder / MANIFEST_NAME).read_bytes()).hexdigest()


def write_manifest(
    folder: Path, rate_hz: int, clips: list[CachedClip], skipped: dict[str, str]
) -> None:
    """Declare the cache in `folder` finished, in one step."""
    manifest = {
        "format_version": FORMAT_VERSION,
        "sample_rate_hz": rate_hz,
        "clips": [asdict(clip) for clip in clips],
        "skipped": skipped,
    }
    unfinished = folder / f"{MANIFEST_NAME}.part"
    unfinished.write_text(json.dumps(manifest, indent=1))
    unfinished.replace(folder / MANIFEST_NAME)
