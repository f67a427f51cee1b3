"""Audio files of folders and tar archives, one by one, in an order that never changes.

Nothing in an archive is trusted: its names are labels, never places on this disk; links and
devices are not followed.
"""

import shutil
import tarfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from edge_codec.runtime.errors import AudioError, ConfigError
from edge_codec.training.audio_files import audio_suffix, find_audio
from edge_codec.training.layouts import Finding, find_common_voice, find_labels

MAX_FILE_BYTES = 2 << 30
"""Larger archive members are skipped: ten hours of mono 16 kHz WAV take half of it."""


class RefusedFileError(AudioError):
    """One file of a source is not taken; the others may be good."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceFile:
    """One file that calls itself audio."""

    source: str
    """Folder or archive it came from."""
    path: str
    """Its path there, as a CSV manifest would name it."""
    size_bytes: int
    """Its size, for a progress bar."""
    labels: dict[str, str]
    """What its data set's layout says of it."""
    fetch: Callable[[], Path]
    """Puts it on disk; to be called before the next file is drawn, or not at all.

    Raises RefusedFileError, or AudioError when the whole source is damaged.
    """

    @property
    def name(self) -> str:
        """Source and path: what reports call it."""
        return f"{self.source}/{self.path}"


def iter_files(sources: Sequence[Path], scratch: Path) -> Iterator[SourceFile]:
    """Audio files of all sources, in the order given; folders sorted, archives as they are.

    Args:
        sources: folders and tar files, compressed or not.
        scratch: folder for archive members; the caller deletes them.
    Raises:
        ConfigError: a source is neither a folder nor a tar file.
        AudioError: a folder holds no audio.
    """
    for source in sources:
        yield from _files_of_folder(source) if source.is_dir() else _files_of_tar(source, scratch)


def total_bytes(sources: Sequence[Path]) -> int:
    """Bytes of audio to expect, about: an archive counts whole.

    Raises:
        ConfigError: a source is neither a folder nor a tar file.
    """
    return sum(_size_bytes(source) for source in sources)


def _size_bytes(source: Path) -> int:
    if source.is_dir():
        return sum(path.stat().st_size for path in find_audio(source))
    if not source.is_file() or not tarfile.is_tarfile(source):
        raise ConfigError(f"{source} is neither a folder nor a tar file")
    return source.stat().st_size


def _files_of_folder(folder: Path) -> Iterator[SourceFile]:
    tables = find_common_voice(folder)
    for path in find_audio(folder):
        place = path.relative_to(folder).as_posix()
        finding = tables.get(place) or find_labels(f"{folder.resolve().name}/{place}")
        yield SourceFile(
            source=folder.name,
            path=place,
            size_bytes=path.stat().st_size,
            labels=finding.labels,
            fetch=partial(_refuse_or, finding, partial(Path, path)),
        )


def _files_of_tar(archive: Path, scratch: Path) -> Iterator[SourceFile]:
    # "|": read front to back once, which also suits compressed archives.
    with _reports_damage(archive), tarfile.open(archive, "r|*") as tar:
        for index, member in enumerate(tar):
            if suffix := audio_suffix(member.name):
                copy = scratch / f"{archive.name}-{index}{suffix}"
                finding = find_labels(f"{archive.name}/{member.name}")
                yield SourceFile(
                    source=archive.name,
                    path=member.name,
                    size_bytes=member.size,
                    labels=finding.labels,
                    fetch=partial(_refuse_or, finding, partial(_extract, tar, member, copy)),
                )


def _refuse_or(finding: Finding, fetch: Callable[[], Path]) -> Path:
    if finding.refusal:
        raise RefusedFileError(finding.refusal)
    return fetch()


def _extract(tar: tarfile.TarFile, member: tarfile.TarInfo, copy: Path) -> Path:
    if not member.isreg():
        raise RefusedFileError(f"{member.name}: a link or device, not a file")
    if member.size > MAX_FILE_BYTES:
        raise RefusedFileError(f"{member.name}: {member.size} bytes; at most {MAX_FILE_BYTES}")
    data = tar.extractfile(member)
    assert data is not None  # a regular file always has data
    with _reports_damage(Path(str(tar.name))), data, copy.open("wb") as file:
        shutil.copyfileobj(data, file)
    return copy


@contextmanager
def _reports_damage(archive: Path) -> Iterator[None]:
    try:
        yield
    except tarfile.TarError as error:
        raise AudioError(f"{archive} is damaged: {error}; get it again") from error
