"""Key files: private or refused, never overwritten by mistake; what was heard is remembered."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge_codec.firmware_bridge import Heard, fingerprint
from edge_codec.runtime.cli import main
from edge_codec.runtime.errors import ConfigError
from edge_codec.runtime.key_file import HeardFile, load_key, write_key

SECRET = bytes(range(32))
HEARD = {"AB1CD": Heard(3, bytes(range(8)), 5, 6), "": Heard(0, bytes(8))}


@pytest.fixture
def key(tmp_path: Path) -> Path:
    write_key(tmp_path / "voice.key", SECRET, replaces=False)
    return tmp_path / "voice.key"


def test_a_key_comes_back_and_is_private(key: Path) -> None:
    assert load_key(key) == SECRET
    assert key.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in key.parent.iterdir()] == ["voice.key"]


def test_the_mode_does_not_depend_on_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        write_key(tmp_path / "k", SECRET, replaces=False)
    finally:
        os.umask(before)
    assert (tmp_path / "k").stat().st_mode & 0o777 == 0o600


def test_a_key_is_not_overwritten_unless_asked(key: Path) -> None:
    with pytest.raises(ConfigError, match="--force"):
        write_key(key, bytes(32), replaces=False)
    assert load_key(key) == SECRET
    write_key(key, bytes(32), replaces=True)
    assert load_key(key) == bytes(32)
    assert len(list(key.parent.iterdir())) == 1


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o620, 0o660, 0o777, 0o601])
def test_a_key_open_to_others_is_refused(key: Path, mode: int) -> None:
    key.chmod(mode)
    with pytest.raises(ConfigError, match=f"mode {mode:04o}.*chmod 600"):
        load_key(key)


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o700])
def test_a_private_key_is_taken(key: Path, mode: int) -> None:
    key.chmod(mode)
    assert load_key(key) == SECRET


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=200))
def test_any_other_file_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "k").write_bytes(data)
    (tmp_path / "k").chmod(0o600)
    with pytest.raises(ConfigError, match="not a key file"):
        load_key(tmp_path / "k")


def test_what_is_no_file_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo", 0o600)
    (tmp_path / "folder").mkdir(0o700)
    (tmp_path / "huge").touch(0o600)
    os.truncate(tmp_path / "huge", 1 << 40)
    for path in [*tmp_path.iterdir(), tmp_path / "none", Path("a\0b"), Path("/dev/zero")]:
        with pytest.raises(ConfigError):
            load_key(path)


def test_a_key_is_not_written_over_a_device_or_folder(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for path in (tmp_path, tmp_path / "fifo", Path("a\0b"), tmp_path / "none" / "k", Path()):
        with pytest.raises(ConfigError):
            write_key(path, SECRET, replaces=True)
    assert (tmp_path / "fifo").is_fifo()


def test_keygen_prints_the_fingerprint(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = str(tmp_path / "k")
    assert main(["keygen", file]) == 0
    made = capsys.readouterr().out
    assert main(["keygen", file, "--show"]) == 0
    assert capsys.readouterr().out == made
    assert len(made.split()) == 4
    assert main(["keygen", file]) == 1
    assert main(["keygen", file, "--force"]) == 0
    assert made not in capsys.readouterr().out
    assert load_key(tmp_path / "k").hex() not in made.replace(" ", "")


def test_what_was_heard_comes_back(tmp_path: Path) -> None:
    file = HeardFile(tmp_path / "h", SECRET)
    assert file.load() == {}
    file.save(HEARD)
    assert file.load() == HEARD
    assert (tmp_path / "h").stat().st_mode & 0o777 == 0o600
    assert HeardFile(tmp_path / "h", bytes(32)).load() == {}


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", "[" * 9999]
    + [
        f'{{"key": "KEY", "sources": {sources}}}'
        for sources in ["[]", '{"A": 1}', '{"A": [1, "zz", 0, 0]}', '{"A": [256, "00", 0, 0]}',
                        '{"A": [1, "0011223344556677", -1, 0]}', '{"A": [[], "", 0, 0]}']
    ],
)  # fmt: skip
def test_a_damaged_memory_is_one_clear_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "h").write_text(text.replace("KEY", fingerprint(SECRET)))
    with pytest.raises(ConfigError, match="is damaged; delete it"):
        HeardFile(tmp_path / "h", SECRET).load()


def test_a_full_disk_is_a_warning_while_receiving(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = HeardFile(tmp_path / "none" / "h", SECRET)
    file.keep(HEARD)
    assert "cannot write" in caplog.text
    with pytest.raises(ConfigError):
        file.save(HEARD)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--security", "auth"], "needs --key"),
        (["--key", "K"], "give --security"),
        (["--security", "aead", "--amateur", "--key", "K"], "amateur"),
        (["--security", "auth", "--key", "/none"], "keygen"),
        (["--security", "auth", "--key", "K", "--tag-bytes", "5"], "4, 8"),
    ],
)
@pytest.mark.parametrize("command", [["tx", "--input", "-"], ["rx", "--output", "-"]])
def test_contradictions_are_said(
    key: Path,
    capsys: pytest.CaptureFixture[str],
    command: list[str],
    words: list[str],
    message: str,
) -> None:
    words = [word.replace("K", str(key)) if word == "K" else word for word in words]
    assert main([*command, "--port", "loop://", *words]) == 1
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
