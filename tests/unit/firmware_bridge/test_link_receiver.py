"""The receiving end: order, gaps, late entry, ends, limits, and a hostile line."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_codec.firmware_bridge import (
    MAX_STREAMS,
    PROFILES,
    STREAM_TIMEOUT_S,
    DamageReason,
    EndReason,
    HelloReceived,
    LocalLinkError,
    PacketDamaged,
    PacketsLost,
    Receiver,
    StreamEnded,
    StreamStarted,
    profile_for,
)
from edge_codec.firmware_bridge.events import MAX_EVENTS
from edge_codec.firmware_bridge.framing import stuff
from edge_codec.firmware_bridge.hello import pack_hello
from edge_codec.firmware_bridge.packet import Packet, PacketType, pack_packet
from support.link_pair import (
    events_of,
    heard,
    kinds,
    make_codes,
    make_hello,
    receive,
    send_spurt,
)

P3000 = PROFILES[6]
CUSTOM = profile_for(5, 9, 40.0)


def only_voice(timed: list[tuple[float, bytes]]) -> list[tuple[float, bytes]]:
    """Without HELLO and END, whose wire sizes differ from every VOICE packet's."""
    return [(t, p) for t, p in timed if len(p.strip(b"\0")) != 35]


def numbers(events: list) -> list[int]:
    return [event.sequence for event in heard(events)]


def test_a_clean_spurt_arrives_whole_in_any_pieces() -> None:
    timed = send_spurt(P3000, 3)
    stream = b"".join(packet for _, packet in timed)
    for size in (1, 2, 7, 64, len(stream)):
        receiver = Receiver()
        for start in range(0, len(stream), size):
            receiver.receive_data(stream[start : start + size], now_s=0.0)
        events = list(events_of(receiver))
        assert kinds(events) == [
            "StreamStarted",
            *["HelloReceived"] * 2,
            *["FramesReceived"] * 3,
            "HelloReceived",
            "StreamEnded",
        ]
        codes_FK = np.concatenate([event.codes_FK for event in heard(events)])
        assert (codes_FK == make_codes(P3000, 3)).all()


def test_lost_superframes_are_reported_and_concealed_in_place() -> None:
    timed = send_spurt(P3000, 10)
    del timed[5:8]  # two HELLOs come first, so these are superframes 3, 4 and 5
    events = receive(timed)
    assert PacketsLost(7, 3) in events
    assert numbers(events) == list(range(10))
    valid = [int(event.valid_layers_F[0]) for event in heard(events)]
    assert valid == [6, 6, 6, 0, 0, 0, 6, 6, 6, 6]
    assert (heard(events)[4].codes_FK == 1024).all()


def test_losses_at_both_ends_are_counted() -> None:
    timed = send_spurt(P3000, 6)
    del timed[2], timed[6]
    receiver = Receiver()
    events = receive(timed, receiver=receiver)
    assert numbers(events) == list(range(6))
    assert receiver.stats.voice_lost == 2
    assert events[-1] == StreamEnded(7, EndReason.END)


def test_late_entry_with_a_known_profile_needs_two_superframes() -> None:
    stream = b"".join(packet for _, packet in only_voice(send_spurt(P3000, 8)))
    step = len(stream) // 8
    for cut in range(step):
        receiver = Receiver()
        receiver.receive_data(stream[cut : 2 * step + cut], now_s=0.0)
        assert len(heard(list(events_of(receiver)))) >= 1


def test_late_entry_with_another_profile_needs_a_hello() -> None:
    timed = send_spurt(CUSTOM, 60)[3:]
    receiver = Receiver()
    events = receive(timed, receiver=receiver)
    assert events[0] == PacketDamaged(DamageReason.PROFILE)
    started = events.index(StreamStarted(7, CUSTOM))
    assert isinstance(events[started + 1], HelloReceived)
    waited_s = started * CUSTOM.superframe_s
    assert waited_s <= CUSTOM.hello_interval_s + CUSTOM.superframe_s
    assert receiver.stats.refused == started


@pytest.mark.parametrize("hold", [0, 1])
def test_duplicates_are_counted_and_dropped(hold: int) -> None:
    timed = [item for item in send_spurt(P3000, 5) for _ in range(2)]
    receiver = Receiver(hold_superframes=hold)
    events = receive(timed, receiver=receiver)
    assert numbers(events) == list(range(5))
    assert receiver.stats.voice_duplicate == 5
    assert kinds(events)[-1] == "StreamEnded"
    assert kinds(events).count("StreamStarted") == 1


def test_without_hold_a_swapped_superframe_is_late() -> None:
    timed = send_spurt(P3000, 5)
    timed[3], timed[4] = timed[4], timed[3]
    receiver = Receiver()
    events = receive(timed, receiver=receiver)
    assert [int(event.valid_layers_F[0]) for event in heard(events)] == [6, 0, 6, 6, 6]
    assert (receiver.stats.voice_late, receiver.stats.voice_lost) == (1, 1)


def test_with_hold_a_swapped_superframe_is_put_in_place() -> None:
    timed = send_spurt(P3000, 5)
    timed[3], timed[4] = timed[4], timed[3]
    receiver = Receiver(hold_superframes=1)
    events = receive(timed, receiver=receiver)
    codes_FK = np.concatenate([event.codes_FK for event in heard(events)])
    assert (codes_FK == make_codes(P3000, 5)).all()
    assert receiver.stats.voice_lost == 0


def test_a_held_gap_is_given_up_in_time() -> None:
    timed = only_voice(send_spurt(P3000, 4))
    receiver = Receiver(hold_superframes=2)
    receiver.receive_data(timed[0][1] + timed[2][1], now_s=1.0)
    assert numbers(list(events_of(receiver))) == [0]
    assert receiver.next_timeout_s() == 1.0 + 2 * 0.24
    receiver.handle_timeout(now_s=1.47)
    assert receiver.next_event() is None
    receiver.handle_timeout(now_s=1.48)
    assert kinds(list(events_of(receiver))) == ["PacketsLost", *["FramesReceived"] * 2]


def test_red_gives_back_the_base_class() -> None:
    timed = send_spurt(P3000, 6, red=1)
    del timed[4]
    receiver = Receiver()
    events = receive(timed, receiver=receiver)
    frames = heard(events)
    assert [int(event.valid_layers_F[0]) for event in frames] == [6, 6, 2, 6, 6, 6]
    assert (frames[2].codes_FK[:, :2] == make_codes(P3000, 3)[24:, :2]).all()
    assert (frames[2].codes_FK[:, 2:] == 1024).all()
    assert (receiver.stats.voice_recovered, receiver.stats.voice_lost) == (1, 0)


def test_red_2_survives_two_losses_in_a_row_when_held() -> None:
    timed = send_spurt(P3000, 8, red=2)
    del timed[4:6]
    receiver = Receiver(hold_superframes=3)
    frames = heard(receive(timed, receiver=receiver))
    assert [int(event.valid_layers_F[0]) for event in frames] == [6, 6, 2, 2, 6, 6, 6, 6]


def test_sequence_is_extended_beyond_eight_bits() -> None:
    timed = send_spurt(PROFILES[12], 700)
    del timed[255:262]
    events = receive(timed)
    assert numbers(events) == list(range(700))


def test_silence_ends_a_stream() -> None:
    receiver = Receiver()
    receiver.receive_data(send_spurt(P3000, 1)[2][1], now_s=5.0)
    assert receiver.next_timeout_s() == 5.0 + STREAM_TIMEOUT_S
    receiver.handle_timeout(now_s=5.0 + STREAM_TIMEOUT_S)
    assert list(events_of(receiver))[-1] == StreamEnded(7, EndReason.TIMEOUT)
    assert receiver.next_timeout_s() is None


def test_stragglers_after_the_end_start_nothing() -> None:
    timed = send_spurt(P3000, 4)
    timed = [*timed[:5], timed[6], timed[5], timed[0]]
    receiver = Receiver()
    events = receive(timed, receiver=receiver)
    assert kinds(events).count("StreamStarted") == 1
    assert kinds(events)[-1] == "StreamEnded"
    assert (receiver.stats.voice_late, receiver.stats.voice_lost) == (1, 1)


def test_end_waits_for_a_straggler_when_held() -> None:
    timed = send_spurt(P3000, 4)
    timed[5], timed[6] = timed[6], timed[5]
    receiver = Receiver(hold_superframes=1)
    events = receive(timed, receiver=receiver)
    assert kinds(events)[-2:] == ["FramesReceived", "StreamEnded"]
    assert receiver.stats.voice_lost == 0


def hello_packet(nonce: bytes, profile: object = P3000, sequence: int = 0) -> bytes:
    body = pack_hello(make_hello(profile, nonce=nonce))  # type: ignore[arg-type]
    kind = PacketType.HELLO
    return stuff(
        pack_packet(Packet(type=kind, stream_tag=7, sequence=sequence, profile_id=6, content=body))
    )


@pytest.mark.parametrize("second", [hello_packet(b"8 others"), hello_packet(bytes(8), CUSTOM)])
def test_another_nonce_or_profile_is_another_stream(second: bytes) -> None:
    receiver = Receiver()
    receiver.receive_data(hello_packet(bytes(8)) + second, now_s=0.0)
    events = list(events_of(receiver))
    assert kinds(events)[2:] == ["StreamEnded", "StreamStarted", "HelloReceived"]
    assert events[2] == StreamEnded(7, EndReason.REPLACED)
    assert receiver.stats.streams_replaced == 1


def test_a_hello_far_behind_starts_the_count_anew() -> None:
    receiver = Receiver()
    stray = pack_packet(
        Packet(type=PacketType.VOICE, stream_tag=7, sequence=100, profile_id=6, content=bytes(90))
    )
    receiver.receive_data(hello_packet(bytes(8)) + stuff(stray), now_s=0.0)
    voice = b"".join(packet for _, packet in only_voice(send_spurt(P3000, 3)))
    receiver.receive_data(hello_packet(bytes(8)) + voice, now_s=0.0)
    assert numbers(list(events_of(receiver)))[-3:] == [0, 1, 2]


def test_a_fifth_stream_takes_the_place_of_the_one_silent_for_longest() -> None:
    receiver = Receiver()
    for tag in range(MAX_STREAMS + 1):
        packet = send_spurt(P3000, 1, tag=tag)[2][1]
        receiver.receive_data(packet, now_s=float(tag))
        receiver.receive_data(send_spurt(P3000, 1, tag=1)[2][1], now_s=float(tag))
    ended = [event for event in events_of(receiver) if isinstance(event, StreamEnded)]
    assert ended == [StreamEnded(0, EndReason.REPLACED)]


def test_ended_streams_give_way_first() -> None:
    receiver = Receiver()
    for tag in (0, 1, 2):
        receiver.receive_data(send_spurt(P3000, 1, tag=tag)[2][1], now_s=float(tag) / 10)
    for _, packet in send_spurt(P3000, 1, tag=3):
        receiver.receive_data(packet, now_s=0.5)
    receiver.receive_data(send_spurt(P3000, 1, tag=4)[2][1], now_s=0.6)
    ended = [event for event in events_of(receiver) if isinstance(event, StreamEnded)]
    assert ended == [StreamEnded(3, EndReason.END)]
    assert receiver.stats.streams_replaced == 0


def test_streams_are_kept_apart() -> None:
    spurts = [send_spurt(P3000, 6, tag=tag, seed=tag) for tag in range(4)]
    mixed = [item for items in zip(*spurts, strict=True) for item in items]
    frames = heard(receive(mixed))
    for tag in range(4):
        mine_FK = np.concatenate([f.codes_FK for f in frames if f.stream_tag == tag])
        assert (mine_FK == make_codes(P3000, 6, seed=tag)).all()


def test_an_end_nobody_heard_of_is_only_counted() -> None:
    receiver = Receiver()
    receiver.receive_data(send_spurt(P3000, 2)[-1][1], now_s=0.0)
    assert receiver.next_event() is None
    assert receiver.stats.end_received == 1


def test_hello_with_a_value_that_is_not_allowed_is_refused() -> None:
    content = b"\xff" * 28
    packet = pack_packet(Packet(type=PacketType.HELLO, stream_tag=1, sequence=0, content=content))
    receiver = Receiver()
    receiver.receive_data(stuff(packet), now_s=0.0)
    assert list(events_of(receiver)) == [PacketDamaged(DamageReason.CONTENT)]


def test_hold_out_of_range_is_refused() -> None:
    with pytest.raises(LocalLinkError, match="hold_superframes"):
        Receiver(hold_superframes=9)


def test_events_nobody_fetches_are_bounded() -> None:
    receiver = Receiver()
    receiver.receive_data(b"\x05\0" * (MAX_EVENTS + 10), now_s=0.0)
    assert receiver.stats.events_dropped == 10
    assert receiver.stats.damaged_framing == MAX_EVENTS + 10
    assert len(list(events_of(receiver))) == MAX_EVENTS


@given(st.lists(st.binary(max_size=400), max_size=10), st.integers(0, 3))
def test_any_bytes_give_events_or_nothing(chunks: list[bytes], hold: int) -> None:
    receiver = Receiver(hold_superframes=hold)
    for now, chunk in enumerate(chunks):
        receiver.receive_data(chunk, now_s=float(now))
        receiver.handle_timeout(now_s=float(now))
        list(events_of(receiver))


PACKETS = st.builds(
    Packet,
    type=st.sampled_from(PacketType),
    stream_tag=st.integers(0, 5),
    sequence=st.integers(0, 255),
    profile_id=st.sampled_from([1, 6, 12, 200, 0xFF]),
    content=st.one_of(
        st.integers(0, 249).map(bytes),
        st.sampled_from([P3000, CUSTOM]).map(lambda profile: pack_hello(make_hello(profile))),
    ),
    has_red=st.booleans(),
    is_first=st.booleans(),
)


@settings(max_examples=200)
@given(st.lists(PACKETS, max_size=40), st.integers(0, 8), st.floats(0, 1))
def test_any_packets_keep_the_promises(packets: list[Packet], hold: int, step_s: float) -> None:
    receiver = Receiver(hold_superframes=hold)
    events = receive(
        [(n * step_s, stuff(pack_packet(packet))) for n, packet in enumerate(packets)],
        receiver=receiver,
    )
    stats = receiver.stats
    accounted = stats.voice_delivered + stats.voice_duplicate + stats.voice_late
    assert accounted == stats.voice_received
    delivered = stats.voice_delivered + stats.voice_recovered + stats.voice_lost
    assert delivered == len(heard(events))
    assert kinds(events).count("StreamStarted") == kinds(events).count("StreamEnded")
    assert receiver.next_timeout_s() is None


@settings(max_examples=150)
@given(st.integers(0, 10**9), st.integers(0, 1))
def test_one_flipped_bit_costs_at_most_two_packets(position: int, red: int) -> None:
    stream = bytearray(b"".join(packet for _, packet in send_spurt(PROFILES[3], 8, red=red)))
    position %= 8 * len(stream)
    stream[position // 8] ^= 0x80 >> position % 8
    receiver = Receiver()
    receiver.receive_data(bytes(stream), now_s=0.0)
    whole = receiver.stats.voice_received + receiver.stats.hello_received
    assert whole + receiver.stats.end_received >= 11 - 2
    for event in heard(list(events_of(receiver))):
        layers = int(event.valid_layers_F[0])
        sent_FK = make_codes(PROFILES[3], 8)[24 * event.sequence : 24 * (event.sequence + 1)]
        assert (event.codes_FK[:, :layers] == sent_FK[:, :layers]).all()
