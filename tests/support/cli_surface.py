"""The commands, flags and defaults that scripts rely on, as text.

`make cli-surface` writes them to `tests/golden/cli_surface.txt`; a line that goes or changes there
breaks someone's script and needs a line in CHANGELOG.md.
"""

import argparse
from collections.abc import Iterator
from importlib import import_module

from support.repository import REPOSITORY, read_project

GOLDEN = REPOSITORY / "tests" / "golden" / "cli_surface.txt"


def render_surface() -> str:
    """One line per argument of every command, in the order of `--help`."""
    entry_points = read_project()["project"]["entry-points"]["edge_codec.commands"]
    subparsers = argparse.ArgumentParser(prog="edge-codec").add_subparsers()
    for target in entry_points.values():
        module, _, function = target.partition(":")
        getattr(import_module(module), function)(subparsers)
    lines = (
        line for name in sorted(subparsers.choices) for line in _lines(subparsers.choices[name])
    )
    return "".join(f"{line}\n" for line in lines)


def _lines(parser: argparse.ArgumentParser) -> Iterator[str]:
    command = parser.prog.split(maxsplit=1)[-1]
    for action in parser._actions:
        if isinstance(action, argparse._HelpAction):
            continue
        if isinstance(action, argparse._SubParsersAction):
            for subparser in action.choices.values():
                yield from _lines(subparser)
            continue
        words = [command, *action.option_strings] if action.option_strings else [command]
        words += [str(action.metavar or action.dest)] if action.nargs != 0 else []
        words += [f"nargs={action.nargs}"] if action.nargs not in (None, 0) else []
        words += ["|".join(map(str, action.choices))] if action.choices else []
        words += ["required"] if action.required else [f"default={action.default}"]
        yield " ".join(words)


if __name__ == "__main__":
    GOLDEN.write_text(render_surface(), encoding="utf-8")
