"""Stuffing and packets: every parser whole, byte by byte, with trailing bytes, cut anywhere."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_codec.firmware_bridge import PROFILES, DamageReason, Receiver
from edge_codec.firmware_bridge.framing import MAX_STUFFED_BYTES, Unstuffer, stuff, unstuff
from edge_codec.firmware_bridge.packet import Packet, PacketType, pack_packet, unpack_packet
from edge_codec.firmware_bridge.voice import Voice, pack_base, pack_voice, unpack_voice
from support.link_pair import make_codes

PACKETS = st.builds(
    Packet,
    type=st.sampled_from(PacketType),
    stream_tag=st.integers(0, 255),
    sequence=st.integers(0, 255),
    profile_id=st.integers(0, 255),
    content=st.binary(max_size=249),
    has_red=st.booleans(),
    is_first=st.booleans(),
)
BODIES = st.lists(st.binary(min_size=1, max_size=255), max_size=8)


def unstuffed(chunks: list[bytes]) -> list[bytes | DamageReason]:
    unstuffer = Unstuffer()
    return [piece for chunk in chunks for piece in unstuffer.receive(chunk)]


@given(BODIES, st.lists(st.integers(0, 2100)))
def test_stuffed_packets_come_back_in_any_pieces(bodies: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(stuff(body) for body in bodies)
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    assert unstuffed([stream[a:b] for a, b in pairwise(edges)]) == bodies
    assert unstuffed([stream[i : i + 1] for i in range(len(stream))]) == bodies


@given(st.lists(st.binary(max_size=600), max_size=8))
def test_any_bytes_unstuff_to_packets_or_reasons(chunks: list[bytes]) -> None:
    for piece in unstuffed(chunks):
        assert isinstance(piece, DamageReason) or len(piece) <= 255


def test_a_stuffed_packet_cut_short_is_never_whole() -> None:
    body = bytes(range(40))
    stuffed = stuff(body)
    for length in range(1, len(stuffed) - 1):
        assert unstuffed([stuffed[:length] + b"\0"]) != [body]
        assert unstuffed([stuffed[:length], b"\0", stuff(b"next")])[-1] == b"next"


def test_trailing_bytes_wait_for_their_delimiter() -> None:
    assert unstuffed([stuff(b"one") + stuff(b"two")[:-1]]) == [b"one"]


def test_idle_delimiters_are_nothing() -> None:
    assert unstuffed([b"\0\0\0", b"\0" + stuff(b"x") + b"\0"]) == [b"x"]


@pytest.mark.parametrize("extra", [1, 2, 5000])
def test_too_long_is_skipped_to_the_next_delimiter(extra: int) -> None:
    unstuffer = Unstuffer()
    noise = b"\x01" * (MAX_STUFFED_BYTES + extra)
    assert list(unstuffer.receive(noise)) == []
    assert len(unstuffer._stuffed) == MAX_STUFFED_BYTES + 1
    assert list(unstuffer.receive(b"\0" + stuff(b"ok"))) == [DamageReason.OVERSIZE, b"ok"]


def test_longest_packet_fits_whatever_its_bytes() -> None:
    for body in (bytes(255), b"\xff" * 255):
        assert len(stuff(body)) <= MAX_STUFFED_BYTES + 1
        assert unstuffed([stuff(body)]) == [body]
    assert unstuff(stuff(bytes(256))[:-1]) is DamageReason.OVERSIZE


@given(PACKETS)
def test_packets_round_trip(packet: Packet) -> None:
    assert unpack_packet(pack_packet(packet)) == packet


@given(st.binary(max_size=300))
def test_any_bytes_are_a_packet_or_a_reason(data: bytes) -> None:
    assert isinstance(unpack_packet(data), Packet | DamageReason)


@given(PACKETS, st.data())
def test_any_flipped_bit_is_noticed(packet: Packet, data: st.DataObject) -> None:
    packed = bytearray(pack_packet(packet))
    position = data.draw(st.integers(0, 8 * len(packed) - 1))
    packed[position // 8] ^= 0x80 >> position % 8
    assert unpack_packet(bytes(packed)) in (DamageReason.CRC, DamageReason.SECURED)


def test_packets_cut_or_lengthened_are_noticed() -> None:
    packed = pack_packet(Packet(type=PacketType.TEXT, stream_tag=1, sequence=2, content=b"hello"))
    for length in range(6):
        assert unpack_packet(packed[:length]) is DamageReason.SHORT
    for length in range(6, len(packed)):
        assert unpack_packet(packed[:length]) is DamageReason.CRC
    assert unpack_packet(packed + b"\x01") is DamageReason.CRC


@pytest.mark.parametrize("length", [28, 90])
def test_a_zero_more_that_the_crc_cannot_see_is_seen_by_its_length(length: int) -> None:
    kind = PacketType.HELLO if length == 28 else PacketType.VOICE
    packed = pack_packet(
        Packet(type=kind, stream_tag=1, sequence=0, profile_id=6, content=b"\xff" * length)
    )
    assert isinstance(unpack_packet(packed + b"\0"), Packet)
    receiver = Receiver()
    receiver.receive_data(stuff(packed + b"\0"), now_s=0.0)
    assert receiver.stats.refused == 1


def _with_first_byte(first: int) -> bytes:
    from fastcrc import crc16

    data = bytes([first, 0, 0, 0])
    return data + crc16.ibm_3740(data).to_bytes(2, "big")


@pytest.mark.parametrize(
    ("first", "reason"),
    [
        (0b00_000_000, DamageReason.VERSION),
        (0b11_000_000, DamageReason.VERSION),
        (0b01_111_000, DamageReason.TYPE),
        (0b01_000_100, DamageReason.SECURED),
    ],
)
def test_whole_packets_of_another_kind_are_named(first: int, reason: DamageReason) -> None:
    assert unpack_packet(_with_first_byte(first)) is reason


@pytest.mark.parametrize("layers", range(2, 7))
@pytest.mark.parametrize("has_red", [False, True])
def test_voice_round_trips_at_every_layer(layers: int, has_red: bool) -> None:
    profile = PROFILES[6]
    codes_FK, earlier_FK = make_codes(profile, 1), make_codes(profile, 1, seed=1)
    red = (3, pack_base(earlier_FK, profile)) if has_red else None
    content = pack_voice(codes_FK, profile, layers, red)
    voice = unpack_voice(content, profile, has_red=has_red)
    assert isinstance(voice, Voice)
    assert (voice.superframe.codes_FK[:, :layers] == codes_FK[:, :layers]).all()
    assert (voice.superframe.codes_FK[:, layers:] == 1024).all()
    assert (voice.superframe.valid_layers_F == layers).all()
    assert voice.distance == 3 * has_red
    if voice.earlier is not None:
        assert (voice.earlier.codes_FK[:, :2] == earlier_FK[:, :2]).all()
        assert (voice.earlier.valid_layers_F == 2).all()


@pytest.mark.parametrize("has_red", [False, True])
def test_voice_of_every_other_length_is_refused(has_red: bool) -> None:
    profile = PROFILES[6]
    whole = {
        profile.packet_bytes(layers, red=has_red) - 6 for layers in range(2, profile.layers + 1)
    }
    for length in range(250):
        voice = unpack_voice(b"\x01" * length, profile, has_red=has_red)
        assert isinstance(voice, Voice) == (length in whole)
        assert isinstance(voice, Voice) or voice is DamageReason.LENGTH


def test_red_field_that_points_at_itself_is_refused() -> None:
    profile = PROFILES[6]
    content = bytes(2 * profile.base_bytes + 1)
    assert unpack_voice(content, profile, has_red=True) is DamageReason.CONTENT
