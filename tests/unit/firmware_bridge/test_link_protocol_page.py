"""docs/protocol.md says what the golden packets and the code say."""

import json
import re
from pathlib import Path

import pytest

from edge_codec.firmware_bridge import PROFILES, Framing, Mode, RawFormat, modes
from edge_codec.firmware_bridge.ax25 import Ax25Address, UiFrame, pack_ui
from edge_codec.firmware_bridge.control import Kind, Stat, unpack_control
from edge_codec.firmware_bridge.envelope import VOICE_ADDRESS
from edge_codec.firmware_bridge.framing import stuff
from edge_codec.firmware_bridge.keying import KeyState
from edge_codec.firmware_bridge.profile import framed_bytes, profile_id

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "protocol.md").read_text()
GOLDEN = json.loads((ROOT / "tests" / "golden" / "link" / "packets.json").read_text())
RAW_GOLDEN = json.loads((ROOT / "tests" / "golden" / "link" / "raw_frames.json").read_text())
SECURED_GOLDEN = json.loads((ROOT / "tests" / "golden" / "link" / "secured.json").read_text())
EXAMPLES = re.findall(r"```(packet|wire) (\w+)\n(.*?)```", PAGE, re.DOTALL)


def test_the_page_works_through_every_kind_of_packet() -> None:
    assert {name.split("_")[0] for _, name, _ in EXAMPLES} == {"hello", "voice", "end"}


@pytest.mark.parametrize(("form", "name", "text"), EXAMPLES)
def test_examples_are_the_golden_packets(form: str, name: str, text: str) -> None:
    digits = "".join(line.partition("#")[0] for line in text.splitlines())
    assert digits.replace(" ", "") == GOLDEN["packets"][name][form]


def test_secured_examples_are_the_golden_packets() -> None:
    examples = re.findall(r"```secured (\w+) (\w+)\n(.*?)```", PAGE, re.DOTALL)
    assert len(examples) == 3
    for suite, name, text in examples:
        digits = "".join(line.partition("#")[0] for line in text.splitlines())
        assert digits.replace(" ", "") == SECURED_GOLDEN["suites"][suite][name]
        assert f"`{SECURED_GOLDEN['suites'][suite]['key']}`" in PAGE


def test_raw_example_is_the_golden_frame() -> None:
    ((name, number, text),) = re.findall(r"```frame (\w+) (\d)\n(.*?)```", PAGE, re.DOTALL)
    assert bytes.fromhex(text).hex() == RAW_GOLDEN["spurts"][name][int(number)]


def test_raw_numbers_in_the_text() -> None:
    assert f"0x5A7{RAW_GOLDEN['golay']['5a7'][3:].upper()}" in PAGE
    assert f"gives 0x{RAW_GOLDEN['crc8'][b'123456789'.hex()].upper()}" in PAGE
    assert f"n = 784: s = {RAW_GOLDEN['strides']['784']}" in PAGE
    assert f"`{bytes.fromhex(RAW_GOLDEN['whitening'])[:8].hex(' ').upper()}`" in PAGE
    for form in ("full", "punctured"):
        assert f"`{RAW_GOLDEN['convolution'][form]}`" in PAGE


def test_stuffing_table() -> None:
    rows = re.findall(r"^\| `([0-9A-F ]+)` \| `([0-9A-F ]+)` \|$", PAGE, re.MULTILINE)
    assert len(rows) == 3
    for data, stuffed in rows:
        assert stuff(bytes.fromhex(data)) == bytes.fromhex(stuffed)


def table_between(mark: str) -> list[list[str]]:
    table = PAGE.split(f"<!-- {mark} -->")[1].split(f"<!-- /{mark} -->")[0]
    return [line.strip("| ").split(" | ") for line in table.strip().splitlines()[2:]]


def last_columns(mode: Mode) -> list[str]:
    return [
        f"{mode.overhead():.0%}",
        f"{mode.needed_bps():.0f}",
        str(mode.mouth_to_ear_ms),
        f"{mode.survived_ber(base_only=True):.0e}",
        f"{mode.survived_ber():.0e}",
    ]


def test_mode_table() -> None:
    rows = table_between("modes")
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
            *last_columns(mode),
        ]


def test_raw_mode_table() -> None:
    for row, mode in zip(table_between("raw modes"), modes(framing=Framing.RAW), strict=True):
        profile, form = mode.profile, RawFormat(mode.profile)
        assert row == [
            mode.name,
            str(profile.layers),
            str(profile.base_layers),
            str(profile.frames_per_superframe),
            str(form.groups),
            str(profile.superframe_ms),
            str(form.frame_bytes),
            f"{form.gross_bitrate_bps():.0f}",
            *last_columns(mode),
        ]


def test_ax25_example_is_what_the_code_sends() -> None:
    frame = pack_ui(
        UiFrame(destination=VOICE_ADDRESS, source=Ax25Address("AB1CD", 5), content=b"\x40")
    )
    lines = re.search(r"```\n(8a 88.*?)\.\.\.\n```", PAGE, re.DOTALL)[1].splitlines()
    assert frame == bytes.fromhex("".join(line.partition("#")[0] for line in lines))


def test_control_example_and_table_are_what_the_code_sends() -> None:
    stat = bytes.fromhex(re.search(r"`(06 0b [0-9a-f ]+)`: −97 dBm", PAGE)[1])
    expected = Stat(
        rssi_dbm=-97, snr_db=12, tx_free_bytes=400, queue_ms=250, errors=3, is_keyed=True
    )
    assert unpack_control(stat) == expected
    rows = re.findall(r"^\| (\d) \| ([A-Z]+)[ ,|]", PAGE.partition("## 12.")[2], re.MULTILINE)
    assert [(int(n), name) for n, name in rows] == [(kind.value, kind.name) for kind in Kind]


def test_keying_table_has_every_state() -> None:
    table = PAGE.partition("## 13.")[2]
    assert re.findall(r"^\| ([A-Z]+) \|", table, re.MULTILINE) == [s.name for s in KeyState]
