"""The raw link: layers survive noise one by one, sync survives slips, noise is never voice."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_codec.firmware_bridge import (
    ChannelModel,
    EndReason,
    Framing,
    Line,
    LocalLinkError,
    PacketsLost,
    RawFormat,
    RawReceiver,
    RawTransmitter,
    StreamEnded,
    StreamProfile,
    modes,
    raw_profile_for,
    refusal,
)
from edge_codec.firmware_bridge.frame_codec import frame_codec_for
from edge_codec.firmware_bridge.packet import PacketType
from edge_codec.firmware_bridge.raw_header import RawHeader, decode_header
from edge_codec.firmware_bridge.scramble import scramble, unscramble
from edge_codec.firmware_bridge.sync import Synchronizer
from support.link_pair import events_of, heard, kinds, make_codes, make_hello, receive
from support.raw_link import send_over

R1500 = raw_profile_for(3, 10, 50.0)
FRAME_BYTES = RawFormat(R1500).frame_bytes


def spurt(superframes: int, *, tag: int = 7, profile: StreamProfile = R1500) -> list[bytes]:
    transmitter = RawTransmitter(make_hello(profile), stream_tag=tag)
    frames = transmitter.send_frames(make_codes(profile, superframes), now_s=0.0)
    return frames + transmitter.finish(now_s=0.0)


def flipped(frame: bytes, share: float, seed: int = 0) -> bytes:
    bits = np.unpackbits(np.frombuffer(frame, np.uint8))
    bits ^= np.random.default_rng(seed).random(len(bits)) < share
    return np.packbits(bits).tobytes()


def spoiled(frame: bytes) -> bytes:
    """With its header intact and nothing else."""
    bits = unscramble(np.unpackbits(np.frombuffer(frame[4:], np.uint8)))
    bits[48:] ^= np.random.default_rng(1).integers(0, 2, len(bits) - 48, np.uint8)
    return frame[:4] + np.packbits(scramble(bits)).tobytes()


def hear(chunks: list[bytes]) -> tuple[RawReceiver, list]:
    receiver = RawReceiver(R1500)
    for chunk in chunks:
        receiver.receive_data(chunk, now_s=0.0)
    return receiver, list(events_of(receiver))


def test_mode_table_of_the_default_codec() -> None:
    table = {mode.name: mode for mode in modes(framing=Framing.RAW)}
    gross_bps = {
        name: round(RawFormat(mode.profile).gross_bitrate_bps()) for name, mode in table.items()
    }
    expected_bps = {"R500": 1300, "R1000": 2300, "R1500": 3400, "R3000": 6600, "R6000": 9650}
    assert {name: gross_bps[name] for name in expected_bps} == expected_bps
    delays_ms = [table[name].mouth_to_ear_ms for name in expected_bps]
    assert delays_ms == [1020, 1020, 540, 540, 380]


def test_what_does_not_fit_is_refused() -> None:
    table, line = modes(framing=Framing.RAW), Line(baud=9600)
    assert refusal(table[11], line) == (
        "R6000 needs 9959 bit/s, 9600 baud 8N1 carries 7296; R4000 would fit"
    )
    assert refusal(table[5], line) is None
    assert refusal(table[2], Line(baud=4800)) is None


@pytest.mark.parametrize("frame_rate_hz", [12.5, 25.0, 75.0, 86.1328125])
def test_other_codecs_have_modes_too(frame_rate_hz: float) -> None:
    for mode in modes(6, 8, frame_rate_hz, framing=Framing.RAW):
        events = receive(
            [(0.0, b"".join(spurt(2, profile=mode.profile)))], receiver=RawReceiver(mode.profile)
        )  # type: ignore[arg-type]
        codes_FK = np.concatenate([event.codes_FK for event in heard(events)])
        assert (codes_FK == make_codes(mode.profile, 2)).all()


def test_a_profile_that_groups_do_not_divide_is_refused() -> None:
    profile = StreamProfile(
        layers=3, base_layers=2, bits_per_code=10, frames_per_superframe=13, superframe_ms=260
    )
    with pytest.raises(LocalLinkError, match="multiple of 2"):
        RawReceiver(profile)
    with pytest.raises(LocalLinkError, match="paths"):
        RawReceiver(R1500, paths=0)


def test_a_clean_spurt_arrives_whole_in_any_pieces() -> None:
    stream = b"".join(spurt(3))
    for size in (1, 7, 100, len(stream)):
        edges = [*range(0, len(stream), size), len(stream)]
        receiver, events = hear([stream[a:b] for a, b in pairwise(edges)])
        codes_FK = np.concatenate([event.codes_FK for event in heard(events)])
        assert (codes_FK == make_codes(R1500, 3)).all()
        assert events[-1] == StreamEnded(7, EndReason.END)
        assert receiver.stats.hello_received == 2


def test_a_stream_cut_anywhere_gives_its_whole_frames() -> None:
    stream = b"".join(spurt(2))
    for length in range(0, len(stream), 13):
        receiver, _ = hear([stream[:length]])
        received = receiver.stats.hello_received + receiver.stats.voice_received
        assert received + receiver.stats.end_received == length // FRAME_BYTES


def test_noise_before_between_and_behind_is_skipped() -> None:
    noise = np.random.default_rng(3).integers(0, 256, 700, np.uint8).tobytes()
    frames = spurt(4)
    _, events = hear([noise, *frames[:4], noise[:333], *frames[4:], noise])
    assert kinds(events).count("StreamStarted") == 1
    assert [event.sequence for event in heard(events)] == [0, 1, 2, 3]
    assert sum(int(event.valid_layers_F[0]) == 3 for event in heard(events)) >= 3


def test_late_entry_needs_two_superframes() -> None:
    stream = b"".join(spurt(6)[2:-1])
    for cut in range(0, FRAME_BYTES, 7):
        _, events = hear([stream[cut : cut + 2 * FRAME_BYTES]])
        assert len(heard(events)) >= 1


def test_an_unreadable_superframe_is_concealed_at_once() -> None:
    frames = spurt(5)
    receiver = RawReceiver(R1500)
    for frame in frames[:4]:
        receiver.receive_data(frame, now_s=0.0)
    list(events_of(receiver))
    receiver.receive_data(spoiled(frames[4]), now_s=0.0)
    assert kinds(list(events_of(receiver))) == ["PacketDamaged", "PacketsLost", "FramesReceived"]
    receiver.receive_data(b"".join(frames[5:]), now_s=0.0)
    frames_heard = heard(list(events_of(receiver)))
    assert [int(event.valid_layers_F[0]) for event in frames_heard] == [3, 3]


def test_voice_outlives_its_header() -> None:
    frames = spurt(3)
    header = RawHeader(PacketType.VOICE, 7, 1)
    assert decode_header(header.coded()) == header
    seed = next(
        seed
        for seed in range(1000)
        if decode_header(header.coded() ^ _header_errors(frames[3], seed)) != header
    )
    _, events = hear([*frames[:3], flipped(frames[3], 0.05, seed), *frames[4:]])
    assert [int(event.valid_layers_F[0]) > 0 for event in heard(events)] == [True] * 3


def _header_errors(frame: bytes, seed: int) -> int:
    frames = frame_codec_for(RawFormat(R1500))
    return frames.header_bits(frame[4:]) ^ frames.header_bits(flipped(frame, 0.05, seed)[4:])


def test_losses_in_a_row_are_counted() -> None:
    frames = spurt(8)
    del frames[4:7]
    receiver, events = hear(frames)
    assert PacketsLost(7, 3) in events
    assert [event.sequence for event in heard(events)] == list(range(8))
    assert receiver.stats.voice_delivered + receiver.stats.voice_lost == 8


def slipped(frame: bytes, place: int, slip: int) -> bytes:
    """With bytes lost (slip below zero) or stray ones before `place`."""
    return frame[:place] + (frame[place - slip :] if slip < 0 else bytes(slip) + frame[place:])


@pytest.mark.parametrize("slip", [-4, -2, 2, 4])
def test_a_long_slip_costs_the_frame_it_is_in_and_no_other(slip: int) -> None:
    frames = spurt(6)
    frames[4] = slipped(frames[4], 50, slip)
    receiver, events = hear(frames)
    valid = [int(event.valid_layers_F[0]) for event in heard(events)]
    assert valid == [3, 3, 0, 3, 3, 3]
    assert events[-1] == StreamEnded(7, EndReason.END)
    assert receiver.stats.voice_lost == 1


@pytest.mark.parametrize("slip", [-1, 1])
@pytest.mark.parametrize("place", range(0, 102, 10))
def test_the_base_survives_a_slip_by_one_byte_anywhere(place: int, slip: int) -> None:
    frames = spurt(6)
    frames[4] = slipped(frames[4], place, slip)
    _, events = hear(frames)
    valid = [int(event.valid_layers_F[0]) for event in heard(events)]
    assert valid[2] >= 2
    assert valid[:2] + valid[3:] == [3] * 5


def test_a_new_station_at_another_place_is_found_at_once() -> None:
    first, second = spurt(4, tag=1), spurt(3, tag=2)
    _, events = hear([*first[:4], first[4][:40], *second])
    mine = [event for event in heard(events) if event.stream_tag == 2]
    assert [event.sequence for event in mine] == [0, 1, 2]


def test_silence_ends_a_stream() -> None:
    timed = [(n * 0.24, frame) for n, frame in enumerate(spurt(3)[:-1])]
    events = receive(timed, receiver=RawReceiver(R1500))  # type: ignore[arg-type]
    assert events[-1] == StreamEnded(7, EndReason.TIMEOUT)


def test_another_profile_of_the_same_length_is_not_believed() -> None:
    other = StreamProfile(
        layers=3, base_layers=2, bits_per_code=10, frames_per_superframe=12, superframe_ms=230
    )
    assert RawFormat(other).frame_bytes == FRAME_BYTES
    receiver, _ = hear(spurt(1, profile=other)[:2])
    assert receiver.stats.hello_received == 0


@settings(max_examples=20)
@given(st.lists(st.binary(max_size=400), max_size=6), st.lists(st.integers(0, 5), max_size=6))
def test_any_bytes_give_events_or_nothing(chunks: list[bytes], order: list[int]) -> None:
    frames = spurt(3)
    receiver = RawReceiver(R1500)
    mixed = [piece for n, chunk in enumerate(chunks) for piece in (chunk, frames[n % 6])]
    for now, chunk in enumerate([*mixed, *(frames[n] for n in order)]):
        receiver.receive_data(chunk, now_s=float(now))
        receiver.handle_timeout(now_s=float(now))
    events = list(events_of(receiver))
    stats = receiver.stats
    delivered = stats.voice_delivered + stats.voice_lost
    assert delivered == len(heard(events))
    assert len(receiver._reader._synchronizer._buffer) <= FRAME_BYTES + 8 + 256


def test_noise_is_never_voice() -> None:
    rng = np.random.default_rng(5)
    frames, receiver, garbage = spurt(3)[:-1], RawReceiver(R1500), 0
    for n in range(60):
        for frame in frames if n % 20 == 0 else []:
            receiver.receive_data(frame, now_s=0.0)
        list(events_of(receiver))
        receiver.receive_data(rng.integers(0, 256, FRAME_BYTES, np.uint8).tobytes(), now_s=0.0)
        garbage += sum(
            int(event.valid_layers_F.max()) for event in heard(list(events_of(receiver)))
        )
    assert garbage == 0


@pytest.mark.parametrize(
    ("rate", "most_base", "most_upper"),
    [(0.0, 0.0, 0.0), (1e-2, 0.0, 0.05), (3e-2, 0.01, 1.0), (5e-2, 0.03, 1.0)],
)
def test_layers_survive_bit_errors(rate: float, most_base: float, most_upper: float) -> None:
    outcome = send_over(ChannelModel(bit_error_rate=rate), layers=3, superframes=40)
    assert outcome.base_erased <= most_base
    assert outcome.upper_erased <= most_upper
    assert outcome.wrong_frames == 0
    assert outcome.stats.voice_delivered + outcome.stats.voice_lost == 40


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("layers", [3, 6])
@pytest.mark.parametrize(
    ("rate", "most_base", "most_upper"), [(1e-2, 0.0, 0.05), (3e-2, 0.005, 1.0), (5e-2, 0.02, 1.0)]
)
def test_erasures_over_2000_superframes(
    layers: int, rate: float, most_base: float, most_upper: float
) -> None:
    outcome = send_over(ChannelModel(bit_error_rate=rate), layers=layers, superframes=2000)
    assert outcome.base_erased <= most_base
    assert outcome.upper_erased <= most_upper
    assert outcome.wrong_frames <= 12


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("layers", [3, 6])
@pytest.mark.parametrize(("rate", "most"), [(1e-4, 0.002), (1e-3, 0.02)])
def test_erasures_under_byte_slips(layers: int, rate: float, most: float) -> None:
    outcome = send_over(ChannelModel(slip_rate=rate), layers=layers, superframes=2000)
    assert outcome.base_erased <= most
    assert outcome.wrong_frames <= 12


def test_the_search_tolerates_three_wrong_bits_and_not_four() -> None:
    body = bytes(range(98))
    for errors, is_found in [(0, True), (3, True), (4, False)]:
        marker = (0x1ACFFC1D ^ ((1 << errors) - 1) << 9).to_bytes(4, "big")
        synchronizer = Synchronizer(FRAME_BYTES)
        synchronizer.receive(b"\x55" * 10 + marker + body)
        assert (synchronizer.next_body() == body) == is_found
