"""RAM of codecs, each in a process of its own, and of any command watched from outside."""

import json
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from edge_codec.benchmarks.record import RamRun
from edge_codec.benchmarks.schema import from_plain
from edge_codec.runtime.bundle import Bundle
from edge_codec.runtime.errors import ConfigError, EdgeCodecError

PROBE_S = 4.0
"""Audio that a probe codes: memory is steady after the first call."""
LOOK_S = 0.01
"""How often a command from outside is looked at."""


def measure_model(bundle: Bundle, backend: str, precision: str, call_frames: int) -> RamRun:
    """RAM of one configuration of a model."""
    words = [str(bundle.path), backend, precision, str(call_frames), str(PROBE_S)]
    return replace(_probe(bundle.name, words, call_frames), codec=bundle.name)


def measure_peer(name: str, lyra_models: Path | None) -> RamRun:
    """RAM of one peer, by its name in the catalogue; Python and numpy count for it too."""
    return _probe(name, ["peer", name, str(lyra_models or ""), "1", str(PROBE_S)], 1)


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
    return RamRun(
        codec=name,
        backend="command",
        precision="",
        call_frames=0,
        rss_mb={"peak": max((look.peak_mb for look in looks), default=0.0)},
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
    command = [sys.executable, "-m", "edge_codec.benchmarks.memory_probe", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise EdgeCodecError(f"the memory probe of {codec} failed: {last:.200}")
    shown = json.loads(done.stdout.splitlines()[-1])
    return from_plain(RamRun, shown | {"call_frames": call_frames}, "RamRun")
