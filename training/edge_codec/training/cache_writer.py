"""Writes the audio cache clip by clip; a run that was killed goes on where it stopped.

A journal holds one JSON line per source file, written after its samples are appended. Opening it
again cuts the audio back to what the journal says, so a clip is there whole or not at all.
"""

import json
import shutil
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO

from edge_codec.runtime.errors import AudioError, ConfigError
from edge_codec.training.cache import (
    AUDIO_NAME,
    MANIFEST_NAME,
    SAMPLE_DTYPE,
    CachedClip,
    write_manifest,
)

JOURNAL_NAME = "journal.jsonl"


class CacheWriter:
    """An unfinished cache, open for appending; a context manager."""

    def __init__(self, folder: Path, sources: list[str], rate_hz: int) -> None:
        """Start a cache in `folder`, or go on with the unfinished one there.

        Raises:
            ConfigError: the folder holds a finished cache, one of other sources, or a damaged one.
            AudioError: the audio is shorter than the journal says.
        """
        if (folder / MANIFEST_NAME).exists():
            raise ConfigError(f"{folder} already holds a cache; delete it or choose another folder")
        self._folder = folder
        self._rate_hz = rate_hz
        header = {"sources": sources, "sample_rate_hz": rate_hz}
        journal = folder / JOURNAL_NAME
        try:
            lines = list(_read_journal(journal)) or [header]
            self.seen = [line["name"] for line in lines[1:]]
            self.clips = [CachedClip(**line["clip"]) for line in lines[1:] if "clip" in line]
            self.skipped = {line["name"]: line["reason"] for line in lines[1:] if "reason" in line}
        except (ValueError, KeyError, TypeError) as error:
            raise ConfigError(f"{journal} is damaged ({error}); delete {folder}") from error
        if lines[0] != header:
            raise ConfigError(f"{folder} is an unfinished cache of other sources; delete it first")
        self._audio = _open_at(folder / AUDIO_NAME, self.samples * SAMPLE_DTYPE.itemsize)
        self._journal = journal.open("w", encoding="utf-8")
        self._write(*lines)

    def __enter__(self) -> "CacheWriter":
        return self

    def __exit__(self, *error: object) -> None:
        self._audio.close()
        self._journal.close()

    @property
    def samples(self) -> int:
        """Samples of all clips so far."""
        return sum(clip.samples for clip in self.clips)

    def append(self, name: str, samples_path: Path, clip: CachedClip) -> None:
        """Append the samples in a file (int16, little-endian) as the next clip."""
        with samples_path.open("rb") as samples:
            shutil.copyfileobj(samples, self._audio)
        self._audio.flush()
        self.clips.append(clip)
        self._write({"name": name, "clip": asdict(clip)})

    def skip(self, name: str, reason: str) -> None:
        """Note that a source file has no place in the cache, and why."""
        self.skipped[name] = reason
        self._write({"name": name, "reason": reason})

    def finish(self) -> None:
        """Declare the cache finished; the writer is of no use afterwards."""
        write_manifest(self._folder, self._rate_hz, self.clips, self.skipped)
        (self._folder / JOURNAL_NAME).unlink()

    def _write(self, *lines: dict[str, Any]) -> None:
        self._journal.writelines(json.dumps(line) + "\n" for line in lines)
        self._journal.flush()


def _read_journal(path: Path) -> Iterator[dict[str, Any]]:
    if not path.exists():
        return
    for line in path.read_text(encoding="utf-8").splitlines(keepends=True):
        if line.endswith("\n"):  # the last one may have been cut by a kill
            yield json.loads(line)


def _open_at(path: Path, size_bytes: int) -> BinaryIO:
    path.touch()
    if path.stat().st_size < size_bytes:
        raise AudioError(f"{path} is shorter than its journal says; delete {path.parent}")
    audio = path.open("r+b")
    audio.truncate(size_bytes)
    audio.seek(size_bytes)
    return audio
