"""How likely each code is, given the codes around it that both ends know. numpy only.

A small net per layer. Both ends of a link must get the same odds on every machine, so it computes
with whole numbers: float32 products of them are exact, in any order, while sums stay below 2**24.
docs/context-coding.md is the authority.

Shapes: F code frames of one unit, K layers of the codec, L of them modelled, N codebook
entries, E numbers of an entry, P places around a code, I = P * E inputs, H hidden units, R numbers
that logits are made of, n frames at hand.
"""

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_codec.runtime.errors import BundleError

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float32]
Arrays = dict[str, npt.NDArray[Any]]

HIDDEN_SHIFT, RANK_SHIFT, LOGIT_SHIFT = 7, 6, 5
"""Bits taken off after each product: fixed, so that a model is nothing but tables."""
UNIT = 127
"""Largest value of an entry, a weight, a hidden unit."""
NATS = 1 / 32
"""One step of a logit."""
_MOST_ODDS = 1 << 14
_STEPS = np.arange(10 / NATS)
_ODDS = np.maximum(1, np.round(_MOST_ODDS * np.exp(-NATS * _STEPS))).astype(np.int64)
"""Odds of a code whose logit is so many steps below the highest one; 1 of all further ones."""
MAX_LAYERS = 32
_MAX_BYTES = 8 << 20
_EXACT = 1 << 24
MAX_BIAS = _EXACT // 4


@dataclass(frozen=True, slots=True)
class _Net:
    """The net of one layer, weights ready for products: inputs first."""

    place_frames_P: IntArray
    place_layers_P: IntArray
    hidden_IH: FloatArray
    hidden_bias_H: FloatArray
    rank_HR: FloatArray
    rank_bias_R: FloatArray
    logit_RN: FloatArray
    logit_bias_N: FloatArray


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
        size = len(self.levels_N)
        self._entries_LNE = _whole(arrays, "entries", (None, size, None), UNIT).astype(np.float32)
        self.layers = len(self._entries_LNE)
        """Layers modelled; codes of all others are taken as equally likely."""
        if not 1 <= self.layers <= MAX_LAYERS:
            raise BundleError(f"the context model must have 1 to {MAX_LAYERS} layers")
        self._nets = [self._net(arrays, layer) for layer in range(self.layers)]

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
        net = self._nets[layer]
        entries_nPE = self._known_entries(net, codes_FK, steps_FK, frames_n, layer)
        hidden_nH = entries_nPE.reshape(len(frames_n), -1) @ net.hidden_IH + net.hidden_bias_H
        hidden_nH = _bounded(_shifted(hidden_nH, HIDDEN_SHIFT), 0)
        rank_nR = _bounded(_shifted(hidden_nH @ net.rank_HR + net.rank_bias_R, RANK_SHIFT), -UNIT)
        logits_nN = _shifted(rank_nR @ net.logit_RN + net.logit_bias_N, LOGIT_SHIFT)
        gaps_nN = logits_nN.max(axis=1, keepdims=True) - logits_nN
        odds_nN = _ODDS[np.minimum(gaps_nN, len(_ODDS) - 1).astype(np.intp)]
        ends_nN: IntArray = odds_nN.cumsum(axis=1)
        return ends_nN

    def _known_entries(
        self,
        net: _Net,
        codes_FK: IntArray,
        steps_FK: IntArray,
        frames_n: IntArray,
        layer: int,
    ) -> FloatArray:
        """[n, P, E] entries of the codes around; zeros where nothing is known."""
        at_nP = frames_n[:, None] + net.place_frames_P
        inside_nP = (at_nP >= 0) & (at_nP < len(codes_FK))
        at_nP = np.minimum(np.maximum(at_nP, 0), len(codes_FK) - 1)
        layers_P = net.place_layers_P
        known_nP = inside_nP & (steps_FK[at_nP, layers_P] < steps_FK[frames_n, layer][:, None])
        entries_nPE: FloatArray = self._entries_LNE[layers_P, codes_FK[at_nP, layers_P]]
        return np.where(known_nP[..., None], entries_nPE, np.float32(0))

    def _net(self, arrays: Arrays, layer: int) -> _Net:
        places_P2 = _whole(arrays, f"places_{layer}", (None, 2), 2 * MAX_LAYERS).astype(np.int64)
        frames_P, layers_P = places_P2.T
        if not 0 <= layers_P.min() <= layers_P.max() < self.layers:
            raise BundleError(f"the context model looks at a layer it lacks (layer {layer})")
        width, products = len(places_P2) * self._entries_LNE.shape[2], []
        for name, outputs in (("hidden", None), ("rank", None), ("logit", self.codebook_size)):
            weights = _whole(arrays, f"{name}_{layer}", (width, outputs), UNIT)
            if width * UNIT * UNIT > _EXACT // 2:
                raise BundleError(f"the context model has {width} inputs, too many to be exact")
            width = weights.shape[1]
            bias = _whole(arrays, f"{name}_bias_{layer}", (width,), MAX_BIAS)
            products += [weights.astype(np.float32), bias.astype(np.float32)]
        return _Net(frames_P, layers_P, *products)


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


def _shifted(sums: FloatArray, bits: int) -> FloatArray:
    shifted: FloatArray = np.floor(sums * np.float32(0.5**bits))
    return shifted


def _bounded(values: FloatArray, least: int) -> FloatArray:
    return np.minimum(np.maximum(values, least), UNIT)


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
