"""Tiny TFLite graphs for tests; make_tflite_stubs.py made them and says what they do."""

from pathlib import Path

TFLITE_STUBS = Path(__file__).parents[1] / "golden" / "tflite"
"""encoder, its halves and decoder like ours; the others like Lyra v2's."""


def read_stubs(*names: str) -> dict[str, bytes]:
    """File name -> content, for `make_bundle_copy`."""
    return {f"{name}.tflite": (TFLITE_STUBS / f"{name}.tflite").read_bytes() for name in names}
