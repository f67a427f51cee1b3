"""CTRL and STAT messages: literal bytes, round trips, and anything a wire may bring."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_codec.firmware_bridge import DamageReason, LocalLinkError, MessageReceived, Receiver
from edge_codec.firmware_bridge.control import (
    Info,
    InfoRequest,
    Parameter,
    Ping,
    Ptt,
    Reset,
    Set,
    Stat,
    control_packet,
    pack_control,
    unpack_control,
)

BYTE, WORD = st.integers(-128, 127), st.integers(0, 65535)
MESSAGES = st.one_of(
    st.builds(Ping, st.binary(max_size=32), st.booleans()),
    st.builds(InfoRequest),
    st.builds(Info, st.tuples(*[st.integers(0, 255)] * 3), WORD, st.text("aé€", max_size=10)),
    st.builds(Set, st.sampled_from(Parameter), st.integers(-(2**31), 2**31 - 1), st.booleans()),
    st.builds(Ptt, st.booleans(), st.booleans()),
    st.builds(Reset),
    st.builds(
        Stat,
        rssi_dbm=BYTE,
        snr_db=BYTE,
        tx_free_bytes=WORD,
        queue_ms=WORD,
        errors=st.integers(0, 2**32 - 1),
        is_keyed=st.booleans(),
        is_busy=st.booleans(),
    ),
)
LITERAL = [
    (Ping(b"hi"), "01 02 6869"),
    (Ping(b"hi", is_answer=True), "81 02 6869"),
    (InfoRequest(), "02 00"),
    (Info((1, 2, 3), 512, "bridge"), "82 0b 010203 0200 627269646765"),
    (Set(Parameter.FREQUENCY_HZ, 433_920_000), "03 05 01 19dd1800"),
    (Ptt(is_on=True), "04 01 01"),
    (Reset(), "05 00"),
    (
        Stat(rssi_dbm=-97, snr_db=12, tx_free_bytes=400, queue_ms=250, errors=3, is_keyed=True),
        "06 0b 9f 0c 0190 00fa 00000003 01",
    ),
]


@pytest.mark.parametrize(("message", "content"), LITERAL)
def test_message_has_these_bytes(message, content) -> None:  # type: ignore[no-untyped-def]
    assert pack_control(message) == bytes.fromhex(content)
    assert unpack_control(bytes.fromhex(content)) == message


@given(MESSAGES, st.binary(max_size=8))
def test_message_comes_back_whatever_is_behind_it(message, tail: bytes) -> None:  # type: ignore[no-untyped-def]
    content = pack_control(message)
    assert unpack_control(content + tail) == message
    for cut in range(len(content)):
        assert unpack_control(content[:cut]) is DamageReason.SHORT


@given(st.binary(max_size=60))
def test_any_bytes_give_a_message_or_a_reason(content: bytes) -> None:
    message = unpack_control(content)
    if not isinstance(message, DamageReason):
        assert unpack_control(pack_control(message)) == message


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("07 00", DamageReason.TYPE),
        ("04 02 0101", DamageReason.LENGTH),
        ("05 01 00", DamageReason.LENGTH),
        ("03 05 09 00000000", DamageReason.CONTENT),
        ("82 06 010203 0200 ff", DamageReason.CONTENT),
        ("01 21" + "00" * 33, DamageReason.CONTENT),
    ],
)
def test_hostile_message(content: str, reason: DamageReason) -> None:
    assert unpack_control(bytes.fromhex(content)) is reason


@pytest.mark.parametrize(
    "message",
    [
        Ping(bytes(33)),
        Info((1, 2, 256), 0, ""),
        Set(Parameter.POWER_DBM, 2**31),
        Stat(tx_free_bytes=-1, queue_ms=0, errors=0),
    ],
)
def test_what_does_not_fit_is_refused(message) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(LocalLinkError, match="does not fit"):
        pack_control(message)


def test_messages_go_over_the_wire_between_packets() -> None:
    receiver = Receiver()
    for number, (message, _) in enumerate(LITERAL):
        receiver.receive_data(control_packet(message, number), now_s=0.0)
    for number, (message, _) in enumerate(LITERAL):
        event = receiver.next_event()
        assert isinstance(event, MessageReceived)
        assert (event.sequence, unpack_control(event.payload)) == (number, message)
