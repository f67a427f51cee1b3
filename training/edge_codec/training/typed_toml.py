"""TOML to dataclasses, key by key: unknown keys, missing keys and wrong types are errors.

Knows dataclasses, tuples, dicts by string, unions told apart by a field `kind`, and plain types;
nothing of recipes. Standard library only.
"""

import difflib
import tomllib
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from types import UnionType
from typing import Any, TypeVar, get_args, get_type_hints

from edge_codec.runtime.errors import ConfigError
from edge_codec.training.text_file import read_text

T = TypeVar("T")


def read_table(path: Path) -> dict[str, Any]:
    """What a TOML file says; nothing of it is checked yet.

    Raises:
        ConfigError: the file is missing or not TOML.
    """
    try:
        return tomllib.loads(read_text(path))
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}; give a TOML file") from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path} is not TOML: {error}") from error


def build(cls: type[T], data: dict[str, Any], *, where: str = "file") -> T:
    """Dataclass from nested dictionaries, checked key by key.

    Raises:
        ConfigError: an unknown key (the nearest valid one is named), a missing key, a wrong type.
    """
    if not isinstance(data, dict):
        raise ConfigError(f"{where}: expected a table, got {data!r:.80}")
    hints = get_type_hints(cls)
    known = {f.name: f for f in fields(cls)}  # type: ignore[arg-type]
    for key in data:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else f"; valid keys: {', '.join(known)}"
            raise ConfigError(f"{where}: unknown key {key!r}{hint}")
    for name, item in known.items():
        if name not in data and item.default is MISSING and item.default_factory is MISSING:
            raise ConfigError(f"{where}: missing key {name!r}")
    return cls(**{k: _convert(hints[k], v, where=f"{where}.{k}") for k, v in data.items()})


def _convert(hint: Any, value: Any, *, where: str) -> Any:
    if is_dataclass(hint) or isinstance(hint, UnionType):
        if isinstance(hint, UnionType):
            hint = _chosen_kind(hint, value, where=where)
        return build(hint, value, where=where)
    if getattr(hint, "__origin__", None) is tuple and isinstance(value, list | tuple):
        item_hint = hint.__args__[0]
        if hint.__args__[-1] is not Ellipsis and len(value) != len(hint.__args__):
            raise ConfigError(f"{where}: expected {len(hint.__args__)} values, got {len(value)}")
        return tuple(_convert(item_hint, item, where=where) for item in value)
    if getattr(hint, "__origin__", None) is dict and isinstance(value, dict):
        item_hint = hint.__args__[1]
        return {k: _convert(item_hint, v, where=f"{where}.{k}") for k, v in value.items()}
    if hint is float and type(value) is int:
        return float(value)
    if type(value) is not hint:
        raise ConfigError(f"{where}: expected {getattr(hint, '__name__', hint)}, got {value!r}")
    return value


def _chosen_kind(union: UnionType, value: dict[str, Any], *, where: str) -> Any:
    """The member of a union of configurations whose `kind` the table names; the first if none."""
    members = get_args(union)
    kinds: dict[Any, Any] = {
        next(f.default for f in fields(m) if f.name == "kind"): m for m in members
    }
    first = next(iter(kinds))
    kind = value.get("kind", first) if isinstance(value, dict) else first
    if kind not in list(kinds):  # a list compares; what cannot be hashed would break a look-up
        raise ConfigError(f"{where}.kind: expected one of {', '.join(kinds)}, got {kind!r}")
    return kinds[kind]
