"""Our packets through FreeDV's raw-data modems of libcodec2, which bring their own LDPC codes.

DATAC1 is an OFDM modem for HF, FSK_LDPC an FSK modem for VHF. A modem frame carries a piece of our
byte stream as it comes; the rest of the last frame is filled with delimiters.
"""

import ctypes
from collections.abc import Callable
from contextlib import closing

import pytest

from edge_codec.firmware_bridge import PROFILES, Receiver, StreamProfile
from support.air import add_noise
from support.freedv import DATAC1, FSK_LDPC, Modem, load_library
from support.link_pair import events_of, heard, send_spurt

pytestmark = pytest.mark.interop
NAMES = {DATAC1: "DATAC1", FSK_LDPC: "FSK_LDPC"}
SUPERFRAMES = 40


@pytest.fixture(scope="module")
def library() -> ctypes.CDLL:
    found = load_library()
    if found is None:
        pytest.skip("libcodec2 1.0 or later is not installed: sudo apt install libcodec2-1.0")
    return found


def pieces(data: bytes, size: int) -> list[bytes]:
    return [data[start : start + size] for start in range(0, len(data), size)]


def over_air(
    library: ctypes.CDLL, mode: int, data: bytes, snr_db: float
) -> tuple[list[bytes], float]:
    """What arrives of a byte stream, and the seconds it was on the air."""
    with closing(Modem(library, mode)) as sender, closing(Modem(library, mode)) as receiver:
        payloads = pieces(data, sender.payload_bytes)
        samples_T, rate_hz = sender.send(payloads), sender.sample_rate_hz
        receiver.expect(len(payloads))
        arrived = list(receiver.receive(add_noise(samples_T, rate_hz, snr_db=snr_db)))
    return arrived, len(samples_T) / rate_hz


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("mode", "profile", "snrs"),
    [
        (DATAC1, PROFILES[1], {10: 40, 5: 40, 2: 30, 0: 0}),
        (FSK_LDPC, PROFILES[3], {20: 40, 10: 39, 7: 0, 5: 0}),
    ],
)
def test_talk_spurt_through_modem_and_noise(
    library: ctypes.CDLL,
    note: Callable[[str], None],
    *,
    mode: int,
    profile: StreamProfile,
    snrs: dict[float, int],
) -> None:
    sent = b"".join(packet for _, packet in send_spurt(profile, SUPERFRAMES))
    for snr_db, at_least in snrs.items():
        receiver = Receiver()
        arrived, airtime_s = over_air(library, mode, sent, snr_db)
        for chunk in arrived:
            receiver.receive_data(chunk, now_s=0.0)
        voice = sum(bool(event.valid_layers_F.all()) for event in heard(list(events_of(receiver))))
        note(
            f"libcodec2 {NAMES[mode]}, P{profile.codec_bitrate_bps:.0f}, SNR {snr_db} dB: {voice}/"
            f"{SUPERFRAMES} packets ({SUPERFRAMES * profile.superframe_s:.1f} s of speech in"
            f" {airtime_s:.1f} s on the air)"
        )
        assert voice >= at_least
