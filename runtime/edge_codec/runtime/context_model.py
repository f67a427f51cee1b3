"""How likely each code is, given the codes around it that both ends know. numpy only.

Checks the tables that a small net for each layer is made of; `context_odds` says what it computes.

Shapes: F code frames of one unit, K layers of the codec, L of them modelled, N codebook
entries, E numbers of an entry, P places around a code, n frames at hand.
"""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_codec.runtime.context_odds import (
    MAX_BIAS,
    MAX_WIDTH,
    UNIT,
    IntArray,
    NetTables,
    Odds,
    odds_class,
)
from edge_codec.runtime.errors import BundleError

Arrays = dict[str, npt.NDArray[Any]]

MAX_LAYERS = 32
MAX_CODEBOOK = 1 << 15
_MAX_BYTES = 8 << 20


class ContextModel:
    """Odds of codes; made by `edge-codec train-context`, read from a bundle."""

    def __init__(self, arrays: Arrays) -> None:
        """Check the tables and take them.

        Raises:
            BundleError: one is missing or cannot be.
        """
        self.levels_N = _whole(arrays, "levels", (None,), 1 << 15).astype(np.int64)
        """Loudness that an entry of the first layer stands for, in dB."""
        self.layer_db = int(_whole(arrays, "layer_db", (), UNIT))
        """Loudness that makes up for one layer: a frame softer by so much has a layer less."""
        if self.layer_db < 1:
            raise BundleError("the context model's layer_db must be 1 or more")
        entries_LNE = _whole(arrays, "entries", (None, self.codebook_size, None), UNIT)
        self.layers = len(entries_LNE)
        """Layers modelled; codes of all others are taken as equally likely."""
        if not 1 <= self.layers <= MAX_LAYERS:
            raise BundleError(f"the context model must have 1 to {MAX_LAYERS} layers")
        if self.codebook_size > MAX_CODEBOOK:
            raise BundleError(f"the context model has {self.codebook_size} codes, too many")
        self._nets = [self._net(arrays, entries_LNE, layer) for layer in range(self.layers)]

    @property
    def codebook_size(self) -> int:
        """Entries of each codebook."""
        return len(self.levels_N)

    def cumulative_odds(
        self, codes_FK: IntArray, steps_FK: IntArray, frames_n: IntArray, layer: int
    ) -> IntArray:
        """[n, N] odds of each code with those before it: its share ends there, the last is all.

        Args:
            codes_FK: of one unit; what is not known yet may be any code.
            steps_FK: in which step each code becomes known.
            frames_n: of the codes asked for.
            layer: their layer, below `layers`.
        """
        return self._nets[layer].cumulative(codes_FK, steps_FK, frames_n, layer)

    def _net(self, arrays: Arrays, entries_LNE: npt.NDArray[Any], layer: int) -> Odds:
        places_P2 = _whole(arrays, f"places_{layer}", (None, 2), 2 * MAX_LAYERS)
        if not 0 <= places_P2[:, 1].min() <= places_P2[:, 1].max() < self.layers:
            raise BundleError(f"the context model looks at a layer it lacks (layer {layer})")
        width, products = len(places_P2) * entries_LNE.shape[2], []
        for name, outputs in (("hidden", None), ("rank", None), ("logit", self.codebook_size)):
            weights = _whole(arrays, f"{name}_{layer}", (width, outputs), UNIT)
            if width > MAX_WIDTH:
                raise BundleError(f"the context model has {width} inputs, too many to be exact")
            width = weights.shape[1]
            products.append((weights, _whole(arrays, f"{name}_bias_{layer}", (width,), MAX_BIAS)))
        return odds_class()(
            NetTables(entries_LNE=entries_LNE, places_P2=places_P2, products=products)
        )


def load_context_model(path: Path) -> ContextModel:
    """Read the tables of a bundle or a checkpoint.

    Raises:
        BundleError: the file cannot be read, or holds no context model.
    """
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise BundleError(f"{path} is too large for a context model; get the bundle again")
        with np.load(path, allow_pickle=False) as file:
            return ContextModel({name: file[name] for name in file.files})
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise BundleError(f"cannot read {path}: {error}; get the bundle again") from error


def _whole(
    arrays: Arrays, name: str, shape: tuple[int | None, ...], most: int
) -> npt.NDArray[np.signedinteger[Any]]:
    """An array of whole numbers up to `most`; `shape` gives its sizes, None for any from 1 on."""
    array = arrays.get(name)
    if array is None or array.dtype.kind != "i" or array.ndim != len(shape):
        raise BundleError(f"the context model lacks {name}, or it is no such table")
    sizes = zip(array.shape, shape, strict=True)
    if not all(have >= 1 and want in (None, have) for have, want in sizes):
        raise BundleError(f"the context model's {name} is {list(array.shape)}, not {list(shape)}")
    if array.size and not -most <= array.min() <= array.max() <= most:
        raise BundleError(f"the context model's {name} goes beyond {most}")
    return array
