"""docs/protocol.md says what the golden packets and the code say."""

import json
import re
from pathlib import Path

import pytest

from edge_codec.firmware_bridge import PROFILES, modes, needed_bps
from edge_codec.firmware_bridge.framing import stuff
from edge_codec.firmware_bridge.profile import framed_bytes, profile_id

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "protocol.md").read_text()
GOLDEN = json.loads((ROOT / "tests" / "golden" / "link" / "packets.json").read_text())
EXAMPLES = re.findall(r"```(packet|wire) (\w+)\n(.*?)```", PAGE, re.DOTALL)


def test_the_page_works_through_every_kind_of_packet() -> None:
    assert {name.split("_")[0] for _, name, _ in EXAMPLES} == {"hello", "voice", "end"}


@pytest.mark.parametrize(("form", "name", "text"), EXAMPLES)
def test_examples_are_the_golden_packets(form: str, name: str, text: str) -> None:
    digits = "".join(line.partition("#")[0] for line in text.splitlines())
    assert digits.replace(" ", "") == GOLDEN["packets"][name][form]


def test_stuffing_table() -> None:
    rows = re.findall(r"^\| `([0-9A-F ]+)` \| `([0-9A-F ]+)` \|$", PAGE, re.MULTILINE)
    assert len(rows) == 3
    for data, stuffed in rows:
        assert stuff(bytes.fromhex(data)) == bytes.fromhex(stuffed)


def test_mode_table() -> None:
    table = PAGE.split("<!-- modes -->")[1].split("<!-- /modes -->")[0]
    rows = [line.strip("| ").split(" | ") for line in table.strip().splitlines()[2:]]
    assert len(rows) == len(PROFILES)
    for row, mode in zip(rows, modes(), strict=True):
        profile = mode.profile
        assert row == [
            mode.name,
            f"0x{profile_id(profile):02X}",
            str(profile.layers),
            str(profile.base_layers),
            str(profile.frames_per_superframe),
            str(profile.superframe_ms),
            str(framed_bytes(profile.packet_bytes())),
            f"{profile.gross_bitrate_bps():.0f}",
            f"{needed_bps(profile):.0f}",
            str(mode.mouth_to_ear_ms),
        ]
