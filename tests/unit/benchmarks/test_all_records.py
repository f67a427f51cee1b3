"""The one command that measures everything anew, commands watched from outside, qemu's counts."""

import shutil
import sys
import zipfile
from dataclasses import replace
from itertools import chain
from pathlib import Path
from types import SimpleNamespace

import pytest

from edge_codec.benchmarks import all_records, emulation, memory
from edge_codec.benchmarks.benches import Plan, measure
from edge_codec.benchmarks.record import load_record
from edge_codec.benchmarks.reference_model import ReferenceModel
from edge_codec.benchmarks.reports import store
from edge_codec.benchmarks.stats import Ratio, quotient
from edge_codec.runtime.errors import ConfigError
from support.stub_bundle import STUB_BUNDLE


def parse(*argv):
    return all_records._parse(list(map(str, argv)))


def test_the_first_model_is_measured_beside_the_others(tmp_path):
    plans = list(all_records.plans(parse("--clips", tmp_path, "--music", tmp_path)))
    named = [(plan.model.rpartition("/")[2], plan.what) for plan in plans]
    assert named == [
        ("voice-m", "latency"), ("voice-m", "ram"), ("voice-m", "link"), ("voice-m", "thesis"),
        ("voice-m", "quality"), ("voice-s", "latency"), ("voice-s", "ram"), ("voice-s", "quality"),
    ]  # fmt: skip
    assert [plan.has_peers for plan in plans] == [True] * 5 + [False] * 3


def test_the_audio_model_is_measured_on_everything(tmp_path):
    folders = tmp_path / "speech", tmp_path / "music", tmp_path / "environment"
    flags = zip(("--clips", "--music", "--environment"), folders, strict=True)
    plans = list(all_records.audio_plans(parse(*chain(*flags))))
    assert [plan.what for plan in plans] == ["latency", "ram", "thesis"]
    assert {plan.model.rpartition("/")[2] for plan in plans} == {"audio-44k"}
    assert plans[-1].folders == folders


def test_without_folders_there_is_no_thesis_table():
    for plans in (all_records.plans, all_records.audio_plans):
        assert list(plans(parse("--only", "thesis"))) == []


def test_the_reference_model_is_weighed_beside_torch(tmp_path, monkeypatch):
    made = ReferenceModel(tmp_path / "bundle", tmp_path / "run")
    monkeypatch.setattr(all_records, "make_reference_model", lambda work: made)
    (plan,) = all_records.reference_plans(parse("--only", "files"))
    assert (plan.what, plan.model, plan.file_seconds) == ("ram", str(made.bundle), (10.0, 60.0))
    assert [watched.partition("=")[0] for watched in plan.watched] == [
        "the net in torch, whole file of 4 s", "the net in torch, whole file of 10 s"
    ]  # fmt: skip
    assert list(all_records.reference_plans(parse("--only", "ram"))) == []


def test_a_long_run_keeps_its_peak_and_few_looks(monkeypatch):
    monkeypatch.setattr(memory, "MAX_LOOKS", 5)
    code = "x = bytearray(60_000_000); del x; import time; time.sleep(0.3)"
    run = memory.watch("hog", f"{sys.executable} -c '{code}'")
    assert run.rss_mb["peak"] > 60
    assert 1 < len(run.timeline_mb) == len(run.timeline_ms) <= 6


def test_a_new_record_takes_the_place_of_the_old(tmp_path):
    plan = Plan(what="latency", model=str(STUB_BUNDLE), seconds=0.1, has_peers=False)
    record = measure(plan).record
    days = ("2026-01-01", "2026-01-02")
    first, second = (store(replace(record, created=day), tmp_path) for day in days)
    assert not first.exists()
    assert load_record(second).created == "2026-01-02"


def test_a_command_is_watched_to_its_end():
    run = memory.watch(
        "hog", f"{sys.executable} -c 'import time; x = bytearray(60_000_000); time.sleep(0.2)'"
    )
    assert 60 < run.rss_mb["peak"] < 120
    assert run.timeline_mb
    with pytest.raises(ConfigError, match="ended with exit code 3"):
        memory.watch("bad", f"{sys.executable} -c 'raise SystemExit(3)'")
    with pytest.raises(ConfigError, match="cannot run"):
        memory.watch("bad", "/nowhere/program")


def test_a_ratio_of_ratios_is_less_sure_than_either():
    first = Ratio(ratio=2.0, low_95=1.9, high_95=2.1)
    moved = quotient(Ratio(ratio=2.2, low_95=2.1, high_95=2.3), first)
    assert moved.ratio == pytest.approx(1.1)
    assert moved.low_95 < 1.1 * 1.9 / 2.0
    assert not moved.differs_by(0.1)


def test_unpacked_wheels_are_closed(tmp_path, monkeypatch):
    opened = []

    class Archive(zipfile.ZipFile):
        def __init__(self, path):
            super().__init__(path)
            opened.append(self)

    def download(command):
        folder = Path(command[command.index("--dest") + 1])
        for name in ("one", "two"):
            with zipfile.ZipFile(folder / f"{name}.whl", "w") as wheel:
                wheel.writestr(f"{name}/__init__.py", "")

    monkeypatch.setattr(emulation, "output_of", download)
    monkeypatch.setattr(emulation, "zipfile", SimpleNamespace(ZipFile=Archive))
    emulation._download_wheels(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cobs", "one", "two"]
    assert [archive.fp for archive in opened] == [None, None]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_counted_instructions_repeat(tmp_path):
    if not (shutil.which("gcc") and shutil.which("qemu-x86_64")):
        pytest.skip("gcc and qemu-user are not installed")
    encoded = []
    for turn in ("first", "second"):
        report = tmp_path / turn
        (path,) = emulation.run(str(STUB_BUNDLE), [emulation.HOST], tmp_path, report)
        encoded.append(load_record(path).instructions[0].encode)
    assert encoded[0] == pytest.approx(encoded[1], rel=0.01)
