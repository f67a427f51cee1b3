"""What a bundle costs with one back end on this machine, in a process of its own.

A fresh process, since memory that a library took is never given back and would blur the next one.
`probe` starts it; run as a program, this module is it.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_codec.runtime.bundle import Bundle, load_bundle
from edge_codec.runtime.codec import StreamDecoder, StreamEncoder
from edge_codec.runtime.errors import BundleError
from edge_codec.runtime.meter import peak_rss_bytes

TIMEOUT_S = 60
"""A board that takes longer to load a library and run it for half a second is in trouble."""
MEASURED_S = 0.25
"""For each direction: the two back ends that most boards have are measured in a second."""
MAX_CALLS = 300
WARM_UP_CALLS = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class Cost:
    """What both directions cost in calls of one code frame."""

    encoder_ms: float
    """Processor time of one code frame, median."""
    decoder_ms: float
    """The same of the decoder."""
    peak_rss_bytes: int
    """Most memory of a process that does nothing else."""

    @property
    def total_ms(self) -> float:
        """Both directions."""
        return self.encoder_ms + self.decoder_ms


def probe(bundle: Bundle, backend: str, precision: str) -> Cost:
    """Measure, in a process of its own.

    Raises:
        BundleError: it cannot be run, or gives nonsense.
    """
    command = [sys.executable, "-m", "edge_codec.runtime.backends.probe"]
    paths = os.pathsep.join(path for path in sys.path if path)
    try:
        done = subprocess.run(
            [*command, str(bundle.path.resolve()), backend, precision],
            env=os.environ | {"PYTHONPATH": paths},
            cwd="/",
            capture_output=True,
            text=True,
            check=True,
            timeout=TIMEOUT_S,
        )
        return parse_cost(json.loads(done.stdout))
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        raise BundleError(f"cannot measure {bundle.name} with {backend}: {error}") from error


def parse_cost(value: Any) -> Cost:
    """Inverse of `asdict`, for bytes that anybody may have written.

    Raises:
        ValueError: it is something else.
    """
    names = [field.name for field in fields(Cost)]
    if not isinstance(value, dict) or sorted(value) != sorted(names):
        raise ValueError(f"expected {names}")
    if not all(type(number) in (int, float) and 0 <= number < 1e15 for number in value.values()):
        raise ValueError("expected numbers")
    return Cost(**value)


def measure(bundle: Bundle, backend: str, precision: str) -> Cost:
    """Encode and decode one frame over and over, in this process."""
    spec = bundle.spec
    encoder = StreamEncoder(bundle, precision=precision, backend=backend)
    decoder = StreamDecoder(bundle, precision=precision, backend=backend)
    # A chirp and a ramp rather than random numbers, whose library would count as memory.
    samples_T = (0.1 * np.sin(0.01 * np.arange(spec.hop_samples) ** 2)).astype(np.float32)
    codes_FK = np.arange(spec.layers)[None] % spec.codebook_size
    return Cost(
        encoder_ms=median_ms(encoder.push, samples_T),
        decoder_ms=median_ms(decoder.push, codes_FK),
        peak_rss_bytes=peak_rss_bytes(),
    )


def median_ms(call: Callable[[npt.NDArray[Any]], object], argument: npt.NDArray[Any]) -> float:
    """Median processor time of `call(argument)` on this thread."""
    times_ns: list[int] = []
    end_s = time.monotonic() + MEASURED_S
    while len(times_ns) <= WARM_UP_CALLS or (
        len(times_ns) < MAX_CALLS and time.monotonic() < end_s
    ):
        start_ns = time.thread_time_ns()
        call(argument)
        times_ns.append(time.thread_time_ns() - start_ns)
    return float(np.median(times_ns[WARM_UP_CALLS:])) / 1e6


def main() -> None:
    """Print the cost as JSON: PATH BACKEND PRECISION."""
    path, backend, precision = sys.argv[1:]
    print(json.dumps(asdict(measure(load_bundle(path), backend, precision))))


if __name__ == "__main__":
    main()
