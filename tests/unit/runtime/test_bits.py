import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_codec.runtime.bits import pack_codes, packed_bytes, unpack_codes
from edge_codec.runtime.errors import CodeRangeError


@st.composite
def codes_and_bits(draw):
    bits = draw(st.integers(1, 16))
    codes = draw(st.lists(st.integers(0, 2**bits - 1), max_size=50))
    return np.array(codes, np.int64), bits


@pytest.mark.parametrize(
    ("codes", "bits", "packed"),
    [
        ([], 10, ""),
        ([1], 1, "80"),
        ([0x3FF, 0, 1], 10, "ffc00004"),
        ([0x123, 0x2AA, 0x055, 0x300], 10, "48eaa15700"),
        ([0xFFFF, 0x0001], 16, "ffff0001"),
    ],
)
def test_literal_vectors(codes, bits, packed):
    assert pack_codes(np.array(codes, np.int64), bits).hex() == packed
    assert unpack_codes(bytes.fromhex(packed), len(codes), bits).tolist() == codes


@given(codes_and_bits())
def test_round_trip(case):
    codes, bits = case
    packed = pack_codes(codes, bits)
    assert len(packed) == packed_bytes(len(codes), bits)
    assert (unpack_codes(packed, len(codes), bits) == codes).all()
    assert (unpack_codes(packed + b"\xff", len(codes), bits) == codes).all()


@given(codes_and_bits())
def test_every_cut_is_refused(case):
    codes, bits = case
    packed = pack_codes(codes, bits)
    for size in range(len(packed)):
        with pytest.raises(CodeRangeError, match="cannot hold"):
            unpack_codes(packed[:size], len(codes), bits)


def test_shape_and_dtype_do_not_matter():
    codes = np.arange(24).reshape(2, 3, 4)
    assert pack_codes(codes.astype(np.uint8), 5) == pack_codes(codes.ravel(), 5)


@pytest.mark.parametrize("codes", [np.array([1024]), np.array([-1]), np.array([0.5])])
def test_codes_that_do_not_fit_are_refused(codes):
    with pytest.raises(CodeRangeError):
        pack_codes(codes, 10)


@pytest.mark.parametrize("bits", [0, 17])
def test_impossible_widths_are_refused(bits):
    with pytest.raises(CodeRangeError, match="1 to 16"):
        pack_codes(np.array([0]), bits)
