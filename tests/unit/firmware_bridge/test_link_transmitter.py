"""The sending end: what goes out when, and which calls are refused."""

import numpy as np
import pytest

from edge_codec.firmware_bridge import (
    PROFILES,
    LocalLinkError,
    MessageType,
    StreamProfile,
    Transmitter,
    cut_packet,
    profile_for,
)
from edge_codec.firmware_bridge.framing import unstuff
from edge_codec.firmware_bridge.packet import Packet, PacketType, unpack_packet
from support.link_pair import make_codes, make_hello, send_spurt


def opened(packet: bytes) -> Packet:
    data = unstuff(packet.strip(b"\0"))
    assert isinstance(data, bytes)
    unpacked = unpack_packet(data)
    assert isinstance(unpacked, Packet)
    return unpacked


def types(packets: list[bytes]) -> list[str]:
    return [opened(packet).type.name for packet in packets]


def make_transmitter(profile: StreamProfile = PROFILES[6], **options: int) -> Transmitter:
    return Transmitter(make_hello(profile), stream_tag=7, **options)


def test_spurt_opens_at_the_first_call_and_says_hello_twice() -> None:
    transmitter = make_transmitter()
    opening = transmitter.send_frames(np.zeros((0, 6), np.int64), now_s=0.0)
    assert types(opening) == ["HELLO"]
    assert opening[0].startswith(b"\0")
    assert transmitter.send_frames(make_codes(PROFILES[6], 1)[:11], now_s=0.2) == []
    assert transmitter.missing_frames == 1
    packets = transmitter.send_frames(make_codes(PROFILES[6], 1)[11:], now_s=0.24)
    assert types(packets) == ["HELLO", "VOICE"]
    assert types(transmitter.finish(now_s=0.24)) == ["END"]


def test_packets_do_not_depend_on_how_frames_are_cut() -> None:
    codes_FK = make_codes(PROFILES[6], 3)
    whole = make_transmitter().send_frames(codes_FK, now_s=0.0)
    for size in (1, 5, 12, 13, 25):
        pieces = make_transmitter()
        packets = []
        for start in range(0, len(codes_FK), size):
            packets += pieces.send_frames(codes_FK[start : start + size], now_s=0.0)
        assert packets == whole


@pytest.mark.parametrize(("layers", "interval_s"), [(4, 5.0), (6, 2.0)])
def test_hello_is_repeated(layers: int, interval_s: float) -> None:
    times = [t for t, p in send_spurt(PROFILES[layers], 100) if opened(p).type == PacketType.HELLO]
    gaps = np.diff(times[1:])
    assert times[:2] == [0.0, 0.0]
    assert len(gaps) == int(99 * 0.24 / interval_s)
    assert gaps.min() >= interval_s
    assert gaps.max() <= interval_s + 0.24


def test_first_flag_and_sequence() -> None:
    voice = [opened(p) for _, p in send_spurt(PROFILES[12], 300)]
    voice = [p for p in voice if p.type is PacketType.VOICE]
    assert [p.sequence for p in voice] == [n % 256 for n in range(300)]
    assert [p.is_first for p in voice] == [True] + [False] * 299


def test_red_repeats_the_base_class() -> None:
    packets = [opened(p) for _, p in send_spurt(PROFILES[6], 5, red=2)]
    voice = [p for p in packets if p.type is PacketType.VOICE]
    assert [p.has_red for p in voice] == [False, False, True, True, True]
    for n in (2, 3, 4):
        assert voice[n].content[30:61] == b"\x02" + voice[n - 2].content[:30]


def test_layers_and_red_can_change_on_the_way() -> None:
    transmitter = make_transmitter(red=1)
    codes_FK = make_codes(PROFILES[6], 1)
    sizes = []
    for layers, red in [(6, 1), (6, 1), (3, 0), (2, 2)]:
        transmitter.layers, transmitter.red = layers, red
        packet = transmitter.send_frames(codes_FK, now_s=0.0)[-1]
        sizes.append(len(opened(packet).content))
    assert sizes == [90, 121, 45, 61]


def test_finish_fills_the_open_superframe_with_its_last_frame() -> None:
    transmitter = make_transmitter()
    codes_FK = make_codes(PROFILES[6], 1)
    transmitter.send_frames(codes_FK[:3], now_s=0.0)
    packets = transmitter.finish(now_s=0.1)
    assert types(packets) == ["HELLO", "VOICE", "END"]
    filled_FK = np.concatenate([codes_FK[:3], codes_FK[2:3].repeat(9, 0)])
    again = make_transmitter()
    assert again.send_frames(filled_FK, now_s=0.0)[2] == packets[1]


def test_finish_ends_once_and_only_what_was_opened() -> None:
    assert make_transmitter().finish(now_s=0.0) == []
    transmitter = make_transmitter()
    transmitter.send_frames(make_codes(PROFILES[6], 1), now_s=0.0)
    assert types(transmitter.finish(now_s=1.0)) == ["END"]
    assert transmitter.finish(now_s=2.0) == []
    with pytest.raises(LocalLinkError, match="finished"):
        transmitter.send_frames(make_codes(PROFILES[6], 1), now_s=3.0)


@pytest.mark.parametrize(
    "codes_FK",
    [
        np.zeros((1, 5), np.int64),
        np.zeros(6, np.int64),
        np.zeros((1, 6), np.float32),
        np.full((1, 6), 1024),
        np.full((1, 6), -1),
    ],
)
def test_wrong_codes_are_refused_and_change_nothing(codes_FK: np.ndarray) -> None:
    transmitter = make_transmitter()
    with pytest.raises(LocalLinkError, match="codes must be"):
        transmitter.send_frames(codes_FK, now_s=0.0)
    good = make_codes(PROFILES[6], 1).astype(np.uint16)
    assert types(transmitter.send_frames(good, now_s=0.0)) == ["HELLO", "HELLO", "VOICE"]


def test_codes_of_more_layers_than_the_profile_are_taken() -> None:
    codes_FK = make_codes(PROFILES[12], 2)
    packets = make_transmitter().send_frames(codes_FK, now_s=0.0)
    assert packets == make_transmitter().send_frames(codes_FK[:, :6], now_s=0.0)


@pytest.mark.parametrize(("name", "value"), [("layers", 1), ("layers", 7), ("red", 3), ("red", -1)])
def test_settings_out_of_range_are_refused(name: str, value: int) -> None:
    transmitter = make_transmitter()
    with pytest.raises(LocalLinkError, match=name):
        setattr(transmitter, name, value)
    assert (transmitter.layers, transmitter.red) == (6, 0)


def test_wrong_tags_and_cuts_are_refused() -> None:
    with pytest.raises(LocalLinkError, match="stream_tag"):
        Transmitter(make_hello(), stream_tag=256)
    with pytest.raises(LocalLinkError, match="layers"):
        cut_packet(b"", PROFILES[6], 1)


def test_cutting_leaves_alone_what_is_no_voice() -> None:
    for junk in (b"", b"\0", b"\x02", b"\x05abc\0", b"\x01" * 400):
        assert cut_packet(junk, PROFILES[6], 2) == junk


def test_messages_count_up_and_are_limited() -> None:
    transmitter = make_transmitter()
    packets = [transmitter.send_message(MessageType.TEXT, b"x" * n)[0] for n in (0, 249)]
    assert [opened(packet).sequence for packet in packets] == [0, 1]
    with pytest.raises(LocalLinkError, match="split"):
        transmitter.send_message(MessageType.TEXT, b"x" * 250)
    assert transmitter.stats.message_sent == 2


def test_stats_count_every_byte() -> None:
    transmitter = make_transmitter()
    packets = transmitter.send_frames(make_codes(PROFILES[6], 5), now_s=0.0)
    packets += transmitter.send_message(MessageType.CTRL, b"\0")
    packets += transmitter.finish(now_s=1.0)
    assert transmitter.stats.bytes_sent == len(b"".join(packets))
    assert transmitter.stats.voice_sent == 5
    assert transmitter.stats.hello_sent == 2
    assert transmitter.stats.end_sent == 1


def test_the_wire_carries_no_more_than_the_profile_says() -> None:
    for profile in [*PROFILES.values(), profile_for(8, 11, 75.0), profile_for(3, 9, 12.5)]:
        for red in (0, 1):
            timed = send_spurt(profile, 60, red=red)
            voice = [p for _, p in timed if opened(p).type is PacketType.VOICE]
            limit = profile.gross_bitrate_bps(red=bool(red)) * 60 * profile.superframe_s / 8
            assert len(b"".join(voice)) <= limit + 1e-6
