"""Playout: even pace, late and missing frames, learning the delay, drift. Time is made up."""

import random

import pytest

from edge_codec.runtime.jitter import (
    SERIAL_MARGIN_S,
    SKIP_BEYOND_S,
    STALL_S,
    AdaptiveDelay,
    FixedDelay,
    JitterBuffer,
    Passage,
    serial_delay,
)

FRAME_S = 0.02
FRAMES = 12
SUPERFRAME_S = FRAMES * FRAME_S


def superframe(sequence: int) -> tuple[int, list[int]]:
    """Position and frames; each frame is its own position."""
    first = sequence * FRAMES
    return first, list(range(first, first + FRAMES))


def play(
    arrivals: list[tuple[float, int]], buffer: JitterBuffer[int], until_s: float
) -> list[tuple[float, int | None]]:
    """Feed superframes (time, sequence) and pull every millisecond: (time, frame) played."""
    arrivals, played = sorted(arrivals), []
    for step in range(round(until_s * 1000)):
        now_s = step / 1000
        while arrivals and arrivals[0][0] <= now_s:
            buffer.push(*superframe(arrivals.pop(0)[1]), now_s)
        played += [(now_s, frame) for frame in buffer.pull(now_s)]
    return played


def test_steady_line_is_played_whole_evenly_and_after_the_delay() -> None:
    buffer = JitterBuffer[int](FRAME_S, FixedDelay(0.1))
    played = play([(1 + n * SUPERFRAME_S, n) for n in range(10)], buffer, 3.5)
    assert [frame for _, frame in played] == list(range(10 * FRAMES))
    for time_s, frame in played:
        assert frame is not None
        assert time_s == pytest.approx(1.1 + frame * FRAME_S, abs=0.0021)


def test_serial_delay_counts_from_the_start_of_the_transmission() -> None:
    assert serial_delay(0.24, airtime_s=0.1).delay_s == pytest.approx(0.14 + SERIAL_MARGIN_S)
    assert serial_delay(0.24, airtime_s=0.3).delay_s == SERIAL_MARGIN_S


def test_missing_superframe_is_concealed_in_place() -> None:
    buffer = JitterBuffer[int](FRAME_S, FixedDelay(0.1))
    played = play([(n * SUPERFRAME_S, n) for n in (0, 1, 3)], buffer, 1.05)
    expected = [*range(24), *[None] * 12, *range(36, 48)]
    assert [frame for _, frame in played] == expected


def test_late_frames_are_dropped_and_the_rest_of_their_superframe_played() -> None:
    buffer = JitterBuffer[int](FRAME_S, FixedDelay(0.1))
    played = play([(0.0, 0), (SUPERFRAME_S + 0.2, 1), (2 * SUPERFRAME_S, 2)], buffer, 0.82)
    frames = [frame for _, frame in played]
    assert buffer.late_frames == 5
    assert frames == [*range(12), *[None] * 5, *range(17, 36)]


def test_playing_stops_when_nothing_comes_and_starts_anew() -> None:
    buffer = JitterBuffer[int](FRAME_S, FixedDelay(0.1))
    played = play([(0.0, 0), (5.0, 20)], buffer, 5.3)
    concealed = [frame for _, frame in played].count(None)
    assert concealed == round(STALL_S / FRAME_S)
    assert played[-1][1] == 20 * FRAMES + 9
    assert played[12 + concealed][0] == pytest.approx(5.1, abs=0.0021)


def test_end_is_played_out_then_silent() -> None:
    buffer = JitterBuffer[int](FRAME_S, FixedDelay(0.1))
    buffer.push(*superframe(0), 0.0)
    buffer.finish()
    assert buffer.depth_s == pytest.approx(SUPERFRAME_S)
    assert buffer.pull(9.0) == list(range(12))
    assert buffer.next_timeout_s is None
    buffer.finish()
    assert buffer.pull(99.0) == []


def test_end_with_nothing_held_stops_at_once() -> None:
    buffer = JitterBuffer[int](FRAME_S, FixedDelay(0.1))
    buffer.push(*superframe(0), 0.0)
    buffer.pull(0.35)
    buffer.finish()
    assert buffer.next_timeout_s is None


@pytest.mark.parametrize("jump", [-1000, 1000])
def test_jump_of_the_count_starts_anew(jump: int) -> None:
    buffer = JitterBuffer[int](FRAME_S, FixedDelay(0.1))
    buffer.push(*superframe(2000), 0.0)
    buffer.push(*superframe(2000 + jump), 0.01)
    assert buffer.pull(0.11) == [(2000 + jump) * FRAMES]


def test_late_first_packet_is_made_up_for() -> None:
    """The first packet came 100 ms late: frames are skipped, one a second, until it is gone."""
    buffer = JitterBuffer[int](FRAME_S, FixedDelay(0.1))
    arrivals = [(n * SUPERFRAME_S + (0.1 if n == 0 else 0), n) for n in range(50)]
    played = play(arrivals, buffer, 12)
    last_s, last = next((t, f) for t, f in reversed(played) if f is not None)
    assert last_s - last * FRAME_S < 0.1 + SKIP_BEYOND_S + FRAME_S
    assert [frame for _, frame in played].count(None) == 0


@pytest.mark.parametrize("drift", [-3e-4, 3e-4])
def test_clock_drift_of_five_minutes_leaves_latency_bounded(drift: float) -> None:
    buffer = JitterBuffer[int](FRAME_S, FixedDelay(0.1))
    played = play([(n * SUPERFRAME_S * (1 + drift), n) for n in range(1250)], buffer, 300)
    for time_s, frame in played[-500:]:
        assert frame is None or 0.05 < time_s - frame * FRAME_S * (1 + drift) < 0.2
    assert [frame for _, frame in played].count(None) < 10


def test_adaptive_delay_follows_the_95th_percentile() -> None:
    rng, delay = random.Random(1), AdaptiveDelay(SUPERFRAME_S)
    for _ in range(3000):
        delay.observe(rng.uniform(0, 0.2))
    assert delay.delay_s == pytest.approx(0.19 + SERIAL_MARGIN_S, abs=0.02)
    for _ in range(6000):
        delay.observe(0.0)
    assert delay.delay_s == pytest.approx(0.01 + SERIAL_MARGIN_S)


def test_miss_adds_what_was_missing_for_a_while() -> None:
    delay = AdaptiveDelay(SUPERFRAME_S)
    delay.observe(0.0)
    before_s = delay.delay_s
    delay.widen(0.04)
    delay.observe(0.0)
    assert delay.delay_s - before_s == pytest.approx(0.06, rel=0.03)
    delay.widen(9.0)
    assert delay._bonus_s == SUPERFRAME_S
    for _ in range(300):
        delay.observe(0.0)
    assert delay.delay_s - before_s < 0.001


def test_jitter_of_60_ms_leaves_hardly_any_underruns() -> None:
    """p95 of the lateness is 60 ms; after ten seconds of learning one in two hundred may miss."""
    rng = random.Random(1)
    lateness = [min(rng.expovariate(3 / 0.06), 0.3) for _ in range(1000)]
    buffer = JitterBuffer[int](FRAME_S, AdaptiveDelay(SUPERFRAME_S))
    played = play([(n * SUPERFRAME_S + late, n) for n, late in enumerate(lateness)], buffer, 240)
    frames = [frame for _, frame in played][500:]
    assert frames.count(None) / len(frames) <= 0.004
    delays = [time_s - frame * FRAME_S for time_s, frame in played[500:] if frame is not None]
    assert max(delays) < 0.5


def test_passage_plays_at_once_and_fills_gaps() -> None:
    passage = Passage[int](FRAME_S)
    passage.push(*superframe(7), 0.0)
    passage.push(*superframe(9), 0.0)
    assert passage.pull(0.0) == [*range(84, 96), *[None] * 12, *range(108, 120)]
    assert passage.pull(0.0) == []
    passage.push(*superframe(9000), 0.0)
    assert passage.pull(0.0).count(None) == round(STALL_S / FRAME_S)
