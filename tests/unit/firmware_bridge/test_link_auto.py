"""A receiver that finds out framing and mode by itself, on one pipe."""

from collections.abc import Iterable

import numpy as np
import pytest

from edge_codec.firmware_bridge import (
    AutoReceiver,
    Channel,
    ChannelModel,
    EndReason,
    Event,
    Framing,
    Mode,
    RawFormat,
    RawReceiver,
    RawTransmitter,
    StreamEnded,
    StreamStarted,
    Transmitter,
    find_mode,
    modes,
    steps_below,
)
from edge_codec.firmware_bridge.errors import LocalLinkError
from support.link_pair import events_of, heard, kinds, make_codes, make_hello

R_MODES = modes(framing=Framing.RAW)
R_PROFILES = [mode.profile for mode in R_MODES]
ALL_MODES = [*modes(), *R_MODES]


def spurt(mode: Mode, superframes: int = 4, *, tag: int = 7) -> list[bytes]:
    """A talk spurt, packet by packet."""
    make = RawTransmitter if mode.framing is Framing.RAW else Transmitter
    transmitter = make(make_hello(mode.profile), stream_tag=tag)
    codes_FK = make_codes(mode.profile, superframes)
    packets = transmitter.send_frames(codes_FK, now_s=0.0)
    return packets + transmitter.finish(now_s=superframes * mode.profile.superframe_s)


def hear(chunks: Iterable[bytes], receiver: AutoReceiver | None = None) -> list[Event]:
    receiver = receiver or AutoReceiver(*R_PROFILES)
    for chunk in chunks:
        receiver.receive_data(chunk, now_s=0.0)
    return list(events_of(receiver))


def whole_frames(events: list[Event], layers: int) -> int:
    return sum(int((event.valid_layers_F == layers).sum()) for event in heard(events))


def test_lengths_tell_raw_modes_apart() -> None:
    assert len({RawFormat(profile).frame_bytes for profile in R_PROFILES}) == len(R_PROFILES)


@pytest.mark.parametrize("mode", ALL_MODES, ids=lambda mode: mode.name)
def test_every_mode_is_recognized(mode: Mode) -> None:
    stream = b"".join(spurt(mode))
    for size in (len(stream), 37):
        events = hear(stream[n : n + size] for n in range(0, len(stream), size))
        started = next(event for event in events if isinstance(event, StreamStarted))
        assert (started.framing, started.profile) == (mode.framing, mode.profile)
        assert "HelloReceived" in kinds(events)
        assert StreamEnded(7, EndReason.END) in events
        codes_FK = np.concatenate([event.codes_FK for event in heard(events)])
        assert (codes_FK == make_codes(mode.profile, 4)).all()


@pytest.mark.parametrize("mode", R_MODES, ids=lambda mode: mode.name)
def test_late_entry_takes_two_superframes_at_most(mode: Mode) -> None:
    """Tuned in anywhere, at 1 % bit errors."""
    stream = b"".join(spurt(mode, 6)[2:-1])
    size = RawFormat(mode.profile).frame_bytes
    rng = np.random.default_rng(mode.profile.layers)
    found = 0
    for seed, cut in enumerate(rng.integers(0, 3 * size, 12)):
        channel = Channel(ChannelModel(bit_error_rate=0.01), seed=seed)
        found += bool(heard(hear([channel.send(stream[cut : cut + 2 * size])])))
    assert found >= 11


def test_senders_of_any_mode_follow_each_other() -> None:
    order = [ALL_MODES[n] for n in np.random.default_rng(3).permutation(len(ALL_MODES))]
    chunks = [packet for n, mode in enumerate(order) for packet in spurt(mode, 3, tag=n)]
    receiver = AutoReceiver(*R_PROFILES)
    events = hear(chunks, receiver)
    ended = [event for event in events if isinstance(event, StreamEnded)]
    assert [event.stream_tag for event in ended] == list(range(len(order)))
    assert receiver.stats.voice_delivered == 3 * len(order)
    assert receiver.stats.voice_lost == 0


def test_a_sender_that_breaks_off_does_not_deafen() -> None:
    broken = b"".join(spurt(find_mode("R3000", 12, 10, 50.0)))[:700]
    events = hear([broken, *spurt(find_mode("P3000", 12, 10, 50.0), tag=9)])
    assert whole_frames([e for e in heard(events) if e.stream_tag == 9], 6) == 4 * 12


def test_packet_damage_is_not_reported_while_raw_frames_are_followed() -> None:
    receiver = AutoReceiver(*R_PROFILES)
    hear(spurt(find_mode("R1500", 12, 10, 50.0), 40), receiver)
    assert receiver.stats.damaged_framing + receiver.stats.damaged_crc <= 2
    hear([b"\x05\x05\0"] * 3, receiver)
    assert receiver.stats.damaged_framing >= 3


def test_noise_is_neither_packet_nor_frame() -> None:
    noise = np.random.default_rng(1).integers(0, 256, 200_000, np.uint8).tobytes()
    events = hear([noise])
    assert not heard(events)
    assert "StreamStarted" not in kinds(events)


def test_hostile_markers_are_bounded() -> None:
    receiver = RawReceiver(*R_PROFILES)
    for _ in range(8):
        receiver.receive_data(bytes.fromhex("1acffc1d") * 64, now_s=0.0)
    synchronizer = receiver._reader._synchronizer
    assert len(synchronizer._candidates) <= 256
    assert len(synchronizer._buffer) < 1000


def test_modes_are_found_by_name() -> None:
    assert find_mode("r3000", 12, 10, 50.0) == R_MODES[5]
    with pytest.raises(LocalLinkError, match=r"no mode R3100: this model has P500, .*R6000"):
        find_mode("R3100", 12, 10, 50.0)
    assert [mode.name for mode in steps_below(R_MODES[5])] == ["R3000", "R1500", "R500"]


@pytest.mark.parametrize(("name", "superframe_ms"), [("P1200", 480), ("P2400", 240)])
def test_overhead_of_packets_at_1200_and_2400(name: str, superframe_ms: int) -> None:
    """A codec with such rates, 8 bits a layer: 8 bytes on 72, at most 12 %."""
    mode = find_mode(name, 6, 8, 50.0)
    assert mode.profile.superframe_ms == superframe_ms
    assert mode.overhead() <= 0.12
