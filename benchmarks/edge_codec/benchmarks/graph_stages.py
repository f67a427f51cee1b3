"""Where the time inside the graphs goes: transforms, networks, quantizer.

The graphs hold all of it, so ONNX Runtime's own profile is asked, in a run of its own that counts
for nothing else. The names of nodes tell the stages apart, as far as fusing leaves names. In the
encoder the transform ends at the first linear layer and the quantizer begins at the first search;
in the decoder the network begins at its first linear layer and the transform at the sines of the
phases. Other graphs give no stages.
"""

import json
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort

from edge_codec.benchmarks.speech import packaged_speech
from edge_codec.runtime.bundle import Bundle
from edge_codec.runtime.codec import StreamEncoder

_CALLS = 60
_WARM_UP_CALLS = 10
_CUTS = {
    "encoder": (("/embed",), ("/ArgMax",), ("stft", "encoder", "rvq")),
    "decoder": (
        ("/linear", "DynamicQuantizeMatMul"),
        ("/Sin", "/Cos", "/Exp", "/Clip"),
        ("rvq decode", "decoder", "istft"),
    ),
}
"""Graph -> how the first nodes of its second and of its third stage are called, and the stages."""
Kernel = tuple[str, float]
"""Name of a node and its microseconds."""


def graph_times_us(bundle: Bundle, precision: str) -> dict[str, float]:
    """Stage -> median microseconds of a frame in the ONNX graphs; empty if none is recognized."""
    spec = bundle.spec
    speech_NT = packaged_speech(spec.sample_rate_hz, _CALLS * spec.hop_samples)
    frames = list(speech_NT.reshape(_CALLS, 1, spec.hop_samples))
    codes = list(
        StreamEncoder(bundle.on("onnx"), precision=precision).push(speech_NT)[:, None, None, :]
    )
    found: dict[str, float] = {}
    for role, inputs in (("encoder", frames), ("decoder", codes)):
        path = bundle.graph_path(role, precision, "onnx")
        found |= stage_times_us(role, profile_calls(path, inputs)[_WARM_UP_CALLS:])
    return found


def stage_times_us(role: str, calls: list[list[Kernel]]) -> dict[str, float]:
    """Median over the calls of each stage of a graph."""
    second, third, stages = _CUTS[role]
    totals: dict[str, list[float]] = defaultdict(list)
    for kernels in calls:
        starts = [_first(kernels, names) for names in (second, third)]
        if None in starts:
            return {}
        cuts = (0, *(start for start in starts if start is not None), len(kernels))
        for stage, begin, end in zip(stages, cuts[:-1], cuts[1:], strict=True):
            totals[stage].append(sum(duration for _, duration in kernels[begin:end]))
    return {stage: float(np.median(values)) for stage, values in totals.items()}


def _first(kernels: list[Kernel], beginnings: tuple[str, ...]) -> int | None:
    found = (index for index, (name, _) in enumerate(kernels) if name.startswith(beginnings))
    return next(found, None)


def profile_calls(path: Path, inputs: list[Any]) -> list[list[Kernel]]:
    """Kernels of every call in the order they ran."""
    with tempfile.TemporaryDirectory() as folder:
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 3
        options.enable_profiling = True
        options.profile_file_prefix = f"{folder}/profile"
        session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        takes = [item.name for item in session.get_inputs()]
        state = np.zeros(session.get_inputs()[1].shape, np.float32)
        for x in inputs:
            _, state = session.run(None, dict(zip(takes, (x, state), strict=True)))
        events = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
    return list(_split_calls(events))


def _split_calls(events: list[dict[str, Any]]) -> Iterator[list[Kernel]]:
    kernels: list[Kernel] = []
    for event in sorted(events, key=lambda event: event.get("ts", 0)):
        name = str(event.get("name", ""))
        if name == "model_run" and kernels:
            yield kernels
            kernels = []
        elif name.endswith("_kernel_time"):
            kernels.append((name.removesuffix("_kernel_time"), float(event["dur"])))
    yield kernels
