"""Golden packets: the bytes of docs/protocol.md, written by hand-work and never by the code."""

import importlib.util
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastcrc import crc16

from edge_codec.firmware_bridge import (
    PROFILES,
    HelloReceived,
    MessageReceived,
    MessageType,
    Receiver,
    StreamProfile,
    Transmitter,
    cut_packet,
)
from edge_codec.firmware_bridge.bits import IntArray
from edge_codec.firmware_bridge.callsign import pack_callsign
from edge_codec.firmware_bridge.framing import stuff
from edge_codec.firmware_bridge.hello import unpack_hello
from edge_codec.firmware_bridge.packet import Packet, pack_packet, unpack_packet
from support.link_pair import events_of, heard, kinds, make_hello

GOLDEN_DIR = Path(__file__).parents[2] / "golden" / "link"
GOLDEN: dict[str, Any] = json.loads((GOLDEN_DIR / "packets.json").read_text())
ODD = StreamProfile(
    layers=3, base_layers=1, bits_per_code=5, frames_per_superframe=3, superframe_ms=60
)
BY_NAME = {"p500": PROFILES[1], "p3000": PROFILES[6], "odd": ODD}


def golden_codes(profile: StreamProfile, superframes: range) -> IntArray:
    step = profile.frames_per_superframe
    frames = np.arange(superframes.start * step, superframes.stop * step)[:, None]
    layers = np.arange(profile.layers)[None, :]
    return (37 * frames + 101 * layers + 5) % (1 << profile.bits_per_code)


def wire(name: str) -> bytes:
    return bytes.fromhex(GOLDEN["packets"][name]["wire"])


def test_generator_gives_the_committed_file() -> None:
    spec = importlib.util.spec_from_file_location("make_packets", GOLDEN_DIR / "make_packets.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.vectors() == GOLDEN


def test_checksums_stuffing_and_callsigns() -> None:
    for text, checksum in GOLDEN["crc16"].items():
        assert f"{crc16.ibm_3740(bytes.fromhex(text)):04x}" == checksum
    for plain, stuffed in GOLDEN["cobs"].items():
        assert stuff(bytes.fromhex(plain)).hex() == stuffed
    for callsign, packed in GOLDEN["callsigns"].items():
        assert pack_callsign(callsign).hex() == packed


@pytest.mark.parametrize("name", GOLDEN["packets"])
def test_each_packet_unpacks_and_packs_to_the_same_bytes(name: str) -> None:
    data = bytes.fromhex(GOLDEN["packets"][name]["packet"])
    packet = unpack_packet(data)
    assert isinstance(packet, Packet)
    assert pack_packet(packet) == data
    assert stuff(data) == wire(name)


@pytest.mark.parametrize("name", BY_NAME)
def test_descriptors_in_hello(name: str) -> None:
    body = bytearray.fromhex(GOLDEN["packets"]["hello"]["packet"])[4:-2]
    body[16:19] = bytes.fromhex(GOLDEN["descriptors"][name]["hex"])
    assert unpack_hello(bytes(body)).profile == BY_NAME[name]


@pytest.mark.parametrize("spurt", GOLDEN["spurts"])
def test_transmitter_sends_the_golden_spurt(spurt: dict[str, Any]) -> None:
    profile = BY_NAME[spurt["profile"]]
    hello = make_hello(profile, epoch=3)
    transmitter = Transmitter(hello, stream_tag=0x5C, red=spurt["red"])
    codes_FK = golden_codes(profile, range(spurt["superframes"]))
    packets = transmitter.send_frames(codes_FK, now_s=0.0) + transmitter.finish(now_s=1.0)
    assert [packet.hex() for packet in packets] == spurt["wire"]


@pytest.mark.parametrize("spurt", GOLDEN["spurts"])
def test_receiver_hears_the_golden_spurt(spurt: dict[str, Any]) -> None:
    profile = BY_NAME[spurt["profile"]]
    receiver = Receiver()
    receiver.receive_data(bytes.fromhex("".join(spurt["wire"])), now_s=0.0)
    events = list(events_of(receiver))
    frames = heard(events)
    codes_FK = golden_codes(profile, range(spurt["superframes"]))
    assert (np.concatenate([event.codes_FK for event in frames]) == codes_FK).all()
    assert HelloReceived(0x5C, make_hello(profile, epoch=3)) in events
    assert kinds(events)[-2:] == ["HelloReceived", "StreamEnded"]


@pytest.mark.parametrize(
    ("whole", "layers", "cut"),
    [
        ("voice_p3000", 3, "voice_p3000_cut_to_3"),
        ("voice_p3000", 2, "voice_p3000_base_only"),
        ("voice_p3000", 6, "voice_p3000"),
        ("voice_p3000_base_only", 5, "voice_p3000_base_only"),
        ("hello", 2, "hello"),
        ("text", 2, "text"),
    ],
)
def test_packets_are_cut_to_the_golden_ones(whole: str, layers: int, cut: str) -> None:
    assert cut_packet(wire(whole), PROFILES[6], layers) == wire(cut)


@pytest.mark.parametrize("kind", MessageType)
def test_messages_pass_through(kind: MessageType) -> None:
    name = "clip_zeros" if kind is MessageType.CLIP else kind.value
    receiver = Receiver()
    receiver.receive_data(wire(name), now_s=0.0)
    event = receiver.next_event()
    assert isinstance(event, MessageReceived)
    assert (event.stream_tag, event.type) == (0x5C, kind)
    assert event.payload == bytes.fromhex(GOLDEN["packets"][name]["packet"])[4:-2]
