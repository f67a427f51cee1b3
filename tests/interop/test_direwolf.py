"""Direwolf as the TNC at both ends: KISS over TCP, AX.25, audio FSK through noise."""

import os
import select
import socket
import subprocess
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

import numpy as np
import pytest

from edge_codec.firmware_bridge import PROFILES, Receiver
from edge_codec.runtime.errors import PortError
from edge_codec.runtime.ports import Port, open_port
from support.air import PcmArray, add_noise
from support.link_pair import events_of, heard, send_spurt

pytestmark = pytest.mark.interop
PROGRAM = ("direwolf", "direwolf")
RATE_HZ = 48_000
SUPERFRAMES = 20
P500 = PROFILES[1]
QUIET_S = 3.0
_CONFIGURATION = """ADEVICE stdin tofile
ARATE 48000
CHANNEL 0
MYCALL N0CALL
MODEM 1200
TXDELAY 30
TXTAIL 5
AGWPORT 0
KISSPORT {kiss_port}
"""
_SOUND = """</usr/share/alsa/alsa.conf>
pcm.tofile {{ type file slave.pcm null file "{path}" format raw }}
"""


def free_port() -> int:
    """A TCP port below 49152, which is what Direwolf takes."""
    for number in range(18_000, 49_000):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", number))
            return number
    pytest.fail("no port is free")


class Tnc:
    """One Direwolf: KISS on TCP, audio in by a pipe, audio out into a file."""

    def __init__(self, folder: Path, name: str) -> None:
        self.kiss_port = free_port()
        self.sent = folder / f"{name}.raw"
        (folder / f"{name}.sound").write_text(_SOUND.format(path=self.sent))
        configuration = folder / f"{name}.conf"
        configuration.write_text(_CONFIGURATION.format(kiss_port=self.kiss_port))
        self._process = subprocess.Popen(
            ["direwolf", "-t", "0", "-q", "hd", "-c", str(configuration)],
            env=os.environ | {"ALSA_CONFIG_PATH": str(folder / f"{name}.sound")},
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def open(self) -> Port:
        url = f"kiss-tcp://127.0.0.1:{self.kiss_port}?ax25=AB1CD-5"
        for _ in range(50):
            try:
                return open_port(url, 1200, "w")
            except PortError:
                time.sleep(0.1)
        return open_port(url, 1200, "w")

    def play(self, samples_T: PcmArray) -> None:
        """Let it hear samples; returns when it has taken them."""
        assert self._process.stdin
        self._process.stdin.write(samples_T.astype("<i2").tobytes())
        self._process.stdin.flush()

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(10)


def transmit(tnc: Tnc) -> PcmArray:
    """The tones of a talk spurt, sent through our port."""
    with closing(tnc.open()) as port:
        for _, packet in send_spurt(P500, SUPERFRAMES):
            assert port.write(packet) == len(packet)
        size, quiet_from_s = 0, time.monotonic()
        while not size or time.monotonic() - quiet_from_s < QUIET_S:
            assert time.monotonic() - quiet_from_s < 60, "nothing was sent"
            time.sleep(0.2)
            if tnc.sent.stat().st_size > size:
                size, quiet_from_s = tnc.sent.stat().st_size, time.monotonic()
    return np.fromfile(tnc.sent, "<i2")


def receive(tnc: Tnc, samples_T: PcmArray) -> Receiver:
    """What our port hears when a TNC hears these samples."""
    receiver = Receiver()
    with closing(tnc.open()) as port:
        for start in range(0, len(samples_T), RATE_HZ):
            tnc.play(samples_T[start : start + RATE_HZ])
            receiver.receive_data(port.read(), now_s=start / RATE_HZ)
        while select.select([port], [], [], 1.0)[0]:
            receiver.receive_data(port.read(), now_s=len(samples_T) / RATE_HZ)
    return receiver


@pytest.mark.timeout(300)
def test_talk_spurt_through_two_tncs_and_noise(tmp_path: Path, note: Callable[[str], None]) -> None:
    with closing(Tnc(tmp_path, "sender")) as sender:
        tones_T = transmit(sender)
    airtime_s = np.count_nonzero(tones_T) / RATE_HZ
    for snr_db, at_least in ((14, SUPERFRAMES), (10, SUPERFRAMES), (8, 0), (6, 0)):
        with closing(Tnc(tmp_path, f"receiver-{snr_db}")) as receiver:
            got = receive(receiver, add_noise(tones_T, RATE_HZ, snr_db=snr_db))
        frames = heard(list(events_of(got)))
        voice = sum(bool(event.valid_layers_F.all()) for event in frames)
        note(
            f"Direwolf 1200 baud, AX.25, P500, SNR {snr_db} dB: {voice}/{SUPERFRAMES} packets"
            f" ({SUPERFRAMES * P500.superframe_s:.1f} s of speech in {airtime_s:.1f} s on the air)"
        )
        assert voice >= at_least
        assert got.stats.damaged_crc == 0
