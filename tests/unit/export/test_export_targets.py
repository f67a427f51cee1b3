"""Targets: the files that ship, and files of others."""

import pytest

from edge_codec.export.targets import Target, load_target
from edge_codec.runtime.errors import ConfigError
from edge_codec.runtime.spec import CodecSpec
from support.repository import REPOSITORY

SPEC = CodecSpec(
    sample_rate_hz=16_000, strides=(160, 2), layers=12, bits_per_code=10, delay_samples=160
)
NAMES = ("generic", "jetson", "pi-zero2", "pi4", "pi5")


def test_every_board_has_a_file():
    files = sorted(path.stem for path in (REPOSITORY / "export/targets").glob("*.toml"))
    assert files == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_targets_are_found_by_name(name):
    target = load_target(name)
    assert target.name == name
    assert target.call_frames(SPEC)[0] == 1
    assert target.to_manifest()["threads"] == 1


def test_a_target_may_be_any_file(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('name = "mine"\ntflite = ["int8"]\ncall_ms = [40, 80]\nthreads = 2\n')
    target = load_target(str(path))
    assert target.call_frames(SPEC) == [1, 2, 4]
    assert target.to_manifest() == {
        "name": "mine",
        "backend": "auto",
        "threads": 2,
        "providers": ["cpu"],
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("thread = 2", "unknown key 'thread'; did you mean 'threads'"),
        ('tflite = ["int8"]\nthreads = 0', "threads are 1 to 64"),
        ('onnx = ["int8"]', "onnx needs fp32 graphs"),
        ('tflite = ["fp16"]', "tflite cannot be 'fp16'; it can be fp32, int8, int8_storage"),
        ("", "neither onnx nor tflite"),
        ('tflite = ["int8"]\nbackend = "onnx"', "runs onnx and has no graphs for it"),
        ('tflite = ["int8"]\nproviders = ["npu"]', "providers cannot be 'npu'"),
        ("=", "is not TOML"),
    ],
)
def test_what_is_wrong_with_a_file_is_named(tmp_path, text, message):
    path = tmp_path / "x.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message):
        load_target(str(path))


def test_an_unknown_name_lists_those_there_are():
    with pytest.raises(ConfigError, match=r"no target 'pi9'; give one of generic, jetson"):
        load_target("pi9")


@pytest.mark.parametrize("call_ms", [0, 10, 30, 1000])
def test_calls_are_whole_frames(call_ms):
    with pytest.raises(ConfigError, match="frames of 20 ms"):
        Target(tflite=("int8",), call_ms=(call_ms,)).call_frames(SPEC)
