"""Context coding: exact on every machine, whole behind any cut, calm about any bits."""

import sys
from fractions import Fraction
from io import BytesIO
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_codec.runtime import load_bundle
from edge_codec.runtime.context_coding import ContextCoder
from edge_codec.runtime.context_model import ContextModel, load_context_model
from edge_codec.runtime.context_odds import NetTables, NumpyOdds, odds_class
from edge_codec.runtime.ecf import EcfReader, EcfWriter
from edge_codec.runtime.errors import BundleError, CodeRangeError
from edge_codec.runtime.interval import IntervalReader, IntervalWriter
from edge_codec.runtime.packing import PlainPacking, pack_units, unpack_units
from support.stub_context import context_bytes, make_context, make_context_bundle

LAYERS = 4
CODER = ContextCoder(ContextModel(make_context()), LAYERS)


def random_codes(frames: int, seed: int = 0, size: int = 16, layers: int = LAYERS) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, size, (frames, layers))


def arrived(coder: ContextCoder, codes_FK: np.ndarray, layers: int) -> np.ndarray:
    numbers_FL = coder.pack(codes_FK, layers)
    _, valid_F = coder.unpack(numbers_FL, np.full(len(codes_FK), layers))
    return valid_F


@st.composite
def symbols(draw):
    """(start, size, total) of symbols one behind the other."""
    message = []
    for _ in range(draw(st.integers(1, 30))):
        total = draw(st.integers(1, 2**24))
        start = draw(st.integers(0, total - 1))
        message.append((start, draw(st.integers(1, total - start)), total))
    return message


@given(symbols(), st.integers(0, 200))
def test_an_interval_gives_back_what_fits(message, bits):
    writer = IntervalWriter(bits)
    for symbol in message:
        if not writer.put(*symbol):
            break
    reader, width = IntervalReader(writer.message(), bits), Fraction(1)
    for start, size, total in message[: writer.said()]:
        assert start <= reader.position(total) < start + size
        assert reader.take(start, size, total)
        width *= Fraction(size, total)
    assert width >= Fraction(1, 2**bits)


def test_few_bits_are_lost_at_the_end():
    rng = np.random.default_rng(0)
    spare = []
    for bits in range(20, 120):
        writer = IntervalWriter(bits)
        while writer.put(int(rng.integers(50)), 1, 50):
            pass
        spare.append(bits - writer.said() * np.log2(50))
    assert np.mean(spare) < np.log2(50) / 2 + 2


@given(st.integers(1, 30), st.integers(1, LAYERS), st.integers(0, 2**32 - 1))
def test_codes_come_back_as_far_as_they_fit(frames, layers, seed):
    codes_FK = random_codes(frames, seed)
    numbers_FL = CODER.pack(codes_FK, layers)
    assert numbers_FL.shape == (frames, layers)
    assert 0 <= numbers_FL.min() <= numbers_FL.max() < 16
    before_F = np.zeros(frames, np.int64)
    for count in range(layers + 1):  # whatever was cut off
        got_FK, valid_F = CODER.unpack(numbers_FL, np.full(frames, count))
        is_there_FK = np.arange(LAYERS) < valid_F[:, None]
        np.testing.assert_array_equal(got_FK, np.where(is_there_FK, codes_FK, 16))
        assert (valid_F >= before_F).all()
        before_F = valid_F
    # Taken as equally likely, all but one would fit: one bit says how they were taken.
    assert before_F.sum() >= frames * layers - 1


@given(st.integers(1, 30), st.data())
def test_any_numbers_are_some_codes(frames, data):
    layers = data.draw(st.integers(0, LAYERS))
    numbers = st.lists(st.integers(0, 15), min_size=frames * layers, max_size=frames * layers)
    numbers_FL = np.array(data.draw(numbers), np.int64).reshape(frames, layers)
    codes_FK, valid_F = CODER.unpack(numbers_FL, np.full(frames, layers))
    assert 0 <= codes_FK.min(initial=0) <= codes_FK.max(initial=0) <= 16
    assert ((codes_FK < 16).sum(axis=1) == valid_F).all()


def test_the_least_that_arrived_counts():
    numbers_FL = CODER.pack(random_codes(6), 3)
    both = [CODER.unpack(numbers_FL, np.array(valid)) for valid in ([2] * 6, [3, 2, 3, 3, 3, 3])]
    np.testing.assert_array_equal(both[0][0], both[1][0])
    codes_FK, valid_F = CODER.unpack(numbers_FL, np.array([0, 3, 3, 3, 3, 3]))
    assert (codes_FK == 16).all()
    assert (valid_F == 0).all()


def test_what_is_likely_takes_fewer_bits():
    arrays = make_context()
    arrays["logit_bias_0"][:] = arrays["logit_bias_1"][:] = 0
    arrays["logit_bias_0"][3] = arrays["logit_bias_1"][5] = 5000
    coder = ContextCoder(ContextModel(arrays), LAYERS)
    likely_FK = np.tile([3, 5, 1, 1], (8, 1))
    assert arrived(coder, likely_FK, 2).sum() >= 18
    assert arrived(coder, np.tile([4, 6, 1, 1], (8, 1)), 2).sum() in (15, 16)


def test_loud_frames_get_more_layers():
    arrays = make_context()
    arrays["levels"] = np.where(np.arange(16) < 8, -10, -60).astype(np.int16)
    coder = ContextCoder(ContextModel(arrays), LAYERS)
    codes_FK = random_codes(8)
    codes_FK[:, 0] = [1, 9, 2, 10, 3, 11, 4, 12]
    valid_F = arrived(coder, codes_FK, 2)
    assert (valid_F[1::2] == 1).all()
    assert (valid_F[::2] >= 2).all()


def test_odds_do_not_depend_on_company():
    model = ContextModel(make_context())
    codes_FK, steps_FK = random_codes(9), np.arange(36).reshape(9, 4)
    for layer in (0, 1):
        together = model.cumulative_odds(codes_FK, steps_FK, np.arange(9), layer)
        for frame in range(9):
            alone = model.cumulative_odds(codes_FK, steps_FK, np.array([frame]), layer)
            np.testing.assert_array_equal(alone[0], together[frame])
        assert (np.diff(together, axis=1) >= 1).all()


def test_the_environment_may_ask_for_numpy(monkeypatch):
    monkeypatch.setenv("EDGE_CODEC_LINK", "python")
    assert odds_class() is NumpyOdds


def test_an_older_c_library_leaves_it_to_numpy(monkeypatch):
    older = SimpleNamespace(ffi=None, lib=SimpleNamespace())
    monkeypatch.setitem(sys.modules, "edge_codec.firmware_bridge._edge_link", older)
    monkeypatch.delitem(sys.modules, "edge_codec.runtime.context_native", raising=False)
    assert odds_class() is NumpyOdds


@given(st.integers(0, 2**16), st.integers(1, 12))
def test_c_and_numpy_give_the_same_odds(seed, frames):
    native = pytest.importorskip("edge_codec.runtime.context_native").NativeOdds
    rng = np.random.default_rng(seed)
    size, dim, places = (int(rng.integers(1, most)) for most in (40, 9, 30))
    widths = [places * dim, int(rng.integers(1, 30)), int(rng.integers(1, 30)), size]

    def draw(most, *shape):
        return rng.integers(-most, most + 1, shape)

    tables = NetTables(
        entries_LNE=draw(127, 2, size, dim),
        places_P2=np.stack([draw(4, places), rng.integers(0, 2, places)], axis=1),
        products=[(draw(127, a, b), draw(1 << 22, b)) for a, b in pairwise(widths)],
    )
    codes_FK = rng.integers(0, size, (frames, 3))
    steps_FK = rng.integers(0, 2 * frames, (frames, 3))
    both = [
        make(tables).cumulative(codes_FK, steps_FK, np.arange(frames), layer=1)
        for make in (native, NumpyOdds)
    ]
    np.testing.assert_array_equal(*both)


def test_golden_message():
    """The worked example of docs/context-coding.md; another result is another format."""
    codes_FK = np.array([[1, 2, 3, 4], [5, 6, 7, 8], [9, 10, 11, 12], [13, 14, 15, 0]])
    numbers_FL = CODER.pack(codes_FK, 2)
    assert numbers_FL.T.tolist() == GOLDEN_NUMBERS
    _, valid_F = CODER.unpack(numbers_FL, np.full(4, 2))
    assert valid_F.tolist() == GOLDEN_LAYERS
    steps_FK = np.full((4, 4), 16)
    steps_FK[:, 0] = np.arange(4)
    ends_N = CODER._model.cumulative_odds(codes_FK, steps_FK, np.array([2]), 0)[0]
    assert ends_N.tolist() == GOLDEN_ENDS


GOLDEN_NUMBERS = [[0, 10, 12, 14], [11, 1, 3, 9]]
GOLDEN_LAYERS = [2, 3, 1, 1]
GOLDEN_ENDS = [16384, 16396, 16547, 16604, 18278, 18341, 18344, 18462]
GOLDEN_ENDS += [18466, 18471, 18522, 18560, 18629, 18630, 19246, 19332]


@pytest.mark.parametrize(
    "codes",
    [np.zeros((3, 2), int), np.zeros((0, 4), int), np.full((3, 4), 16), np.full((3, 4), -1)],
)
def test_only_whole_superframes_of_codes_are_packed(codes):
    with pytest.raises(CodeRangeError):
        CODER.pack(codes, 2)


def test_numbers_too_long_are_refused():
    with pytest.raises(CodeRangeError, match="16 does not fit into 4 bits"):
        CODER.unpack(np.full((3, 2), 16), np.full(3, 2))


def hostile_tables():
    yield "levels", None
    yield "levels", np.zeros((16, 1), np.int16)
    yield "levels", np.zeros(16, np.float32)
    yield "levels", np.zeros(0, np.int16)
    yield "layer_db", np.array(0, np.int8)
    yield "entries", np.zeros((2, 15, 3), np.int8)
    yield "entries", np.full((2, 16, 3), 128, np.int16)
    yield "entries", np.full((2, 16, 3), -(2**63))
    yield "entries", np.zeros((40, 16, 3), np.int8)
    yield "places_0", np.array([[0, 2]], np.int8)
    yield "places_1", np.array([[0, -1]], np.int8)
    yield "places_1", np.array([[-100, 0]], np.int8)
    yield "hidden_0", np.zeros((5, 6), np.int8)
    yield "rank_1", np.zeros((600, 4), np.int8)
    yield "logit_0", np.zeros((4, 17), np.int8)
    yield "logit_bias_1", np.full(16, 2**24, np.int32)
    yield "levels", np.zeros(1 << 16, np.int16)


@pytest.mark.parametrize(("name", "table"), list(hostile_tables()))
def test_hostile_tables_are_refused(name, table):
    arrays = make_context() | ({} if table is None else {name: table})
    if table is None:
        del arrays[name]
    with pytest.raises(BundleError, match="context model"):
        ContextModel(arrays)


def test_too_wide_to_be_exact_is_refused():
    arrays = make_context()
    arrays["hidden_0"] = np.zeros((6, 600), np.int8)
    arrays["hidden_bias_0"] = np.zeros(600, np.int32)
    arrays["rank_0"] = np.zeros((600, 4), np.int8)
    with pytest.raises(BundleError, match="600 inputs"):
        ContextModel(arrays)


@pytest.mark.parametrize(
    "spoil", [lambda data: data[:50], lambda data: b"", lambda data: b"x" * 99]
)
def test_a_spoilt_file_is_one_sentence(tmp_path, spoil):
    path = tmp_path / "context.npz"
    path.write_bytes(spoil(context_bytes(make_context())))
    with pytest.raises(BundleError, match="get the bundle again"):
        load_context_model(path)


def test_no_pickles(tmp_path):
    path = tmp_path / "context.npz"
    np.savez(path, levels=np.array([{}], object))
    with pytest.raises(BundleError, match="get the bundle again"):
        load_context_model(path)


def test_a_bundle_knows_its_packing(tmp_path):
    plain = load_bundle(make_context_bundle(tmp_path / "a").parent / "a")
    assert isinstance(plain.open_packing(), ContextCoder)
    other = load_bundle(make_context_bundle(tmp_path / "b", context_bytes(make_context(16))))
    with pytest.raises(BundleError, match="another codec"):
        other.open_packing()
    assert plain.model_hash != other.model_hash  # equal codes, carried in other ways


def test_units_come_and_go_by_themselves():
    codes_FK = random_codes(50)
    numbers_FL = pack_units(CODER, codes_FK, 2, 8)
    assert numbers_FL.shape == (50, 2)
    valid_F = np.full(50, 2)
    valid_F[8:16] = 0
    got_FK, layers_F = unpack_units(CODER, numbers_FL, valid_F, 8)
    is_there = np.arange(LAYERS) < layers_F[:, None]
    np.testing.assert_array_equal(got_FK, np.where(is_there, codes_FK, 16))
    assert (layers_F[8:16] == 0).all()
    assert layers_F[:8].sum() >= 15
    assert layers_F[16:].sum() >= 2 * 34 - 5
    plain_FL = pack_units(PlainPacking(), codes_FK, 2, 8)
    np.testing.assert_array_equal(plain_FL, codes_FK[:, :2])
    same_FL, same_F = unpack_units(PlainPacking(), plain_FL, valid_F, 8)
    np.testing.assert_array_equal(same_FL, plain_FL)
    np.testing.assert_array_equal(same_F, valid_F)


def test_files_hold_messages(tmp_path):
    packing = load_bundle(make_context_bundle(tmp_path / "m")).open_packing()
    from edge_codec.runtime.ecf import EcfHeader

    header = EcfHeader.for_codec(
        load_bundle("voice-s").spec,
        channels=2,
        layers=3,
        model_name="m",
        model_hash="00" * 32,
        source_rate_hz=16_000,
        source_channels=2,
    )
    codes_FCK = np.stack([random_codes(120, n, 1024, 12) for n in (0, 1)], axis=1)
    file = BytesIO()
    writer = EcfWriter(file, header, packing=packing)
    for piece in np.array_split(codes_FCK, 7):
        writer.write(piece)
    writer.finish(length_samples=120 * 320, loudness_dbfs=-20)
    start = 0
    for block in EcfReader(BytesIO(file.getvalue())).blocks():
        for channel in (0, 1):
            frames = len(block.codes)
            got_FK, valid_F = packing.unpack(block.codes[:, channel], np.full(frames, 3))
            is_there = np.arange(12) < valid_F[:, None]
            sent_FK = codes_FCK[start : start + frames, channel]
            np.testing.assert_array_equal(got_FK, np.where(is_there, sent_FK, 1024))
            assert valid_F.sum() >= 3 * frames - 2
        start += frames
    assert start == 120
