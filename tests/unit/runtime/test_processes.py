"""The commands as processes: pipes, signals, full disks, memory."""

import os
import resource
import signal
import subprocess
import sys

import numpy as np
import pytest
import soundfile

from support.command import EDGE_CODEC, command_environment, run_command
from support.recordings import make_recording, make_tones, snr_db

MODEL = ("--model", "stub_bundle")


def pcm(samples):
    return np.round(samples * 32_767).astype("<i2").tobytes()


def test_pcm_through_two_pipes_keeps_its_length():
    tones = make_tones(16_000, 20_001)
    words = ("encode", "-", "-", *MODEL, "--layers", "12")
    encoded = run_command(*words, input=pcm(tones), stdout=subprocess.PIPE)
    decoded = run_command("decode", "-", "-", input=encoded.stdout, stdout=subprocess.PIPE)
    assert (encoded.returncode, decoded.returncode) == (0, 0)
    got = np.frombuffer(decoded.stdout, "<i2").astype(np.float32) / 32_768
    assert len(got) == 20_001
    assert snr_db(tones[500:-500, 0], got[500:-500]) > 30


def test_a_stream_is_decoded_while_it_arrives(tmp_path):
    source = make_recording(tmp_path / "in.wav", 16_000, 48_000)
    run_command("encode", source, tmp_path / "a.ecf", *MODEL)
    data = (tmp_path / "a.ecf").read_bytes()
    decoder = subprocess.Popen(
        [*EDGE_CODEC, "decode", "-", "-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        bufsize=0,
        env=command_environment(),
    )
    decoder.stdin.write(data[: len(data) // 2])
    first = decoder.stdout.read(16_000)
    rest, _ = decoder.communicate(data[len(data) // 2 :], timeout=60)
    assert len(first) > 0
    assert len(first + rest) == 2 * 48_000
    assert decoder.returncode == 0


def test_ctrl_c_while_the_command_line_loads_is_no_traceback():
    program = """
import sys
class Interrupted:
    def find_spec(self, name, *_):
        if name == "edge_codec.runtime.cli":
            raise KeyboardInterrupt
sys.meta_path.insert(0, Interrupted())
from edge_codec.runtime.__main__ import main
sys.exit(main())
"""
    done = subprocess.run(
        [sys.executable, "-c", program], env=command_environment(), capture_output=True, check=False
    )
    assert (done.returncode, done.stderr) == (130, b"")


def test_ctrl_c_keeps_what_was_encoded(tmp_path):
    encoder = subprocess.Popen(
        [*EDGE_CODEC, "encode", "-", "a.ecf", *MODEL],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=tmp_path,
        env=command_environment(),
        # Tests that run in the background of a shell are started deaf to Ctrl-C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
    )
    encoder.stdin.write(pcm(make_tones(16_000, 48_000)))
    encoder.stdin.flush()
    part = tmp_path / "a.ecf.part"
    while not part.exists() or part.stat().st_size < 500:
        assert encoder.poll() is None
    encoder.send_signal(signal.SIGINT)
    encoder.wait(60)
    assert encoder.returncode == 130
    assert encoder.stderr.read() == b"edge-codec: stopped; a.ecf holds what was done\n"
    decoded = run_command("decode", "a.ecf", "out.wav", "--strict", cwd=tmp_path)
    assert decoded.returncode == 0
    assert soundfile.info(tmp_path / "out.wav").frames >= 16_000


def test_a_killed_encoder_leaves_what_can_be_decoded(tmp_path):
    encoder = subprocess.Popen(
        [*EDGE_CODEC, "encode", "-", "a.ecf", *MODEL],
        stdin=subprocess.PIPE,
        cwd=tmp_path,
        env=command_environment(),
    )
    encoder.stdin.write(pcm(make_tones(16_000, 48_000)))
    encoder.stdin.flush()
    part = tmp_path / "a.ecf.part"
    while not part.exists() or part.stat().st_size < 500:
        assert encoder.poll() is None
    encoder.kill()
    encoder.communicate()
    decoded = run_command("decode", part, "out.wav", cwd=tmp_path)
    assert decoded.returncode == 0
    assert b"its end is missing" in decoded.stderr
    assert soundfile.info(tmp_path / "out.wav").frames >= 16_000


def limit_files_to(size_bytes):
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, size_bytes))


def test_a_full_disk_is_one_line_and_keeps_what_fitted(tmp_path):
    source = make_recording(tmp_path / "in.wav", 16_000, 160_000)
    result = run_command(
        "encode", source, "a.ecf", *MODEL, cwd=tmp_path, preexec_fn=limit_files_to(2000)
    )
    assert result.returncode == 1
    assert result.stderr.startswith(b"edge-codec: cannot write a.ecf: File too large; what fitted")
    assert result.stderr.count(b"\n") == 1
    decoded = run_command("decode", "a.ecf.part", "out.wav", cwd=tmp_path)
    assert decoded.returncode == 0
    full = run_command(
        "decode", "a.ecf.part", "full.wav", cwd=tmp_path, preexec_fn=limit_files_to(20_000)
    )
    assert full.returncode == 1
    assert full.stderr.count(b"\n") == 1
    assert b"cannot write full.wav" in full.stderr
    assert soundfile.info(tmp_path / "full.wav.part").frames > 9000


@pytest.mark.parametrize("command", ["encode", "decode"])
def test_a_full_standard_output_is_one_line(tmp_path, command):
    source = make_recording(tmp_path / "in.wav", 16_000, 160_000)
    run_command("encode", source, tmp_path / "a.ecf", *MODEL)
    words = [source, "-", *MODEL] if command == "encode" else [tmp_path / "a.ecf", "-"]
    with open("/dev/full", "wb") as full:  # noqa: PTH123  a device
        result = run_command(command, *words, stdout=full)
    assert result.returncode == 1
    assert result.stderr == (
        b"edge-codec: cannot write to standard output: No space left on device\n"
    )


def test_a_reader_that_leaves_ends_the_command_quietly(tmp_path):
    source = make_recording(tmp_path / "in.wav", 16_000, 1_600_000)
    run_command("encode", source, tmp_path / "a.ecf", *MODEL)
    reading, writing = os.pipe()
    decoder = subprocess.Popen(
        [*EDGE_CODEC, "decode", str(tmp_path / "a.ecf"), "-"],
        stdout=writing,
        stderr=subprocess.PIPE,
        env=command_environment(),
    )
    os.close(writing)
    os.read(reading, 1000)
    os.close(reading)
    assert decoder.communicate(timeout=60)[1] == b""
    assert decoder.returncode == 1


@pytest.mark.parametrize("standard_input", [b"", b"\x00"])
def test_empty_standard_input_is_one_line(tmp_path, standard_input):
    result = run_command("encode", "-", "a.ecf", *MODEL, input=standard_input, cwd=tmp_path)
    assert result.returncode == 1
    assert result.stderr == (b"edge-codec: standard input holds no audio; nothing was written\n")
    assert list(tmp_path.iterdir()) == []


def peak_rss_bytes(tmp_path, *words):
    """Highest memory of one command, measured by its parent."""
    process = subprocess.Popen(
        [*EDGE_CODEC, *words], cwd=tmp_path, env=command_environment(), stderr=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return usage.ru_maxrss * 1024


def test_ten_minutes_need_no_more_memory_than_ten_seconds(tmp_path):
    make_recording(tmp_path / "short.wav", 16_000, 10 * 16_000)
    make_recording(tmp_path / "long.wav", 16_000, 600 * 16_000)
    peaks = {}
    for name in ("short", "long"):
        encode = ("encode", f"{name}.wav", f"{name}.ecf", *MODEL)
        decode = ("decode", f"{name}.ecf", f"{name}.flac")
        peaks[name] = [peak_rss_bytes(tmp_path, *words) for words in (encode, decode)]
    assert soundfile.info(tmp_path / "long.flac").frames == 600 * 16_000
    growth = np.subtract(peaks["long"], peaks["short"])
    assert growth.max() < 8e6
