"""The convolutional code K=7, 171/133, and its soft-input list Viterbi decoder.

Knows bits and soft values only. Every block starts in state zero and ends with `TAIL_BITS`
zeros. A soft value is positive for a likely 1, negative for a likely 0, 0 for not sent.
Legend: N bits of a block with its tail, L paths.
Sources: J. P. Odenwalder, CCSDS 131.0-B (the code); ETSI EN 300 421 (rate 3/4);
N. Seshadri and C.-E. Sundberg, "List Viterbi decoding algorithms", IEEE Trans. Comm. 42 (1994).
"""

from functools import cache

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
_IMPOSSIBLE = 1 << 24


def coded_bits(n_bits: int, pattern: npt.NDArray[np.bool_]) -> int:
    """Bits that a block of `n_bits`, tail included, takes when sent with this pattern."""
    return int(np.resize(pattern, 2 * n_bits).sum())


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


def disagreement(bits: BitArray, pairs_N2: SoftArray) -> float:
    """Share of the soft values that contradict a decoded block: an estimate of bit errors."""
    coded = convolve(bits, FULL).reshape(-1, 2)
    wrong = (pairs_N2 != 0) & ((pairs_N2 > 0) != coded)
    return float(wrong.sum() / max(1, np.count_nonzero(pairs_N2)))


def viterbi(pairs_N2: SoftArray, known_N: IntArray, paths: int = 1) -> BitArray:
    """The likeliest blocks, best first.

    Args:
        pairs_N2: [N, 2] soft values.
        known_N: [N], 0 or 1 where a bit is known, -1 where not.
        paths: how many, L.

    Returns:
        [L, N] bits.
    """
    before, signs, inputs = _trellis()
    gains = (pairs_N2 @ signs).reshape(-1, _STATES, 2).astype(np.int64)
    gains[(known_N[:, None] >= 0) & (known_N[:, None] != inputs)] -= _IMPOSSIBLE
    metrics = np.full((_STATES, paths), -(_IMPOSSIBLE << 16), np.int64)
    metrics[0, 0] = 0
    choices = np.empty((len(gains), _STATES, paths), np.int16)
    for step, gain in enumerate(gains):
        options = (metrics[before] + gain[:, :, None]).reshape(_STATES, -1)
        choices[step] = (-options).argsort(1, kind="stable")[:, :paths]
        metrics = np.take_along_axis(options, choices[step].astype(np.int64), 1)
    return _trace(choices)


def _trace(choices: npt.NDArray[np.int16]) -> BitArray:
    """Follow the choices [N, states, L] back from state zero."""
    steps, _, paths = choices.shape
    states, ranks = np.zeros(paths, np.int64), np.arange(paths)
    blocks = np.empty((paths, steps), np.uint8)
    for step in range(steps - 1, -1, -1):
        blocks[:, step] = states >> TAIL_BITS - 1
        branches, ranks = np.divmod(choices[step, states, ranks], paths)
        states = (states << 1 & _STATES - 1) | branches
    return blocks


@cache
def _trellis() -> tuple[IntArray, SoftArray, IntArray]:
    """Per state: its two states before, [2, states * 2] signs of coded bits, its input bit."""
    states = np.arange(_STATES)
    before = (states << 1 & _STATES - 1)[:, None] | np.arange(2)
    inputs = states >> TAIL_BITS - 1
    registers = inputs[:, None] << TAIL_BITS | before
    ones = [[(int(r) & g).bit_count() & 1 for r in registers.reshape(-1)] for g in _GENERATORS]
    return before, 2 * np.array(ones, np.int32) - 1, inputs
