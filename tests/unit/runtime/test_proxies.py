"""`edge-codec channel` between pipes, UDP programs and serial programs."""

import json
import os
import socket
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from edge_codec.firmware_bridge import ChannelModel
from edge_codec.runtime.cli import main
from edge_codec.runtime.errors import PortError
from edge_codec.runtime.ports import open_port
from edge_codec.runtime.ports.modem import VirtualModem
from edge_codec.runtime.ports.proxy import Filter, UdpProxy
from support.command import run_command

PACKETS = b"".join(bytes([n]) * 9 + b"\0" for n in range(1, 200))


def filtered(*options: str, data: bytes = PACKETS) -> tuple[bytes, dict[str, int]]:
    done = run_command("channel", *options, "--json", input=data, stdout=subprocess.PIPE)
    assert done.returncode == 0, done.stderr
    return done.stdout, json.loads(done.stderr)["there"]


def test_filter_does_the_same_for_the_same_seed() -> None:
    options = ("--drop", "0.2", "--ber", "1e-3", "--slips", "1e-3", "--duplicate", "0.1")
    first, stats = filtered(*options)
    assert filtered(*options) == (first, stats)
    assert filtered(*options, "--seed", "2")[0] != first
    assert stats["pieces_in"] == 199
    assert 15 < stats["dropped"] < 75
    assert stats["bytes_out"] == len(first)


def test_perfect_filter_passes_packets_and_a_rest(tmp_path: Path) -> None:
    data = PACKETS + b"no zero" * 2000
    (tmp_path / "in").write_bytes(data)
    with (tmp_path / "in").open("rb") as source, (tmp_path / "out").open("wb") as target:
        ends = (source.fileno(), target.fileno())
        proxy = Filter(ChannelModel(), seed=1, ends=ends)
        while not proxy.is_finished:
            proxy.step(0.0)
    assert (tmp_path / "out").read_bytes() == data


def test_filter_cuts_by_length(tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(bytes(1000))
    with (tmp_path / "in").open("rb") as source, Path(os.devnull).open("wb") as target:
        ends = (source.fileno(), target.fileno())
        proxy = Filter(ChannelModel(drop_rate=1.0), seed=1, piece_bytes=30, ends=ends)
        while not proxy.is_finished:
            proxy.step(0.0)
    assert proxy.routes[0].stats.dropped == 34


def test_slow_filter_makes_its_sender_wait(tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(bytes([1]) * 50_000)
    with (tmp_path / "in").open("rb") as source, (tmp_path / "out").open("wb") as target:
        ends = (source.fileno(), target.fileno())
        proxy = Filter(ChannelModel(baud=9600), seed=1, piece_bytes=100, ends=ends)
        now_s = 0.0
        while not proxy.is_finished:
            proxy.step(now_s)
            now_s += 0.1
    assert now_s == pytest.approx(50_000 * 10 / 9600, abs=1)
    assert proxy.routes[0].stats.overflowed == 0


def test_udp_proxy_carries_both_ways() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        target = ("127.0.0.1", server.getsockname()[1])
        model = ChannelModel(duplicate_rate=1.0, delay_s=1.0)
        with (
            closing(UdpProxy(model, seed=1, listen=0, target=target)) as proxy,
            closing(open_port(f"udp://127.0.0.1:{proxy.local_port}", 0, "w")) as client,
        ):
            client.write(b"there")
            for now_s in (0.0, 1.0):
                proxy.step(now_s)
            data, address = server.recvfrom(100)
            assert (data, server.recv(100)) == (b"there", b"there")
            server.sendto(b"back", address)
            for now_s in (2.0, 3.0):
                proxy.step(now_s)
            assert client.read() == b"back"
            assert [route.stats.pieces_out for route in proxy.routes] == [2, 2]


def test_a_flood_does_not_keep_the_others_waiting() -> None:
    target = ("127.0.0.1", 9)
    with (
        closing(UdpProxy(ChannelModel(), seed=1, listen=0, target=target)) as proxy,
        closing(open_port(f"udp://127.0.0.1:{proxy.local_port}", 0, "w")) as client,
    ):
        for _ in range(150):
            client.write(bytes(50))
        proxy.step(0.0)
        assert proxy.routes[0].stats.pieces_in == 100
        with pytest.raises(PortError, match="cannot listen"):
            UdpProxy(ChannelModel(), seed=1, listen=proxy.local_port, target=target)


def test_ptys_get_their_links_or_nothing_stays(tmp_path: Path) -> None:
    links = (str(tmp_path / "a"), str(tmp_path / "b"))
    with closing(VirtualModem(ChannelModel(), seed=1, links=links)):
        assert all(Path(link).is_symlink() for link in links)
    assert not list(tmp_path.iterdir())
    with pytest.raises(PortError):
        VirtualModem(ChannelModel(), seed=1, links=(links[0], str(tmp_path / "none" / "b")))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "words",
    [
        ["--ber", "2"],
        ["--ber", "nan"],
        ["--drop", "-1"],
        ["--delay", "nan"],
        ["--baud", "inf"],
        ["--burst-share", "1"],
        ["--burst-bits", "0"],
        ["--seed", "-1"],
        ["--udp", "x", "y"],
        ["--udp", "5", "nohost"],
        ["--udp", "99999999", "127.0.0.1:5"],
        ["--pty", "/none/a", "/none/b"],
    ],
)
def test_impossible_channels_are_one_line(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["channel", *words]) == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_a_reader_that_leaves_is_no_bug() -> None:
    program = ["channel", "--baud", "1e6"]
    read_end, write_end = os.pipe()
    os.close(read_end)
    with os.fdopen(write_end, "wb") as gone:
        done = run_command(*program, input=bytes(5000), stdout=gone)
    assert (done.returncode, done.stderr) == (1, b"")
