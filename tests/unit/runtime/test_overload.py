"""A line slower than it says: fewer layers, bounded delay, nothing grows, and back again."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from edge_codec.firmware_bridge import Line, LinkStats, StreamEnded
from edge_codec.runtime.bundle import Bundle, load_bundle
from edge_codec.runtime.transceiver import Sender, StopSignal, Transmission, assembly
from edge_codec.runtime.transceiver.sources import BlockSource, SampleClock
from support.fake_line import FakeClock, Journal
from support.link_pair import events_of, heard
from support.recordings import make_tones
from support.stub_bundle import STUB_BUNDLE

RATE_HZ = 16_000
BUFFER_BYTES = 64


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return load_bundle(STUB_BUNDLE)


@dataclass
class SlowModem:
    """Sends at `baud` from a short buffer, and says when that is full, as RTS/CTS does."""

    clock: FakeClock
    baud: int
    fast_from_s: float = np.inf
    name: str = "modem"
    is_finished: bool = False
    next_arrival_s: float = np.inf
    arrivals: list[tuple[float, bytes]] = field(default_factory=list)
    _free_s: float = 0.0

    def fileno(self) -> int:
        return -1

    def read(self) -> bytes:
        return b""

    def unsent_bytes(self) -> int:
        waiting_s = max(0.0, self._free_s - self.clock.now_s())
        return int(waiting_s * self._byte_rate)

    def write(self, data: bytes) -> int:
        now_s = self.clock.now_s()
        taken = data[: BUFFER_BYTES - self.unsent_bytes()]
        self._free_s = max(self._free_s, now_s) + len(taken) / self._byte_rate
        if taken:
            self.arrivals.append((self._free_s, taken))
        return len(taken)

    def close(self) -> None:
        pass

    @property
    def _byte_rate(self) -> float:
        baud = 9600 if self.clock.now_s() >= self.fast_from_s else self.baud
        return baud / 10


def make_sender(bundle: Bundle, mode: str, **options: Any) -> Sender:
    line = Line(baud=options.pop("line_baud", 19200))
    talk = assembly.Talk(mode=assembly.choose_mode(bundle.spec, mode), line=line, **options)
    return assembly.make_sender(bundle, talk)


def overload(
    bundle: Bundle, mode: str, *, seconds: float, baud: int = 4800, **options: Any
) -> tuple[SlowModem, Sender, list[tuple[float, Any]]]:
    """Speak into a modem of half the rate; what a receiver behind it hears, and when."""
    clock = FakeClock()
    fast_from_s = 100.0 + options.pop("fast_from_s", np.inf)
    port, sender = SlowModem(clock, baud, fast_from_s), make_sender(bundle, mode, **options)
    tones_T = make_tones(RATE_HZ, round(seconds * RATE_HZ))[:, 0]
    source = BlockSource(iter(np.array_split(tones_T, 50)), SampleClock(RATE_HZ, fast=False))
    Transmission(source, sender, port, Journal(clock).report).run(clock, StopSignal())
    receiver = assembly.make_receiver(bundle.spec)
    events = []
    for time_s, data in port.arrivals:
        receiver.receive_data(data, now_s=time_s)
        events += [(time_s - 100.0, event) for event in events_of(receiver)]
    return port, sender, events


def delays(sender: Sender, events: list[tuple[float, Any]]) -> Iterator[float]:
    """Superframes between the last sample of each superframe and its last byte."""
    superframe_s = sender.profile.superframe_s
    for time_s, event in events:
        for frames in heard([event]):
            if frames.valid_layers_F.any():
                yield time_s / superframe_s - frames.sequence - 1


def test_twice_the_packets_that_fit_go_on_with_fewer_layers(bundle: Bundle) -> None:
    """P6000 needs 6677 bit/s, a 4800 baud modem carries 3840."""
    _, sender, events = overload(bundle, "P6000", seconds=20.0)
    late = list(delays(sender, events))
    assert max(late) < 3
    assert np.mean(late[len(late) // 2 :]) < np.mean(late[: len(late) // 2]) + 0.2
    layers = [int(f.valid_layers_F.max()) for _, event in events for f in heard([event])][10:]
    assert min(layers) >= 3
    assert 5 <= np.mean(layers) < 8
    assert sender.stats.voice_cut > 150
    assert (sender.stats.voice_dropped, sender.stats.steps_down) == (0, 0)


def test_layers_come_back_when_the_line_does(bundle: Bundle) -> None:
    _, _, events = overload(bundle, "P6000", seconds=20.0, fast_from_s=5.0)
    layers = [int(f.valid_layers_F.max()) for _, event in events for f in heard([event])]
    assert min(layers[10:70]) < 12
    assert set(layers[-40:]) == {12}


def test_raw_frames_step_down_to_a_mode_that_fits(bundle: Bundle) -> None:
    """R6000 needs 9959 bit/s; frames cannot be cut, so the mode steps down to R1500."""
    _, sender, events = overload(bundle, "R6000", seconds=25.0)
    stats = sender.stats
    assert sender.profile.layers == 3
    assert stats.steps_down >= 2
    started = [event for _, event in events if type(event).__name__ == "StreamStarted"]
    assert [event.profile.layers for event in started[:3]] == [12, 6, 3]
    frames = [f for time_s, event in events if 6 < time_s < 11 for f in heard([event])]
    assert {int(f.valid_layers_F.max()) for f in frames} == {3}
    assert sum(type(event) is StreamEnded for _, event in events) == len(started)


def test_everything_sent_is_delivered_or_counted(bundle: Bundle) -> None:
    for mode, baud in (("P6000", 1200), ("R3000", 4800), ("P3000", 4800)):
        port, sender, _ = overload(bundle, mode, seconds=6.0, baud=baud)
        receiver = assembly.make_receiver(bundle.spec)
        for time_s, data in port.arrivals:
            receiver.receive_data(data, now_s=time_s)
        receiver.handle_timeout(now_s=1e9)
        sent, got = sender.stats, receiver.stats
        assert sent.voice_sent == got.voice_delivered
        assert sent.voice_sent + sent.voice_dropped >= got.voice_delivered + got.voice_lost


def test_a_mode_is_tried_again_after_ten_seconds_in_time(bundle: Bundle) -> None:
    _, sender, events = overload(bundle, "R3000", seconds=40.0, fast_from_s=8.0)
    assert sender.stats.steps_up >= 1
    assert sender.profile.layers == 6
    last = [f for time_s, event in events if time_s > 35 for f in heard([event])]
    assert {int(f.valid_layers_F.max()) for f in last} == {6}


def test_duty_cycle_falls_silent_and_says_so(bundle: Bundle) -> None:
    clock = FakeClock()
    journal, port = Journal(clock), SlowModem(clock, 9600)
    # 0.1 % of an hour is 3.6 s; P3000 takes 44 % of 9600 baud.
    sender = make_sender(bundle, "P3000", line_baud=9600, duty_cycle=0.001)
    tones_T = make_tones(RATE_HZ, 15 * RATE_HZ)[:, 0]
    source = BlockSource(iter(np.array_split(tones_T, 50)), SampleClock(RATE_HZ, fast=False))
    Transmission(source, sender, port, journal.report).run(clock, StopSignal())
    assert 3.3 < sender.duty.total_s < 3.75
    assert journal.names().count("duty_cycle") == 1
    assert sender.stats.voice_dropped > 20
    assert sender.stats.end_sent == 1


def test_nothing_waits_in_a_line_that_keeps_up(bundle: Bundle) -> None:
    port, sender, events = overload(bundle, "P6000", seconds=10.0, baud=9600, line_baud=9600)
    assert max(delays(sender, events)) < 1.2
    assert sender.stats == LinkStats(
        voice_sent=sender.stats.voice_sent,
        hello_sent=sender.stats.hello_sent,
        end_sent=1,
        bytes_sent=sum(len(data) for _, data in port.arrivals),
    )
    assert all(after >= before for (before, _), (after, _) in pairwise(port.arrivals))
