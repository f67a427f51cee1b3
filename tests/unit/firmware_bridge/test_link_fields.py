"""Bits, callsigns, profiles and HELLO: fields of a fixed size, both ways."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_codec.firmware_bridge import (
    BROADCAST,
    PROFILES,
    LinkError,
    LocalLinkError,
    StreamProfile,
    describe_model_mismatch,
    profile_for,
)
from edge_codec.firmware_bridge.bits import pack_bits, unpack_bits
from edge_codec.firmware_bridge.callsign import pack_callsign, unpack_callsign
from edge_codec.firmware_bridge.hello import pack_hello, unpack_hello
from edge_codec.firmware_bridge.profile import profile_id
from support.link_pair import make_hello

CALLSIGNS = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-/.", max_size=9)


def test_bits_are_packed_most_significant_first() -> None:
    assert pack_bits(np.array([1, 1023]), 10).hex() == "007ff0"


@given(st.integers(1, 16), st.data())
def test_bits_round_trip(bits: int, data: st.DataObject) -> None:
    values = np.array(data.draw(st.lists(st.integers(0, (1 << bits) - 1))), np.int64)
    packed = pack_bits(values, bits)
    assert len(packed) == (len(values) * bits + 7) // 8
    assert (unpack_bits(packed + b"\xff", len(values), bits) == values).all()


@given(CALLSIGNS)
def test_callsigns_round_trip(callsign: str) -> None:
    assert unpack_callsign(pack_callsign(callsign)) == callsign


def test_broadcast_is_all_ones() -> None:
    assert pack_callsign(BROADCAST) == b"\xff" * 6
    assert unpack_callsign(b"\xff" * 6) == BROADCAST


@pytest.mark.parametrize("callsign", ["ab1cd", "AB 1CD", "ABCDEFGHIJ", "Ä1", "ALL@"])
def test_bad_callsigns_are_refused(callsign: str) -> None:
    with pytest.raises(LocalLinkError, match="callsign"):
        pack_callsign(callsign)


@given(st.binary(min_size=6, max_size=6))
def test_any_six_bytes_are_a_callsign_or_none(packed: bytes) -> None:
    try:
        callsign = unpack_callsign(packed)
    except LinkError:
        return
    assert pack_callsign(callsign) == packed


@pytest.mark.parametrize(
    ("layers", "superframe_ms", "base_layers", "gross_bps"),
    [(1, 480, 1, 633), (2, 480, 2, 1133), (4, 240, 2, 2267), (6, 240, 2, 3267), (12, 120, 2, 6533)],
)
def test_default_profiles_are_those_of_the_mode_table(
    layers: int, superframe_ms: int, base_layers: int, gross_bps: int
) -> None:
    profile = PROFILES[layers]
    assert profile.superframe_ms == superframe_ms
    assert profile.base_layers == base_layers
    assert round(profile.gross_bitrate_bps()) == gross_bps
    assert profile.frame_duration_us == 20_000
    assert profile_id(profile) == layers


@pytest.mark.parametrize("frame_rate_hz", [12.5, 25.0, 50.0, 75.0, 86.1328125, 100.0])
def test_profiles_of_other_codecs_keep_their_rate(frame_rate_hz: float) -> None:
    profile = profile_for(8, 11, frame_rate_hz)
    assert profile.frame_rate_hz == pytest.approx(frame_rate_hz, rel=0.05)
    assert profile_id(profile) == 0xFF


@pytest.mark.parametrize(
    "changes",
    [
        {"layers": 0},
        {"layers": 33},
        {"base_layers": 7},
        {"bits_per_code": 17},
        {"superframe_ms": 245},
        {"superframe_ms": 30},
        {"frames_per_superframe": 1, "bits_per_code": 7},
        {"frames_per_superframe": 64},
        {"layers": 6.0},
    ],
)
def test_profiles_that_cannot_be_sent_are_refused(changes: dict[str, int]) -> None:
    good = {
        "layers": 6,
        "base_layers": 2,
        "bits_per_code": 10,
        "frames_per_superframe": 12,
        "superframe_ms": 240,
    }
    with pytest.raises(LocalLinkError):
        StreamProfile(**(good | changes))


@given(CALLSIGNS, CALLSIGNS, st.binary(min_size=8, max_size=8), st.integers(0, 255), st.data())
def test_hello_round_trips(
    source: str, destination: str, nonce: bytes, epoch: int, data: st.DataObject
) -> None:
    layers, bits = data.draw(st.integers(1, 32)), data.draw(st.integers(1, 16))
    try:
        profile = profile_for(layers, bits, data.draw(st.sampled_from([12.5, 50.0, 75.0])))
    except LocalLinkError:
        return
    hello = make_hello(profile, source=source, destination=destination, nonce=nonce, epoch=epoch)
    assert unpack_hello(pack_hello(hello)) == hello


@given(st.binary(max_size=40))
def test_any_bytes_are_a_hello_or_none(body: bytes) -> None:
    try:
        hello = unpack_hello(body)
    except LinkError:
        return
    assert pack_hello(hello) == body


def test_hello_is_refused_at_every_other_length() -> None:
    body = pack_hello(make_hello())
    for length in [*range(len(body)), len(body) + 1]:
        with pytest.raises(LinkError):
            unpack_hello((body + b"\0")[:length])


@pytest.mark.parametrize(
    "changes", [{"model_hash": b"123"}, {"nonce": b""}, {"epoch": 256}, {"source": "a"}]
)
def test_bad_hellos_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(LocalLinkError):
        make_hello(**changes)  # type: ignore[arg-type]


def test_model_mismatch_is_said_in_words() -> None:
    stream, board = bytes.fromhex("1a2b3c4d"), bytes.fromhex("5e6f7a8b99")
    sentence = "stream uses model 1a2b3c4d, this board has 5e6f7a8b"
    assert describe_model_mismatch(stream, board) == sentence
    assert describe_model_mismatch(stream, stream + b"more of the hash") is None
