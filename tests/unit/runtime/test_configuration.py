"""`--config FILE`: the same as flags, which go before it."""

import argparse
from pathlib import Path

import pytest

from edge_codec.runtime.cli import main
from edge_codec.runtime.configuration import ConfigurableParser, add_config_option
from edge_codec.runtime.errors import ConfigError


def parse(tmp_path: Path, text: str, *words: str) -> argparse.Namespace:
    path = tmp_path / "radio.toml"
    path.write_text(text)
    parser = ConfigurableParser(prog="edge-codec")
    tx = parser.add_subparsers(required=True).add_parser("tx")
    add_config_option(tx)
    tx.add_argument("--port", required=True)
    tx.add_argument("--baud", type=int, default=9600)
    tx.add_argument("--tx-delay-ms", type=float, default=0)
    tx.add_argument("--json", action="store_true")
    rate = tx.add_mutually_exclusive_group()
    rate.add_argument("--mode")
    rate.add_argument("--bitrate", type=float)
    return parser.parse_args(["tx", *words, f"--config={path}"])


def test_keys_are_flags_and_tables_are_commands(tmp_path: Path) -> None:
    text = 'port = "/dev/ttyUSB0"\nbaud = 4800\n[tx]\ntx-delay-ms = 250\njson = true\n[rx]\nx = 1\n'
    args = parse(tmp_path, text)
    assert (args.port, args.baud, args.tx_delay_ms, args.json) == ("/dev/ttyUSB0", 4800, 250, True)
    assert not parse(tmp_path, 'port = "x"\njson = false\n').json


def test_what_is_typed_goes_first(tmp_path: Path) -> None:
    text = 'port = "a"\nbaud = 4800\nmode = "R3000"\n'
    args = parse(tmp_path, text, "--baud", "9600", "--bitrate=1500")
    assert (args.port, args.baud, args.mode, args.bitrate) == ("a", 9600, None, 1500)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("bauds = 1", "bauds is not known: did you mean baud"),
        ("tx_delay_ms = 1", "did you mean tx-delay-ms"),
        ("[txx]\nbaud = 1", "txx is not known: did you mean tx"),
        ("zzz = 1", "it may have baud, bitrate, json"),
        ('config = "other.toml"', "config is not known"),
        ("baud = true", "must be a number or text, got True"),
        ("baud = [1]", r"must be a number or text, got \[1\]"),
        ('json = "yes"', "must be true or false, got 'yes'"),
        ("tx = 1", r"write \[tx\] above its keys"),
        ("baud = ", "is not TOML"),
        ("baud = 1\nbaud = 2", "is not TOML"),
    ],
)
def test_what_no_flag_says_is_one_clear_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        parse(tmp_path, text)
    assert "\n" not in str(caught.value)


def test_value_of_a_wrong_kind_is_wrong_usage(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        parse(tmp_path, 'port = "x"\nbaud = "fast"\n')
    assert caught.value.code == 2
    assert "--baud" in capsys.readouterr().err


def test_command_reads_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "radio.toml"
    path.write_text('port = "radio://x"\nmodel = "stub_bundle"\n')
    assert main(["rx", "--config", str(tmp_path / "missing.toml")]) == 1
    assert "cannot read" in capsys.readouterr().err
    path.write_text("prot = 1")
    assert main(["tx", "--config", str(path)]) == 1
    assert "did you mean port" in capsys.readouterr().err
    path.write_bytes(b"\xff\xfe")
    assert main(["tx", "--config", str(path)]) == 1
    assert "is not TOML" in capsys.readouterr().err
