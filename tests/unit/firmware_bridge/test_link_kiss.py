"""KISS and AX.25: parsers whole, byte by byte, with trailing bytes, cut anywhere, and fed noise."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_codec.firmware_bridge import DamageReason, LocalLinkError
from edge_codec.firmware_bridge.ax25 import Ax25Address, UiFrame, pack_ui, unpack_ui
from edge_codec.firmware_bridge.envelope import Ax25Envelope, Envelope, KissEnvelope
from edge_codec.firmware_bridge.kiss import (
    MAX_DATA_BYTES,
    KissCommand,
    KissFrame,
    KissUnpacker,
    pack_kiss,
)

FRAMES = st.builds(
    KissFrame,
    st.binary(max_size=300) | st.text("\xc0\xdb\xdc\xdd").map(lambda text: text.encode("latin-1")),
    command=st.integers(0, 15),
    port=st.integers(0, 15),
)
ADDRESSES = st.builds(
    Ax25Address, st.text("ABYZ019", min_size=1, max_size=6), ssid=st.integers(0, 15)
)
UI_FRAMES = st.builds(
    UiFrame,
    destination=ADDRESSES,
    source=ADDRESSES,
    path=st.lists(ADDRESSES, max_size=8).map(tuple),
    content=st.binary(max_size=256),
)
# A UI frame as other programs print it: APRS to APZ001 from N0CALL-5 via WIDE1-1, "hi".
UI_BYTES = bytes.fromhex("82a0b4606062e0 9c60868298986a ae92888a624063 03f0 6869")
UI = UiFrame(
    destination=Ax25Address("APZ001"),
    source=Ax25Address("N0CALL", 5),
    path=(Ax25Address("WIDE1", 1),),
    content=b"hi",
)


def unpacked(*chunks: bytes) -> list[KissFrame | DamageReason]:
    unpacker = KissUnpacker()
    return [frame for chunk in chunks for frame in unpacker.receive(chunk)]


def test_frame_is_what_the_specification_says() -> None:
    frame = KissFrame(b"\xc0TEST\xdb", port=12)
    assert pack_kiss(frame) == b"\xc0\xdb\xdc\xdb\xdcTEST\xdb\xdd\xc0"
    assert pack_kiss(KissFrame(b"\x19", command=KissCommand.TX_DELAY)) == b"\xc0\x01\x19\xc0"


@given(st.lists(FRAMES, max_size=5), st.lists(st.integers(0, 3000)))
def test_frames_come_back_in_any_pieces(frames: list[KissFrame], cuts: list[int]) -> None:
    stream = b"".join(map(pack_kiss, frames))
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    assert unpacked(*(stream[a:b] for a, b in pairwise(edges))) == frames
    assert unpacked(*(stream[i : i + 1] for i in range(len(stream)))) == frames


@given(FRAMES, st.binary(max_size=20).filter(lambda tail: b"\xc0" not in tail))
def test_an_open_frame_behind_a_whole_one_waits(frame: KissFrame, tail: bytes) -> None:
    assert unpacked(pack_kiss(frame) + tail) == [frame]


def test_a_cut_frame_is_shorter_or_damaged_and_costs_only_itself() -> None:
    frame = KissFrame(b"ab\xc0cd\xdbef")
    wire = pack_kiss(frame)
    for cut in range(1, len(wire) - 1):
        first, *rest = unpacked(wire[:cut] + wire) if cut > 1 else [None, *unpacked(wire)]
        assert rest == [frame]
        assert first is None or first == DamageReason.STUFFING or first.data in frame.data


@given(st.lists(st.binary(max_size=200), max_size=10))
def test_noise_gives_frames_or_reasons(chunks: list[bytes]) -> None:
    for frame in unpacked(*chunks):
        assert isinstance(frame, KissFrame | DamageReason)


def test_a_frame_without_end_takes_no_memory() -> None:
    unpacker = KissUnpacker()
    for _ in range(1000):
        assert list(unpacker.receive(b"x" * 1000)) == []
    assert len(unpacker._escaped) < 3000
    assert list(unpacker.receive(b"\xc0")) == [DamageReason.OVERSIZE]
    assert unpacked(b"\xc0" + b"x" * (2 + MAX_DATA_BYTES) + b"\xc0") == [DamageReason.OVERSIZE]


def test_callers_mistakes_are_refused() -> None:
    for frame in (KissFrame(b"", port=16), KissFrame(b"", command=-1), KissFrame(bytes(1025))):
        with pytest.raises(LocalLinkError):
            pack_kiss(frame)


def test_ui_frame_is_what_other_programs_send() -> None:
    assert pack_ui(UI) == UI_BYTES
    assert unpack_ui(UI_BYTES) == UI


@given(UI_FRAMES)
def test_ui_frame_comes_back(frame: UiFrame) -> None:
    assert unpack_ui(pack_ui(frame)) == frame


def test_a_cut_ui_frame_has_less_content_or_is_none() -> None:
    for cut in range(len(UI_BYTES)):
        frame = unpack_ui(UI_BYTES[:cut])
        if isinstance(frame, UiFrame):
            assert UI.content.startswith(frame.content)
        else:
            assert frame is DamageReason.SHORT


@pytest.mark.parametrize(
    ("position", "value", "reason"),
    [
        (6, 0xE1, DamageReason.LENGTH),  # one address only
        (9, 0x87, DamageReason.LENGTH),  # the addresses end in the middle of one
        (21, 0x2F, DamageReason.TYPE),  # SABM
        (22, 0xCF, DamageReason.TYPE),  # NET/ROM
        (0, 0x00, DamageReason.CONTENT),  # no letter
        (1, 0x40, DamageReason.CONTENT),  # a space inside
    ],
)
def test_hostile_ui_frame(position: int, value: int, reason: DamageReason) -> None:
    data = bytearray(UI_BYTES)
    data[position] = value
    assert unpack_ui(bytes(data)) is reason


def test_too_many_digipeaters_and_too_much_content() -> None:
    path = (UI.source,) * 9
    with pytest.raises(LocalLinkError, match="at most"):
        pack_ui(UiFrame(destination=UI.source, source=UI.source, path=path, content=b""))
    address = UI_BYTES[7:14]
    assert unpack_ui(address * 10 + UI_BYTES[14:]) is DamageReason.LENGTH
    assert unpack_ui(UI_BYTES + bytes(256)) is DamageReason.OVERSIZE


@given(st.binary(max_size=400))
def test_any_bytes_give_a_ui_frame_or_a_reason(data: bytes) -> None:
    assert isinstance(unpack_ui(data), UiFrame | DamageReason)


def test_address_as_text() -> None:
    assert Ax25Address.parse("ab1cd-5") == Ax25Address("AB1CD", 5)
    assert (str(Ax25Address("AB1CD", 5)), str(Ax25Address("AB1CD"))) == ("AB1CD-5", "AB1CD")
    for text in ("", "AB1CDEF", "AB1CD-16", "AB1CD-", "AB-CD", "ÄB", "AB1CD-٣"):
        with pytest.raises(LocalLinkError, match=r"no AX\.25 address"):
            Ax25Address.parse(text)


@pytest.mark.parametrize("envelope", [KissEnvelope(3), Ax25Envelope(Ax25Address("AB1CD"), port=3)])
def test_envelope_gives_back_packets_and_ignores_the_rest(envelope: Envelope) -> None:
    packets = [b"\x40\xc0\xdb voice", bytes(255)]
    stream = b"".join(map(envelope.wrap, packets))
    strangers = [
        pack_kiss(KissFrame(b"\xc0", port=3, command=KissCommand.SET_HARDWARE)),
        pack_kiss(KissFrame(b"other radio", port=1)),
        pack_kiss(KissFrame(b"", port=3)),
        b"\xdb\xdb\xc0",
    ]
    got = [p for chunk in (*strangers, stream, *strangers) for p in envelope.unwrap(chunk)]
    assert got == packets
    assert envelope.ignored_frames == 2 * len(strangers)


def test_ax25_for_another_address_is_not_ours() -> None:
    envelope = Ax25Envelope(Ax25Address("AB1CD"))
    assert list(envelope.unwrap(pack_kiss(KissFrame(UI_BYTES)))) == []
    assert envelope.ignored_frames == 1
