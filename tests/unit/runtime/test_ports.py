"""Ports: every URL form, partial writes, hang-ups, and what is said when one cannot be opened."""

import errno
import os
import select
import socket
import termios
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from edge_codec.firmware_bridge.envelope import KissEnvelope
from edge_codec.firmware_bridge.framing import DELIMITER, stuff
from edge_codec.firmware_bridge.rtp import unpack_rtp
from edge_codec.runtime.errors import PortError
from edge_codec.runtime.ports import DescriptorPort, Port, is_line, open_port
from edge_codec.runtime.ports.enveloped import EnvelopedPort
from edge_codec.runtime.ports.local import open_pty
from edge_codec.runtime.ports.udp import UdpPort


def close(*ports: Port) -> None:
    for port in ports:
        port.close()


def test_loop_returns_what_was_written() -> None:
    port = open_port("loop://", 9600, "w")
    assert port.read() == b""
    assert port.write(b"abc") == 3
    assert port.read() == b"abc"
    close(port)


def test_full_port_takes_nothing_more_and_does_not_block() -> None:
    port = open_port("loop://", 9600, "w")
    taken = 0
    while (count := port.write(bytes(4096))) > 0:
        taken += count
    assert taken >= 4096
    close(port)


def test_pty_and_serial_line_talk_both_ways(tmp_path: Path) -> None:
    link = tmp_path / "radio"
    pty = open_port(f"pty://{link}", 9600, "r")
    line = open_port(str(link), 9600, "w")
    everything = bytes(range(256))  # no byte may be eaten or translated
    assert line.write(everything) == 256
    assert pty.read() == everything
    assert pty.write(everything) == 256
    assert line.read() == everything
    assert line.read() == b""
    close(line, pty)
    assert not link.exists()


def test_serial_url_is_the_same_as_its_path() -> None:
    pty = open_pty()
    line = open_port(f"serial://{pty.name}", 19200, "r")
    assert line.name == pty.name
    close(line, pty)


def test_line_that_hangs_up_says_so() -> None:
    pty = open_pty()
    line = open_port(pty.name, 9600, "r")
    pty.close()
    with pytest.raises(PortError, match="was lost"):
        line.read()
    with pytest.raises(PortError, match="was lost"):
        line.write(b"x")
    close(line)


def test_busy_line_is_refused() -> None:
    pty = open_pty()
    line = open_port(pty.name, 9600, "r")
    with pytest.raises(PortError, match="another program uses it"):
        open_port(pty.name, 9600, "r")
    close(line, pty)


def test_pty_replaces_a_stale_link_but_no_file(tmp_path: Path) -> None:
    link = tmp_path / "radio"
    link.symlink_to("/dev/pts/none")
    close(open_port(f"pty://{link}", 9600, "r"))
    link.write_text("precious")
    with pytest.raises(PortError, match="give a path not in use"):
        open_port(f"pty://{link}", 9600, "r")
    assert link.read_text() == "precious"


def test_pty_leaves_the_link_of_its_successor(tmp_path: Path) -> None:
    first, second = (open_port(f"pty://{tmp_path}/radio", 9600, "r") for _ in range(2))
    first.close()
    assert (tmp_path / "radio").is_symlink()
    second.close()
    assert not (tmp_path / "radio").is_symlink()


def test_file_is_written_then_read_to_its_end(tmp_path: Path) -> None:
    path = str(tmp_path / "capture.bin")
    writer = open_port(path, 9600, "w")
    writer.write(b"abc")
    close(writer)
    reader = open_port(path, 9600, "r")
    assert (reader.read(), reader.is_finished) == (b"abc", False)
    assert (reader.read(), reader.is_finished) == (b"", True)
    close(reader)


def test_udp_carries_each_write_as_one_datagram() -> None:
    receiver = UdpPort("127.0.0.1", 0, listens=True)
    sender = open_port(f"udp://127.0.0.1:{receiver.local_port}", 9600, "w")
    assert receiver.read() == b""
    assert (sender.write(b"one"), sender.write(b"two")) == (3, 3)
    assert [receiver.read(), receiver.read(), receiver.read()] == [b"one", b"two", b""]
    close(sender, receiver)


def test_udp_without_a_listener_loses_datagrams_quietly() -> None:
    receiver = UdpPort("127.0.0.1", 0, listens=True)
    sender = open_port(f"udp://127.0.0.1:{receiver.local_port}", 9600, "w")
    close(receiver)
    assert [sender.write(b"x") for _ in range(3)] == [1, 1, 1]
    assert sender.read() == b""
    close(sender)


def test_unreachable_host_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """ICMP brings more than "connection refused" to a connected socket."""
    sender = UdpPort("127.0.0.1", 9, listens=False)

    def recv(size: int) -> bytes:
        raise OSError(errno.EHOSTUNREACH, "No route to host")

    with monkeypatch.context() as unreachable:
        unreachable.setattr(sender, "_socket", SimpleNamespace(recv=recv))
        assert sender.read() == b""
    close(sender)


def test_udp_port_in_use_is_refused() -> None:
    receiver = UdpPort("", 0, listens=True)
    with pytest.raises(PortError, match="in use"):
        open_port(f"udp://:{receiver.local_port}", 9600, "r")
    close(receiver)


@pytest.mark.parametrize(
    ("url", "mode", "message"),
    [
        ("radio://x", "r", "unknown port"),
        ("rtp://:5004", "w", "has no host"),
        ("udp://:5004?ax25=AB1CD", "r", "has no option ax25: it knows none"),
        ("/dev/ttyUSB99?rtsct", "r", "did you mean rtscts"),
        ("/dev/ttyUSB99?rtscts=yes", "r", "rtscts is 0 or 1, got yes"),
        ("kiss-tcp://localhost", "w", "has no port"),
        ("kiss-tcp://127.0.0.1:1", "w", "is the TNC started"),
        ("kiss-tcp://127.0.0.1:1?port=16", "w", "0 to 15, got 16"),
        ("kiss:///dev/ttyUSB99?ax25=AB1CD", "w", "plugged in"),
        ("udp://:5004", "w", "has no host"),
        ("udp://127.0.0.1", "w", "has no port"),
        ("udp://:99999", "r", "out of range"),
        ("/dev/ttyUSB99", "r", "plugged in"),
        ("serial:///dev/null", "r", "is it a serial line"),
        ("/no/such/file", "r", "No such file"),
        ("/tmp", "r", "is a folder"),
    ],
)
def test_bad_port_is_one_clear_line(url: str, mode: str, message: str) -> None:
    with pytest.raises(PortError, match=message) as caught:
        open_port(url, 9600, mode)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


def test_impossible_baud_rate_is_refused() -> None:
    pty = open_pty()
    with pytest.raises(PortError, match="cannot run at -5 baud"):
        open_port(pty.name, -5, "r")
    close(pty)


def test_missing_permission_names_the_group(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(PortError, match="dialout"):
        open_port("/dev/ttyS0", 9600, "r")


def test_what_is_a_line(tmp_path: Path) -> None:
    pty = open_pty(str(tmp_path / "radio"))
    lines = ["/dev/ttyUSB99", "/dev/edge-radio", "serial:///x", "pty://", str(tmp_path / "radio")]
    assert all(map(is_line, lines))
    assert not any(map(is_line, ["udp://:1", "-", "capture.bin", "/dev/null", "loop://"]))
    close(pty)


def test_end_of_a_descriptor_that_does_not_end_is_a_loss() -> None:
    read_end, write_end = os.pipe()
    port = DescriptorPort("pipe", read_end)
    os.close(write_end)
    with pytest.raises(PortError, match="hung up"):
        port.read()
    close(port)


def packets_of(port: Port) -> bytes:
    """What has arrived once something has."""
    select.select([port], [], [], 5.0)
    return port.read()


PACKET = stuff(b"@\xc0\xdb\x00 voice")


def test_rtp_carries_each_packet_in_one_datagram() -> None:
    receiver = UdpPort("127.0.0.1", 0, listens=True)
    number = receiver.local_port
    sender = open_port(f"rtp://127.0.0.1:{number}", 9600, "w")
    assert sender.write(PACKET) == len(PACKET)
    assert unpack_rtp(receiver.read()).payload == b"@\xc0\xdb\x00 voice"  # type: ignore[union-attr]
    close(receiver)
    listener = open_port(f"rtp://:{number}", 9600, "r")
    sender.write(DELIMITER + PACKET)
    assert packets_of(listener) == PACKET
    assert (listener.read(), listener.is_finished) == (b"", False)
    close(sender, listener)


@pytest.fixture
def tnc() -> Iterator[socket.socket]:
    """Where a TNC program listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


@pytest.mark.parametrize("options", ["", "?port=3", "?ax25=AB1CD-5", "?ax25=AB1CD&to=VOICE&port=1"])
def test_tnc_gets_and_gives_packets(tnc: socket.socket, options: str) -> None:
    url = f"kiss-tcp://127.0.0.1:{tnc.getsockname()[1]}{options}"
    port = open_port(url, 9600, "w")
    connection, _ = tnc.accept()
    assert port.write(PACKET) == len(PACKET)
    frame = connection.recv(1000)
    assert (frame[0], frame[-1]) == (0xC0, 0xC0)
    connection.sendall(b"\xc0\x06TXBUF:0\xc0" + frame + frame[:5])
    assert packets_of(port) == PACKET
    connection.sendall(frame[5:])
    assert packets_of(port) == PACKET
    connection.close()
    with pytest.raises(PortError, match="was lost"):
        packets_of(port)
    close(port)


class SlowPort(DescriptorPort):
    """Takes three bytes at most."""

    def write(self, data: bytes) -> int:
        return super().write(data[:3])


def test_slow_tnc_gets_whole_frames() -> None:
    read_end, write_end = os.pipe()
    inner = SlowPort("slow", read_end, write_descriptor=write_end)
    port = EnvelopedPort("kiss", inner, KissEnvelope())
    taken = [port.write(PACKET) for _ in range(10)]
    assert set(taken) == {0, len(PACKET)}
    while port.unsent_bytes():
        pass
    assert port.read() == PACKET * taken.count(len(PACKET))
    close(port)
    os.close(write_end)


def test_tnc_on_a_serial_line(tmp_path: Path) -> None:
    pty = open_port(f"pty://{tmp_path / 'tnc'}", 9600, "r")
    port = open_port(f"kiss://{tmp_path / 'tnc'}?ax25=AB1CD", 9600, "w")
    port.write(PACKET)
    pty.write(pty.read())
    assert port.read() == PACKET
    close(port, pty)


def test_only_packets_fit_into_envelopes() -> None:
    port = open_port("rtp://127.0.0.1:5004", 9600, "w")
    with pytest.raises(PortError, match="mode that starts with P"):
        port.write(b"\x1a\xcf\xfc\x1d" + bytes(100) + b"x")
    close(port)


def test_line_keeps_flow_control_and_lines_as_asked(tmp_path: Path) -> None:
    pty = open_port(f"pty://{tmp_path / 'radio'}", 9600, "r")
    line = open_port(f"{tmp_path / 'radio'}", 9600, "w")
    close(line)
    line = open_port(f"serial://{tmp_path / 'radio'}?rtscts&rts=0&dtr=0", 9600, "w")
    assert termios.tcgetattr(line.fileno())[2] & termios.CRTSCTS
    assert line.write(b"abc") == 3
    close(line, pty)
