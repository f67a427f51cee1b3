"""One JSON record per run: what was measured, on which machine, with which versions.

Documentation is generated from records, never typed.
"""

import json
import os
import platform
import resource
import subprocess
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

RECORD_VERSION = 1
PACKAGES = ("edge-codec", "numpy", "onnxruntime", "soxr", "pesq", "pystoi", "visqol-python")


def make_record(kind: str, results: dict[str, Any]) -> dict[str, Any]:
    """Results with the facts that make them comparable."""
    return {
        "record_version": RECORD_VERSION,
        "kind": kind,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _commit(),
        "machine": machine_facts(),
        "versions": {"python": platform.python_version()} | _versions(),
        **results,
    }


def write_record(path: Path, record: dict[str, Any]) -> None:
    """Store a record as JSON that reads well in a diff."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record, indent=1, allow_nan=False) + "\n", encoding="utf-8")


def machine_facts() -> dict[str, Any]:
    """Processor, memory and system of this machine, as far as it tells."""
    return {
        "cpu": _field("/proc/cpuinfo", "model name") or platform.processor() or platform.machine(),
        "architecture": platform.machine(),
        "cores": os.cpu_count(),
        "memory_kib": int((_field("/proc/meminfo", "MemTotal") or "0").split()[0]),
        "system": f"{platform.system()} {platform.release()}",
        "load_1_min": os.getloadavg()[0],
    }


def rss_bytes() -> int:
    """Resident memory of this process now."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize()


def _field(path: str, name: str) -> str:
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    pairs = (line.partition(":") for line in lines)
    return next((value.strip() for key, _, value in pairs if key.strip() == name), "")


def _versions() -> dict[str, str]:
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _commit() -> str:
    """Revision of the running source, or `unknown` outside a checkout."""
    command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
