"""The convolutional code K=7, 171/133, and its soft-input list Viterbi decoder.

Knows bits and soft values only. Every block starts in state zero and ends with `TAIL_BITS`
zeros. A soft value is positive for a likely 1, negative for a likely 0, 0 for not sent.
Legend: N bits of a block with its tail.
Sources: J. P. Odenwalder, CCSDS 131.0-B (the code); ETSI EN 300 421 (rate 3/4);
F. K. Soong and E.-F. Huang, "A tree-trellis based fast search for finding the N-best sentence
hypotheses", ICASSP 1991 (the list).
"""

from collections.abc import Iterator
from functools import cache
from heapq import heappop, heappush
from itertools import count

import numpy as np
import numpy.typing as npt

from edge_codec.firmware_bridge.bits import IntArray

BitArray = npt.NDArray[np.uint8]
SoftArray = npt.NDArray[np.int32]

TAIL_BITS = 6
FULL = np.array([1, 1], bool)
"""Rate 1/2: both coded bits of each bit are sent."""
PUNCTURED = np.array([1, 1, 0, 1, 1, 0], bool)
"""Rate 3/4: four of the six coded bits of three bits are sent."""

_GENERATORS = (0o171, 0o133)
_STATES = 1 << TAIL_BITS
_IMPOSSIBLE = 1 << 20


def coded_bits(n_bits: int, pattern: npt.NDArray[np.bool_]) -> int:
    """Bits that a block of `n_bits`, tail included, takes when sent with this pattern."""
    whole, rest = divmod(2 * n_bits, len(pattern))
    return int(whole * pattern.sum() + pattern[:rest].sum())


def convolve(bits: BitArray, pattern: npt.NDArray[np.bool_]) -> BitArray:
    """Code a block whose last `TAIL_BITS` bits are zero."""
    padded = np.concatenate([np.zeros(TAIL_BITS, np.uint8), bits])
    registers = np.lib.stride_tricks.sliding_window_view(padded, TAIL_BITS + 1)
    taps = np.array([[g >> i & 1 for g in _GENERATORS] for i in range(TAIL_BITS + 1)])
    coded: BitArray = (registers @ taps & 1).astype(np.uint8).reshape(-1)
    return coded[np.resize(pattern, len(coded))]


def unpuncture(soft: SoftArray, n_bits: int, pattern: npt.NDArray[np.bool_]) -> SoftArray:
    """[N, 2] soft values of a block of `n_bits`, 0 where nothing was sent."""
    pairs = np.zeros(2 * n_bits, np.int32)
    pairs[np.resize(pattern, 2 * n_bits)] = soft
    return pairs.reshape(n_bits, 2)


def disagreement(bits: BitArray, pairs_N2: SoftArray, part: slice = slice(None)) -> float:
    """Share of the soft values of a part that contradict a decoded block: it estimates errors."""
    coded, pairs = convolve(bits, FULL).reshape(-1, 2)[part], pairs_N2[part]
    wrong = (pairs != 0) & ((pairs > 0) != coded)
    return float(wrong.sum() / max(1, np.count_nonzero(pairs)))


def iter_blocks(pairs_N2: SoftArray, known_N: IntArray) -> Iterator[BitArray]:
    """The likeliest block, then the next likely, and so on.

    One forward pass; each further block leaves an earlier one where that costs least.

    Args:
        pairs_N2: [N, 2] soft values.
        known_N: [N], 0 or 1 where a bit is known, -1 where not.

    Yields:
        [N] bits.
    """
    choices, margins = _forward(pairs_N2, known_N)
    order = count()
    leaves = [(0, next(order), len(choices), 0, np.zeros(len(choices), np.uint8))]
    while leaves:
        cost, _, step, state, bits = heappop(leaves)
        bits = bits.copy()
        while step:
            step -= 1
            bits[step] = state >> TAIL_BITS - 1
            before = state << 1 & _STATES - 1
            choice, margin = int(choices[step, state]), int(margins[step, state])
            if margin < _IMPOSSIBLE // 2:
                leaf = (cost + margin, next(order), step, before | 1 - choice, bits)
                heappush(leaves, leaf)
            state = before | choice
        yield bits


def _forward(pairs_N2: SoftArray, known_N: IntArray) -> tuple[BitArray, SoftArray]:
    """Per step and state: which of its two states before is likelier, and by how much."""
    steps = len(pairs_N2)
    gains = (pairs_N2 @ _signs()).reshape(steps, 2, _STATES // 2, 2)
    is_known = np.flatnonzero(known_N >= 0)
    gains[is_known, 1 - known_N[is_known]] -= _IMPOSSIBLE
    leads = np.empty((steps, 2, _STATES // 2), np.int32)
    metrics = np.full(_STATES, -_IMPOSSIBLE << 8, np.int32)
    metrics[0] = 0
    options = np.empty(gains.shape[1:], np.int32)
    for step in range(steps):
        np.add(metrics.reshape(-1, 2), gains[step], out=options)
        np.subtract(options[..., 1], options[..., 0], out=leads[step])
        np.maximum(options[..., 0], options[..., 1], out=metrics.reshape(2, -1))
    leads_NS = leads.reshape(steps, _STATES)
    return (leads_NS > 0).astype(np.uint8), np.abs(leads_NS)


@cache
def _signs() -> SoftArray:
    """[2, inputs * states / 2 * 2] sign of each coded bit on each branch into each state."""
    registers = range(2 * _STATES)
    ones = [[(register & g).bit_count() & 1 for register in registers] for g in _GENERATORS]
    return 2 * np.array(ones, np.int32) - 1
