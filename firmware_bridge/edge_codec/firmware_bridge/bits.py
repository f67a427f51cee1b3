"""Numbers of a fixed width to bytes and back, most significant bit first.

Knows arrays and bytes only.
"""

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int64]


def pack_bits(values: IntArray, bits_per_value: int) -> bytes:
    """Pack numbers one behind the other, each most significant bit first.

    Args:
        values: [N], each in [0, 2**bits_per_value).
        bits_per_value: 1 to 16.

    Returns:
        ceil(N * bits_per_value / 8) bytes; spare low bits of the last one are zero.
    """
    shifts = np.arange(bits_per_value - 1, -1, -1)
    return np.packbits((values[:, None] >> shifts & 1).astype(np.uint8)).tobytes()


def unpack_bits(packed: bytes, count: int, bits_per_value: int) -> IntArray:
    """Inverse of `pack_bits` for the first `count` numbers; `packed` must hold them.

    Returns:
        [count] int64.
    """
    bits = np.unpackbits(np.frombuffer(packed, np.uint8), count=count * bits_per_value)
    weights = 1 << np.arange(bits_per_value - 1, -1, -1)
    return bits.reshape(count, bits_per_value).astype(np.int64) @ weights
