"""Speech through a model and a bad link: what the listener's decoder gives."""

from collections.abc import Callable

import numpy as np

from edge_codec.firmware_bridge import (
    AutoReceiver,
    Framing,
    Mode,
    RawTransmitter,
    Spurt,
    Transmitter,
    modes,
)
from edge_codec.runtime import Bundle, StreamDecoder, StreamEncoder
from edge_codec.runtime.packing import Packing, PlainPacking, pack_units, unpack_units
from edge_codec.runtime.quality import align, stoi
from support.link_pair import events_of, heard, make_hello

FloatArray = np.ndarray
R_PROFILES = [mode.profile for mode in modes(framing=Framing.RAW)]


def open_spurt(mode: Mode, *, red: int = 0) -> Spurt:
    hello = make_hello(mode.profile)
    if mode.framing is Framing.RAW:
        return RawTransmitter(hello, stream_tag=7)
    return Transmitter(hello, stream_tag=7, red=red)


def over_link(
    codes_FK: np.ndarray,
    mode: Mode,
    damage: Callable[[bytes], bytes],
    *,
    red: int = 0,
    packing: Packing | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Codes [F, K] and valid layers [F] as received, lost superframes empty."""
    packing = packing or PlainPacking()
    profile, spurt, receiver = mode.profile, open_spurt(mode, red=red), AutoReceiver(*R_PROFILES)
    size = profile.frames_per_superframe
    count = len(codes_FK)
    whole = -(-count // size)
    padded_FK = np.pad(codes_FK, ((0, whole * size - len(codes_FK)), (0, 0)), mode="edge")
    received_FK = np.zeros((len(padded_FK), packing.needed_layers(profile.layers)), np.int64)
    valid_F = np.zeros(len(padded_FK), np.int64)
    for n in range(whole + 1):
        now_s = n * profile.superframe_s
        if n < whole:
            codes_FK = padded_FK[n * size : (n + 1) * size]
            numbers_FL = pack_units(packing, codes_FK, profile.layers, spurt.unit_frames)
            packets = spurt.send_frames(numbers_FL, now_s=now_s)
        else:
            packets = spurt.finish(now_s=now_s)
        for packet in packets:
            receiver.receive_data(damage(packet), now_s=now_s)
    receiver.handle_timeout(now_s=1e6)
    for event in heard(list(events_of(receiver))):
        rows = slice(event.sequence * size, (event.sequence + 1) * size)
        received_FK[rows], valid_F[rows] = unpack_units(
            packing, event.codes_FK, event.valid_layers_F, spurt.unit_frames
        )
    return received_FK[:count], valid_F[:count]


def estoi_over_link(
    bundle: Bundle,
    speech_T: FloatArray,
    mode: Mode,
    damage: Callable[[bytes], bytes],
    *,
    red: int = 0,
) -> float:
    """ESTOI of one clip, first sample to last."""
    encoder = StreamEncoder(bundle)
    codes_FK = np.concatenate([encoder.push(speech_T), encoder.flush()])
    received_FK, valid_F = over_link(codes_FK, mode, damage, red=red, packing=bundle.open_packing())
    decoded_T = StreamDecoder(bundle).push(received_FK, valid_F)
    decoded_T = align(decoded_T, bundle.spec.delay_samples, len(speech_T))
    return float(stoi(speech_T, decoded_T, extended=True))
