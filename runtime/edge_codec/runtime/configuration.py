"""Flags from a TOML file: `--config FILE`, for services and for those who type the same each day.

Keys are flags without their dashes. Those at the top are for every command that reads the file,
those in a table of a command's name for that command. What is typed goes before what the file says.
"""

import argparse
import difflib
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from edge_codec.runtime.errors import ConfigError

OPTION = "--config"
TABLES = ("rx", "tx")
"""The commands that take `--config`."""
_NOT_IN_FILES = {"config", "debug", "help"}


def add_config_option(parser: argparse.ArgumentParser) -> None:
    """Let a command take its flags from a file, too."""
    parser.add_argument(
        OPTION,
        metavar="FILE",
        help="TOML file with any of these flags, as in `baud = 9600`; flags given here go first",
    )


class ConfigurableParser(argparse.ArgumentParser):
    """A parser that puts the flags of `--config FILE` before those that were typed."""

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """Parse words.

        Raises:
            ConfigError: the file cannot be read, or says something that no flag does.
        """
        if args is None or OPTION not in self._option_string_actions:
            return super().parse_known_args(args, namespace)
        finder = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
        finder.add_argument(OPTION, default=None)
        path = finder.parse_known_args(args)[0].config
        words = [] if path is None else list(self._words_of(path, args))
        return super().parse_known_args([*words, *args], namespace)

    def _words_of(self, path: str, typed: Sequence[str]) -> Iterator[str]:
        flags = {
            option.removeprefix("--"): action
            for option, action in self._option_string_actions.items()
            if option.startswith("--")
        }
        for name in _NOT_IN_FILES:
            flags.pop(name, None)
        for key, value in _load(path, self.prog.rpartition(" ")[2]).items():
            action = flags.get(key)
            if action is None:
                raise ConfigError(f"{path}: {key} is not known{_suggest(key, flags)}")
            if not self._is_overruled(action, typed):
                yield from _words(path, key, value, is_switch=action.nargs == 0)

    def _is_overruled(self, action: argparse.Action, typed: Sequence[str]) -> bool:
        """Whether a flag was typed that excludes this one."""
        options = {word.partition("=")[0] for word in typed}
        return any(
            options & set(other.option_strings)
            for group in self._mutually_exclusive_groups
            if action in group._group_actions
            for other in group._group_actions
        )


def _load(path: str, command: str) -> dict[str, Any]:
    """The keys of a file that are meant for a command."""
    try:
        table = tomllib.loads(Path(path).read_text("utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:
        raise ConfigError(f"{path} is not TOML: {error}") from error
    keys = {key: value for key, value in table.items() if key not in TABLES}
    own = table.get(command, {})
    if not isinstance(own, dict):
        raise ConfigError(f"{path}: {command} is a table: write [{command}] above its keys")
    return keys | own


def _words(path: str, key: str, value: object, *, is_switch: bool) -> list[str]:
    if is_switch != isinstance(value, bool):
        wanted = "true or false" if is_switch else "a number or text"
        raise ConfigError(f"{path}: {key} must be {wanted}, got {value!r}")
    if is_switch:
        return [f"--{key}"] if value else []
    if not isinstance(value, str | int | float) or "\0" in str(value):
        raise ConfigError(f"{path}: {key} must be a number or text, got {value!r}")
    return [f"--{key}={value}"]


def _suggest(key: str, known: dict[str, argparse.Action]) -> str:
    near = difflib.get_close_matches(key.replace("_", "-"), [*known, *TABLES], 1)
    return f": did you mean {near[0]}?" if near else f"; it may have {', '.join(sorted(known))}"
