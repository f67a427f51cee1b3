"""Files sent in parts of bounded size, over whatever moves files, checked on arrival.

Standard library only, and runs on its own: a machine that has nothing but Python unpacks with
`python3 parcels.py PARTS FOLDER`. The parts are the files end to end, cut; `parcels.json` says
which bytes are whose, with SHA-256 of every file.
"""

import hashlib
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

FORMAT_VERSION = 1
INDEX_NAME = "parcels.json"
MIB = 1 << 20
_BLOCK_BYTES = MIB


class ParcelError(Exception):
    """Parts are missing, damaged, or name places outside the folder."""


def write_parcels(files: Mapping[str, Path], out: Path, part_bytes: int) -> list[Path]:
    """Cut files into parts in `out`, which must be new or empty; the index is written last.

    Args:
        files: name on arrival, relative and with slashes -> file here.
        out: folder for parts and index.
        part_bytes: size of the largest part.
    Returns:
        What was written.
    Raises:
        ParcelError: `out` holds something already.
    """
    out.mkdir(parents=True, exist_ok=True)
    if any(out.iterdir()):
        raise ParcelError(f"{out} is not empty; name a new folder")
    writer = _Cutter(out, part_bytes)
    entries = [_add(writer, name, path) for name, path in sorted(files.items())]
    writer.close()
    index = {"format_version": FORMAT_VERSION, "parts": writer.names, "files": entries}
    (out / INDEX_NAME).write_text(json.dumps(index, indent=1))
    return [out / name for name in [*writer.names, INDEX_NAME]]


def read_parcels(folder: Path, into: Path) -> list[Path]:
    """Put the files together again below `into`; each appears whole or not at all.

    Raises:
        ParcelError: a part is missing, damaged or hostile.
    """
    index = _read_index(folder)
    stream = _Joined([folder / name for name in index["parts"]])
    return [_restore(stream, entry, into) for entry in index["files"]]


def _add(writer: "_Cutter", name: str, path: Path) -> dict[str, Any]:
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
            size += len(block)
            writer.write(block)
    return {"name": name, "bytes": size, "sha256": digest.hexdigest()}


def _read_index(folder: Path) -> dict[str, Any]:
    path = folder / INDEX_NAME
    try:
        index = json.loads(path.read_text())
        if index["format_version"] != FORMAT_VERSION:
            raise ValueError(f"format version {index['format_version']}")
        for name in [*index["parts"], *(entry["name"] for entry in index["files"])]:
            if not _is_inside(name):
                raise ValueError(f"{name!r} is outside the folder")
        if not all(type(e["bytes"]) is int and type(e["sha256"]) is str for e in index["files"]):
            raise ValueError("sizes and hashes are wrong")
    except OSError as error:
        raise ParcelError(f"{path}: {error.strerror}; is the transfer complete?") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ParcelError(f"{path} is damaged or hostile: {error}") from error
    checked: dict[str, Any] = index
    return checked


def _is_inside(name: str) -> bool:
    place = PurePosixPath(name)
    return bool(place.parts) and not place.is_absolute() and ".." not in place.parts


def _restore(stream: "_Joined", entry: Mapping[str, Any], into: Path) -> Path:
    path = into / str(entry["name"])
    path.parent.mkdir(parents=True, exist_ok=True)
    partial, digest = path.with_name(path.name + ".part"), hashlib.sha256()
    with partial.open("wb") as file:
        for block in stream.read(entry["bytes"]):
            digest.update(block)
            file.write(block)
    if digest.hexdigest() != entry["sha256"]:
        partial.unlink()
        raise ParcelError(f"{entry['name']} arrived damaged; send the parts again")
    partial.replace(path)
    return path


class _Cutter:
    """A stream that goes into files of at most so many bytes."""

    def __init__(self, folder: Path, part_bytes: int) -> None:
        self.names: list[str] = []
        self._folder = folder
        self._part_bytes = part_bytes
        self._file: BinaryIO | None = None
        self._room = 0

    def write(self, data: bytes) -> None:
        while data:
            if self._room == 0:
                self._open_next()
            assert self._file is not None
            self._file.write(data[: self._room])
            data, self._room = data[self._room :], self._room - len(data[: self._room])

    def close(self) -> None:
        if self._file is not None:
            self._file.close()

    def _open_next(self) -> None:
        self.close()
        self.names.append(f"part-{len(self.names):04d}")
        self._file = (self._folder / self.names[-1]).open("wb")
        self._room = self._part_bytes


class _Joined:
    """Parts read as one stream."""

    def __init__(self, paths: list[Path]) -> None:
        self._blocks = self._iter_blocks(paths)
        self._kept = b""

    def read(self, count: int) -> Iterator[bytes]:
        """The next `count` bytes, in blocks."""
        while count > 0:
            block = self._kept or next(self._blocks, b"")
            if not block:
                raise ParcelError("the parts end too soon; is the transfer complete?")
            yield block[:count]
            self._kept, count = block[count:], count - len(block[:count])

    @staticmethod
    def _iter_blocks(paths: list[Path]) -> Iterator[bytes]:
        for path in paths:
            try:
                with path.open("rb") as file:
                    while block := file.read(_BLOCK_BYTES):
                        yield block
            except OSError as error:
                raise ParcelError(f"{path}: {error.strerror}; is it all there?") from error


if __name__ == "__main__":
    try:
        print(f"{len(read_parcels(Path(sys.argv[1]), Path(sys.argv[2])))} files")
    except ParcelError as error:
        sys.exit(str(error))
