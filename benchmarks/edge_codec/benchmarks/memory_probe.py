"""A process that does nothing but run one codec and look at its own memory.

    python -m edge_codec.benchmarks.memory_probe MODEL BACKEND PRECISION CALL_FRAMES SECONDS
    python -m edge_codec.benchmarks.memory_probe peer NAME LYRA_MODELS 0 SECONDS

Prints one JSON object. Imports nothing before it has looked for the first time.
"""

import json
import resource
import sys
import time
from collections.abc import Callable
from typing import Any

CALLS_BETWEEN_LOOKS = 10


class Looks:
    """What was resident when."""

    def __init__(self) -> None:
        self.start_s = time.monotonic()
        self.timeline_ms: list[int] = []
        self.timeline_mb: list[float] = []
        self.phases: dict[str, float] = {}

    def look(self, phase: str = "") -> None:
        """Note resident memory now, under a name if it ends a phase."""
        with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123  pathlib has weight
            pages = int(file.read().split()[1])
        megabytes = round(pages * resource.getpagesize() / 1e6, 1)
        self.timeline_ms.append(round(1000 * (time.monotonic() - self.start_s)))
        self.timeline_mb.append(megabytes)
        if phase:
            self.phases[phase] = megabytes


def main(argv: list[str]) -> None:
    """Import, load, run, and print what was seen."""
    looks = Looks()
    looks.look("interpreter")
    open_codec = _opener(*argv[:4])
    looks.look("import")
    coder = open_codec()
    looks.look("load")
    _run(coder, float(argv[4]), looks)
    looks.look("steady")
    from edge_codec.runtime.meter import peak_rss_bytes

    looks.phases["peak"] = round(peak_rss_bytes() / 1e6, 1)
    shown = {
        "rss_mb": looks.phases,
        "timeline_ms": looks.timeline_ms,
        "timeline_mb": looks.timeline_mb,
    }
    facts = {"codec": coder.name, "backend": coder.backend, "precision": coder.precision}
    print(json.dumps(shown | facts))


def _opener(model: str, backend: str, precision: str, call_frames: str) -> Callable[[], Any]:
    if model == "peer":
        from pathlib import Path

        from edge_codec.benchmarks.coders.catalogue import peer_makers

        return peer_makers(Path(precision) if precision else None)[backend]
    from edge_codec.benchmarks.coders.model import ModelCoder, with_backend
    from edge_codec.runtime.bundle import load_bundle

    def open_model() -> ModelCoder:
        bundle = with_backend(load_bundle(model), backend)
        layers = bundle.spec.layers
        return ModelCoder(bundle, layers, precision=precision, call_frames=int(call_frames))

    return open_model


def _run(coder: Any, seconds: float, looks: Looks) -> None:
    """Speech-like noise; reading a clip would count its decoder's memory."""
    import numpy as np

    noise = np.random.default_rng(0)
    for call in range(max(1, round(seconds * coder.rate_hz / coder.frame_samples))):
        frame_T = noise.standard_normal(coder.frame_samples, np.float32) * np.float32(0.1)
        coder.decode(coder.encode(frame_T))
        if call % CALLS_BETWEEN_LOOKS == 0:
            looks.look()


if __name__ == "__main__":
    main(sys.argv[1:])
