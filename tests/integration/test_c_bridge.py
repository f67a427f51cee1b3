"""The bridge firmware as a host program: ptys for serial lines, UDP for the air between them."""

import os
import select
import socket
import subprocess
import time

import numpy as np
import pytest
import soundfile

from edge_codec.firmware_bridge import (
    PROFILES,
    MessageReceived,
    Receiver,
    StreamEnded,
    control,
)
from support import c_link
from support.command import EDGE_CODEC, command_environment
from support.link_pair import events_of, heard, make_codes, send_spurt
from support.recordings import make_recording

SPEED = 20
"""How many times faster than real radios these are."""
LIMIT_S = 20.0


def free_udp_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    return c_link.build("bridge_host", tmp_path_factory.mktemp("host"), *c_link.SANITIZE)


@pytest.fixture
def bridges(program, tmp_path, request):
    """Paths of the lines of two bridges that hear each other."""
    speed = getattr(request, "param", SPEED)
    ports = [free_udp_port(), free_udp_port()]
    lines = [tmp_path / "line_a", tmp_path / "line_b"]
    running = [
        subprocess.Popen(
            [program, line, str(own), str(peer), str(speed)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for line, own, peer in zip(lines, ports, reversed(ports), strict=True)
    ]
    for bridge in running:
        assert bridge.stdout.readline() == b"ready\n"
    yield lines
    for bridge in running:
        bridge.communicate()
        assert bridge.returncode == 0


@pytest.fixture
def open_lines(bridges):
    """Descriptors of both lines."""
    lines = [os.open(path, os.O_RDWR | os.O_NOCTTY) for path in bridges]
    yield lines
    for line in lines:
        os.close(line)


def hear(line, receiver, is_enough):
    """Events of a line up to one that is enough."""
    events, deadline_s = [], time.monotonic() + LIMIT_S
    while not any(map(is_enough, events)):
        assert time.monotonic() < deadline_s, events
        if select.select([line], [], [], 0.1)[0]:
            receiver.receive_data(os.read(line, 4096), now_s=0.0)
            events += events_of(receiver)
    return events


def test_a_talk_spurt_passes_two_bridges_unchanged(open_lines):
    profile, superframes = PROFILES[6], 30
    receiver, here, there = Receiver(), *open_lines
    events = []
    for _, packet in send_spurt(profile, superframes):
        os.write(here, packet)
        events += hear(there, receiver, lambda event: not isinstance(event, MessageReceived))
    assert isinstance(events[-1], StreamEnded)
    codes_FK = np.concatenate([event.codes_FK for event in heard(events)])
    assert (codes_FK == make_codes(profile, superframes)).all()
    assert receiver.stats.voice_delivered == superframes
    assert receiver.stats.damaged_crc + receiver.stats.damaged_framing == 0


def messages(events):
    return [
        control.unpack_control(event.payload)
        for event in events
        if isinstance(event, MessageReceived)
    ]


def test_the_modem_answers_its_host(open_lines):
    asked = [
        control.Ping(b"hello"),
        control.InfoRequest(),
        control.Set(control.Parameter.POWER_DBM, 5),
        control.Set(control.Parameter.FREQUENCY_HZ, 1),
    ]
    line = open_lines[0]
    for number, message in enumerate(asked):
        os.write(line, control.control_packet(message, number))
    receiver, told = Receiver(), []
    while len([m for m in told if not isinstance(m, control.Stat)]) < len(asked) or not any(
        isinstance(m, control.Stat) for m in told
    ):
        told += messages(hear(line, receiver, lambda event: True))
    answers = [message for message in told if not isinstance(message, control.Stat)]
    assert answers == [
        control.Ping(b"hello", is_answer=True),
        control.Info((0, 1, 0), 1024, "edge-bridge"),
        control.Set(control.Parameter.POWER_DBM, 5, is_answer=True),
        control.Set(control.Parameter.FREQUENCY_HZ, 868_100_000, is_answer=True),
    ]
    stat = next(message for message in told if isinstance(message, control.Stat))
    assert (stat.rssi_dbm, stat.tx_free_bytes, stat.errors) == (-117, 1024, 0)


@pytest.mark.slow
@pytest.mark.parametrize("bridges", [1], indirect=True)
def test_speech_passes_from_tx_to_rx(bridges, tmp_path):
    spoken = make_recording(tmp_path / "spoken.wav", 16_000, 48_000)
    played = tmp_path / "played.wav"
    urls = [f"serial://{line}" for line in bridges]
    common = ["--model", "stub_bundle", "--baud", "115200"]
    environment = command_environment()
    receive = [*EDGE_CODEC, "rx", "--port", urls[1], "--output", played, "--once", *common]
    with subprocess.Popen(receive, env=environment, stderr=subprocess.PIPE, text=True) as rx:
        while "listening" not in rx.stderr.readline():
            continue
        send = [*EDGE_CODEC, "tx", "--port", urls[0], "--input", spoken, *common]
        subprocess.run(send, env=environment, check=True)
        _, said = rx.communicate(timeout=LIMIT_S)
    assert rx.returncode == 0
    assert "0 packets lost, 0 damaged" in said
    assert soundfile.info(played).duration >= 2.9
