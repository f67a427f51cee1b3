"""RAM of codecs, each in a process of its own, and of any command watched from outside."""

import json
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile

from edge_codec.benchmarks.processes import edge_codec, output_of
from edge_codec.benchmarks.record import RamRun
from edge_codec.benchmarks.schema import from_plain
from edge_codec.runtime.bundle import Bundle
from edge_codec.runtime.errors import ConfigError, EdgeCodecError

PROBE_S = 4.0
"""Audio that a probe codes: memory is steady after the first call."""
LOOK_S = 0.01
"""How often a command from outside is looked at."""
MAX_LOOKS = 500
"""Most of them that a record keeps; the kernel knows the peak anyhow."""
FILE_CHANNELS = 2


def measure_model(bundle: Bundle, backend: str, precision: str, call_frames: int) -> RamRun:
    """RAM of one configuration of a model."""
    words = [str(bundle.path), backend, precision, str(call_frames), str(PROBE_S)]
    return replace(_probe(bundle.name, words, call_frames), codec=bundle.name)


def measure_peer(name: str, lyra_models: Path | None) -> RamRun:
    """RAM of one peer, by its name in the catalogue; Python and numpy count for it too."""
    return _probe(name, ["peer", name, str(lyra_models or ""), "1", str(PROBE_S)], 1)


def measure_files(bundle: Bundle, backend: str, precision: str, seconds: float) -> list[RamRun]:
    """RAM of `edge-codec encode` and `decode` with a stereo file of noise, all layers.

    Raises:
        ConfigError: one of them fails.
    """
    with tempfile.TemporaryDirectory() as folder:
        audio, coded, decoded = (f"{folder}/{name}" for name in ("in.wav", "in.ecf", "out.wav"))
        _write_noise(audio, bundle.spec.sample_rate_hz, seconds)
        options = ["--model", bundle.path.resolve(), "--backend", backend]
        options += ["--precision", precision]
        commands = (
            ["encode", audio, coded, "--layers", bundle.spec.layers, *options],
            ["decode", coded, decoded, *options],
        )
        runs = []
        for words in commands:
            name = f"{bundle.name} {words[0]}, {seconds:g} s"
            run = watch(name, shlex.join(edge_codec(*words)))
            runs.append(replace(run, backend=backend, precision=precision))
        return runs


def _write_noise(path: str, rate_hz: int, seconds: float) -> None:
    """Second by second: ten minutes take no memory here either."""
    noise = np.random.default_rng(0)
    with soundfile.SoundFile(path, "w", rate_hz, FILE_CHANNELS, "PCM_16") as file:
        left = round(seconds * rate_hz)
        while left:
            samples = min(left, rate_hz)
            file.write(noise.normal(0, 0.1, (samples, FILE_CHANNELS)))
            left -= samples


def watch(name: str, command: str) -> RamRun:
    """RAM of a shell-quoted command from its start to its end.

    Raises:
        ConfigError: it cannot be run or fails.
    """
    start_s = time.monotonic()
    try:
        process = subprocess.Popen(
            shlex.split(command), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
    except (OSError, ValueError) as error:
        raise ConfigError(f"cannot run {command!r:.80}: {error}") from error
    looks = list(_looks(process, start_s))
    process.wait()
    if process.returncode:
        raise ConfigError(
            f"{command!r:.80} ended with exit code {process.returncode}; run it alone"
        )
    peak_mb = max((look.peak_mb for look in looks), default=0.0)
    looks = looks[:: 1 + len(looks) // MAX_LOOKS]
    return RamRun(
        codec=name,
        backend="command",
        precision="",
        call_frames=0,
        rss_mb={"peak": peak_mb},
        timeline_ms=[look.at_ms for look in looks],
        timeline_mb=[look.resident_mb for look in looks],
    )


class _Look(NamedTuple):
    at_ms: int
    resident_mb: float
    peak_mb: float


def _looks(process: "subprocess.Popen[bytes]", start_s: float) -> Iterator[_Look]:
    """Until it has ended. The kernel's own peak is read: rusage would count the parent's too."""
    while process.poll() is None:
        status = _status_kib(process.pid)
        if "VmHWM" in status:
            at_ms = round(1000 * (time.monotonic() - start_s))
            resident_mb, peak_mb = (round(status[n] * 1024 / 1e6, 1) for n in ("VmRSS", "VmHWM"))
            yield _Look(at_ms, resident_mb, peak_mb)
        time.sleep(LOOK_S)


def _status_kib(pid: int) -> dict[str, int]:
    """Sizes in `/proc/PID/status`; none of a process that has ended."""
    try:
        text = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return {}
    lines = (line.split() for line in text.splitlines() if line.endswith(" kB"))
    return {name.rstrip(":"): int(size) for name, size, _ in lines}


def _probe(codec: str, words: Sequence[str], call_frames: int) -> RamRun:
    try:
        shown = output_of([sys.executable, "-m", "edge_codec.benchmarks.memory_probe", *words])
    except EdgeCodecError as error:
        raise EdgeCodecError(f"the memory probe of {codec}: {error}") from error
    found = json.loads(shown.splitlines()[-1])
    return from_plain(RamRun, found | {"call_frames": call_frames}, "RamRun")
