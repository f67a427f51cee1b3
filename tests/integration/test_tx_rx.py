"""`tx` and `rx` as processes of their own, over a pty, UDP and a pipe; killed and stopped."""

import json
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import soundfile

from support.command import EDGE_CODEC, command_environment, run_command
from support.recordings import make_recording

RATE_HZ = 16_000
MODEL = ("--model", "stub_bundle")
MEMORY_LIMIT_BYTES = 110e6
START_S = 30.0
"""A loaded machine takes seconds to import numpy and onnxruntime."""

Start = Callable[..., "Running"]


class Running:
    """One process that reports as JSON."""

    def __init__(self, *args: str | Path) -> None:
        self._process = subprocess.Popen(
            [*EDGE_CODEC, *map(str, args), *MODEL, "--json"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=command_environment(),
            text=True,
        )

    def wait_for(self, event: str) -> dict[str, Any]:
        """Read events up to one of this name."""
        assert self._process.stdout
        for line in self._process.stdout:
            record: dict[str, Any] = json.loads(line)
            if record["event"] == event:
                return record
        pytest.fail(f"no {event}: {self.finish()}")

    def send_signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def finish(self) -> tuple[int, dict[str, dict[str, Any]], str]:
        """Exit code, the last event of each name, and what it said to people."""
        out, errors = self._process.communicate(timeout=START_S)
        records = [json.loads(line) for line in out.splitlines()]
        return self._process.returncode, {r["event"]: r for r in records}, errors

    def kill(self) -> None:
        self._process.kill()
        self._process.communicate()


@pytest.fixture
def start() -> Iterator[Start]:
    """Start processes that do not outlive the test."""
    started: list[Running] = []

    def start_one(*args: str | Path) -> Running:
        started.append(Running(*args))
        return started[-1]

    yield start_one
    for process in started:
        process.kill()


def free_udp_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(params=["pty", "udp"])
def ports(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, str]:
    """URLs of one line, for rx and for tx."""
    if request.param == "pty":
        return f"pty://{tmp_path / 'radio'}", str(tmp_path / "radio")
    port = free_udp_port()
    return f"udp://:{port}", f"udp://127.0.0.1:{port}"


def test_speech_goes_from_file_to_file(
    start: Start, ports: tuple[str, str], tmp_path: Path
) -> None:
    talk = make_recording(tmp_path / "talk.flac", 22_050, 33_075, channels=2)  # 1.5 s
    rx = start("rx", "--port", ports[0], "--output", tmp_path / "heard.wav", "--once")
    rx.wait_for("listening")
    tx = start("tx", "--port", ports[1], "--input", talk, "--callsign", "AB1CD")
    assert rx.wait_for("hello")["source"] == "AB1CD"
    rx_code, rx_events, _ = rx.finish()
    tx_code, tx_events, _ = tx.finish()
    assert (tx_code, rx_code) == (0, 0)
    assert rx_events["stream_ended"]["reason"] == "end"
    assert rx_events["received"]["voice_lost"] == 0
    assert soundfile.info(tmp_path / "heard.wav").frames >= 1.5 * RATE_HZ
    for events, last in ((tx_events, "sent"), (rx_events, "received")):
        assert events[last]["peak_rss_bytes"] < MEMORY_LIMIT_BYTES


def test_pipe_carries_packets_and_sound(tmp_path: Path) -> None:
    talk = make_recording(tmp_path / "talk.wav", RATE_HZ, 5 * RATE_HZ)
    sent = run_command(
        "tx", "--port", "-", "--input", talk, "--fast", *MODEL, stdout=subprocess.PIPE
    )
    heard = run_command(
        *("rx", "--port", "-", "--output", "-", "--fast", *MODEL),
        input=sent.stdout,
        stdout=subprocess.PIPE,
    )
    assert (sent.returncode, heard.returncode) == (0, 0)
    assert 2000 < len(sent.stdout) < 3000
    assert len(heard.stdout) >= 5 * 2 * RATE_HZ


def test_killed_receiver_leaves_a_whole_file_and_the_sender_says_why(
    start: Start, tmp_path: Path
) -> None:
    talk = make_recording(tmp_path / "talk.wav", RATE_HZ, 4 * RATE_HZ)
    rx = start("rx", "--port", f"pty://{tmp_path / 'radio'}", "--output", tmp_path / "heard.wav")
    rx.wait_for("listening")
    tx = start("tx", "--port", tmp_path / "radio", "--input", talk)
    rx.wait_for("playing")
    time.sleep(0.5)
    rx.send_signal(signal.SIGKILL)
    code, events, errors = tx.finish()
    assert (code, "port_lost" in events) == (1, True)
    assert errors.count("\n") == 1
    assert "was lost" in errors
    assert soundfile.info(tmp_path / "heard.wav").frames > 0.2 * RATE_HZ


def test_killed_sender_is_noticed(start: Start, tmp_path: Path) -> None:
    talk = make_recording(tmp_path / "talk.wav", RATE_HZ, 20 * RATE_HZ)
    rx = start(
        "rx", "--port", f"pty://{tmp_path / 'r'}", "--output", tmp_path / "heard.wav", "--once"
    )
    rx.wait_for("listening")
    tx = start("tx", "--port", tmp_path / "r", "--input", talk)
    rx.wait_for("playing")
    tx.send_signal(signal.SIGKILL)
    code, events, _ = rx.finish()
    assert code == 0
    assert events["stream_ended"]["reason"] == "timeout"


@pytest.mark.parametrize(("number", "exit_code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)])
def test_stopped_sender_says_goodbye(
    start: Start, tmp_path: Path, number: signal.Signals, exit_code: int
) -> None:
    talk = make_recording(tmp_path / "talk.wav", RATE_HZ, 20 * RATE_HZ)
    tx = start("tx", "--port", tmp_path / "packets.bin", "--input", talk)
    tx.wait_for("meter")
    time.sleep(0.5)
    tx.send_signal(number)
    code, _, _ = tx.finish()
    assert code == exit_code
    rx = run_command(
        *("rx", "--port", tmp_path / "packets.bin", "--output", tmp_path / "heard.wav", *MODEL)
    )
    assert rx.returncode == 0
    assert b": over" in rx.stderr


def test_receiver_waits_for_an_unplugged_line(start: Start, tmp_path: Path) -> None:
    """A line that is gone and comes back under its name, as a USB adapter does."""
    talk = make_recording(tmp_path / "talk.wav", RATE_HZ, RATE_HZ)
    cable = start("rx", "--port", f"pty://{tmp_path / 'radio'}", "--output", tmp_path / "a.wav")
    cable.wait_for("listening")
    rx = start("rx", "--port", tmp_path / "radio", "--output", tmp_path / "heard.wav")
    rx.wait_for("listening")
    cable.kill()
    rx.wait_for("port_lost")
    (tmp_path / "radio").unlink()
    other = start("tx", "--port", f"pty://{tmp_path / 'radio'}", "--input", talk)
    rx.wait_for("port_back")
    rx.send_signal(signal.SIGTERM)
    assert rx.finish()[0] == 0
    other.kill()


def test_what_cannot_work_is_one_line_and_exit_code_1(tmp_path: Path) -> None:
    talk = make_recording(tmp_path / "talk.wav", RATE_HZ, RATE_HZ)
    tx = run_command(
        *("tx", "--port", "/dev/ttyUSB99", "--baud", "4800", "--bitrate", "6000", *MODEL),
        *("--input", talk),
    )
    assert tx.returncode == 1
    assert tx.stderr.count(b"\n") == 1
    assert b"P3000 would fit" in tx.stderr
    rx = run_command("rx", "--port", "/dev/ttyUSB99", "--output", tmp_path / "a.wav", *MODEL)
    assert (rx.returncode, rx.stderr.count(b"\n")) == (1, 1)
    assert b"plugged in" in rx.stderr
    assert run_command("tx").returncode == 2


@pytest.mark.parametrize("number", [None, signal.SIGTERM])
def test_radio_is_keyed_by_a_command_and_let_go(
    start: Start, tmp_path: Path, number: signal.Signals | None
) -> None:
    talk = make_recording(tmp_path / "talk.wav", RATE_HZ, RATE_HZ if number is None else 99_999)
    script = tmp_path / "key.sh"
    script.write_text(f'#!/bin/sh\necho $1 >> "{tmp_path}/log"\n')
    script.chmod(0o755)
    tx = start(
        *("tx", "--port", tmp_path / "packets.bin", "--input", talk),
        *("--ptt", f"exec:{script}", "--tx-delay-ms", "20", "--tail-ms", "20"),
    )
    if number:
        tx.wait_for("meter")
        tx.send_signal(number)
    assert tx.finish()[0] == 0
    assert (tmp_path / "log").read_text().split()[:2] == ["1", "0"]
    assert (tmp_path / "packets.bin").stat().st_size > 0
