"""RTP as other programs see it: tshark takes our packets apart, GStreamer puts them in order."""

import re
import select
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from edge_codec.firmware_bridge import PROFILES
from edge_codec.firmware_bridge.rtp import CLOCK_HZ, PAYLOAD_TYPE, RtpPacket, unpack_rtp
from edge_codec.runtime.ports import open_port
from edge_codec.runtime.ports.udp import UdpPort
from support.link_pair import send_spurt
from support.pcap import write_pcap

pytestmark = pytest.mark.interop
Note = Callable[[str], None]
Timed = list[tuple[float, bytes]]
P3000 = PROFILES[6]
SUPERFRAMES = 100
LATENCY_MS = 300


def need(program: str, package: str) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed: sudo apt install {package}")


@pytest.fixture(scope="module")
def datagrams() -> Timed:
    """A talk spurt as it leaves our port, with the time of each packet."""
    receiver = UdpPort("127.0.0.1", 0, listens=True)
    timed = []
    with (
        closing(receiver),
        closing(open_port(f"rtp://127.0.0.1:{receiver.local_port}", 9600, "w")) as port,
    ):
        for time_s, packet in send_spurt(P3000, SUPERFRAMES):
            port.write(packet)
            timed.append((time_s, receiver.read()))
    return timed


def tshark(capture: Path, *words: str) -> str:
    command = ["tshark", "-r", str(capture), "-d", "udp.port==5004,rtp", *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_tshark_reads_every_field(datagrams: Timed, tmp_path: Path, note) -> None:  # type: ignore[no-untyped-def]
    need("tshark", "tshark")
    write_pcap(tmp_path / "a.pcap", datagrams, 5004)
    names = ("version", "p_type", "marker", "seq", "timestamp", "ssrc", "payload")
    fields = [word for name in names for word in ("-e", f"rtp.{name}")]
    rows = [
        line.split("\t")
        for line in tshark(tmp_path / "a.pcap", "-T", "fields", *fields).splitlines()
    ]
    assert len(rows) == len(datagrams)
    for row, (_, data) in zip(rows, datagrams, strict=True):
        rtp = unpack_rtp(data)
        assert isinstance(rtp, RtpPacket)
        assert row[:2] == ["2", str(PAYLOAD_TYPE)]
        assert row[2] in (("1", "True") if rtp.is_marked else ("0", "False"))
        assert [int(row[3]), int(row[4]), int(row[5], 16)] == [
            rtp.sequence,
            rtp.timestamp,
            rtp.ssrc,
        ]
        assert row[6].replace(":", "") == rtp.payload.hex()
    note(f"tshark: {len(rows)} of {len(datagrams)} RTP packets taken apart, every field as sent")


def test_tshark_counts_losses(datagrams: Timed, tmp_path: Path, note: Note) -> None:
    need("tshark", "tshark")
    kept = [item for n, item in enumerate(datagrams) if n not in (20, 50, 51)]
    for name, packets, lost in (("whole", datagrams, 0), ("lossy", kept, 3)):
        write_pcap(tmp_path / f"{name}.pcap", packets, 5004)
        text = tshark(tmp_path / f"{name}.pcap", "-q", "-z", "rtp,streams")
        assert len(re.findall("0x04050607", text)) == 1
        assert re.search(rf" {len(packets)} +{lost} \(", text), text
    note("tshark -z rtp,streams: one stream; 0 and 3 lost packets, as many as were taken out")


def is_free(number: int) -> bool:
    """Whether no program listens at this UDP port."""
    return f":{number:04X} " not in Path("/proc/net/udp").read_text()


@pytest.fixture
def jitter_buffer() -> Iterator[tuple[int, UdpPort]]:
    """GStreamer's, between a port to send to and one that hears what comes out."""
    need("gst-launch-1.0", "gstreamer1.0-tools gstreamer1.0-plugins-good")
    if subprocess.run(["gst-inspect-1.0", "--exists", "rtpjitterbuffer"], check=False).returncode:
        pytest.skip("no rtpjitterbuffer: sudo apt install gstreamer1.0-plugins-good")
    heard = UdpPort("127.0.0.1", 0, listens=True)
    entry = UdpPort("127.0.0.1", 0, listens=True)
    number = entry.local_port
    entry.close()
    caps = f"application/x-rtp,media=audio,clock-rate={CLOCK_HZ},payload={PAYLOAD_TYPE}"
    elements = (
        *("udpsrc", "address=127.0.0.1", f"port={number}", f"caps={caps}", "!"),
        *("rtpjitterbuffer", f"latency={LATENCY_MS}", "!"),
        *("udpsink", "host=127.0.0.1", f"port={heard.local_port}", "sync=false"),
    )
    process = subprocess.Popen(["gst-launch-1.0", "-q", *elements])
    while is_free(number):
        assert process.poll() is None
        time.sleep(0.1)
    yield number, heard
    process.terminate()
    process.wait(10)
    heard.close()


def test_gstreamer_puts_packets_in_order(
    datagrams: Timed,
    jitter_buffer: tuple[int, UdpPort],
    note: Note,
) -> None:
    number, heard = jitter_buffer
    shuffled = [data for _, data in datagrams]
    rng = np.random.default_rng(1)
    swaps = sorted(rng.choice(len(shuffled) // 2, 20, replace=False) * 2 + 1)
    for n in swaps[1:-1]:
        shuffled[n], shuffled[n + 1] = shuffled[n + 1], shuffled[n]
    got = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for data in shuffled:
            sender.sendto(data, ("127.0.0.1", number))
            sender.sendto(data, ("127.0.0.1", number))  # a duplicate
            time.sleep(0.01)
        while select.select([heard], [], [], 2 * LATENCY_MS / 1000)[0]:
            got.append(heard.read())
    packets = [unpack_rtp(data) for data in got]
    sequences = [packet.sequence for packet in packets if isinstance(packet, RtpPacket)]
    assert sequences == sorted(sequences)
    assert got == [data for _, data in datagrams]
    note(
        f"GStreamer rtpjitterbuffer: {len(swaps) - 2} swapped and {len(got)} doubled packets,"
        f" {len(got)} of {len(datagrams)} come out once and in order"
    )
