"""The watch for slower code: sees a fifth, ignores noise, does not blame us for a peer."""

import json

import numpy as np
import pytest

from edge_codec.benchmarks import frame_probe, regression
from edge_codec.benchmarks.board import Board, Conditions
from edge_codec.benchmarks.emulation import EmulatedBoard, load_board
from edge_codec.benchmarks.record import SCHEMA_VERSION, InstructionRun, LatencyRun, Record
from edge_codec.benchmarks.stats import sum_up
from edge_codec.runtime.errors import ConfigError
from support.stub_bundle import STUB_BUNDLE

PEERS = {"Lyra v2 3.2k": 400, "Opus 6k": 250, "Codec2 3200": 100}
CALM = Conditions(temperature_c=None, throttled=None, load_1_min=0.1)


def make_run(codec, median_us, rng):
    """20 rounds of 50 calls as a busy machine gives them."""
    drift = 1 + 0.05 * np.sin(np.linspace(0, 6, 1000) + rng.uniform(0, 6))
    times_us = median_us * drift * rng.lognormal(0, 0.1, 1000)
    times_us += (rng.random(1000) < 0.03) * 5000
    stage = sum_up(times_us * 500, times_us * 500, 0.02)
    return LatencyRun(
        codec=codec,
        backend="native",
        precision="",
        threads=1,
        call_frames=1,
        audio_s=0.02,
        warm_up_calls=50,
        rounds=20,
        stages={"encode": stage, "decode": stage},
        graph_us={"encoder": 300.0, "decoder": 300.0},
        joules_per_audio_s=None,
    )


def make_record(seed, *, ours_us=1000, instructions=3_000_000, versions=None, **peers_us):
    rng = np.random.default_rng(seed)
    times_us = {"voice-m 3k": ours_us} | PEERS | peers_us
    board = Board(
        model="", soc="", cpu="X", cpu_features=[], architecture="x86_64", cores=2,
        memory_mb=1000, os="", kernel="", governor="", emulated=False,
    )  # fmt: skip
    counted = InstructionRun(
        codec="voice-m", backend="onnx", precision="int8", counter="qemu",
        encode=instructions, decode=instructions,
    )  # fmt: skip
    return Record(
        schema_version=SCHEMA_VERSION, created="2026-01-01", commit="abc", board=board,
        versions=versions or {"onnxruntime": "1"}, before=CALM, after=CALM, model="voice-m",
        model_hash="00", golden_codes_equal_percent={}, clips="", ram=[], quality=[], thesis=[],
        latency=[make_run(codec, median, rng) for codec, median in times_us.items()],
        link=[], instructions=[counted], skipped={}, warnings=[],
    )  # fmt: skip


def test_noise_is_ignored():
    verdicts = [
        regression.is_slower(regression.watch(make_record(seed), make_record(seed + 100)))
        for seed in range(20)
    ]
    assert not any(verdicts)


def test_a_fifth_more_time_is_seen():
    for seed in range(20):
        findings = regression.watch(make_record(seed), make_record(seed + 100, ours_us=1200))
        assert regression.is_slower(findings)


def test_a_fifth_less_is_not_slower():
    findings = regression.watch(make_record(1), make_record(2, ours_us=800))
    assert not regression.is_slower(findings)
    assert {f.verdict for f in findings if f.what.startswith("time")} == {"faster"}


def test_a_peer_that_became_faster_is_not_our_fault():
    findings = regression.watch(make_record(1), make_record(2, **{"Opus 6k": 150}))
    assert [f.what for f in findings if f.is_slower] == ["time, ours / Opus 6k"]
    assert not regression.is_slower(findings)


def test_instructions_need_no_margin_for_noise():
    findings = regression.watch(make_record(1), make_record(2, instructions=3_100_000))
    assert regression.is_slower(findings)
    assert sum(finding.is_slower for finding in findings) == 2


def test_what_moved_is_explained():
    reasons = list(
        regression.explain(
            make_record(1), make_record(2, versions={"onnxruntime": "2", "soxr": "1"})
        )
    )
    assert reasons == ["onnxruntime 2, was 1", "soxr 1, was none"]
    shown = "\n".join(regression.render(regression.watch(make_record(1), make_record(2)), reasons))
    assert "within the noise  time, ours / Opus 6k" in shown
    assert "- onnxruntime 2, was 1" in shown


def test_stages_are_named_when_their_share_moves():
    moved = list(regression._moved_stages({"a": 100, "b": 100}, {"a": 100, "b": 200}))
    assert "b takes 67 % of the graphs' time, was 50 %" in moved


def test_frames_are_timed_in_rounds(capsys):
    frame_probe.main(str(STUB_BUNDLE), 2)
    assert np.shape(json.loads(capsys.readouterr().out)) == (2, 50)


@pytest.mark.parametrize("name", ["pi-zero-2w", "pi-4", "pi-5"])
def test_boards_show_what_their_processor_is(name):
    board = load_board(name)
    assert isinstance(board, EmulatedBoard)
    shown = board.files()
    assert shown["proc/cpuinfo"].count(f"CPU part\t: {board.cpu_part}") == board.cores == 4
    assert ("asimddp" in shown["proc/cpuinfo"]) == (name == "pi-5")


def test_an_unknown_board_is_refused():
    with pytest.raises(ConfigError, match="pi-4, pi-5, pi-zero-2w and host"):
        load_board("pi-99")
