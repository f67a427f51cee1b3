"""`edge-codec bench` on the stub bundle: what it prints, what it records, what it refuses."""

import argparse
import json

import pytest

from edge_codec.benchmarks.commands import bench
from edge_codec.benchmarks.record import Record, load_record
from edge_codec.benchmarks.schema import from_plain
from edge_codec.runtime.errors import BundleError, ConfigError
from support.stub_bundle import STUB_BUNDLE


def run_bench(*argv):
    parser = argparse.ArgumentParser()
    bench.register(parser.add_subparsers())
    args = parser.parse_args(["bench", *map(str, argv)])
    args.run(args)


def test_latency_is_printed_and_recorded(tmp_path, capsys):
    run_bench("latency", "--model", STUB_BUNDLE, "--seconds", 1, "--report", tmp_path / "new")
    shown = capsys.readouterr().out
    assert "| link send |" in shown
    assert "Codes as they should be: fp32 100.0 %" in shown
    (path,) = (tmp_path / "new").glob("*.json")
    record = load_record(path)
    detailed = record.latency[0]
    assert list(detailed.stages) == [
        "resample in", "encode", "link send", "link receive", "decode", "resample out"
    ]  # fmt: skip
    encode = detailed.stages["encode"]
    assert len(encode.wall_us) == len(encode.cpu_us) == 50
    assert detailed.rounds == 1
    assert encode.median_ms <= encode.p95_ms <= encode.p99_ms <= encode.max_ms
    assert {run.call_frames for run in record.latency} == {1, 4, 12}
    assert path.with_suffix(".md").read_text() == shown.removesuffix("\n")


def test_ram_phases_rise_to_the_peak(capsys):
    run_bench("ram", "--model", STUB_BUNDLE, "--no-peers", "--json")
    record = from_plain(Record, json.loads(capsys.readouterr().out), "Record")
    run = next(run for run in record.ram if run.codec == "stub")
    phases = [run.rss_mb[name] for name in ("interpreter", "import", "load", "peak")]
    assert phases == sorted(phases)
    assert phases[0] > 5
    assert len(run.timeline_ms) == len(run.timeline_mb) > 4


def test_files_are_weighed_by_their_length(capsys):
    files = ("--files", 0.5, 1)
    run_bench("ram", "--model", STUB_BUNDLE, "--no-peers", "--precision", "fp32", *files, "--json")
    record = from_plain(Record, json.loads(capsys.readouterr().out), "Record")
    assert [run.codec for run in record.ram] == [
        "stub encode, 0.5 s", "stub decode, 0.5 s", "stub encode, 1 s", "stub decode, 1 s"
    ]  # fmt: skip
    assert all(20 < run.rss_mb["peak"] < 200 for run in record.ram)
    assert record.skipped == {}


@pytest.mark.parametrize(
    "flags", [("--files", 0), ("--seconds", 0), ("--threads", 0), ("--jobs", 0)]
)
def test_flags_out_of_range_are_refused(flags):
    with pytest.raises(ConfigError, match="must be"):
        run_bench("latency", "--model", STUB_BUNDLE, *flags)


def test_an_unknown_model_or_back_end_is_refused():
    with pytest.raises(BundleError, match="nowhere"):
        run_bench("ram", "--model", "nowhere")
    with pytest.raises(BundleError, match="no graphs for tflite; it has onnx"):
        run_bench("ram", "--model", STUB_BUNDLE, "--backend", "tflite")


def test_records_are_compared(tmp_path, capsys):
    run_bench("latency", "--model", STUB_BUNDLE, "--seconds", 0.5, "--report", tmp_path)
    (path,) = tmp_path.glob("*.json")
    capsys.readouterr()
    run_bench("compare", path, path)
    assert "CPU real-time factor" in capsys.readouterr().out
