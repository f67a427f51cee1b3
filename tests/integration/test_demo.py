"""`edge-codec demo` as a user runs it: two processes, a noisy virtual modem, a report."""

import json
import subprocess
from pathlib import Path

import soundfile

from support.command import run_command


def test_demo_hears_what_it_says(tmp_path: Path) -> None:
    demo = run_command(
        *("demo", "--seconds", "2", "--ber", "1e-5", "--out", tmp_path, "--json"),
        *("--model", "stub_bundle"),
        stdout=subprocess.PIPE,
    )
    assert demo.returncode == 0, demo.stderr
    record = json.loads(demo.stdout)
    assert record == json.loads((tmp_path / "report.json").read_text())
    assert record["packets_delivered"] >= 6
    assert record["sent_s"] == 2.0
    assert record["tx_peak_mb"] < 110
    assert record["rx_peak_mb"] < 110
    assert "mouth to ear" in (tmp_path / "report.md").read_text()
    assert soundfile.info(tmp_path / "received.wav").duration >= 1.5


def test_demo_that_hears_nothing_fails(tmp_path: Path) -> None:
    demo = run_command(
        *("demo", "--seconds", "1", "--ber", "0.3", "--out", tmp_path, "--model", "stub_bundle")
    )
    assert demo.returncode == 1
    assert b"nothing was heard" in demo.stderr


def test_demo_refuses_what_does_not_fit(tmp_path: Path) -> None:
    demo = run_command(
        *("demo", "--baud", "4800", "--bitrate", "6000", "--out", tmp_path),
        *("--model", "stub_bundle"),
    )
    assert demo.returncode == 1
    assert b"P3000 would fit" in demo.stderr
