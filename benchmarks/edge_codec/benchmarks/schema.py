"""Dataclasses to JSON and back, strictly: a record from a stranger's board is data, not trusted.

Knows dataclasses, lists, dicts by string, optional values and plain types; nothing of benchmarks.
"""

import json
import math
import re
import types
from dataclasses import asdict, fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from edge_codec.runtime.errors import ConfigError

T = TypeVar("T")

MAX_RECORD_BYTES = 1 << 24
"""A record of every bench with raw samples takes a few hundred kB."""
_NUMBER_LIST = re.compile(r"\[\s+([-+.\deE,\s]+?)\s+\]")


def to_json(value: Any) -> str:
    """A dataclass as JSON that reads well in a diff: lists of numbers on one line."""
    text = json.dumps(asdict(value), indent=1, allow_nan=False, ensure_ascii=False)
    return _NUMBER_LIST.sub(lambda found: f"[{' '.join(found[1].split())}]", text) + "\n"


def load(kind: type[T], path: Path) -> T:
    """Read one `kind` from a JSON file.

    Raises:
        ConfigError: the file cannot be read, or is not what `kind` describes.
    """
    try:
        if path.stat().st_size > MAX_RECORD_BYTES:
            raise ConfigError(f"{path} has over {MAX_RECORD_BYTES >> 20} MB: not a record")
        data = json.loads(path.read_bytes())
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}; check the name") from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path} is not valid JSON ({error!s:.80}); measure again") from error
    try:
        return from_plain(kind, data, kind.__name__)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error


def from_plain(kind: type[T], data: Any, where: str) -> T:
    """Build `kind` from what JSON gives.

    Raises:
        ConfigError: a field is missing, unknown or of another type; the message says which.
    """
    return _convert(kind, data, where)  # type: ignore[no-any-return]


def _convert(kind: Any, data: Any, where: str) -> Any:
    if is_dataclass(kind):
        return _convert_fields(kind, data, where)
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is list and isinstance(data, list):
        return [_convert(arguments[0], item, f"{where}[{i}]") for i, item in enumerate(data)]
    if origin is dict and isinstance(data, dict):
        return {
            key: _convert(arguments[1], item, f"{where}.{key:.60}") for key, item in data.items()
        }
    if origin is types.UnionType:
        return None if data is None else _convert(arguments[0], data, where)
    if kind is float and type(data) is int and abs(data) < 1 << 53:
        return float(data)
    if kind is float and type(data) is float and not math.isfinite(data):
        raise ConfigError(f"{where} must be a finite number")
    if type(data) is not kind:
        name = getattr(origin or kind, "__name__", str(kind))
        raise ConfigError(f"{where} must be {name}, got {data!r:.60}")
    return data


def _convert_fields(kind: Any, data: Any, where: str) -> Any:
    if not isinstance(data, dict):
        raise ConfigError(f"{where} must be an object, got {data!r:.60}")
    names = [field.name for field in fields(kind)]
    if missing := [name for name in names if name not in data]:
        raise ConfigError(f"{where} lacks {', '.join(missing)}")
    if unknown := sorted(data.keys() - set(names)):
        raise ConfigError(f"{where} has the unknown field {unknown[0]!r:.60}")
    hints = get_type_hints(kind)
    return kind(**{name: _convert(hints[name], data[name], f"{where}.{name}") for name in names})
