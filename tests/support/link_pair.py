"""Two ends of a link, a channel between them and a clock that only the test moves."""

from collections.abc import Callable, Iterator

import numpy as np

from edge_codec.firmware_bridge import (
    PROFILES,
    Event,
    FramesReceived,
    Hello,
    Receiver,
    Security,
    StreamProfile,
    Transmitter,
)
from edge_codec.firmware_bridge.bits import IntArray


def make_hello(profile: StreamProfile = PROFILES[6], **changes: object) -> Hello:
    fields = {"source": "AB1CD", "model_hash": b"\x1a\x2b\x3c\x4d", "nonce": bytes(range(8))}
    return Hello(profile=profile, **(fields | changes))  # type: ignore[arg-type]


def make_codes(profile: StreamProfile, superframes: int, *, seed: int = 0) -> IntArray:
    shape = (superframes * profile.frames_per_superframe, profile.layers)
    return np.random.default_rng(seed).integers(0, 1 << profile.bits_per_code, shape)


def send_spurt(
    profile: StreamProfile,
    superframes: int,
    *,
    tag: int = 7,
    red: int = 0,
    seed: int = 0,
    security: Security | None = None,
) -> list[tuple[float, bytes]]:
    """(time, packet) of a whole talk spurt in real time."""
    transmitter = Transmitter(make_hello(profile), stream_tag=tag, red=red, security=security)
    codes_FK, step = make_codes(profile, superframes, seed=seed), profile.frames_per_superframe
    timed = []
    for n in range(superframes):
        now_s = n * profile.superframe_s
        chunk_FK = codes_FK[n * step : (n + 1) * step]
        timed += [(now_s, packet) for packet in transmitter.send_frames(chunk_FK, now_s=now_s)]
    end_s = superframes * profile.superframe_s
    return timed + [(end_s, packet) for packet in transmitter.finish(now_s=end_s)]


def events_of(receiver: Receiver) -> Iterator[Event]:
    while (event := receiver.next_event()) is not None:
        yield event


def receive(
    timed: list[tuple[float, bytes]],
    *,
    receiver: Receiver | None = None,
    channel: Callable[[bytes], bytes] = lambda chunk: chunk,
) -> list[Event]:
    """All events of a receiver, its timeouts served in time, until nothing is due."""
    receiver = Receiver() if receiver is None else receiver
    events: list[Event] = []
    for now_s, packet in timed:
        while (due_s := receiver.next_timeout_s()) is not None and due_s <= now_s:
            receiver.handle_timeout(now_s=due_s)
        receiver.receive_data(channel(packet), now_s=now_s)
        events += events_of(receiver)
    while (due_s := receiver.next_timeout_s()) is not None:
        receiver.handle_timeout(now_s=due_s)
    return events + list(events_of(receiver))


def heard(events: list[Event]) -> list[FramesReceived]:
    return [event for event in events if isinstance(event, FramesReceived)]


def kinds(events: list[Event]) -> list[str]:
    return [type(event).__name__ for event in events]
