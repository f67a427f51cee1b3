"""The net that gives the odds of a code from those around it: by the C library or by numpy.

Both ends of a link must get the same odds on every machine, so it computes with whole numbers:
float32 products of them are exact, in any order, while sums stay below 2**24.
docs/context-coding.md is the authority.

Shapes: F code frames of one unit, K layers of the codec, L of them modelled, N codebook entries,
E numbers of an entry, P places around a code, I = P * E inputs, H hidden units, R numbers that
logits are made of, n frames at hand.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float32]
Product = tuple[npt.NDArray[Any], npt.NDArray[Any]]
"""Weights [inputs, outputs] and biases [outputs]."""

HIDDEN_SHIFT, RANK_SHIFT, LOGIT_SHIFT = 7, 6, 5
"""Bits taken off after each product: fixed, so that a model is nothing but tables."""
UNIT = 127
"""Largest value of an entry, a weight, a hidden unit."""
MAX_WIDTH = 520
"""Most inputs of a product: with a bias up to `MAX_BIAS` their sum stays below 2**24."""
MAX_BIAS = 1 << 22
NATS = 1 / 32
"""One step of a logit."""
_MOST_ODDS = 1 << 14
_STEPS = np.arange(10 / NATS)
ODDS = np.maximum(1, np.round(_MOST_ODDS * np.exp(-NATS * _STEPS))).astype(np.int64)
"""Odds of a code whose logit is so many steps below the highest one; 1 of all further ones."""


@dataclass(frozen=True, kw_only=True, slots=True)
class NetTables:
    """The checked tables of one layer's net."""

    entries_LNE: npt.NDArray[Any]
    """What a code looks like."""
    places_P2: npt.NDArray[Any]
    """Frames later and layer of each code that is looked at."""
    products: Sequence[Product]
    """Those that give hidden units, ranks and logits."""


class Odds(Protocol):
    """The net of one layer."""

    def __init__(self, tables: NetTables) -> None:
        """Take the tables."""

    def cumulative(
        self, codes_FK: IntArray, steps_FK: IntArray, frames_n: IntArray, layer: int
    ) -> IntArray:
        """[n, N] odds of each code with those before it."""


def odds_class() -> type[Odds]:
    """What computes here: C where the link's library was built, else numpy."""
    from edge_codec.firmware_bridge.frame_codec import VARIABLE  # noqa: PLC0415  4 MB of link

    if os.environ.get(VARIABLE) == "python":
        return NumpyOdds
    try:
        from edge_codec.runtime.context_native import NativeOdds  # noqa: PLC0415  optional
    except ImportError:
        return NumpyOdds
    return NativeOdds


class NumpyOdds:
    """The net of one layer in numpy."""

    def __init__(self, tables: NetTables) -> None:
        """Take the tables."""
        self._entries_LNE = tables.entries_LNE.astype(np.float32)
        self._frames_P, self._layers_P = tables.places_P2.T.astype(np.int64)
        self._hidden, self._rank, self._logit = (
            (weights.astype(np.float32), bias.astype(np.float32))
            for weights, bias in tables.products
        )

    def cumulative(
        self, codes_FK: IntArray, steps_FK: IntArray, frames_n: IntArray, layer: int
    ) -> IntArray:
        """[n, N] odds of each code with those before it."""
        inputs_nI = self._known_entries(codes_FK, steps_FK, frames_n, layer)
        hidden_nH = _bounded(_product(inputs_nI, self._hidden, HIDDEN_SHIFT), 0)
        rank_nR = _bounded(_product(hidden_nH, self._rank, RANK_SHIFT), -UNIT)
        logits_nN = _product(rank_nR, self._logit, LOGIT_SHIFT)
        gaps_nN = logits_nN.max(axis=1, keepdims=True) - logits_nN
        odds_nN = ODDS[np.minimum(gaps_nN, len(ODDS) - 1).astype(np.intp)]
        ends_nN: IntArray = odds_nN.cumsum(axis=1)
        return ends_nN

    def _known_entries(
        self, codes_FK: IntArray, steps_FK: IntArray, frames_n: IntArray, layer: int
    ) -> FloatArray:
        """[n, I] entries of the codes around; zeros where nothing is known."""
        at_nP = frames_n[:, None] + self._frames_P
        inside_nP = (at_nP >= 0) & (at_nP < len(codes_FK))
        at_nP = np.minimum(np.maximum(at_nP, 0), len(codes_FK) - 1)
        steps_n1 = steps_FK[frames_n, layer][:, None]
        known_nP = inside_nP & (steps_FK[at_nP, self._layers_P] < steps_n1)
        entries_nPE = self._entries_LNE[self._layers_P, codes_FK[at_nP, self._layers_P]]
        known_entries_nPE = np.where(known_nP[..., None], entries_nPE, np.float32(0))
        return known_entries_nPE.reshape(len(frames_n), -1)


def _product(inputs: FloatArray, product: Product, bits: int) -> FloatArray:
    """floor((inputs * weights + bias) / 2**bits)."""
    weights, bias = product
    quotient: FloatArray = np.floor((inputs @ weights + bias) * np.float32(0.5**bits))
    return quotient


def _bounded(values: FloatArray, least: int) -> FloatArray:
    return np.minimum(np.maximum(values, least), UNIT)
