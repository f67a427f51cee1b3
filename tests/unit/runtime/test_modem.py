"""The virtual cable: two terminals, joined."""

import os

from edge_codec.firmware_bridge import ChannelModel
from edge_codec.runtime.ports import open_port
from edge_codec.runtime.ports.modem import VirtualModem


def test_modem_joins_two_terminals() -> None:
    modem = VirtualModem(ChannelModel(baud=9600), seed=1)
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
    modem = VirtualModem(ChannelModel(baud=1e6), seed=1)
    line = open_port(modem.names[0], 9600, "w")
    for step in range(100):
        line.write(bytes(4096))
        modem.step(step * 1.0)
    line.close()
    modem.close()
