"""Corrupt frames by the thousand: no crash, no growth, next to nothing falsely accepted."""

import resource

import numpy as np
import pytest

from edge_codec.firmware_bridge import PROFILES, Event, FramesReceived, HelloReceived, Receiver
from support.link_pair import heard, make_codes, send_spurt

P3000 = PROFILES[6]
SENT_FK = make_codes(P3000, 16).reshape(16, 12, 6)
PACKETS = [packet for _, packet in send_spurt(P3000, 16, red=1)]
FALSE_PER_MILLION = 20


def corrupted(packet: bytes, rng: np.random.Generator) -> bytes:
    """Never the packet itself: bits flipped, bytes cut out, doubled, or nothing but noise."""
    match rng.integers(4):
        case 0:
            return rng.integers(0, 256, rng.integers(1, 300), np.uint8).tobytes() + b"\0"
        case 1:
            cut = sorted(rng.integers(0, len(packet), 2))
            return packet[: cut[0]] + packet[cut[1] + 1 :] + b"\0"
        case 2:
            cut = int(rng.integers(0, len(packet)))
            return packet[:cut] + packet[max(0, cut - 20) :]
    bits = np.unpackbits(np.frombuffer(packet, np.uint8))
    bits[rng.choice(len(bits) - 8, rng.integers(1, 30), replace=False)] ^= 1
    return np.packbits(bits).tobytes()


def is_false(event: Event) -> bool:
    """True for content that nobody sent."""
    if isinstance(event, HelloReceived):
        return event.stream_tag != 7 or event.hello.source != "AB1CD"
    if not isinstance(event, FramesReceived) or not event.valid_layers_F[0]:
        return False
    layers = int(event.valid_layers_F[0])
    arrived_FK = event.codes_FK[:, :layers]
    return not (SENT_FK[:, :, :layers] == arrived_FK).all((1, 2)).any()


def fuzz(frames: int, seed: int) -> int:
    """Content falsely accepted."""
    rng, receiver, false = np.random.default_rng(seed), Receiver(hold_superframes=1), 0
    for n in range(frames):
        receiver.receive_data(corrupted(PACKETS[n % len(PACKETS)], rng), now_s=n * 0.02)
        receiver.handle_timeout(now_s=n * 0.02)
        while (event := receiver.next_event()) is not None:
            false += is_false(event)
    assert receiver.stats.events_dropped == 0
    return false


def test_a_few_thousand_corrupt_frames() -> None:
    assert fuzz(4000, seed=1) == 0


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_hundred_thousand_corrupt_frames_in_flat_memory() -> None:
    fuzz(5000, seed=2)
    before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert fuzz(100_000, seed=3) <= FALSE_PER_MILLION / 10
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb < 4096


def test_a_good_packet_is_heard_between_the_bad() -> None:
    rng, receiver = np.random.default_rng(4), Receiver()
    for _, packet in send_spurt(P3000, 16):
        receiver.receive_data(corrupted(packet, rng) + b"\0" + packet, now_s=0.0)
    events = []
    while (event := receiver.next_event()) is not None:
        events.append(event)
    assert sum(int(event.valid_layers_F[0]) > 0 for event in heard(events)) >= 15
