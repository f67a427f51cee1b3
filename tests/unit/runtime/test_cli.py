import json
import logging
import re

import pytest

from edge_codec.firmware_bridge.errors import LinkError
from edge_codec.runtime import cli
from edge_codec.runtime.errors import PortError
from support.command import STUB_MODELS
from support.recordings import make_recording


class Probe:
    """A subcommand, and its entry point, that does what it is told."""

    name = "probe"

    def __init__(self, action):
        self.action = action

    def load(self):
        return self.register

    def register(self, subparsers):
        parser = subparsers.add_parser("probe", help="only in tests")
        parser.add_argument("--number", type=int)
        parser.set_defaults(run=self.action)


@pytest.fixture
def probe(monkeypatch):
    """Run a command that does `action`; gives the exit code."""
    monkeypatch.delenv("EDGE_CODEC_DEBUG", raising=False)

    def run(action, *words):
        monkeypatch.setattr(cli, "entry_points", lambda group: [Probe(action)])
        return cli.main(words or ["probe"])

    return run


def raiser(error):
    def action(args):
        raise error

    return action


def test_exit_codes_of_commands_pass_through(probe):
    assert probe(lambda args: None) == 0
    assert probe(lambda args: 1) == 1
    assert probe(lambda args: args.number, "probe", "--number", "7") == 7


@pytest.mark.parametrize("error", [PortError("the port\n  is gone"), LinkError("the port is gone")])
def test_expected_errors_are_one_line(probe, capsys, error):
    assert probe(raiser(error)) == 1
    assert capsys.readouterr() == ("", "edge-codec: the port is gone\n")


@pytest.mark.parametrize("error", [ValueError("odd"), OSError(5, "odd"), ImportError("odd")])
def test_anything_else_is_our_bug(probe, capsys, error):
    assert probe(raiser(error)) == 70
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("Traceback")
    assert lines[-1].startswith("edge-codec: this is a bug")


def test_ctrl_c_is_130_and_silent(probe, capsys):
    assert probe(raiser(KeyboardInterrupt())) == 130
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("line", ["--debug probe", "probe --debug"])
def test_debug_shows_where_an_error_comes_from(probe, capsys, line):
    assert probe(raiser(PortError("gone")), *line.split()) == 1
    assert "Traceback" in capsys.readouterr().err


def test_debug_can_be_asked_for_by_the_environment(probe, capsys, monkeypatch):
    monkeypatch.setenv("EDGE_CODEC_DEBUG", "1")
    assert probe(raiser(PortError("gone"))) == 1
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("module", "advice"),
    [
        ("torch.nn", "pip install 'edge-codec[train]'"),
        ("visqol", "pip install 'edge-codec[train]'"),
        ("sounddevice", "pip install 'edge-codec[audio]'"),
        ("onnx", "pip install 'edge-codec[export]'"),
    ],
)
def test_a_missing_extra_says_what_to_install(probe, capsys, module, advice):
    assert probe(raiser(ModuleNotFoundError("no", name=module))) == 1
    message = capsys.readouterr().err
    assert message.count("\n") == 1
    assert advice in message


@pytest.mark.parametrize("module", ["numpy", "edge_codec.runtime.nothing", "to", None])
def test_a_missing_module_of_the_base_install_is_a_bug(probe, module):
    assert probe(raiser(ModuleNotFoundError("no", name=module))) == 70


@pytest.mark.parametrize("line", ["--debug", "nonsense", "probe --number x", "probe more"])
def test_wrong_usage_is_2(probe, capsys, line):
    with pytest.raises(SystemExit) as caught:
        probe(lambda args: None, *line.split())
    assert caught.value.code == 2
    assert "usage: edge-codec" in capsys.readouterr().err


def test_warnings_are_one_line(probe, capsys):
    probe(lambda args: logging.getLogger("edge_codec.x").warning("mind the %s", "gap"))
    assert capsys.readouterr().err == "edge-codec: mind the gap\n"


def test_only_the_module_of_the_command_is_loaded(monkeypatch):
    class Broken(Probe):
        name = "broken"

        def load(self):
            raise AssertionError("loaded")

    monkeypatch.setattr(cli, "entry_points", lambda group: [Broken(None), Probe(lambda args: 3)])
    assert cli.main(["--debug", "probe"]) == 3


def test_version_is_that_of_the_distribution(probe, capsys):
    with pytest.raises(SystemExit) as caught:
        probe(lambda args: None, "--version")
    assert caught.value.code == 0
    assert capsys.readouterr().out[0].isdigit()


@pytest.mark.parametrize("command", ["encode", "decode", "info"])
def test_help_has_examples(capsys, command):
    with pytest.raises(SystemExit) as caught:
        cli.main([command, "--help"])
    assert caught.value.code == 0
    out = capsys.readouterr().out
    assert f"examples:\n  edge-codec {command}" in out
    assert max(map(len, out.splitlines())) <= 90


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder to work in, with one recording and the stub model."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EDGE_CODEC_MODELS", str(STUB_MODELS))
    make_recording(tmp_path / "in.wav", 44_100, 88_200, channels=2)
    return tmp_path


def words(line):
    needs_model = line.startswith("encode") and "--model" not in line
    return line.split() + ["--model", "stub_bundle"] * needs_model


def test_encode_info_decode(folder, capsys):
    assert cli.main(words("encode in.wav a.ecf --bitrate 3000")) == 0
    assert capsys.readouterr().err == (
        "in.wav: 2.00 s at 44100 Hz, 2 channels mixed to one -> a.ecf: 3000 bit/s, "
        f"{(folder / 'a.ecf').stat().st_size} bytes\n"
    )
    assert cli.main(words("info a.ecf")) == 0
    assert "bitrate_bps: 3000.0" in capsys.readouterr().out
    assert cli.main(words("decode a.ecf out.wav --bitrate 1500")) == 0
    assert capsys.readouterr() == ("", "a.ecf -> out.wav: 2.00 s at 44100 Hz, 3 layers\n")


def test_json_is_one_object_on_standard_output(folder, capsys):
    assert cli.main(words("encode in.wav a.ecf --layers 12 --json")) == 0
    assert json.loads(capsys.readouterr().out)["bitrate_bps"] == 6000
    assert cli.main(words("decode a.ecf out.wav --json")) == 0
    assert json.loads(capsys.readouterr().out)["is_complete"] is True
    assert cli.main(words("info a.ecf --json")) == 0
    assert json.loads(capsys.readouterr().out)["length_samples"] == 88_200
    assert cli.main(words("info stub_bundle --json --check")) == 0
    assert json.loads(capsys.readouterr().out)["golden_codes_equal_percent"] == {"fp32": 100.0}


def test_info_lists_the_models_and_tells_who_makes_frames(folder, capsys, monkeypatch):
    monkeypatch.setenv("EDGE_CODEC_LINK", "python")
    assert cli.main(["info"]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[0].startswith("stub_bundle  ")
    assert shown[-1] == "link: numpy (EDGE_CODEC_LINK=python)"
    assert cli.main(["info", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["link"] == "numpy (EDGE_CODEC_LINK=python)"


def test_strict_tells_damage_by_the_exit_code(folder, capsys):
    cli.main(words("encode in.wav a.ecf"))
    (folder / "a.ecf").write_bytes((folder / "a.ecf").read_bytes()[:600])
    capsys.readouterr()
    assert cli.main(words("decode a.ecf out.wav")) == 0
    assert capsys.readouterr().err.splitlines()[0] == (
        "edge-codec: a.ecf is damaged: its end is missing"
    )
    assert cli.main(words("decode a.ecf out.wav --strict")) == 1


BAD_INPUT = {
    "encode missing.wav a.ecf": "cannot read missing.wav: No such file or directory",
    "encode in.wav a.ecf --bitrate 100": "100 bit/s is below .* give 500",
    "encode in.wav a.ecf --layers 13": "13 layers asked for; this codec has 1 to 12",
    "encode in.wav a.ecf --model nothing": "no model named 'nothing'; found: .*stub_bundle",
    "encode in.wav a.ecf --precision int8": "stub has no int8 graphs; it has onnx fp32",
    "encode in.wav in.wav": "are the same file",
    "encode in.wav nowhere/a.ecf": "cannot write nowhere/a.ecf: No such file or directory",
    "encode in.wav . ": ". is a directory",
    "encode in.wav /dev/full": "cannot write /dev/full: No space left on device",
    "encode in.wav - --json": "--json and OUT - both need standard output",
    "decode in.wav out.wav": r"in.wav: not an \.ecf file",
    "decode missing.ecf out.wav": "cannot read missing.ecf: No such file",
    "decode in.wav out.mp4": "must end in .wav or .flac",
    "info nothing": "no model named 'nothing'",
    "info in.wav": r"in.wav: not an \.ecf file",
    "info .": "not a bundle: it holds no manifest",
}


@pytest.mark.parametrize(("line", "message"), BAD_INPUT.items(), ids=BAD_INPUT.keys())
def test_bad_input_gives_one_line_and_leaves_nothing(folder, capsys, line, message):
    assert cli.main(words(line)) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("edge-codec: ")
    assert err.count("\n") == 1
    assert re.search(message, err)
    assert [path.name for path in folder.iterdir()] == ["in.wav"]
