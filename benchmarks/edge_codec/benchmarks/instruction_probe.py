"""A process whose instructions are counted: it runs under qemu with the plugin `icount.c`.

    python -m edge_codec.benchmarks.instruction_probe MODEL COUNTS

Reads what the plugin wrote to COUNTS and prints a record. Times are not looked at.
"""

import ctypes
import sys
from pathlib import Path

import numpy as np

from edge_codec.benchmarks.coders import ModelCoder, with_backend
from edge_codec.benchmarks.record import InstructionRun
from edge_codec.benchmarks.schema import to_json
from edge_codec.benchmarks.session import Session
from edge_codec.runtime.bundle import Bundle, load_bundle
from edge_codec.runtime.errors import MissingExtraError
from edge_codec.runtime.manifest import BACKENDS

MARK = 0x45434D4B
"""As in the plugin."""
WARM_UP_FRAMES, FRAMES = 10, 20


def main(argv: list[str]) -> None:
    """Run every graph of a model, frame by frame, and print the record."""
    session = Session(load_bundle(argv[0]))
    for backend in BACKENDS:
        if session.bundle.manifest["graphs"].get(backend):
            narrowed = with_backend(session.bundle, backend)
            for precision in narrowed.precisions():
                _count(session, narrowed, precision, Path(argv[1]))
    print(to_json(session.record()))


def _count(session: Session, bundle: Bundle, precision: str, counts: Path) -> None:
    try:
        coder = ModelCoder(bundle, bundle.spec.layers, precision=precision)
    except MissingExtraError as error:
        session.skipped[f"{bundle.backend} {precision}"] = str(error)
        return
    encode, decode = _instructions(coder, counts)
    session.results["instructions"].append(
        InstructionRun(
            codec=bundle.name,
            backend=bundle.backend,
            precision=precision,
            counter="qemu",
            encode=encode,
            decode=decode,
        )
    )


def _instructions(coder: ModelCoder, counts: Path) -> tuple[int, int]:
    """Of encoding and of decoding one frame of noise; the same noise every time."""
    noise = np.random.default_rng(0)
    frames = noise.standard_normal((WARM_UP_FRAMES + FRAMES, coder.frame_samples)) * 0.1
    frames_FT = frames.astype(np.float32)
    for frame_T in frames_FT[:WARM_UP_FRAMES]:
        coder.decode(coder.encode(frame_T))
    _mark()
    packets = [coder.encode(frame_T) for frame_T in frames_FT[WARM_UP_FRAMES:]]
    _mark()
    for packet in packets:
        coder.decode(packet)
    _mark()
    *_, encode, decode = counts.read_text(encoding="ascii").split()
    return int(encode) // FRAMES, int(decode) // FRAMES


def _mark() -> None:
    ctypes.CDLL(None).prctl(MARK, 0, 0, 0, 0)


if __name__ == "__main__":
    main(sys.argv[1:])
