"""RTP: header of every packet derived from it, and a parser that takes anything."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_codec.firmware_bridge import PROFILES, DamageReason, LocalLinkError
from edge_codec.firmware_bridge.envelope import RtpEnvelope
from edge_codec.firmware_bridge.framing import DELIMITER, unstuff
from edge_codec.firmware_bridge.rtp import RtpNumbering, RtpPacket, pack_rtp, unpack_rtp
from support.link_pair import send_spurt
from support.repository import REPOSITORY

SECURED = REPOSITORY / "tests" / "golden" / "link" / "secured.json"
PACKETS = st.builds(
    RtpPacket,
    sequence=st.integers(0, 65535),
    timestamp=st.integers(0, 2**32 - 1),
    ssrc=st.integers(0, 2**32 - 1),
    payload=st.binary(max_size=255),
    payload_type=st.integers(0, 127),
    is_marked=st.booleans(),
)


def bare_spurt(superframes: int, layers: int = 6) -> list[bytes]:
    packets = [
        unstuff(packet.strip(DELIMITER)) for _, packet in send_spurt(PROFILES[layers], superframes)
    ]
    assert all(isinstance(packet, bytes) for packet in packets)
    return packets  # type: ignore[return-value]


@given(PACKETS)
def test_packet_comes_back(packet: RtpPacket) -> None:
    assert unpack_rtp(pack_rtp(packet)) == packet


@given(st.binary(max_size=100))
def test_any_bytes_give_a_packet_or_a_reason(data: bytes) -> None:
    assert isinstance(unpack_rtp(data), RtpPacket | DamageReason)
    if data:
        assert isinstance(unpack_rtp(bytes([data[0] & 0x3F | 0x80]) + data[1:]), RtpPacket | str)


def test_a_cut_packet_is_short_or_has_less_payload() -> None:
    data = pack_rtp(RtpPacket(sequence=1, timestamp=2, ssrc=3, payload=b"abc"))
    for cut in range(len(data)):
        packet = unpack_rtp(data[:cut])
        assert packet is DamageReason.SHORT if cut < 12 else packet.payload == b"abc"[: cut - 12]


def test_what_others_put_in_is_skipped() -> None:
    """Two contributing sources, an extension of one word and three bytes of padding."""
    data = bytes.fromhex("b2e00001 00000002 00000003" + "aa" * 8 + "bede0001 cccccccc 6869 000003")
    packet = RtpPacket(sequence=1, timestamp=2, ssrc=3, payload=b"hi", is_marked=True)
    assert unpack_rtp(data) == packet
    for cut in range(12, len(data) - 5):
        assert unpack_rtp(data[:cut]) is DamageReason.LENGTH


def test_version_and_empty_padding_are_refused() -> None:
    assert unpack_rtp(bytes(12)) is DamageReason.VERSION
    assert unpack_rtp(b"\xa0" + bytes(11)) is DamageReason.LENGTH


@pytest.mark.parametrize(("layers", "ticks"), [(1, 7680), (6, 3840), (12, 1920)])
def test_spurt_gets_steady_numbers(layers: int, ticks: int) -> None:
    numbering = RtpNumbering()
    headers = [numbering.number(packet) for packet in bare_spurt(300, layers)]
    voice = [h for h in headers if h.payload[0] >> 3 & 7 == 0]
    assert {h.ssrc for h in headers} == {0x04050607}
    assert [h.sequence for h in headers] == list(range(0x0203, 0x0203 + len(headers)))
    assert [h.timestamp for h in voice] == [0x00010203 + n * ticks for n in range(300)]
    assert [h.is_marked for h in voice] == [True] + [False] * 299
    assert headers[-1].timestamp == voice[-1].timestamp + ticks


def test_secured_stream_gets_the_same_numbers() -> None:
    golden = json.loads(SECURED.read_text())["suites"]["auth_8"]
    hello, voice = (bytes.fromhex(golden[name]) for name in ("hello", "voice"))
    numbering = RtpNumbering()
    first, second = numbering.number(hello), numbering.number(voice)
    assert first.ssrc == second.ssrc == 0x6800ABCD
    assert first.timestamp == second.timestamp


def test_envelope_gives_back_packets_and_ignores_the_rest() -> None:
    sender, receiver = RtpEnvelope(), RtpEnvelope()
    packets = bare_spurt(3)
    datagrams = [sender.wrap(packet) for packet in packets]
    other = pack_rtp(RtpPacket(sequence=0, timestamp=0, ssrc=0, payload=b"x", payload_type=0))
    got = [p for d in (other, b"", b"noise", *datagrams) for p in receiver.unwrap(d)]
    assert got == packets
    assert receiver.ignored_frames == 3


def test_what_is_no_packet_of_ours_cannot_be_numbered() -> None:
    with pytest.raises(LocalLinkError, match="no packet"):
        RtpNumbering().number(b"ab")
