"""Arguments that nobody should give, and somebody will: one clear line, no traceback, no hang."""

import errno
import os
import shlex
import shutil
import struct
import subprocess
import sys
import wave
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge_codec.runtime import cli
from edge_codec.runtime.cli import main
from support.command import EDGE_CODEC, command_environment, run_command
from support.recordings import make_recording
from support.stub_bundle import STUB_BUNDLE

MODEL = ["--model", str(STUB_BUNDLE)]


@pytest.fixture(scope="module")
def talk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_recording(tmp_path_factory.mktemp("talk") / "talk.wav", 16_000, 16_000)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where each test works, and the current folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def fails_in_one_line(capsys: pytest.CaptureFixture[str], *words: str | Path) -> str:
    """The line."""
    code = main([str(word) for word in words])
    error = capsys.readouterr().err
    assert code == 1, error
    assert error.count("\n") == 1, error
    return error


def make_rude(folder: Path) -> list[Path]:
    (folder / "folder").mkdir()
    (folder / "empty").touch()
    (folder / "random").write_bytes(bytes((n * n + 7 * n) % 251 for n in range(5000)))
    (folder / "huge").touch()
    os.truncate(folder / "huge", 1 << 40)
    return [*folder.iterdir(), folder / "none", folder / "empty" / "x", Path("/dev/null")]


@pytest.mark.parametrize(
    "words",
    [
        ["encode", "RUDE", "out.ecf", *MODEL],
        ["decode", "RUDE", "out.wav"],
        ["info", "RUDE"],
        ["models", "info", "RUDE"],
        ["models", "verify", "RUDE"],
        ["models", "import", "lyra", "RUDE"],
        ["tx", "--port", "air", "--fast", "--input", "RUDE", *MODEL],
        ["keygen", "--show", "RUDE"],
    ],
    ids=lambda words: " ".join(words[:2]),
)
def test_no_input_is_rude_enough(
    tmp_path: Path,
    words: list[str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    rude = make_rude(tmp_path)
    for path in [*rude, Path("/dev/zero"), Path("/dev/urandom"), Path("/proc/self/mem")]:
        fails_in_one_line(capsys, *(path if word == "RUDE" else word for word in words))
    assert not (tmp_path / "out.ecf").exists()
    assert not (tmp_path / "out.wav").exists()


@pytest.mark.parametrize("target", ["folder", "/dev/full", "/proc/x", "none/x.wav", "empty/x.wav"])
@pytest.mark.parametrize(
    "words",
    [
        ["encode", "TALK", "TARGET", *MODEL],
        ["tx", "--port", "TARGET", "--input", "TALK", "--fast", *MODEL],
        ["keygen", "TARGET"],
    ],
    ids=lambda words: words[0],
)
def test_no_output_is_rude_enough(
    talk: Path,
    tmp_path: Path,
    words: list[str],
    target: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    make_rude(tmp_path)
    words = [{"TALK": str(talk), "TARGET": target}.get(word, word) for word in words]
    assert main(words) == 1
    error = capsys.readouterr().err
    assert "Traceback" not in error
    assert "edge-codec: " in error.splitlines()[-1]


@pytest.mark.parametrize("bitrate", ["nan", "inf", "-inf", "1e400", "0", "-1"])
@pytest.mark.parametrize(
    "words", [["encode", "TALK", "out.ecf"], ["tx", "--port", "air", "--input", "TALK"]]
)
def test_no_bitrate(
    talk: Path,
    words: list[str],
    bitrate: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = [str(talk) if word == "TALK" else word for word in words]
    assert "bit/s" in fails_in_one_line(capsys, *words, f"--bitrate={bitrate}", *MODEL).replace(
        "bits per second", "bit/s"
    )


@pytest.mark.parametrize(
    "url",
    [
        "udp://[::1",
        "udp://x:y",
        "udp://:99999",
        "udp://h:-5",
        "udp://",
        "foo://x",
        "serial://",
        "pty:///none/x",
        "serial:///dev/null",
        "/dev/ttyUSB77",
    ],
)
@pytest.mark.parametrize("words", [["tx", "--input", "TALK"], ["rx", "--output", "air.wav"]])
def test_no_port(
    talk: Path,
    words: list[str],
    url: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = [str(talk) if word == "TALK" else word for word in words]
    fails_in_one_line(capsys, *words, "--port", url, "--baud", "9600", *MODEL)


@pytest.mark.parametrize("timeout", ["nan", "-5", "x", "0"])
def test_no_timeout(timeout: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["rx", "--port", "loop://", "--output", "x.wav", f"--timeout={timeout}", *MODEL])
    assert stopped.value.code == 2
    assert "--timeout" in capsys.readouterr().err


def wav_header(channels: int, rate_hz: int, bits: int) -> bytes:
    frame_bytes = channels * bits // 8 & 0xFFFF
    fields = (16, 1, channels, rate_hz, rate_hz * frame_bytes & 0xFFFFFFFF, frame_bytes, bits)
    data = b"data" + struct.pack("<I", 1000) + bytes(1000)
    return b"RIFF" + struct.pack("<I", 1036) + b"WAVEfmt " + struct.pack("<IHHIIHH", *fields) + data


@pytest.mark.parametrize(
    "header",
    [
        (1000, 16_000, 16),
        (0, 16_000, 16),
        (1, 0, 16),
        (1, 1, 16),
        (1, 999, 16),
        (1, 1 << 30, 16),
        (1, 16_000, 0),
        (65_535, 16_000, 16),
    ],
)
@pytest.mark.parametrize(
    "words", [["encode", "WAV", "out.ecf"], ["tx", "--port", "o", "--fast", "--input", "WAV"]]
)
def test_headers_that_lie(
    words: list[str],
    header: tuple[int, int, int],
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path("lie.wav").write_bytes(wav_header(*header))
    words = ["lie.wav" if word == "WAV" else word for word in words]
    assert "lie.wav" in fails_in_one_line(capsys, *words, *MODEL)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_damaged_recordings_give_one_line_or_what_is_left(
    talk: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], data: st.DataObject
) -> None:
    damaged = bytearray(talk.read_bytes()[: data.draw(st.integers(0, 4000))])
    for _ in range(data.draw(st.integers(0, 8)) if damaged else 0):
        damaged[data.draw(st.integers(0, min(len(damaged), 60) - 1))] = data.draw(
            st.integers(0, 255)
        )
    (tmp_path / "d.wav").write_bytes(damaged)
    code = main(["encode", str(tmp_path / "d.wav"), str(tmp_path / "d.ecf"), *MODEL])
    assert code in (0, 1)
    assert capsys.readouterr().err.count("\n") == 1


def test_names_need_not_be_utf_8(talk: Path, tmp_path: Path) -> None:
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/talk-\xff"))
    shutil.copy(talk, f"{odd}.wav")
    assert main(["encode", f"{odd}.wav", f"{odd}.ecf", *MODEL]) == 0
    assert main(["info", f"{odd}.ecf"]) == 0
    bundle = ["--model", str(STUB_BUNDLE)]
    assert main(["decode", f"{odd}.ecf", f"{odd}-2.wav", *bundle]) == 0
    assert main(["tx", "--port", f"{odd}.bin", "--input", f"{odd}.wav", "--fast", *bundle]) == 0
    assert main(["rx", "--port", f"{odd}.bin", "--output", f"{odd}-3.wav", *bundle]) == 0
    with wave.open(f"{odd}-3.wav") as heard:
        assert heard.getnframes() > 16_000


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS])
def test_what_the_system_refuses_is_no_bug(
    number: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(args: object) -> None:
        raise OSError(number, os.strerror(number), "some/file")

    monkeypatch.setattr("edge_codec.runtime.commands.info.run", refuse)
    assert "some/file" in fails_in_one_line(capsys, "info")
    assert cli.EXIT_BUG == 70


def test_ctrl_c_while_a_library_is_loaded_is_no_bug(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def load(args: object) -> None:
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt as error:
            raise ImportError("numpy failed to load") from error

    monkeypatch.setattr("edge_codec.runtime.commands.info.run", load)
    assert main(["info"]) == cli.EXIT_STOPPED
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_standard_streams(talk: Path, folder: Path, closed: str) -> None:
    """A file that is opened must not take the place of standard error, and collect its lines."""
    words = shlex.join([*EDGE_CODEC, "encode", str(talk), "out.ecf", *MODEL])
    done = subprocess.run(
        ["sh", "-c", f"{words} {closed}"], env=command_environment(), check=False, timeout=60
    )
    assert done.returncode == 0
    assert main(["info", "out.ecf"]) == 0


def test_a_full_standard_output_is_one_line(talk: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        for words in (["info"], ["encode", talk, "-", *MODEL]):
            done = run_command(*words, stdout=full)
            assert done.returncode == 1
            assert done.stderr.count(b"\n") == 1
            assert b"No space left" in done.stderr


def test_the_command_line_starts_without_numpy() -> None:
    """Seconds, on a slow board."""
    program = "import sys, edge_codec.runtime.cli; sys.exit('numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], env=command_environment(), check=False)
    assert done.returncode == 0
