"""Times frames with the public API of whichever checkout is on PYTHONPATH, new or old.

    python frame_probe.py MODEL SECONDS

Prints processor microseconds of encoding and decoding each frame, as JSON. Imports nothing of
the benchmarks: an earlier commit may not have them.
"""

import json
import sys
import time

import numpy as np

from edge_codec.runtime import StreamDecoder, StreamEncoder, load_bundle

WARM_UP_FRAMES = 50


def main(model: str, seconds: float) -> None:
    """Run a model on noise, one frame a call."""
    bundle = load_bundle(model)
    encoder, decoder = StreamEncoder(bundle), StreamDecoder(bundle)
    noise = np.random.default_rng(0)
    taken_us = []
    for _ in range(WARM_UP_FRAMES + round(seconds * bundle.spec.frame_rate_hz)):
        frame_T = noise.standard_normal(bundle.spec.hop_samples, np.float32) * np.float32(0.1)
        start_ns = time.process_time_ns()
        decoder.push(encoder.push(frame_T))
        taken_us.append((time.process_time_ns() - start_ns) / 1000)
    print(json.dumps(taken_us[WARM_UP_FRAMES:]))


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
