"""Small text files: recipes, manifests, checkpoint facts. Standard library only."""

import errno
import json
import os
from pathlib import Path
from typing import Any

MAX_BYTES = 1 << 28
"""A manifest of a million clips; a disk image is not read into memory."""


def read_text(path: Path) -> str:
    """Content of a UTF-8 file.

    Raises:
        OSError: it cannot be read, or is too large to be what is looked for.
        UnicodeDecodeError: it is not text.
    """
    if path.stat().st_size > MAX_BYTES:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), str(path))
    return path.read_bytes()[:MAX_BYTES].decode()


def read_json(path: Path) -> Any:
    """Content of a JSON file.

    Raises:
        OSError: see `read_text`.
        ValueError: it is not JSON.
    """
    try:
        return json.loads(read_text(path))
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
