"""Golay code (24,12): 12 bits in 24, any three of them may be wrong. Knows integers only.

Source: M. J. E. Golay, "Notes on digital coding", Proc. IRE 37 (1949); generator
x^11 + x^10 + x^6 + x^5 + x^4 + x^2 + 1 and an overall parity bit.
"""

from functools import cache

import numpy as np

from edge_codec.firmware_bridge.bits import IntArray

DATA_BITS = 12
CODED_BITS = 24

_GENERATOR = 0xC75
_MOST_ERRORS = 3


def encode_golay(data: int) -> int:
    """The codeword of 12 bits: data, 11 check bits, parity.

    >>> hex(encode_golay(0x5A7))
    '0x5a7fda'
    """
    remainder = data << 11
    for shift in range(11, -1, -1):
        if remainder >> shift + 11 & 1:
            remainder ^= _GENERATOR << shift
    word = (data << 11 | remainder) << 1
    return word | word.bit_count() & 1


def decode_golay(word: int) -> int | None:
    """The data of the only codeword at most three bits away; None if there is none."""
    difference = _codewords() ^ word
    distances = _weights()[difference >> DATA_BITS] + _weights()[difference & 0xFFF]
    nearest = int(distances.argmin())
    return nearest if distances[nearest] <= _MOST_ERRORS else None


@cache
def _codewords() -> IntArray:
    return np.array([encode_golay(data) for data in range(1 << DATA_BITS)])


@cache
def _weights() -> IntArray:
    """How many ones each 12-bit number has."""
    return np.array([number.bit_count() for number in range(1 << DATA_BITS)])
