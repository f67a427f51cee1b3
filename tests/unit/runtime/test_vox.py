"""VOX: when the gate opens and shuts, and that no sample of speech is lost."""

import numpy as np
import pytest

from edge_codec.runtime.errors import ConfigError
from edge_codec.runtime.transceiver.sources import BlockSource, SampleClock
from edge_codec.runtime.transceiver.vox import PRE_ROLL_S, Vox, VoxSource

RATE_HZ = 16_000
WINDOW = 320
STEP_S = 0.02


def tone(seconds: float, dbfs: float) -> np.ndarray:
    times_s = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    rms = 10 ** (dbfs / 20)
    return (np.sqrt(2) * rms * np.sin(2 * np.pi * 440 * times_s)).astype(np.float32)


def make_vox() -> Vox:
    return Vox(RATE_HZ, threshold_dbfs=-40.0, hang_s=0.5)


def gate(samples_T: np.ndarray) -> list[bool]:
    vox, states = make_vox(), []
    for window_T in samples_T.reshape(-1, WINDOW):
        vox.push(window_T)
        states.append(vox.is_open)
    return states


def test_gate_follows_the_level() -> None:
    speech = np.concatenate([tone(1.0, -50), tone(1.0, -30), tone(1.0, -50)])
    states = gate(speech)
    assert states.index(True) == 51  # the second loud window
    assert len(states) - 1 - states[::-1].index(True) == 99 + 24  # 0.5 s after the last loud one


def test_threshold_is_what_it_says() -> None:
    assert not any(gate(tone(1.0, -40.5)))
    assert any(gate(tone(1.0, -39.5)))


def test_click_does_not_open_it_and_a_pause_does_not_shut_it() -> None:
    click = tone(1.0, -80)
    click[5000:5010] = 1.0
    assert not any(gate(click))
    pause = np.concatenate([tone(0.2, -20), tone(0.4, -80), tone(0.2, -20)])
    assert all(gate(pause)[2:])


def spurts(samples_T: np.ndarray, block: int) -> list[np.ndarray]:
    """What would be sent of each talk spurt, the source read every 20 ms."""
    blocks = iter(np.array_split(samples_T, max(1, len(samples_T) // block)))
    source = BlockSource(blocks, SampleClock(RATE_HZ, fast=False))
    vox, now_s, sent = VoxSource(source, RATE_HZ, make_vox()), 0.0, []
    while not vox.is_exhausted:
        now_s += STEP_S
        if not vox.wait(now_s):
            continue
        pieces = []
        while not vox.is_finished:
            pieces.append(vox.read(now_s))
            now_s += STEP_S
        sent.append(np.concatenate(pieces))
    return sent


@pytest.mark.parametrize("block", [100, 320, 5000])
def test_talk_spurts_are_whole_with_a_moment_before(block: int) -> None:
    samples_T = np.concatenate([tone(1.0, -80), tone(1.0, -20), tone(2.0, -80), tone(0.6, -20)])
    first_T, second_T = spurts(samples_T, block)
    start = RATE_HZ - round(PRE_ROLL_S * RATE_HZ) + WINDOW
    np.testing.assert_array_equal(first_T, samples_T[start : start + len(first_T)])
    assert len(first_T) / RATE_HZ == pytest.approx(PRE_ROLL_S + 1.0 + 0.5, abs=0.05)
    np.testing.assert_array_equal(second_T, samples_T[-len(second_T) :])


def test_silence_sends_nothing() -> None:
    assert spurts(tone(3.0, -60), 320) == []


@pytest.mark.parametrize(("threshold_dbfs", "hang_s"), [(0.0, 1.0), (-40.0, 0.0)])
def test_impossible_numbers_are_refused(threshold_dbfs: float, hang_s: float) -> None:
    with pytest.raises(ConfigError, match="VOX needs"):
        Vox(RATE_HZ, threshold_dbfs=threshold_dbfs, hang_s=hang_s)
