"""Codes to bytes and back: most significant bit first, no gap between codes. Needs numpy only.

The link packs in the same order, so a block of a file and a packet hold the same bits.
"""

import numpy as np
import numpy.typing as npt

from edge_codec.runtime.errors import CodeRangeError

IntArray = npt.NDArray[np.integer]

MAX_BITS_PER_CODE = 16


def packed_bytes(count: int, bits_per_code: int) -> int:
    """Bytes that `count` codes fill, the last one padded with zero bits."""
    return -(-count * bits_per_code // 8)


def pack_codes(codes: IntArray, bits_per_code: int) -> bytes:
    """Pack codes in C order, each most significant bit first.

    >>> pack_codes(np.array([0x3FF, 0, 1]), 10).hex()
    'ffc00004'

    Args:
        codes: any shape, whole numbers in [0, 2**bits_per_code).
        bits_per_code: 1 to 16.

    Returns:
        `packed_bytes(codes.size, bits_per_code)` bytes; spare low bits of the last one are zero.

    Raises:
        CodeRangeError: a value does not fit, or is not a whole number.
    """
    if not np.issubdtype(codes.dtype, np.integer):
        raise CodeRangeError(f"codes must be whole numbers, got dtype {codes.dtype}")
    if codes.size and not 0 <= codes.min() <= codes.max() < 1 << bits_per_code:
        raise CodeRangeError(
            f"codes span {codes.min()} to {codes.max()}, outside {bits_per_code} bits each"
        )
    shifts = _shifts(bits_per_code)
    bits = (codes.reshape(-1, 1).astype(np.uint32) >> shifts) & 1
    return np.packbits(bits.astype(np.uint8)).tobytes()


def unpack_codes(data: bytes, count: int, bits_per_code: int) -> npt.NDArray[np.int64]:
    """Inverse of `pack_codes`.

    Args:
        data: at least `packed_bytes(count, bits_per_code)` bytes; what follows is ignored.
        count: codes to take.
        bits_per_code: 1 to 16.

    Returns:
        [count], values in [0, 2**bits_per_code).

    Raises:
        CodeRangeError: the data is too short.
    """
    shifts = _shifts(bits_per_code)
    if len(data) < packed_bytes(count, bits_per_code):
        raise CodeRangeError(f"{len(data)} bytes cannot hold {count} codes of {bits_per_code} bits")
    bits = np.unpackbits(np.frombuffer(data, np.uint8), count=count * bits_per_code)
    weights = np.int64(1) << shifts.astype(np.int64)
    return bits.reshape(count, bits_per_code) @ weights


def _shifts(bits_per_code: int) -> npt.NDArray[np.uint32]:
    if not 1 <= bits_per_code <= MAX_BITS_PER_CODE:
        raise CodeRangeError(f"a code has 1 to {MAX_BITS_PER_CODE} bits, got {bits_per_code}")
    return np.arange(bits_per_code - 1, -1, -1, dtype=np.uint32)
