"""Error correction: what each code must correct, exactly."""

from itertools import combinations, islice

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_codec.firmware_bridge.convolution import (
    FULL,
    PUNCTURED,
    TAIL_BITS,
    coded_bits,
    convolve,
    disagreement,
    iter_blocks,
    unpuncture,
)
from edge_codec.firmware_bridge.golay import decode_golay, encode_golay
from edge_codec.firmware_bridge.scramble import scramble, unscramble

BITS = st.lists(st.integers(0, 1), min_size=1, max_size=90)


def block_of(bits: list[int]) -> np.ndarray:
    return np.array([*bits, *[0] * TAIL_BITS], np.uint8)


def soft_of(coded: np.ndarray) -> np.ndarray:
    return 2 * coded.astype(np.int32) - 1


def unknown(n_bits: int) -> np.ndarray:
    known_N = np.full(n_bits, -1)
    known_N[-TAIL_BITS:] = 0
    return known_N


@given(st.integers(0, 4095), st.sets(st.integers(0, 23), max_size=3))
def test_golay_corrects_three_errors(data: int, positions: set[int]) -> None:
    assert decode_golay(encode_golay(data) ^ sum(1 << p for p in positions)) == data


def test_golay_notices_four_errors() -> None:
    word = encode_golay(0x5A7)
    for positions in islice(combinations(range(24), 4), 0, None, 97):
        assert decode_golay(word ^ sum(1 << p for p in positions)) is None


def test_golay_words_differ_in_eight_bits() -> None:
    assert min(encode_golay(data).bit_count() for data in range(1, 4096)) == 8


@given(BITS, st.sampled_from([FULL, PUNCTURED]))
def test_clean_blocks_round_trip(bits: list[int], pattern: np.ndarray) -> None:
    block = block_of(bits)
    coded = convolve(block, pattern)
    assert len(coded) == coded_bits(len(block), pattern)
    pairs_N2 = unpuncture(soft_of(coded), len(block), pattern)
    decoded = next(iter_blocks(pairs_N2, unknown(len(block))))
    assert (decoded == block).all()
    assert disagreement(decoded, pairs_N2) == 0


@given(BITS, st.data())
def test_half_rate_corrects_any_four_errors(bits: list[int], data: st.DataObject) -> None:
    block = block_of(bits)
    soft = soft_of(convolve(block, FULL))
    wrong = data.draw(st.sets(st.integers(0, len(soft) - 1), min_size=4, max_size=4))
    soft[list(wrong)] *= -1
    pairs_N2 = unpuncture(soft, len(block), FULL)
    decoded = next(iter_blocks(pairs_N2, unknown(len(block))))
    assert (decoded == block).all()
    assert disagreement(decoded, pairs_N2) == pytest.approx(4 / len(soft))


def test_soft_values_decide_between_hard_ones() -> None:
    block = block_of([1, 0, 1, 1, 0, 0, 1, 0])
    soft = soft_of(convolve(block, FULL)) * 4
    soft[4:12] = -np.sign(soft[4:12])  # eight wrong bits, but doubtful ones
    decoded = next(iter_blocks(unpuncture(soft, len(block), FULL), unknown(len(block))))
    assert (decoded == block).all()


def test_further_blocks_come_in_order_and_never_twice() -> None:
    rng = np.random.default_rng(1)
    pairs_N2 = rng.integers(-3, 4, (15, 2)).astype(np.int32)
    blocks = list(islice(iter_blocks(pairs_N2, unknown(15)), 200))
    scores = [int((pairs_N2.reshape(-1) * soft_of(convolve(b, FULL))).sum()) for b in blocks]
    assert scores == sorted(scores, reverse=True)
    assert len({block.tobytes() for block in blocks}) == 200
    best = max(
        int((pairs_N2.reshape(-1) * soft_of(convolve(block_of(bits), FULL))).sum())
        for n in range(1 << 9)
        for bits in [[n >> i & 1 for i in range(9)]]
    )
    assert scores[0] == best


def test_known_bits_are_kept_and_all_blocks_are_found() -> None:
    pairs_N2 = np.random.default_rng(2).integers(-3, 4, (12, 2)).astype(np.int32)
    known_N = unknown(12)
    known_N[2] = 1
    blocks = list(iter_blocks(pairs_N2, known_N))
    assert len(blocks) == 2**5
    assert all(block[2] == 1 for block in blocks)


@given(st.binary(min_size=1, max_size=200))
def test_scrambling_round_trips(data: bytes) -> None:
    bits = np.unpackbits(np.frombuffer(data, np.uint8))
    assert (unscramble(scramble(bits)) == bits).all()


def test_neighbours_on_the_air_are_no_neighbours_in_the_block() -> None:
    quiet = scramble(np.zeros(1264, np.uint8))
    order = []
    for place in range(64):
        hit = quiet.copy()
        hit[place] ^= 1
        order.append(int(np.flatnonzero(unscramble(hit))[0]))
    distances = np.abs(np.subtract.outer(order, order))[np.triu_indices(64, 1)]
    assert distances.min() >= 5
