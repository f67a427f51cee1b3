"""Codes one whole file of noise in torch: the memory that coding in windows does without.

python -m edge_codec.training.whole_file CHECKPOINT SECONDS
"""

import sys
from pathlib import Path

import numpy as np

from edge_codec.training.checkpoint import load_codec
from edge_codec.training.coders import CodecCoder


def code_noise(checkpoint: Path, seconds: float) -> int:
    """Encode and decode, in one call each; samples decoded.

    Raises:
        ConfigError: there is no such checkpoint.
    """
    codec, _, _ = load_codec(checkpoint)
    frames = max(1, round(seconds * codec.spec.frame_rate_hz))
    noise = np.random.default_rng(0)
    audio_T = noise.standard_normal(frames * codec.spec.hop_samples, np.float32) * np.float32(0.1)
    coder = CodecCoder(codec)
    return len(coder.decode(coder.encode(audio_T)))


if __name__ == "__main__":
    print(code_noise(Path(sys.argv[1]), float(sys.argv[2])))
