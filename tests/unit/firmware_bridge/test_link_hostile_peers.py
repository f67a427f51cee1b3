"""Peers that never stop, clocks that jump, five at once: events and counters, no more."""

import itertools
import math
import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_codec.firmware_bridge import (
    MAX_STREAMS,
    PROFILES,
    AutoReceiver,
    Guard,
    Protection,
    RawReceiver,
    Receiver,
    Security,
    StreamEnded,
    StreamStarted,
    raw_profile_for,
)
from edge_codec.firmware_bridge.feed import EventFeed
from support.link_pair import events_of, heard, send_spurt

RAW = raw_profile_for(3, 10, 50.0)
SECURITY = Security(secret=bytes(32), protection=Protection.AUTH)
RECEIVERS: dict[str, Callable[[], EventFeed]] = {
    "packets": lambda: Receiver(hold_superframes=2),
    "guarded": lambda: Receiver(guard=Guard(SECURITY)),
    "raw": lambda: RawReceiver(RAW),
    "auto": lambda: AutoReceiver(RAW),
}
ALL = pytest.mark.parametrize("kind", RECEIVERS)


@ALL
@settings(max_examples=25)
@given(
    chunks=st.lists(
        st.binary(max_size=400) | st.sampled_from([b"\x1a\xcf\xfc\x1d" * 20]), max_size=8
    ),
    times_s=st.lists(st.floats(-1e9, 1e9), min_size=8, max_size=8),
)
def test_any_bytes_at_any_time(kind: str, chunks: list[bytes], times_s: list[float]) -> None:
    receiver = RECEIVERS[kind]()
    for chunk, now_s in zip(chunks, times_s, strict=False):
        receiver.receive_data(chunk, now_s=now_s)
        receiver.handle_timeout(now_s=now_s)
    assert receiver.stats.bytes_received == sum(map(len, chunks))
    receiver.handle_timeout(now_s=math.inf)


def test_a_clock_that_jumps_ends_streams_and_loses_no_count() -> None:
    timed = send_spurt(PROFILES[6], 30)
    for jump_s in (-1e6, 1e6):
        receiver = Receiver(hold_superframes=2)
        for n, (now_s, packet) in enumerate(timed):
            receiver.receive_data(packet, now_s=now_s + jump_s * (n > 15))
            receiver.handle_timeout(now_s=now_s + jump_s * (n > 15))
        receiver.handle_timeout(now_s=1e9)
        stats = receiver.stats
        assert stats.voice_received == 30
        assert stats.voice_delivered + stats.voice_duplicate + stats.voice_late == 30


@ALL
def test_memory_stays_flat_while_nobody_fetches_events(kind: str) -> None:
    receiver, rng = RECEIVERS[kind](), np.random.default_rng(1)
    noise = [rng.integers(0, 256, 2000, np.uint8).tobytes() for _ in range(8)]
    packets = b"".join(packet for _, packet in send_spurt(PROFILES[6], 8))
    rounds = 4 if kind in ("raw", "auto") else 100
    flood = itertools.cycle([*noise, packets])
    sizes = []
    tracemalloc.start()
    try:
        for _ in range(3):
            for n in range(rounds):
                receiver.receive_data(next(flood), now_s=n * 0.1)
            while receiver.next_event():
                pass
            sizes.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    assert sizes[2] - sizes[1] < 100_000


def test_five_talk_at_once_and_the_fifth_takes_a_place() -> None:
    timed = sorted(
        (now_s + tag * 0.01, packet)
        for tag in range(MAX_STREAMS + 1)
        for now_s, packet in send_spurt(PROFILES[6], 10, tag=tag, seed=tag)
    )
    receiver, events = Receiver(), []
    for now_s, packet in timed:
        receiver.receive_data(packet, now_s=now_s)
        events += events_of(receiver)
    starts = sum(isinstance(event, StreamStarted) for event in events)
    ends = sum(isinstance(event, StreamEnded) for event in events)
    assert starts - ends <= MAX_STREAMS
    assert starts == receiver.stats.streams_started
    assert receiver.stats.streams_replaced > 0
    assert {event.stream_tag for event in heard(events)} == set(range(MAX_STREAMS + 1))


def test_four_at_once_are_all_heard_whole() -> None:
    timed = sorted(
        (now_s + tag * 0.01, packet)
        for tag in range(MAX_STREAMS)
        for now_s, packet in send_spurt(PROFILES[6], 10, tag=tag, seed=tag)
    )
    receiver = Receiver()
    for now_s, packet in timed:
        receiver.receive_data(packet, now_s=now_s)
    assert receiver.stats.voice_delivered == 10 * MAX_STREAMS
    assert receiver.stats.streams_replaced == 0
