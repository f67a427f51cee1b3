"""Times frames with the public API of whichever checkout is on PYTHONPATH, new or old.

    python frame_probe.py MODEL ROUNDS

Prints processor microseconds of encoding and decoding each frame of a second of noise, a list for
each round of the same frames, as JSON. Imports nothing of the benchmarks: an earlier commit may not
have them.
"""

import json
import sys
import time

import numpy as np

from edge_codec.runtime import StreamDecoder, StreamEncoder, load_bundle


def main(model: str, rounds: int) -> None:
    """Run a model on noise, one frame a call; the first round warms up and is not printed."""
    bundle = load_bundle(model)
    encoder, decoder = StreamEncoder(bundle), StreamDecoder(bundle)
    frames, samples = round(bundle.spec.frame_rate_hz), bundle.spec.hop_samples
    noise = np.random.default_rng(0).standard_normal((frames, samples), np.float32)
    taken_us = np.zeros((1 + rounds, frames))
    for call in np.ndindex(taken_us.shape):
        frame_T = noise[call[1]] * np.float32(0.1)
        start_ns = time.process_time_ns()
        decoder.push(encoder.push(frame_T))
        taken_us[call] = (time.process_time_ns() - start_ns) / 1000
    print(json.dumps(taken_us[1:].tolist()))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
