"""Write the golden codes of the Lyra v2 bundle from its published graphs.

    python tests/support/make_lyra_golden.py DIR

DIR holds the files of lyra/model_coeffs of google/lyra v1.3.2. Made with ai-edge-litert 2.3.0 on
x86-64; with other kernels, codes of deep layers differ.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np
import soundfile

from edge_codec.runtime.backends.lyra import LyraEncoder
from edge_codec.runtime.lyra_bundle import GOLDEN_CODES, GRAPHS, write_golden_clip


def main(folder: Path) -> None:
    """Encode the golden clip and write its codes, uint16 [F, 46]."""
    with tempfile.TemporaryDirectory() as temporary:
        write_golden_clip(Path(temporary) / "golden.wav")
        samples_T, _ = soundfile.read(Path(temporary) / "golden.wav", dtype="float32")
    encoder = LyraEncoder(folder / GRAPHS["encoder"][0], folder / GRAPHS["quantizer"][0])
    codes_1FK, _ = encoder.run(samples_T[None], encoder.zero_state)
    np.save(GOLDEN_CODES, codes_1FK[0].astype(np.uint16))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
