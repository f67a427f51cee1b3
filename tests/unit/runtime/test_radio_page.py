"""The commands that docs/radio.md tells people to type are commands that exist."""

import argparse
import re
import shlex
from pathlib import Path

import pytest

from edge_codec.firmware_bridge import Line
from edge_codec.runtime.bundle import load_bundle
from edge_codec.runtime.commands import channel, demo, keygen, link_budget, modes, rx, sdp, tx
from edge_codec.runtime.configuration import ConfigurableParser
from edge_codec.runtime.ports import is_line
from edge_codec.runtime.transceiver.assembly import choose_mode
from support.repository import REPOSITORY
from support.stub_bundle import STUB_BUNDLE

PAGE = (REPOSITORY / "docs" / "radio.md").read_text()
COMMANDS = [
    command.strip()
    for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
    for line in block.splitlines()
    for command in line.split("|")
    if command.strip().startswith("edge-codec")
]


@pytest.mark.parametrize("command", COMMANDS)
def test_command_of_the_page_can_be_parsed(command: str) -> None:
    parser = argparse.ArgumentParser(exit_on_error=False)
    subparsers = parser.add_subparsers(required=True)
    for module in (channel, demo, keygen, link_budget, modes, rx, sdp, tx):
        module.register(subparsers)
    args = parser.parse_args(shlex.split(command)[1:])
    assert callable(args.run)


def test_highest_bitrates_of_the_page_are_those_that_fit() -> None:
    rows = re.findall(r"^\| (\d+)[^|]* \| (\d+) \| ([\d.]+) s \|", PAGE, re.MULTILINE)
    assert len(rows) == 4
    spec = load_bundle(STUB_BUNDLE).spec
    for baud, bitrate, delay in rows:
        line = Line(baud=int(baud))
        profile = choose_mode(spec, float(bitrate), line).profile
        assert 2 * profile.superframe_s + 0.06 == pytest.approx(float(delay), abs=0.05)
        if int(bitrate) < 6000:
            with pytest.raises(Exception, match=f"P{bitrate} would fit"):
                choose_mode(spec, float(bitrate) + 500, line)


def test_ports_of_the_page_are_what_it_says() -> None:
    assert is_line("/dev/ttyUSB0")
    assert not is_line("packets.bin")


def test_configuration_of_the_page_is_known(tmp_path: Path) -> None:
    path = tmp_path / "radio.toml"
    path.write_text(re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)[0])
    parser = ConfigurableParser(prog="edge-codec")
    subparsers = parser.add_subparsers(required=True)
    for module in (rx, tx):
        module.register(subparsers)
    assert parser.parse_args(["tx", "--config", str(path)]).callsign == "AB1CD"
    assert parser.parse_args(["rx", "--config", str(path)]).baud == 9600
