"""`tx` and `rx` with keys: what is heard, and what is said when it is not."""

import importlib.util
from pathlib import Path

import pytest
import soundfile

from edge_codec.runtime.cli import main
from support.recordings import make_recording
from support.stub_bundle import STUB_BUNDLE

RATE_HZ = 16_000
MODEL = ["--model", str(STUB_BUNDLE)]
HAS_CRYPTO = importlib.util.find_spec("cryptography") is not None


@pytest.fixture(scope="module")
def talk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_recording(tmp_path_factory.mktemp("talk") / "talk.wav", RATE_HZ, 6 * RATE_HZ)


@pytest.fixture
def key(tmp_path: Path) -> Path:
    assert main(["keygen", str(tmp_path / "voice.key")]) == 0
    return tmp_path / "voice.key"


def send(talk: Path, to: Path, *options: str | Path) -> int:
    words = ["tx", "--port", to, "--input", talk, "--fast", *MODEL, *options]
    return main([str(word) for word in words])


def hear(source: Path, *options: str | Path) -> int:
    words = ["rx", "--port", source, "--output", source.with_suffix(".wav"), *MODEL, *options]
    return main([str(word) for word in words])


@pytest.mark.parametrize("security", ["auth", "aead"])
def test_with_the_key_all_is_heard_once_and_never_again(
    talk: Path, key: Path, tmp_path: Path, security: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if security == "aead" and not HAS_CRYPTO:
        pytest.skip("needs cryptography: pip install '.[crypto]'")
    options = ("--security", security, "--key", key)
    assert send(talk, tmp_path / "air", "--callsign", "AB1CD", *options) == 0
    assert hear(tmp_path / "air", *options) == 0
    assert soundfile.info(tmp_path / "air.wav").frames >= 6 * RATE_HZ
    assert hear(tmp_path / "air", *options) == 1
    assert "a replay" in capsys.readouterr().err
    assert hear(tmp_path / "air") == 1
    assert "give --security and --key" in capsys.readouterr().err


def test_wrong_keys_and_missing_security_are_told_apart(
    talk: Path, key: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("--security", "auth", "--key", key)
    assert send(talk, tmp_path / "air", "--callsign", "AB1CD", *options) == 0
    assert send(talk, tmp_path / "open") == 0
    assert hear(tmp_path / "open", *options) == 1
    assert "without security" in capsys.readouterr().err
    assert hear(tmp_path / "air", *options, "--tag-bytes", "4") == 1
    assert "another way" in capsys.readouterr().err
    assert main(["keygen", str(key), "--force"]) == 0
    assert hear(tmp_path / "air", *options) == 1
    assert "another key" in capsys.readouterr().err


def test_a_secured_sender_needs_a_callsign(
    talk: Path, key: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert send(talk, tmp_path / "air", "--security", "auth", "--key", key) == 1
    assert "--callsign" in capsys.readouterr().err
