"""Odds of codes by the C library, through cffi. The same numbers that numpy gives, in less time.

Knows the C function of `firmware_bridge/c/edge_context.c`; imported only where the extension was
built. Legend: F code frames of one unit, K layers of the codec, L of them modelled, N codebook
entries, E numbers of an entry, P places, n frames at hand.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from edge_codec.firmware_bridge._edge_link import ffi, lib
from edge_codec.runtime.context_odds import ODDS, IntArray, NetTables

if not hasattr(lib, "edge_context_odds"):
    raise ImportError("the C library was built before it knew context models; install again")


class NativeOdds:
    """The net of one layer in C."""

    def __init__(self, tables: NetTables) -> None:
        """Take the tables."""
        self._kept: list[Any] = []  # what the structure points to
        (hidden, hidden_bias), (rank, rank_bias), (logit, logit_bias) = tables.products
        _, self._size, entry_dim = tables.entries_LNE.shape
        self._net = ffi.new(
            "edge_context_net_t *",
            {
                "entries": self._table(tables.entries_LNE, np.int16),
                "place": self._table(tables.places_P2, np.int16),
                "hidden": self._table(hidden.T, np.int16),
                "hidden_bias": self._table(hidden_bias, np.int32),
                "rank": self._table(rank.T, np.int16),
                "rank_bias": self._table(rank_bias, np.int32),
                "logit": self._table(logit.T, np.int16),
                "logit_bias": self._table(logit_bias, np.int32),
                "odds": self._table(ODDS, np.int32),
                "size": self._size,
                "entry_dim": entry_dim,
                "places": len(tables.places_P2),
                "hidden_units": hidden.shape[1],
                "ranks": rank.shape[1],
            },
        )

    def cumulative(
        self, codes_FK: IntArray, steps_FK: IntArray, frames_n: IntArray, layer: int
    ) -> IntArray:
        """[n, N] odds of each code with those before it."""
        arrays = [np.ascontiguousarray(array, np.int64) for array in (codes_FK, steps_FK)]
        codes, steps = (ffi.from_buffer("int64_t[]", array) for array in arrays)
        unit = ffi.new("edge_context_unit_t *", (codes, steps, *codes_FK.shape))
        ends_nN = np.empty((len(frames_n), self._size), np.int64)
        room = ffi.from_buffer("int64_t[]", ends_nN)
        for place, frame in enumerate(frames_n.tolist()):
            lib.edge_context_odds(self._net, unit, frame, layer, room + place * self._size)
        return ends_nN

    def _table(self, array: npt.NDArray[Any], dtype: type[np.signedinteger[Any]]) -> Any:
        table = np.ascontiguousarray(array, dtype)
        kind = "int16_t[]" if dtype is np.int16 else "int32_t[]"
        pointer = ffi.from_buffer(kind, table)
        self._kept += [table, pointer]
        return pointer
