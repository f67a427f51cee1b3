"""Secured links: golden bytes, and nothing is let through but what was sent, once."""

import importlib.util
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_codec.firmware_bridge import (
    PROFILES,
    DamageReason,
    Event,
    Guard,
    Hello,
    LocalLinkError,
    MessageReceived,
    MessageType,
    PacketDamaged,
    Protection,
    Receiver,
    Route,
    Security,
    StreamStarted,
    Transmitter,
    ordered_nonce,
)
from edge_codec.firmware_bridge.framing import stuff, unstuff
from edge_codec.firmware_bridge.guard import ReplayWindow
from edge_codec.firmware_bridge.packet import Packet, PacketType
from edge_codec.firmware_bridge.security import StreamSeal, derive_key
from support.link_pair import events_of, heard, make_codes, make_hello

GOLDEN_DIR = Path(__file__).parents[2] / "golden" / "link"
GOLDEN: dict[str, Any] = json.loads((GOLDEN_DIR / "secured.json").read_text())
SECRET = bytes.fromhex(GOLDEN["secret"])
NUMBERS = {"hello": 0x1FE, "voice": 0x1FE, "voice_first": 0, "text": 0x102, "end": 0x1FF}
KINDS = {"hello": PacketType.HELLO, "end": PacketType.END, "text": PacketType.TEXT}
P500 = PROFILES[1]
HELLO = make_hello(P500, nonce=bytes.fromhex("018bcfe56800abcd"), epoch=3)
HAS_CRYPTO = importlib.util.find_spec("cryptography") is not None
NEEDS_CRYPTO = pytest.mark.skipif(
    not HAS_CRYPTO, reason="needs cryptography: pip install '.[crypto]'"
)


def make_security(suite: str = "auth_8", secret: bytes = SECRET) -> Security:
    protection, tag_bytes = suite.split("_")
    return Security(
        secret=secret, protection=Protection[protection.upper()], tag_bytes=int(tag_bytes)
    )


def marked(suites: list[str]) -> list[Any]:
    return [
        pytest.param(suite, marks=NEEDS_CRYPTO if suite.startswith("aead") else ())
        for suite in suites
    ]


SUITES = pytest.mark.parametrize("suite", marked(list(GOLDEN["suites"])))
BOTH = pytest.mark.parametrize("suite", marked(["auth_4", "auth_8", "aead_8"]))


def send(
    security: Security | None, superframes: int = 3, *, hello: Hello = HELLO, tag: int = 0x5C
) -> list[bytes]:
    """HELLO, HELLO, VOICE ..., END; each with its delimiter and nothing before it."""
    transmitter = Transmitter(hello, stream_tag=tag, security=security)
    codes_FK = make_codes(hello.profile, superframes)
    packets = transmitter.send_frames(codes_FK, now_s=0.0) + transmitter.finish(now_s=1.0)
    return [packet.lstrip(b"\0") for packet in packets]


def receive(packets: list[bytes], receiver: Receiver) -> list[Event]:
    for packet in packets:
        receiver.receive_data(packet, now_s=0.0)
    return list(events_of(receiver))


def refusals(events: list[Event]) -> list[DamageReason]:
    return [event.reason for event in events if isinstance(event, PacketDamaged)]


def arrived(events: list[Event]) -> list[int]:
    return [event.sequence for event in heard(events) if event.valid_layers_F.any()]


def flips(data: bytes) -> Iterator[bytes]:
    """Every way to flip one bit."""
    for bit in range(8 * len(data)):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 0x80 >> bit % 8
        yield bytes(damaged)


def test_generator_gives_the_committed_file() -> None:
    spec = importlib.util.spec_from_file_location("make_secured", GOLDEN_DIR / "make_secured.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.vectors() == GOLDEN
    assert GOLDEN["aes_fips_197"] == "69c4e0d86a7b0430d8cdb78070b4c55a"


@SUITES
@pytest.mark.parametrize("name", NUMBERS)
def test_golden_packets_are_sealed_and_opened(suite: str, name: str) -> None:
    security, golden = make_security(suite), GOLDEN["suites"][suite]
    assert derive_key(security, "AB1CD", 3).hex() == golden["key"]
    kind = KINDS.get(name, PacketType.VOICE)
    content = {
        "hello": bytes.fromhex(golden["hello"])[7:35],
        "end": bytes.fromhex(golden["end"])[7:35],
        "text": b"73 de AB1CD",
    }.get(name, bytes.fromhex(GOLDEN["content"]))
    packet = Packet(
        type=kind,
        stream_tag=0x5C,
        sequence=NUMBERS[name] & 0xFF,
        profile_id=0xFF if name == "text" else 1,
        content=content,
        is_first=name == "voice_first",
    )
    seal = StreamSeal(security, HELLO)
    assert seal.seal(packet, NUMBERS[name]).hex() == golden[name]
    assert seal.open(bytes.fromhex(golden[name]), NUMBERS[name]) == packet


@SUITES
def test_golden_stream_is_heard(suite: str) -> None:
    golden = GOLDEN["suites"][suite]
    receiver = Receiver(guard=Guard(make_security(suite)))
    wire = [stuff(bytes.fromhex(golden[name])) for name in ("hello", "voice", "text", "end")]
    events = receive(wire, receiver)
    assert arrived(events) == [0xFE]
    assert [e.payload for e in events if isinstance(e, MessageReceived)] == [b"73 de AB1CD"]
    assert not refusals(events)


@SUITES
def test_a_spurt_is_heard_whole(suite: str) -> None:
    security = make_security(suite)
    events = receive(send(security, 5), Receiver(guard=Guard(security)))
    assert (np.concatenate([e.codes_FK for e in heard(events)]) == make_codes(P500, 5)).all()
    assert not refusals(events)


@pytest.mark.skipif(not HAS_CRYPTO, reason="needs cryptography: pip install '.[crypto]'")
def test_encrypted_voice_does_not_show_its_codes() -> None:
    clear, hidden = (send(make_security(suite), 1)[2] for suite in ("auth_8", "aead_8"))
    assert len(clear) == len(hidden)
    same = sum(a == b for a, b in zip(clear, hidden, strict=True))
    assert same < 12


@BOTH
@pytest.mark.parametrize("name", ["hello", "voice", "text", "end"])
def test_any_flipped_bit_is_rejected(suite: str, name: str) -> None:
    golden = GOLDEN["suites"][suite]
    for damaged in flips(bytes.fromhex(golden[name])):
        guard = Guard(make_security(suite))
        guard.open(bytes.fromhex(golden["hello"]))
        assert isinstance(guard.open(damaged), DamageReason)


@BOTH
@pytest.mark.parametrize("name", ["hello", "voice", "text", "end"])
def test_any_cut_and_any_appendage_is_rejected(suite: str, name: str) -> None:
    golden = GOLDEN["suites"][suite]
    data, guard = bytes.fromhex(golden[name]), Guard(make_security(suite))
    guard.open(bytes.fromhex(golden["hello"]))
    cuts = [data[:length] for length in range(len(data))]
    for damaged in [*cuts, data + b"\0", data + data, data[1:]]:
        assert isinstance(guard.open(damaged), DamageReason)
    assert isinstance(guard.open(data), Packet)


@settings(max_examples=100)
@given(data=st.binary(max_size=300))
def test_any_bytes_are_survived(data: bytes) -> None:
    guard = Guard(make_security())
    guard.open(bytes.fromhex(GOLDEN["suites"]["auth_8"]["hello"]))
    assert isinstance(guard.open(data), DamageReason)
    secured = bytes([0x44 | (data[0] if data else 0) & 0x38]) + data[1:]
    assert isinstance(guard.open(secured), DamageReason)


@BOTH
def test_replayed_packets_are_rejected(suite: str) -> None:
    security = make_security(suite)
    packets, receiver = send(security, 70), Receiver(guard=Guard(security))
    assert len(arrived(receive(packets[:-1], receiver))) == 70
    again = receive(packets[2:-1], receiver)
    assert refusals(again) == [DamageReason.REPLAY] * 70
    assert arrived(again) == []
    assert receiver.stats.refused == 70


def test_an_old_hello_does_not_turn_back_the_count() -> None:
    security = make_security()
    packets, receiver = send(security, 40), Receiver(guard=Guard(security))
    receive(packets[:-1], receiver)
    assert refusals(receive([packets[0]], receiver)) == [DamageReason.STALE]


def test_a_whole_stream_is_not_heard_twice() -> None:
    security = make_security()
    first, guard = send(security), Guard(security)
    second = send(security, hello=replace(HELLO, nonce=ordered_nonce(1_800_000_000_000, b"ab")))
    receive(first + second, Receiver(guard=guard))
    for old in (first, second):
        assert arrived(receive(old, Receiver(guard=guard))) == []


def test_what_was_heard_outlives_the_receiver() -> None:
    security = make_security()
    packets, guard = send(security, 10), Guard(security)
    receive(packets[:7], Receiver(guard=guard))  # two HELLOs, superframes 0 to 4
    later = Receiver(guard=Guard(security, guard.heard))
    assert arrived(receive(packets[:7], later)) == []
    rest = send(security, 10)[7:]
    hello = [stuff(_hello_at(security, 5))]
    assert arrived(receive(hello + rest, Receiver(guard=Guard(security, guard.heard)))) == [
        *range(5, 10)
    ]


def _hello_at(security: Security, number: int) -> bytes:
    data = unstuff(send(security, 1)[0].strip(b"\0"))
    assert isinstance(data, bytes)
    packet = StreamSeal(security, HELLO).open(data, 0)
    assert isinstance(packet, Packet)
    return StreamSeal(security, HELLO).seal(replace(packet, sequence=number & 0xFF), number)


def test_epochs_never_go_back() -> None:
    security = make_security()
    guard = Guard(security)
    newer = send(security, hello=replace(HELLO, epoch=4, nonce=bytes(8)))
    older = send(security, hello=replace(HELLO, nonce=b"\xff" * 8), tag=1)
    assert arrived(receive(newer, Receiver(guard=guard))) == [0, 1, 2]
    assert set(refusals(receive(older, Receiver(guard=guard)))) == {
        DamageReason.STALE,
        DamageReason.SECURED,
    }


def test_who_tunes_in_late_hears_from_the_next_hello_on() -> None:
    security = make_security()
    packets, receiver = send(security, 400), Receiver(guard=Guard(security))
    hello = stuff(_hello_at(security, 300))
    late = receive([*packets[280:302], hello, *packets[302:310]], receiver)
    assert refusals(late) == [DamageReason.SECURED] * 22
    assert len(arrived(late)) == 8


@pytest.mark.parametrize("order", [[0, 2, 1, 3], [1, 0, 3, 2], [3, 2, 1, 0]])
def test_packets_out_of_order_are_all_heard(order: list[int]) -> None:
    security = make_security()
    packets = send(security, 4)
    receiver = Receiver(hold_superframes=3, guard=Guard(security))
    events = receive([packets[0], *(packets[2 + n] for n in order), packets[-1]], receiver)
    assert len(arrived(events)) == 4
    assert not refusals(events)


def test_counts_go_on_behind_256_lost_superframes() -> None:
    security = make_security()
    packets, receiver = send(security, 600), Receiver(guard=Guard(security))
    hello = stuff(_hello_at(security, 500))
    events = receive([*packets[:4], hello, *packets[502:510]], receiver)
    assert not refusals(events)


@BOTH
def test_unsecured_packets_are_refused_but_for_those_of_the_own_modem(suite: str) -> None:
    receiver = Receiver(guard=Guard(make_security(suite)))
    assert set(refusals(receive(send(None), receiver))) == {DamageReason.UNSECURED}
    transmitter = Transmitter(HELLO, stream_tag=1, security=make_security(suite))
    for kind in (MessageType.CTRL, MessageType.STAT):
        events = receive(transmitter.send_message(kind, b"\x01"), receiver)
        assert isinstance(events[0], MessageReceived)


@BOTH
def test_without_a_key_nothing_is_heard(suite: str) -> None:
    events = receive(send(make_security(suite)), Receiver())
    assert set(refusals(events)) == {DamageReason.SECURED}


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        (make_security("auth_4"), DamageReason.SUITE),
        (make_security("auth_8", bytes(32)), DamageReason.TAG),
    ],
)
def test_another_suite_and_another_key_are_told_apart(
    other: Security, reason: DamageReason
) -> None:
    events = receive(send(other), Receiver(guard=Guard(make_security())))
    assert refusals(events)[0] is reason
    assert not any(isinstance(event, StreamStarted) for event in events)


@BOTH
def test_a_late_sender_cuts_secured_packets(suite: str) -> None:
    security, hello = make_security(suite), replace(HELLO, profile=PROFILES[6])
    transmitter = Transmitter(hello, stream_tag=0x5C, security=security)
    packets = []
    for layers in (6, 2, 4):
        transmitter.layers = layers
        most_bytes = transmitter.voice_bytes
        packets += transmitter.send_frames(make_codes(PROFILES[6], 1), now_s=0.0)
        assert len(packets[-1]) <= most_bytes
    events = receive(packets, Receiver(guard=Guard(security)))
    assert [event.valid_layers_F[0] for event in heard(events)] == [6, 2, 4]


@BOTH
def test_a_bad_network_costs_packets_and_nothing_else(
    suite: str, make_route: Callable[..., Route]
) -> None:
    security = make_security(suite)
    route = make_route(drop_rate=0.1, duplicate_rate=0.1, reorder_rate=0.1, bit_error_rate=1e-4)
    receiver, events = Receiver(hold_superframes=2, guard=Guard(security)), []
    for n, packet in enumerate(send(security, 60)):
        route.push(packet, n * 0.5)
        events += receive(route.pull(n * 0.5), receiver)
    events += receive(route.pull(1e9), receiver)
    sent_FK = make_codes(P500, 60)
    for event in heard(events):
        codes_FK = sent_FK[24 * event.sequence :][:24]
        assert (event.codes_FK == codes_FK).all() or not event.valid_layers_F.any()
    assert len(arrived(events)) > 35
    assert DamageReason.REPLAY in refusals(events)


def test_streams_are_bounded_and_the_fifth_takes_the_place_of_the_oldest() -> None:
    security = make_security()
    guard = Guard(security)
    for n in range(20):
        hello = replace(HELLO, source=f"ST{n}")
        receive(send(security, hello=hello, tag=n), Receiver(guard=guard))
    assert len(guard._streams) == 4
    assert len(guard.heard) == 20


def test_forged_packets_make_no_state() -> None:
    guard = Guard(make_security())
    for n in range(300):
        forged = bytearray.fromhex(GOLDEN["suites"]["auth_8"]["hello"])
        forged[1], forged[20] = n % 256, n // 256
        guard.open(bytes(forged[:-1]) + b"\0")
    assert not guard._streams
    assert not guard.heard


@given(st.lists(st.integers(0, 300), max_size=60))
@settings(max_examples=50)
def test_the_window_accepts_each_number_once(numbers: list[int]) -> None:
    window, accepted = ReplayWindow(0, is_resumed=False), []
    for number in numbers:
        if window.is_fresh(number):
            window.note(number)
            accepted.append(number)
    assert len(set(accepted)) == len(accepted)
    fresh = {n for i, n in enumerate(numbers) if n > max(numbers[:i], default=-1) - 64}
    assert fresh == set(accepted)


def test_no_number_is_behind_the_last_one() -> None:
    """Nonces have four bytes for it: nothing can have been sealed with more."""
    transmitter = Transmitter(HELLO, stream_tag=0x5C, security=make_security())
    transmitter._number = 2**32 - 1
    guard = Guard(make_security())
    sent = transmitter.send_frames(make_codes(P500, 1), now_s=0.0)
    assert len(heard(receive(sent, Receiver(guard=guard)))) == 1
    voice = bytearray.fromhex(GOLDEN["suites"]["auth_8"]["voice"])
    voice[2] = 5
    assert guard.open(bytes(voice)) is DamageReason.REPLAY


@pytest.mark.parametrize(
    "wrong",
    [
        {"secret": b"short"},
        {"tag_bytes": 16},
        {"protection": Protection.AEAD, "tag_bytes": 5},
        {"tag_bytes": 2},
    ],
)
def test_impossible_suites_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(LocalLinkError):
        Security(**({"secret": SECRET, "protection": Protection.AUTH} | wrong))


def test_no_room_for_a_tag_is_said_at_once() -> None:
    wide = replace(P500, layers=3, base_layers=2, frames_per_superframe=39)
    assert wide.packet_bytes(red=True) == 252
    assert Transmitter(replace(HELLO, profile=wide), stream_tag=1)
    with pytest.raises(LocalLinkError, match="shorter tag"):
        Transmitter(replace(HELLO, profile=wide), stream_tag=1, security=make_security())


def test_a_secured_message_has_a_limit_of_its_own() -> None:
    transmitter = Transmitter(HELLO, stream_tag=1, security=make_security())
    assert transmitter.send_message(MessageType.TEXT, bytes(240))
    with pytest.raises(LocalLinkError, match="240"):
        transmitter.send_message(MessageType.TEXT, bytes(241))


def test_the_secret_is_not_printed() -> None:
    assert SECRET.hex() not in repr(make_security())
    assert repr(SECRET) not in repr(make_security())


def test_auth_needs_no_cryptography(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cryptography", None)
    security = make_security()
    assert arrived(receive(send(security), Receiver(guard=Guard(security)))) == [0, 1, 2]
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.ciphers.aead", None)
    with pytest.raises(ImportError):
        send(make_security("aead_8"))
