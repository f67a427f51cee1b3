"""Golay code (24,12): 12 bits in 24, any three of them may be wrong. Knows integers only.

Source: M. J. E. Golay, "Notes on digital coding", Proc. IRE 37 (1949); generator
x^11 + x^10 + x^6 + x^5 + x^4 + x^2 + 1 and an overall parity bit.
"""

from functools import cache
from itertools import combinations

DATA_BITS = 12
CODED_BITS = 24

_GENERATOR = 0xC75
_CHECK_MASK = 0xFFF
_MOST_ERRORS = 3


def encode_golay(data: int) -> int:
    """The codeword of 12 bits: data, 11 check bits, parity.

    >>> hex(encode_golay(0x5A7))
    '0x5a7fda'
    """
    return _codewords()[data]


def decode_golay(word: int) -> int | None:
    """The data of the only codeword at most three bits away; None if there is none."""
    errors = _errors_by_syndrome().get(_syndrome(word))
    return None if errors is None else (word ^ errors) >> DATA_BITS


@cache
def _codewords() -> list[int]:
    return [_encode(data) for data in range(1 << DATA_BITS)]


def _encode(data: int) -> int:
    remainder = data << 11
    for shift in range(11, -1, -1):
        if remainder >> shift + 11 & 1:
            remainder ^= _GENERATOR << shift
    word = (data << 11 | remainder) << 1
    return word | word.bit_count() & 1


def _syndrome(word: int) -> int:
    """What the check bits are wrong by: the same for all words with the same errors."""
    return (encode_golay(word >> DATA_BITS) ^ word) & _CHECK_MASK


@cache
def _errors_by_syndrome() -> dict[int, int]:
    patterns = (
        sum(1 << place for place in places)
        for count in range(_MOST_ERRORS + 1)
        for places in combinations(range(CODED_BITS), count)
    )
    return {_syndrome(errors): errors for errors in patterns}
