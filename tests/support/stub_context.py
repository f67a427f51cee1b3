"""A context model of random tables: it knows nothing, but says so exactly."""

import hashlib
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from support.stub_bundle import make_bundle_copy

HIDDEN, RANK, ENTRY_DIM = 6, 4, 3
PLACES = ([(-1, 0), (-2, 0)], [(0, 0), (-1, 1), (1, 1), (1, 0)])


def make_context(codebook_size: int = 16, seed: int = 0) -> dict[str, np.ndarray]:
    """Tables of two layers, drawn from small whole numbers alone: the same everywhere."""
    rng = np.random.RandomState(seed)  # its stream is frozen, unlike default_rng's

    def draw(*shape: int, most: int = 127) -> np.ndarray:
        return rng.randint(-most, most + 1, shape)

    arrays = {
        "levels": draw(codebook_size, most=30).astype(np.int16),
        "layer_db": np.array(8, np.int8),
        "entries": draw(2, codebook_size, ENTRY_DIM).astype(np.int8),
    }
    for layer, places in enumerate(PLACES):
        arrays |= {
            f"places_{layer}": np.array(places, np.int8),
            f"hidden_{layer}": draw(len(places) * ENTRY_DIM, HIDDEN).astype(np.int8),
            f"hidden_bias_{layer}": draw(HIDDEN, most=9000).astype(np.int32),
            f"rank_{layer}": draw(HIDDEN, RANK).astype(np.int8),
            f"rank_bias_{layer}": draw(RANK, most=5000).astype(np.int32),
            f"logit_{layer}": draw(RANK, codebook_size, most=20).astype(np.int8),
            f"logit_bias_{layer}": draw(codebook_size, most=3000).astype(np.int32),
        }
    return arrays


def context_bytes(arrays: dict[str, np.ndarray]) -> bytes:
    """The file of a bundle."""
    file = BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def make_context_bundle(path: Path, data: bytes | None = None) -> Path:
    """The stub bundle with a context model."""
    data = context_bytes(make_context(1024)) if data is None else data
    entry = {"file": "context.npz", "sha256": hashlib.sha256(data).hexdigest()}

    def edit(manifest: dict[str, Any]) -> None:
        manifest["context"] = entry

    return make_bundle_copy(path, edit, {"context.npz": data})
