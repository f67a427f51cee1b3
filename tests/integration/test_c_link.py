"""The C library against the golden vectors and against the Python link, both ways."""

from dataclasses import replace

import numpy as np
import pytest

from edge_codec.firmware_bridge import (
    PROFILES,
    Channel,
    ChannelModel,
    LinkStats,
    RawReceiver,
    RawTransmitter,
    Receiver,
    StreamProfile,
    Transmitter,
    raw_profile_for,
)
from support import c_link
from support.link_pair import events_of, make_codes, make_hello, send_spurt

ODD = StreamProfile(
    layers=3, base_layers=1, bits_per_code=5, frames_per_superframe=3, superframe_ms=60
)
BAD = ChannelModel(bit_error_rate=1e-4, slip_rate=1e-4, drop_rate=0.05)


@pytest.fixture(autouse=True)
def link_of_python(monkeypatch):
    """What C is compared with must not be C."""
    monkeypatch.setenv("EDGE_CODEC_LINK", "python")


@pytest.fixture(scope="module")
def driver(tmp_path_factory):
    return c_link.build("link_driver", tmp_path_factory.mktemp("driver"), *c_link.SANITIZE)


@pytest.mark.parametrize("flags", [("-O2",), c_link.SANITIZE], ids=["plain", "sanitized"])
@pytest.mark.parametrize("program", ["test_packet", "test_raw", "test_bridge"])
def test_golden_vectors(program, flags, tmp_path):
    c_link.run(c_link.build(program, tmp_path, *flags))


def python_lines(receiver, timed):
    lines = []
    for now_s, data in timed:
        receiver.receive_data(data, now_s=now_s)
        receiver.handle_timeout(now_s=now_s)
        lines += c_link.lines_of(events_of(receiver))
    return [*lines, c_link.stats_line(receiver.stats)]


def c_lines(driver, timed, *arguments):
    return c_link.run(driver, *arguments, data=c_link.records(timed)).decode().splitlines()


def in_ms(timed):
    """Times as the C library sees them."""
    return [(round(now_s * 1000) / 1000, data) for now_s, data in timed]


@pytest.mark.parametrize("profile", [PROFILES[1], PROFILES[6], PROFILES[12], ODD])
@pytest.mark.parametrize("red", [0, 1, 2])
def test_packets_made_by_c_are_those_made_by_python(driver, profile, red):
    # Long enough for HELLO to come again.
    codes_FK, size = make_codes(profile, 60), profile.frames_per_superframe
    transmitter = Transmitter(make_hello(profile, epoch=3), stream_tag=7, red=red)
    packets = []
    for n in range(60):
        chunk_FK, now_s = codes_FK[n * size : (n + 1) * size], n * profile.superframe_s
        packets += transmitter.send_frames(chunk_FK, now_s=now_s)
    packets += transmitter.finish(now_s=60 * profile.superframe_s)
    numbers = c_link.profile_numbers(profile)
    sent = c_link.run(driver, "tx", 7, red, *numbers, data=c_link.packed_codes(codes_FK))
    assert sent == b"".join(packets)


@pytest.mark.parametrize("profile", [PROFILES[1], PROFILES[6], ODD])
@pytest.mark.parametrize("red", [0, 1, 2])
def test_c_hears_what_python_hears(driver, profile, red):
    channel = Channel(BAD, seed=3)
    timed = in_ms([*send_spurt(profile, 40, tag=9, red=red), (60.0, b"")])
    worse = [(now_s, channel.send(packet)) for now_s, packet in timed]
    for heard in (timed, worse):
        lines = c_lines(driver, heard, "rx")
        assert lines == python_lines(Receiver(), heard)
        assert lines[-1] != c_link.stats_line(LinkStats())


def babble(seed, packets):
    """Spurts of few tags through each other, reordered, repeated, damaged, and plain noise."""
    rng = np.random.default_rng(seed)
    spurts = [
        send_spurt(p, 12, tag=n % 6, red=n % 3) for n, p in enumerate([*PROFILES.values(), ODD])
    ]
    pool = [packet for spurt in spurts for _, packet in spurt]
    now_s, timed = 0.0, []
    for n in rng.integers(len(pool), size=packets):
        data = bytearray(pool[n])
        for _ in range(rng.choice([0, 0, 0, 1, 4])):
            data[rng.integers(len(data))] = rng.integers(256)
        if rng.random() < 0.1:
            data = bytearray(rng.bytes(int(rng.integers(400))) + b"\0")
        now_s += round(float(rng.exponential(0.3)), 3)
        timed.append((now_s, bytes(data)))
    return in_ms(timed)


def check_babble(driver, packets, seed):
    timed = babble(seed, packets)
    assert c_lines(driver, timed, "rx") == python_lines(Receiver(), timed)


def test_any_bytes_mean_the_same_to_both(driver):
    check_babble(driver, 500, seed=1)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", range(10))
def test_many_damaged_packets_mean_the_same_to_both(driver, seed):
    check_babble(driver, 10_000, seed)


RAW_PROFILES = [raw_profile_for(layers, 10, 50.0) for layers in (1, 3, 6, 12)]
RAW_PROFILES.append(replace(ODD, base_layers=2, frames_per_superframe=7, superframe_ms=80))
BAD_WIRE = ChannelModel(bit_error_rate=0.02, slip_rate=5e-4, burst_share=0.01)
WORSE_WIRE = ChannelModel(bit_error_rate=0.05, slip_rate=2e-3, burst_share=0.05)


def raw_frames(profile, superframes):
    codes_FK = make_codes(profile, superframes)
    transmitter = RawTransmitter(make_hello(profile, epoch=3), stream_tag=7)
    return codes_FK, transmitter.send_frames(codes_FK, now_s=0.0) + transmitter.finish(now_s=0.0)


@pytest.mark.parametrize("profile", RAW_PROFILES)
def test_raw_frames_made_by_c_are_those_made_by_python(driver, profile):
    codes_FK, frames = raw_frames(profile, 6)
    numbers = c_link.profile_numbers(profile)
    sent = c_link.run(driver, "rawtx", 7, *numbers, data=c_link.packed_codes(codes_FK))
    assert sent == b"".join(frames)


def check_raw(driver, profile, model, superframes, seed):
    channel, frames = Channel(model, seed=seed), raw_frames(profile, superframes)[1]
    timed = [(n * profile.superframe_ms / 1000, channel.send(f)) for n, f in enumerate(frames)]
    timed.append((100.0, b""))
    # One path for each block, as in C.
    expected = python_lines(RawReceiver(profile, paths=1), timed)
    assert c_lines(driver, timed, "rawrx", *c_link.profile_numbers(profile)) == expected


@pytest.mark.parametrize("model", [ChannelModel(), BAD_WIRE, WORSE_WIRE])
@pytest.mark.parametrize("profile", RAW_PROFILES)
def test_c_hears_of_raw_frames_what_python_hears(driver, profile, model):
    check_raw(driver, profile, model, 10, seed=2)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("profile", RAW_PROFILES)
def test_both_hear_the_same_of_many_raw_frames(driver, profile):
    check_raw(driver, profile, WORSE_WIRE, 250, seed=5)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_hundred_thousand_damaged_frames(tmp_path):
    c_link.run(c_link.build("fuzz_link", tmp_path, *c_link.SANITIZE), 1, 100_000)
