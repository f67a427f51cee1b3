"""The virtual cable: its pace, its damage, its limits."""

import os

import pytest

from edge_codec.firmware_bridge import Channel, ChannelModel
from edge_codec.runtime.ports import open_port
from edge_codec.runtime.ports.modem import QUEUE_MAX_BYTES, VirtualModem, Wire


def test_bytes_arrive_one_by_one_at_the_baud_rate() -> None:
    wire = Wire(9600)
    wire.push(b"abcdef", 5.0)
    assert wire.pull(5.0 + 0.9 * 10 / 9600) == b""
    assert wire.pull(5.0 + 10 / 9600) == b"a"
    assert wire.pull(5.0 + 35 / 9600) == b"bc"
    assert wire.pull(6.0) == b"def"


def test_idle_time_is_not_saved_up() -> None:
    wire = Wire(9600)
    wire.push(b"a", 0.0)
    assert wire.pull(10.0) == b"a"
    wire.push(b"bc", 10.0)
    assert wire.pull(10.0) == b""
    assert wire.pull(10.0 + 10 / 9600) == b"b"


@pytest.mark.parametrize("step_s", [0.001, 0.004, 0.1])
def test_busy_wire_keeps_its_rate_whatever_the_steps(step_s: float) -> None:
    wire, now_s, received = Wire(9600), 0.0, 0
    while now_s < 2.0:
        if wire.free_bytes > 1000:
            wire.push(bytes(1000), now_s)
        now_s += step_s
        received += len(wire.pull(now_s))
    assert received == pytest.approx(960 * now_s, abs=1)


def test_wire_has_a_limit() -> None:
    wire = Wire(9600)
    wire.push(bytes(QUEUE_MAX_BYTES), 0.0)
    assert wire.free_bytes == 0


def test_damage_is_done_to_what_comes_out() -> None:
    channel = Channel(ChannelModel(bit_error_rate=0.1), seed=1)
    wire = Wire(9600, channel.send)
    wire.push(bytes(200), 0.0)
    flipped = sum(byte.bit_count() for byte in wire.pull(1.0))
    assert 100 < flipped < 220


def test_modem_joins_two_terminals() -> None:
    modem = VirtualModem(9600)
    left, right = (open_port(name, 9600, "r") for name in modem.names)
    left.write(b"ping")
    right.write(b"pong")
    modem.step(0.0)
    assert left.read() == right.read() == b""
    modem.step(1.0)
    assert (left.read(), right.read()) == (b"pong", b"ping")
    for port in (left, right, modem):
        port.close()
    assert not os.path.exists(modem.names[0])  # noqa: PTH110


def test_unread_end_does_not_stop_the_modem() -> None:
    modem = VirtualModem(1_000_000)
    line = open_port(modem.names[0], 9600, "w")
    for step in range(100):
        line.write(bytes(4096))
        modem.step(step * 1.0)
    line.close()
    modem.close()
