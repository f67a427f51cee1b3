"""Folders and tars of audio made into the cache a trainer reads, in bounded memory.

Worker processes decode each file to a scratch file of samples; this one appends those in order,
so the result depends neither on their number nor on interruptions.
"""

import csv
import hashlib
import shutil
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from edge_codec.runtime.errors import AudioError, ConfigError
from edge_codec.runtime.loudness import LoudnessMeter
from edge_codec.training.audio_files import iter_mono
from edge_codec.training.bandwidth import BandwidthMeter
from edge_codec.training.cache import SAMPLE_DTYPE, CachedClip
from edge_codec.training.cache_writer import CacheWriter
from edge_codec.training.parallel import draw_ahead, workers
from edge_codec.training.sources import RefusedFileError, SourceFile, iter_files, total_bytes

MAX_CLIP_S = 24 * 3600
"""A file that decodes to more is refused: it would fill the disk."""
LABEL_COLUMNS = (
    "speaker", "gender", "emotion", "language", "domain", "genre", "split", "full_band", "corpus",
    "licence",
)  # fmt: skip
"""Columns of a CSV manifest that are kept."""
Labels = Mapping[str, dict[str, str]]
"""Path of a file in its source -> what is known of it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Preparation:
    """What a finished cache holds."""

    clips: int
    """Clips."""
    audio_s: float
    """Their total length, seconds."""
    skipped: dict[str, str]
    """Source file -> why it could not be used."""
    missing: list[str]
    """Files that `labels` know and the sources do not have."""


def prepare(
    out: Path,
    sources: Sequence[Path],
    *,
    rate_hz: int,
    labels: Labels | None = None,
    domain: str = "",
    shard: tuple[int, int] = (0, 1),
    jobs: int = 1,
    show_progress: bool = False,
) -> Preparation:
    """Decode every audio file of `sources` into a cache at `out`, or go on with an unfinished one.

    What a data set's layout says of a file yields to what `labels` say; a file without a domain
    belongs to `domain`. With shard (i, n) only every n-th file, from the i-th: n such caches hold
    everything, each a mixture.

    Raises:
        ConfigError: `out` holds a finished cache or one of other sources; a source is not there.
        AudioError: not one file could be used, an archive is damaged, the disk is full, or a
            decoder was killed.
    """
    size_bytes = total_bytes(sources) // shard[1]
    given = labels or {}
    missing = set(given)
    default = {"domain": domain} if domain else {}
    try:
        out.mkdir(parents=True, exist_ok=True)
        with (
            CacheWriter(out, _name_sources(sources, shard), rate_hz) as cache,
            _scratch_folder(out) as scratch,
            workers(jobs) as pool,
            tqdm(
                total=size_bytes, unit="B", unit_scale=True, disable=None if show_progress else True
            ) as bar,
        ):
            decoder = _Decoder(pool, scratch, rate_hz)
            every_file = _checked_off(iter_files(sources, scratch), missing)
            files = islice(every_file, shard[0], None, shard[1])
            tasks = map(decoder.start, _unseen(files, cache.seen))
            for task in draw_ahead(tasks, 2 * jobs):
                _store(cache, task, default | task.file.labels | given.get(task.file.path, {}))
                bar.update(task.file.size_bytes)
            if not cache.clips:
                raise AudioError(f"not one usable file among {len(cache.skipped)}: {cache.skipped}")
            cache.finish()
    except OSError as error:
        raise AudioError(f"{out}: {error}; mend that and run again, it will go on") from error
    return Preparation(
        clips=len(cache.clips),
        audio_s=cache.samples / rate_hz,
        skipped=cache.skipped,
        missing=sorted(missing),
    )


def _name_sources(sources: Sequence[Path], shard: tuple[int, int]) -> list[str]:
    """What an unfinished cache is recognised by."""
    whole = shard == (0, 1)
    return [str(source) for source in sources] + ([] if whole else [f"shard {shard}"])


def load_labels(path: Path) -> Labels:
    """Read a CSV manifest with a column `file` and any of `LABEL_COLUMNS`.

    Raises:
        ConfigError: it cannot be read, or has no such column.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        return {
            row["file"] or "": {column: row[column] for column in LABEL_COLUMNS if row.get(column)}
            for row in rows
        }
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"{path}: cannot be read as CSV ({error})") from error
    except KeyError as error:
        raise ConfigError(f"{path}: needs a column {error} with the path of each clip") from error


def to_int16(audio_T: NDArray[np.float32]) -> NDArray[np.int16]:
    """Round to 16 bits, full scale 32768, clipping what is louder."""
    return np.clip(np.rint(audio_T * 32768), -32768, 32767).astype(SAMPLE_DTYPE)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Decoded:
    """What a worker found out about a source file."""

    samples: int
    sha256: str
    loudness_lufs: float | None
    full_band: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class _Task:
    """One source file on its way through a worker."""

    file: SourceFile
    samples_path: Path
    """Where the worker writes int16 samples."""
    decoded: "Future[_Decoded]"
    """AudioError: it cannot be used."""


class _Decoder:
    """Hands source files to workers."""

    def __init__(self, pool: Executor, scratch: Path, rate_hz: int) -> None:
        self._pool = pool
        self._scratch = scratch
        self._rate_hz = rate_hz
        self._count = 0

    def start(self, file: SourceFile) -> _Task:
        """Fetch the file and queue it."""
        self._count += 1
        samples_path = self._scratch / f"{self._count}.s16"
        return _Task(file=file, samples_path=samples_path, decoded=self._queue(file, samples_path))

    def _queue(self, file: SourceFile, samples_path: Path) -> "Future[_Decoded]":
        try:
            path = file.fetch()
        except RefusedFileError as error:
            return _failed(error)
        is_copy = path.parent == self._scratch
        try:
            return self._pool.submit(_decode, path, samples_path, self._rate_hz, is_copy)
        except BrokenProcessPool as error:
            return _failed(error)


def _failed(error: Exception) -> "Future[_Decoded]":
    failed: Future[_Decoded] = Future()
    failed.set_exception(error)
    return failed


def _decode(path: Path, samples_path: Path, rate_hz: int, is_copy: bool) -> _Decoded:
    samples, loudness, bandwidth = 0, LoudnessMeter(rate_hz), BandwidthMeter(rate_hz)
    try:
        with samples_path.open("wb") as out:
            for chunk_T in iter_mono(path, rate_hz):
                samples += len(chunk_T)
                if samples > MAX_CLIP_S * rate_hz:
                    raise AudioError(f"{path.name}: longer than {MAX_CLIP_S} s")
                out.write(to_int16(chunk_T).tobytes())
                loudness.push(chunk_T)
                bandwidth.push(chunk_T)
        if samples == 0:
            raise AudioError(f"{path.name}: shorter than a sample at {rate_hz} Hz")
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    finally:
        if is_copy:
            path.unlink()
    return _Decoded(
        samples=samples,
        sha256=digest,
        loudness_lufs=loudness.lufs(),
        full_band=bandwidth.is_full_band(),
    )


def _store(cache: CacheWriter, task: _Task, labels: dict[str, str]) -> None:
    name = task.file.name
    try:
        decoded = task.decoded.result()
    except AudioError as error:
        cache.skip(name, str(error))
    except BrokenProcessPool as error:
        raise AudioError(
            f"a decoder was killed, by {name} or one soon after it, or for want of memory; "
            "move that file away, or take fewer --jobs, and run again, it will go on"
        ) from error
    else:
        clip = CachedClip(source=name, offset=cache.samples, labels=labels, **asdict(decoded))
        cache.append(name, task.samples_path, clip)
    task.samples_path.unlink(missing_ok=True)


def _checked_off(files: Iterator[SourceFile], missing: set[str]) -> Iterator[SourceFile]:
    """The same files; each is taken off the list."""
    for file in files:
        missing.discard(file.path)
        yield file


def _unseen(files: Iterator[SourceFile], seen: Sequence[str]) -> Iterator[SourceFile]:
    """The files an earlier run did not come to."""
    for name in seen:
        if (file := next(files, None)) is None or file.name != name:
            raise ConfigError(f"{name} is gone since the run began: delete the cache, start again")
    yield from files


@contextmanager
def _scratch_folder(out: Path) -> Iterator[Path]:
    scratch = out / "scratch"
    shutil.rmtree(scratch, ignore_errors=True)  # left by a run that was killed
    scratch.mkdir()
    try:
        yield scratch
    finally:
        shutil.rmtree(scratch)
