"""Which back end runs a bundle here: the fastest one, by a measurement that is made once a board.

The measurements run in processes of their own: only the winner's library stays in memory.
Its result is kept in the user's cache directory, or nowhere if that cannot be written.
"""

import hashlib
import json
import logging
import os
import platform
from importlib.util import find_spec
from pathlib import Path

from edge_codec.runtime.backends.tflite import LIBRARIES, precision_here
from edge_codec.runtime.bundle import Bundle
from edge_codec.runtime.errors import BundleError
from edge_codec.runtime.manifest import AUTO

_MODULES = {
    "onnx": ("onnxruntime",),
    "tflite": LIBRARIES,
    "lyra": LIBRARIES,
}
"""Back end -> packages, any of which runs it."""
_DISTRIBUTIONS = (
    "edge-codec",
    "onnxruntime",
    "onnxruntime-gpu",
    "ai-edge-litert",
    "tflite-runtime",
)
UNUSABLE_MS = 1e9
"""Stands for a back end that cannot run the bundle here."""
MAX_CACHE_BYTES = 1 << 16
MAX_CACHED = 64
"""Results kept; the oldest go first."""

_log = logging.getLogger(__name__)


def choose_backend(bundle: Bundle, backend: str = AUTO, precision: str = AUTO) -> str:
    """What to run a bundle with on this machine.

    Args:
        bundle: what to run.
        backend: the one asked for, or auto: that which the bundle was told to run on, or that
            of its target, or else the fastest.
        precision: what its graphs must have, or auto for any.

    Raises:
        BundleError: the bundle has no such graphs.
    """
    if backend == AUTO:
        backend = bundle.target["backend"] if bundle.runs_on == AUTO else bundle.runs_on
    has = [name for name in bundle.backends if precision in (AUTO, *bundle.precisions(name))]
    if backend != AUTO or not has:
        return _checked(bundle, backend, precision, has)
    usable = [name for name in has if is_usable(bundle, name)]
    if len(usable) < 2:
        return (usable or has)[0]
    times_ms = measured_ms(bundle, usable, precision)
    return min(usable, key=lambda name: times_ms[name])


def _checked(bundle: Bundle, backend: str, precision: str, has: list[str]) -> str:
    if backend in has:
        return backend
    graphs = "graphs" if precision == AUTO else f"{precision} graphs"
    raise BundleError(
        f"{bundle.name} has no {graphs}{'' if backend == AUTO else f' for {backend}'}; it has "
        + ", ".join(f"{name} {p}" for name in bundle.backends for p in bundle.precisions(name))
    )


def is_installed(backend: str) -> bool:
    """Whether this machine has a library for a back end."""
    return any(find_spec(module) is not None for module in _MODULES[backend])


def is_usable(bundle: Bundle, backend: str) -> bool:
    """Whether a library here runs a bundle's graphs for a back end."""
    precisions = bundle.precisions(backend)
    if backend == "tflite" and precision_here(bundle.best_precision(backend), precisions) is None:
        return False
    return is_installed(backend)


def measured_ms(bundle: Bundle, backends: list[str], precision: str) -> dict[str, float]:
    """Milliseconds of a code frame by back end, from the cache or measured now."""
    path, key = cache_path(), _cache_key(bundle, precision)
    cached = _read_cache(path)
    if key not in cached or not cached[key].keys() >= set(backends):
        cached[key] = {name: _measure_ms(bundle, name, precision) for name in backends}
        _write_cache(path, dict(list(cached.items())[-MAX_CACHED:]))
    return cached[key]


def _measure_ms(bundle: Bundle, backend: str, precision: str) -> float:
    from edge_codec.runtime.backends.probe import probe  # noqa: PLC0415  it opens graphs, too

    try:
        return probe(bundle, backend, precision).total_ms
    except BundleError as error:
        _log.warning("%s", error)
        return UNUSABLE_MS


def cache_path() -> Path:
    """Where results of measurements are kept."""
    home = os.environ.get("XDG_CACHE_HOME") or Path(os.environ.get("HOME", "/"), ".cache")
    return Path(home, "edge-codec", "backends.json")


def _cache_key(bundle: Bundle, precision: str) -> str:
    facts = [bundle.manifest_hash, precision, platform.machine(), _processor(), os.cpu_count()]
    facts += [_version(name) for name in _DISTRIBUTIONS]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def _processor() -> str:
    """The lines of /proc/cpuinfo that name the processor and the board."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return platform.processor()
    names = ("model name", "Model", "Hardware", "CPU part")
    return "\n".join(sorted({line for line in text.splitlines() if line.startswith(names)}))


def _version(distribution: str) -> str:
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415  3 MB

    try:
        return version(distribution)
    except PackageNotFoundError:
        return ""


def _read_cache(path: Path) -> dict[str, dict[str, float]]:
    try:
        with path.open("rb") as file:
            entries = json.loads(file.read(MAX_CACHE_BYTES))
        return {key: times for key, times in entries.items() if _is_times(times)}
    except (OSError, ValueError, AttributeError, RecursionError):
        return {}


def _is_times(value: object) -> bool:
    """Whether this is milliseconds by back end; a cache file is anybody's bytes."""
    return isinstance(value, dict) and all(
        name in _MODULES and type(time_ms) is float for name, time_ms in value.items()
    )


def _write_cache(path: Path, entries: dict[str, dict[str, float]]) -> None:
    part = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(json.dumps(entries), encoding="ascii")
        part.replace(path)
    except OSError as error:
        _log.debug("cannot keep which back end is faster in %s: %s", path, error)
