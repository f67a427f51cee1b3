"""Key files: one secret in one line of text, for the eyes of its owner alone.

Also the file next to it that remembers which secured streams were heard, so that recorded ones
are not heard again after a restart.
"""

import contextlib
import json
import logging
import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edge_codec.firmware_bridge import Heard, fingerprint
from edge_codec.runtime.errors import ConfigError

_LOG = logging.getLogger(__name__)
_LINE = re.compile(rb"edge-codec-key-1 ([0-9a-f]{64})\s*")
_MAX_BYTES = 4096
_MAX_HEARD_BYTES = 1 << 20
_FORBIDDEN_BITS = 0o077


def write_key(path: Path, secret: bytes, *, replaces: bool) -> None:
    """Write a new key file, readable by its owner alone; whole or not at all.

    Raises:
        ConfigError: the file exists and `replaces` is false, or it cannot be written.
    """
    if "\0" in str(path) or (path.exists() and not path.is_file()):
        raise ConfigError(f"{str(path)!r} cannot be a key file; give the name of a file to write")
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        if path.exists() and not replaces:
            raise FileExistsError
        _write_private(temporary, f"edge-codec-key-1 {secret.hex()}\n".encode())
        if replaces:
            temporary.replace(path)
        else:
            path.hardlink_to(temporary)  # unlike a rename it never replaces a file
    except FileExistsError as error:
        raise ConfigError(
            f"{path} exists; give another name, or --force to replace the key for good"
        ) from error
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror}; give another place") from error
    finally:
        _remove(temporary)


def load_key(path: Path) -> bytes:
    """The secret in a key file.

    Raises:
        ConfigError: missing, open to others than its owner, or not a key file.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            state = os.fstat(descriptor)
            text = file.read(_MAX_BYTES) if stat.S_ISREG(state.st_mode) else b""
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"cannot read the key {path}: {_reason(error)}; `edge-codec keygen {path}` makes one"
        ) from error
    if state.st_mode & _FORBIDDEN_BITS:
        raise ConfigError(
            f"the key {path} is open to others (mode {stat.S_IMODE(state.st_mode):04o}):"
            f" `chmod 600 {path}`, and make a new key if somebody may have read it"
        )
    line = _LINE.fullmatch(text)
    if line is None:
        raise ConfigError(f"{path} is not a key file; `edge-codec keygen FILE` makes one")
    return bytes.fromhex(line[1].decode())


class HeardFile:
    """The newest secured stream of each sender, kept in a file."""

    def __init__(self, path: Path, secret: bytes) -> None:
        """Name the file; other keys' entries in it do not count."""
        self._path = path
        self._fingerprint = fingerprint(secret)

    def load(self) -> dict[str, Heard]:
        """What was heard; nothing if there is no file yet.

        Raises:
            ConfigError: the file is damaged.
        """
        try:
            with self._path.open("rb") as file:
                record = json.loads(file.read(_MAX_HEARD_BYTES))
            if record["key"] != self._fingerprint:
                return {}
            return {source: _heard(entry) for source, entry in record["sources"].items()}
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise ConfigError(f"cannot read {self._path}: {error.strerror}") from error
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise ConfigError(
                f"{self._path} is damaged; delete it, and streams recorded before can be replayed"
            ) from error

    def save(self, heard: Mapping[str, Heard]) -> None:
        """Replace the file, whole or not at all.

        Raises:
            ConfigError: it cannot be written.
        """
        sources = {
            source: [entry.epoch, entry.nonce.hex(), entry.next_voice, entry.next_message]
            for source, entry in heard.items()
        }
        record = {"key": self._fingerprint, "sources": sources}
        temporary = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        try:
            _write_private(temporary, json.dumps(record).encode())
            temporary.replace(self._path)
        except OSError as error:
            raise ConfigError(
                f"cannot write {self._path}: {error.strerror}; it keeps recorded streams from being"
                " heard again, so put the key where this user may write"
            ) from error

    def keep(self, heard: Mapping[str, Heard]) -> None:
        """As `save`; while a receiver is at work a full disk is only worth a warning."""
        try:
            self.save(heard)
        except ConfigError as error:
            _LOG.warning("%s", error)


def _heard(entry: Any) -> Heard:
    epoch, nonce, next_voice, next_message = entry
    if not 0 <= epoch <= 255 or min(next_voice, next_message) < 0:
        raise ValueError(entry)
    return Heard(epoch, bytes.fromhex(nonce), int(next_voice), int(next_message))


def _write_private(path: Path, data: bytes) -> None:
    """Write a file that nobody else can read, down to the disk."""
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(descriptor)


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink()


def _reason(error: OSError | ValueError) -> str:
    return getattr(error, "strerror", None) or str(error)
