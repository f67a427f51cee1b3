"""minimodem: plain audio FSK without any error correction, so what R frames are made for."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from edge_codec.firmware_bridge import (
    PROFILES,
    RawReceiver,
    RawTransmitter,
    Receiver,
    raw_profile_for,
)
from support.air import PcmArray, add_noise
from support.link_pair import events_of, heard, make_codes, make_hello, send_spurt

pytestmark = pytest.mark.interop
PROGRAM = ("minimodem", "minimodem")
RATE_HZ = 48_000
LINE = ("2400", "-R", str(RATE_HZ), "-M", "2400", "-S", "4800")
"""2400 baud, tones of 2400 and 4800 Hz, 8N1."""
SUPERFRAMES = 60


def modulate(data: bytes, folder: Path) -> PcmArray:
    path = folder / "sent.wav"
    subprocess.run(["minimodem", "--tx", *LINE, "-f", str(path)], input=data, check=True)
    return soundfile.read(path, dtype="int16")[0]


def demodulate(samples_T: PcmArray, folder: Path) -> bytes:
    path = folder / "heard.wav"
    soundfile.write(path, samples_T, RATE_HZ)
    command = ["minimodem", "--rx", *LINE, "-q", "-f", str(path)]
    return subprocess.run(command, check=False, capture_output=True).stdout


def raw_spurt() -> bytes:
    profile = raw_profile_for(3, 10, 50.0)
    transmitter = RawTransmitter(make_hello(profile), stream_tag=7)
    frames = transmitter.send_frames(make_codes(profile, SUPERFRAMES), now_s=0.0)
    return b"".join([*frames, *transmitter.finish(now_s=0.0)])


def base_share(receiver: Receiver | RawReceiver, data: bytes) -> float:
    """Share of code frames that arrived with their base layers."""
    receiver.receive_data(data, now_s=0.0)
    receiver.handle_timeout(now_s=60.0)
    frames = heard(list(events_of(receiver)))
    valid = sum(int(np.count_nonzero(event.valid_layers_F)) for event in frames)
    size = len(frames[0].valid_layers_F) if frames else 1
    return valid / (SUPERFRAMES * size)


@pytest.mark.timeout(300)
def test_raw_frames_survive_where_packets_do_not(
    tmp_path: Path, note: Callable[[str], None]
) -> None:
    packets = b"".join(packet for _, packet in send_spurt(PROFILES[3], SUPERFRAMES))
    raw_T, packets_T = modulate(raw_spurt(), tmp_path), modulate(packets, tmp_path)
    for snr_db, raw_at_least in ((20, 1.0), (12, 0.99), (10, 0.9), (8, 0.0)):
        raw = demodulate(add_noise(raw_T, RATE_HZ, snr_db=snr_db), tmp_path)
        plain = demodulate(add_noise(packets_T, RATE_HZ, snr_db=snr_db), tmp_path)
        share = base_share(RawReceiver(raw_profile_for(3, 10, 50.0)), raw)
        packet_share = base_share(Receiver(), plain)
        note(
            f"minimodem 2400 baud FSK, SNR {snr_db} dB: base layers of R1500 {share:.0%},"
            f" of P1500 {packet_share:.0%}"
        )
        assert share >= raw_at_least
        assert share >= packet_share - 0.02
