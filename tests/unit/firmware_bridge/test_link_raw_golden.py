"""Golden R frames: the bytes of docs/protocol.md, written by hand-work and never by the code."""

import importlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastcrc import crc8

from edge_codec.firmware_bridge import (
    EndReason,
    RawFormat,
    RawReceiver,
    RawTransmitter,
    StreamEnded,
    StreamProfile,
    raw_profile_for,
)
from edge_codec.firmware_bridge.bits import IntArray
from edge_codec.firmware_bridge.convolution import FULL, PUNCTURED, TAIL_BITS, convolve
from edge_codec.firmware_bridge.golay import encode_golay
from edge_codec.firmware_bridge.scramble import scramble
from support.link_pair import events_of, heard, kinds, make_hello

GOLDEN_DIR = Path(__file__).parents[2] / "golden" / "link"
GOLDEN: dict[str, Any] = json.loads((GOLDEN_DIR / "raw_frames.json").read_text())


def profile_named(name: str) -> StreamProfile:
    fields = GOLDEN["profiles"][name]
    return StreamProfile(
        layers=fields["layers"],
        base_layers=fields["base"],
        bits_per_code=fields["bits"],
        frames_per_superframe=fields["frames"],
        superframe_ms=fields["superframe_ms"],
    )


def golden_codes(profile: StreamProfile, superframes: int) -> IntArray:
    frames = np.arange(superframes * profile.frames_per_superframe)[:, None]
    layers = np.arange(profile.layers)[None, :]
    return (37 * frames + 101 * layers + 5) % (1 << profile.bits_per_code)


def test_generator_gives_the_committed_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(GOLDEN_DIR))
    assert importlib.import_module("make_raw_frames").vectors() == GOLDEN


@pytest.mark.parametrize(("name", "layers"), [("r500", 1), ("r1500", 3), ("r6000", 12)])
def test_profiles_are_the_default_ones(name: str, layers: int) -> None:
    assert profile_named(name) == raw_profile_for(layers, 10, 50.0)
    assert RawFormat(profile_named(name)).groups == GOLDEN["profiles"][name]["groups"]


def test_golay_and_crc() -> None:
    for data, word in GOLDEN["golay"].items():
        assert f"{encode_golay(int(data, 16)):06x}" == word
    for text, checksum in GOLDEN["crc8"].items():
        assert f"{crc8.autosar(bytes.fromhex(text)):02x}" == checksum


@pytest.mark.parametrize(("pattern", "form"), [(FULL, "full"), (PUNCTURED, "punctured")])
def test_convolution(pattern: np.ndarray, form: str) -> None:
    bits = [int(bit) for bit in GOLDEN["convolution"]["bits"]] + [0] * TAIL_BITS
    coded = convolve(np.array(bits, np.uint8), pattern)
    assert "".join(map(str, coded)) == GOLDEN["convolution"][form]


def test_whitening() -> None:
    zeros = np.zeros(128, np.uint8)
    assert np.packbits(scramble(zeros)).tobytes().hex() == GOLDEN["whitening"]


@pytest.mark.parametrize("n", [540, 592, 784, 1264, 1512])
def test_interleaver(n: int) -> None:
    second = np.zeros(n, np.uint8)
    second[1] = 1
    moved = scramble(second) ^ scramble(np.zeros(n, np.uint8))
    assert list(np.flatnonzero(moved)) == [GOLDEN["strides"][str(n)]]


@pytest.fixture(params=["c", "python"])
def link(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each implementation in its turn."""
    if request.param == "c":
        pytest.importorskip(
            "edge_codec.firmware_bridge._edge_link", reason="installed without a C compiler"
        )
    monkeypatch.setenv("EDGE_CODEC_LINK", request.param)


@pytest.mark.usefixtures("link")
@pytest.mark.parametrize("name", GOLDEN["spurts"])
def test_transmitter_sends_the_golden_spurt(name: str) -> None:
    profile = profile_named(name)
    transmitter = RawTransmitter(make_hello(profile, epoch=3), stream_tag=0x5C)
    frames = transmitter.send_frames(golden_codes(profile, 2), now_s=0.0)
    frames += transmitter.finish(now_s=1.0)
    assert [frame.hex() for frame in frames] == GOLDEN["spurts"][name]
    assert {len(frame) for frame in frames} == {RawFormat(profile).frame_bytes}


@pytest.mark.usefixtures("link")
@pytest.mark.parametrize("name", GOLDEN["spurts"])
def test_receiver_hears_the_golden_spurt(name: str) -> None:
    profile = profile_named(name)
    receiver = RawReceiver(profile)
    receiver.receive_data(bytes.fromhex("".join(GOLDEN["spurts"][name])), now_s=0.0)
    events = list(events_of(receiver))
    codes_FK = np.concatenate([event.codes_FK for event in heard(events)])
    assert (codes_FK == golden_codes(profile, 2)).all()
    assert kinds(events)[:3] == ["StreamStarted", "HelloReceived", "HelloReceived"]
    assert events[-1] == StreamEnded(0x5C, EndReason.END)
