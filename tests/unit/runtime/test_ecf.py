from io import BytesIO
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_codec.runtime.ecf import MAGIC, MAX_GAP_FRAMES, EcfHeader, EcfReader, EcfWriter, Kind
from edge_codec.runtime.errors import AudioError
from edge_codec.runtime.records import Record, RecordScanner, pack_record
from edge_codec.runtime.spec import CodecSpec

SPEC = CodecSpec(
    sample_rate_hz=16_000, strides=(160, 2), layers=12, bits_per_code=10, delay_samples=320
)
HEADER = EcfHeader(
    model_name="stub",
    model_hash="ab" * 32,
    sample_rate_hz=16_000,
    hop_samples=320,
    bits_per_code=10,
    layers=3,
    channels=2,
    frames_per_block=4,
    source_rate_hz=44_100,
    source_channels=2,
)
CODES = np.random.default_rng(0).integers(0, 1024, (18, 2, 3))
PAGE = Path(__file__).parents[3] / "docs" / "ecf.md"


def make_file(codes=CODES, header=HEADER):
    file = BytesIO()
    writer = EcfWriter(file, header)
    writer.write(codes)
    writer.finish(length_samples=12_345, loudness_dbfs=-23.456)
    assert writer.written_bytes == len(file.getvalue())
    assert writer.frames == len(codes)
    return file.getvalue()


WHOLE = make_file()


class Pipe(BytesIO):
    """A file that cannot seek and gives one byte at a time."""

    def seekable(self):
        return False

    def read1(self, size=-1):
        return self.read(min(size, 1))


def read(data, kind=BytesIO):
    """The reader after its last block, the codes with -1 for what is lost."""
    reader = EcfReader(kind(data))
    blocks = list(reader.blocks())
    pieces = [np.where(block.is_lost, -1, block.codes) for block in blocks]
    codes = np.concatenate([np.zeros((0, 2, 3), np.int64), *pieces])
    assert reader.frames == len(codes)
    assert reader.lost_frames == (codes == -1).all(axis=(1, 2)).sum()
    return reader, codes


def record_spans():
    """Where each record of the whole file begins and ends."""
    sizes = [len(pack_record(record)) for record in RecordScanner().scan([WHOLE])]
    ends = np.cumsum([len(MAGIC), *sizes])
    return list(pairwise(ends))


def test_round_trip():
    reader, codes = read(WHOLE)
    assert (codes == CODES).all()
    assert reader.is_complete
    assert reader.total_frames == 18
    assert reader.header.length_samples == 12_345
    assert reader.header.loudness_dbfs == -23.46
    assert reader.header.model_hash == "ab" * 32


@pytest.mark.parametrize("step", [1, 3, 4, 5, 18])
def test_the_file_does_not_depend_on_chunks(step):
    file = BytesIO()
    writer = EcfWriter(file, HEADER)
    for start in range(0, 18, step):
        writer.write(CODES[start : start + step])
    writer.finish(length_samples=12_345, loudness_dbfs=-23.456)
    assert file.getvalue() == WHOLE


def test_one_byte_at_a_time_from_a_pipe():
    reader, codes = read(WHOLE, Pipe)
    assert (codes == CODES).all()
    assert reader.total_frames is None
    assert reader.header.length_samples == 12_345


def test_trailing_bytes_are_ignored():
    for junk in (b"x", WHOLE[8:50], bytes(3000)):
        reader, codes = read(WHOLE + junk)
        assert (codes == CODES).all()
        assert reader.is_complete


def test_blocks_can_be_read_before_the_file_is_finished():
    file = BytesIO()
    EcfWriter(file, HEADER).write(CODES)
    reader, codes = read(file.getvalue(), Pipe)
    assert (codes == CODES[:16]).all()
    assert not reader.is_complete
    assert reader.header.length_samples is None


@pytest.mark.parametrize("kind", [BytesIO, Pipe])
def test_cut_at_each_length(kind):
    (_, header_end), *blocks, _ = record_spans()
    for size in range(len(WHOLE)):
        if size < header_end:
            with pytest.raises(AudioError, match=r"not an \.ecf file"):
                read(WHOLE[:size], kind)
            continue
        reader, codes = read(WHOLE[:size], kind)
        intact = min(18, 4 * sum(end <= size for _, end in blocks))
        assert (codes == CODES[:intact]).all()
        assert not reader.is_complete


def test_each_lost_block_is_a_gap_of_its_length():
    _, *blocks, _ = record_spans()
    for index, (start, end) in enumerate(blocks):
        reader, codes = read(WHOLE[:start] + WHOLE[end:])
        expected = CODES.copy()
        expected[4 * index : 4 * index + 4] = -1
        assert (codes == expected).all()
        assert reader.lost_frames == (2 if index == 4 else 4)
        assert reader.is_complete


def test_all_blocks_lost_is_one_gap():
    (_, start), *_, (end, _) = record_spans()
    _, codes = read(WHOLE[:start] + WHOLE[end:])
    assert codes.shape == CODES.shape
    assert (codes == -1).all()


@given(st.integers(0, len(WHOLE) - 1), st.integers(1, 255))
@settings(max_examples=400)
def test_one_wrong_byte_costs_one_block_at_most(position, flip):
    data = bytearray(WHOLE)
    data[position] ^= flip
    reader, codes = read(bytes(data))
    assert codes.shape == CODES.shape
    assert ((codes == CODES) | (codes == -1)).all()
    assert reader.lost_frames <= 4


@given(st.integers(0, len(WHOLE)), st.integers(0, len(WHOLE)), st.binary(max_size=40))
@settings(max_examples=300)
def test_a_hole_or_junk_anywhere_gives_only_true_codes(first, second, junk):
    start, end = sorted((first, second))
    try:
        _, codes = read(WHOLE[:start] + junk + WHOLE[end:])
    except AudioError:
        return
    known = CODES[: len(codes)]
    assert ((codes == known) | (codes == -1)).all()


@given(st.binary(max_size=300), st.sampled_from([BytesIO, Pipe]))
def test_any_bytes_are_refused_clearly(data, kind):
    with pytest.raises(AudioError, match=r"not an \.ecf file"):
        read(MAGIC + data, kind)


@given(st.lists(st.tuples(st.integers(1, 4), st.integers(0, 2**32 - 1), st.binary(max_size=40))))
def test_any_records_after_the_header_give_blocks_or_a_clear_error(records):
    forged = b"".join(pack_record(Record(*fields)) for fields in records if fields[1] < 10**4)
    start = WHOLE[: record_spans()[0][1]]
    try:
        reader = EcfReader(BytesIO(start + forged))
        assert sum(len(block.codes) for block in reader.blocks()) == reader.frames
    except AudioError as error:
        assert ".ecf" in str(error)


def test_a_jump_too_far_is_damage_and_not_hours_of_silence():
    start = WHOLE[: record_spans()[0][1]]
    block = b"\x00\x01" + bytes(8)
    for frame, frames in ((MAX_GAP_FRAMES + 1, 0), (2**32 - 1, 0), (7, 8)):
        _, codes = read(start + pack_record(Record(Kind.CODES, frame, block)))
        assert len(codes) == frames


def test_a_block_that_comes_twice_is_read_once():
    _, (start, end), *_ = record_spans()
    _, codes = read(WHOLE[:end] + WHOLE[start:])
    assert (codes == CODES).all()


def test_other_kinds_of_record_are_skipped():
    start = record_spans()[1][0]
    _, codes = read(WHOLE[:start] + pack_record(Record(77, 0, b"later")) + WHOLE[start:])
    assert (codes == CODES).all()


def test_another_format_version_is_refused():
    newer = pack_record(Record(Kind.HEADER, 0, b"\x00\x02" + HEADER.pack()[2:]))
    with pytest.raises(AudioError, match="format 2, this release reads 1; update"):
        read(MAGIC + newer)


WRONG = {
    "layers": 0,
    "channels": 33,
    "bits_per_code": 17,
    "source_rate_hz": 10**9,
    "model_name": "x" * 65,
    "source_channels": 0,
    "frames_per_block": 5000,
}


@pytest.mark.parametrize(("name", "value"), [*WRONG.items(), ("model_name", "\x1b[2J")])
def test_headers_that_cannot_be_are_refused(name, value):
    fields = {field: getattr(HEADER, field) for field in HEADER.__slots__}
    with pytest.raises(AudioError, match=r"\.ecf header"):
        EcfHeader(**(fields | {name: value}))


def test_blocks_hold_a_second_or_what_fits():
    names = {"model_name": "m", "model_hash": "00" * 32}
    common = names | {"source_rate_hz": 8000, "source_channels": 1}
    speech = EcfHeader.for_codec(SPEC, channels=1, layers=6, **common)
    assert speech.frames_per_block == 50
    assert speech.bitrate_bps == 3000
    wide = EcfHeader.for_codec(SPEC, channels=32, layers=12, **common)
    assert wide.frames_per_block == 17


def test_the_worked_example_of_the_page_is_what_is_written():
    example = PAGE.read_text().split("```hex\n")[1].split("```")[0]
    stated = bytes.fromhex("".join(line.split("#")[0] for line in example.splitlines()))
    header = EcfHeader.for_codec(
        SPEC,
        channels=1,
        layers=2,
        model_name="stub",
        model_hash="ab" * 32,
        source_rate_hz=44_100,
        source_channels=2,
    )
    file = BytesIO()
    writer = EcfWriter(file, header)
    writer.write(np.array([[[1, 2]], [[1023, 512]]]))
    writer.finish(length_samples=1000, loudness_dbfs=-20.0)
    assert file.getvalue() == stated
