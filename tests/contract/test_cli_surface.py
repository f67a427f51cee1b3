"""Commands, flags and defaults stay as they were, and every command explains itself."""

import argparse
from importlib import import_module

import pytest

from support.cli_surface import GOLDEN, render_surface
from support.repository import read_project

COMMANDS = read_project()["project"]["entry-points"]["edge_codec.commands"]


def test_no_flag_changes_unnoticed():
    assert render_surface() == GOLDEN.read_text(encoding="utf-8")


@pytest.mark.parametrize("command", COMMANDS)
def test_help_describes_and_gives_examples(command):
    module, _, function = COMMANDS[command].partition(":")
    subparsers = argparse.ArgumentParser(prog="edge-codec").add_subparsers()
    getattr(import_module(module), function)(subparsers)
    shown = subparsers.choices[command].format_help()
    assert subparsers.choices[command].description
    assert "examples:" in shown
    assert f"edge-codec {command}" in shown.partition("examples:")[2]
    for action in subparsers.choices[command]._actions:
        assert action.help or action.choices, f"{command} {action.dest} has no help"
