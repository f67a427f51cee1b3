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
from edge_codec.training.text_file import read_json

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
    """What a CSV manifest or its data set's layout says of it, such as speaker and domain."""
    loudness_lufs: float | None = None
    """Integrated loudness (ITU-R BS.1770); None for silence and in caches of older releases."""
    full_band: bool | None = None
    """Whether it goes up to Nyquist, near enough; None in caches of older releases."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Cache:
    """A finished cache, its samples on disk until touched. One entry of each array per clip."""

    samples: "np.memmap[Any, np.dtype[np.int16]]"
    """All clips end to end; writing does not change the file."""
    offsets: NDArray[np.int64]
    """First sample of each clip."""
    lengths: NDArray[np.int64]
    """Samples of each clip."""
    domains: NDArray[np.str_]
    """Label `domain` of each clip, or nothing."""
    loudness_lufs: NDArray[np.float64]
    """Loudness of each clip; NaN where it is silent or was not measured."""
    full_band: NDArray[np.bool_]
    """Whether each clip is known to go up to Nyquist."""
    sample_rate_hz: int
    """Rate of the samples."""


def load_cache(folder: Path) -> Cache:
    """Map the samples and list the clips.

    Raises:
        AudioError: the folder is not a finished cache of this format.
    """
    manifest = read_manifest(folder)
    try:
        cache = _map(folder / AUDIO_NAME, manifest)
    except OSError as error:
        raise AudioError(f"{folder}: {error.strerror or error}; prepare it again") from error
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise AudioError(f"{folder / MANIFEST_NAME} is damaged ({error}); prepare again") from error
    ends = np.cumsum(cache.lengths)
    if len(cache.samples) != cache.lengths.sum() or (cache.offsets != ends - cache.lengths).any():
        raise AudioError(
            f"{folder / AUDIO_NAME}: {len(cache.samples)} samples, its manifest lists "
            f"{cache.lengths.sum()}; prepare it again"
        )
    return cache


def _map(audio: Path, manifest: dict[str, Any]) -> Cache:
    clips = [CachedClip(**clip) for clip in manifest["clips"]]
    return Cache(
        samples=np.memmap(audio, SAMPLE_DTYPE, mode="c"),
        offsets=np.array([clip.offset for clip in clips], np.int64),
        lengths=np.array([clip.samples for clip in clips], np.int64),
        domains=np.array([clip.labels.get("domain", "") for clip in clips], np.str_),
        loudness_lufs=np.array([clip.loudness_lufs for clip in clips], np.float64),
        full_band=np.array([bool(clip.full_band) for clip in clips], np.bool_),
        sample_rate_hz=int(manifest["sample_rate_hz"]),
    )


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a finished cache.

    Raises:
        AudioError: there is none, or it is of another format.
    """
    path = folder / MANIFEST_NAME
    try:
        manifest = read_json(path)
    except FileNotFoundError as error:
        raise AudioError(f"{folder} is no audio cache; make one: edge-codec prepare") from error
    except OSError as error:
        raise AudioError(f"cannot read {path}: {error.strerror}; prepare it again") from error
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
