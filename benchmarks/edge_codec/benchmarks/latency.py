"""How long one code frame takes to encode and to decode, call by call, and what RAM that needs.

Measured as a board runs it: one frame a call, through the runtime. Excluded: audio devices, the
link, and reading the clips.
"""

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_codec.benchmarks.speech import packaged_speech
from edge_codec.runtime.bundle import Bundle
from edge_codec.runtime.codec import StreamDecoder, StreamEncoder

WARM_UP_FRAMES = 50
"""First calls allocate and fill caches; they are not counted."""
PERCENTILES = {"median": 50, "p95": 95, "p99": 99, "max": 100}


@dataclass(frozen=True, kw_only=True, slots=True)
class FrameTimes:
    """Raw times of every counted frame."""

    encode_ns: NDArray[np.int64]
    """One per frame, nanoseconds."""
    decode_ns: NDArray[np.int64]
    """One per frame, nanoseconds."""
    frame_s: float
    """Audio in a frame, seconds: the deadline of both together in full duplex."""

    def summary(self) -> dict[str, Any]:
        """Per stage: percentiles in milliseconds and the real-time factor (below 1 is live)."""
        both_ns = self.encode_ns + self.decode_ns
        stages = {"encode": self.encode_ns, "decode": self.decode_ns, "both": both_ns}
        return {
            "frames": len(both_ns),
            "missed_deadlines": int((both_ns > self.frame_s * 1e9).sum()),
            "stages": {name: _describe(times, self.frame_s) for name, times in stages.items()},
        }

    def warnings(self) -> list[str]:
        """What makes these times doubtful."""
        both_ns = self.encode_ns + self.decode_ns
        if both_ns.max() > 10 * np.median(both_ns):
            return ["the slowest frame took over ten times the median: something else was running"]
        return []


def measure_latency(
    bundle: Bundle, *, seconds: float, threads: int = 1, precision: str = "auto"
) -> FrameTimes:
    """Encode and decode `seconds` of packaged speech, one frame a call.

    Raises:
        BundleError: the bundle has no such graph.
    """
    spec = bundle.spec
    encoder = StreamEncoder(bundle, threads=threads, precision=precision)
    decoder = StreamDecoder(bundle, threads=threads, precision=precision)
    frames = WARM_UP_FRAMES + max(1, round(seconds * spec.frame_rate_hz))
    audio_T = packaged_speech(spec.sample_rate_hz, frames * spec.hop_samples)
    stamps = np.empty((frames, 3), np.int64)
    for index, frame_T in enumerate(audio_T.reshape(frames, spec.hop_samples)):
        stamps[index, 0] = time.perf_counter_ns()
        codes_FK = encoder.push(frame_T)
        stamps[index, 1] = time.perf_counter_ns()
        decoder.push(codes_FK)
        stamps[index, 2] = time.perf_counter_ns()
    steps = np.diff(stamps[WARM_UP_FRAMES:], axis=1)
    return FrameTimes(encode_ns=steps[:, 0], decode_ns=steps[:, 1], frame_s=1 / spec.frame_rate_hz)


def _describe(times_ns: NDArray[np.int64], frame_s: float) -> dict[str, float]:
    percentiles_ms = {
        f"{name}_ms": float(np.percentile(times_ns, share)) / 1e6
        for name, share in PERCENTILES.items()
    }
    return percentiles_ms | {"real_time_factor": float(times_ns.mean()) / (frame_s * 1e9)}
