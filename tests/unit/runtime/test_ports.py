"""Ports: every URL form, partial writes, hang-ups, and what is said when one cannot be opened."""

import os
from pathlib import Path

import pytest

from edge_codec.runtime.errors import PortError
from edge_codec.runtime.ports import DescriptorPort, Port, is_line, open_port
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


def test_udp_port_in_use_is_refused() -> None:
    receiver = UdpPort("", 0, listens=True)
    with pytest.raises(PortError, match="in use"):
        open_port(f"udp://:{receiver.local_port}", 9600, "r")
    close(receiver)


@pytest.mark.parametrize(
    ("url", "mode", "message"),
    [
        ("radio://x", "r", "unknown port"),
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
