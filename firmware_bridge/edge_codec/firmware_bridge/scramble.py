"""Order and whitening of the bits of a body: errors in a row come apart, long runs vanish.

Knows bits only; both are their own definition in docs/protocol.md.
"""

from functools import cache
from itertools import count
from math import gcd

import numpy as np
import numpy.typing as npt

from edge_codec.firmware_bridge.bits import IntArray

BitArray = npt.NDArray[np.uint8]


def scramble(bits: BitArray) -> BitArray:
    """Interleave, then whiten: bit i goes to place (i * s) mod n."""
    mixed = np.empty_like(bits)
    mixed[_places(len(bits))] = bits
    return mixed ^ _whitener(len(bits))


def unscramble(mixed: BitArray) -> BitArray:
    """Inverse of `scramble`."""
    return (mixed ^ _whitener(len(mixed)))[_places(len(mixed))]


@cache
def _places(n: int) -> IntArray:
    """s is the smallest odd number of at least 0.618 n without a divisor in common with n."""
    smallest = -(-618 * n // 1000)
    stride = next(s for s in count(smallest) if s % 2 and gcd(s, n) == 1)
    return np.arange(n) * stride % n


@cache
def _whitener(n: int) -> BitArray:
    """PN9: nine ones, then each bit is the sum of those nine and four places before it."""
    bits = np.ones(max(n, 9), np.uint8)
    for i in range(9, n):
        bits[i] = bits[i - 9] ^ bits[i - 4]
    return bits[:n]
