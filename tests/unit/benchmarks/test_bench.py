"""`edge-codec bench` on the stub bundle: what it prints, what it records, what it refuses."""

import argparse
import json

import numpy as np
import pytest

from edge_codec.benchmarks.commands import bench
from edge_codec.benchmarks.latency import FrameTimes
from edge_codec.benchmarks.speech import packaged_speech
from edge_codec.runtime.errors import BundleError, ConfigError
from support.stub_bundle import STUB_BUNDLE


def run_bench(*argv):
    parser = argparse.ArgumentParser()
    bench.register(parser.add_subparsers())
    args = parser.parse_args(["bench", *map(str, argv)])
    args.run(args)


def test_a_table_is_printed_and_everything_recorded(tmp_path, capsys):
    run_bench(STUB_BUNDLE, "--seconds", 1, "--record", tmp_path / "reports" / "here.json")
    shown = capsys.readouterr().out
    assert "| encode |" in shown
    assert "50 frames," in shown
    assert "codes as they should be: 100.00 %" in shown
    record = json.loads((tmp_path / "reports" / "here.json").read_text())
    assert record["kind"] == "bench"
    assert len(record["encode_ns"]) == len(record["decode_ns"]) == record["frames"] == 50
    assert record["rss_bytes"]["peak"] >= record["rss_bytes"]["running"] > 10e6
    mean_s = sum(record["encode_ns"] + record["decode_ns"]) / 50 / 1e9
    assert record["stages"]["both"]["real_time_factor"] == pytest.approx(mean_s / 0.02)


def test_json_prints_the_record(capsys):
    run_bench(STUB_BUNDLE, "--seconds", 0.1, "--json")
    assert json.loads(capsys.readouterr().out)["model"] == "stub"


def test_times_are_summed_up():
    times = FrameTimes(
        encode_ns=np.array([1, 1, 1, 30]) * 1_000_000,
        decode_ns=np.array([2, 2, 2, 2]) * 1_000_000,
        frame_s=0.02,
    )
    summary = times.summary()
    assert summary["missed_deadlines"] == 1
    assert summary["stages"]["decode"]["real_time_factor"] == pytest.approx(0.1)
    assert summary["stages"]["both"]["median_ms"] == 3
    assert summary["stages"]["both"]["max_ms"] == 32
    assert len(times.warnings()) == 1


def test_speech_repeats_to_the_length():
    speech_T = packaged_speech(8_000, 400_000)
    assert speech_T.shape == (400_000,)
    assert speech_T[200_000:].std() > 0.01


@pytest.mark.parametrize("flags", [("--seconds", 0), ("--threads", 0)])
def test_flags_out_of_range_are_refused(flags):
    with pytest.raises(ConfigError, match="--seconds"):
        run_bench(STUB_BUNDLE, *flags)


def test_an_unknown_model_is_refused():
    with pytest.raises(BundleError, match="nowhere"):
        run_bench("nowhere")
