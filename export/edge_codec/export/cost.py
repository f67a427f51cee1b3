"""What the graphs of a bundle cost on this machine: bytes, and time in calls of one frame."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_codec.runtime.bundle import Bundle
from edge_codec.runtime.codec import StreamDecoder, StreamEncoder

TIMED_CALLS = 150
WARM_UP_CALLS = 20
MAX_TIMED_NS = 5_000_000_000
"""Enough of a slow codec."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Cost:
    """What one precision costs."""

    graph_bytes: int
    """Size of both graph files."""
    encoder_ms: float
    """Processor time of one code frame, median, one thread."""
    decoder_ms: float
    """The same of the decoder."""
    real_time_factor: float
    """Both times over the duration of a code frame."""


def measure_cost(bundle: Bundle, precision: str) -> Cost:
    """Encode and decode noise, frame by frame."""
    spec = bundle.spec
    rng = np.random.default_rng(0)
    encoder = StreamEncoder(bundle, precision=precision)
    decoder = StreamDecoder(bundle, precision=precision)
    samples_T = rng.normal(0, 0.1, spec.hop_samples).astype(np.float32)
    codes_FK = rng.integers(0, spec.codebook_size, (1, spec.layers))
    encoder_ms, decoder_ms = median_ms(encoder.push, samples_T), median_ms(decoder.push, codes_FK)
    paths = [bundle.graph_path(role, precision) for role in ("encoder", "decoder")]
    return Cost(
        graph_bytes=sum(path.stat().st_size for path in paths),
        encoder_ms=encoder_ms,
        decoder_ms=decoder_ms,
        real_time_factor=(encoder_ms + decoder_ms) * spec.frame_rate_hz / 1000,
    )


def median_ms(call: Callable[[npt.NDArray[Any]], object], argument: npt.NDArray[Any]) -> float:
    """Median processor time of `call(argument)` on this thread."""
    times_ns: list[int] = []
    while len(times_ns) < WARM_UP_CALLS + TIMED_CALLS:
        if sum(times_ns) > MAX_TIMED_NS and len(times_ns) > WARM_UP_CALLS:
            break
        start_ns = time.thread_time_ns()
        call(argument)
        times_ns.append(time.thread_time_ns() - start_ns)
    return float(np.median(times_ns[WARM_UP_CALLS:])) / 1e6
