import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_codec.runtime.records import (
    MAX_PAYLOAD_BYTES,
    OVERHEAD_BYTES,
    SYNC,
    Record,
    RecordScanner,
    pack_record,
)

RECORDS = [
    Record(1, 0, b"head"),
    Record(2, 0, SYNC * 3),
    Record(2, 50, b""),
    Record(3, 99, b"\xec"),
]
STREAM = b"".join(map(pack_record, RECORDS))

record_lists = st.lists(
    st.builds(Record, st.integers(0, 255), st.integers(0, 2**32 - 1), st.binary(max_size=60)),
    max_size=6,
)


def scan(*chunks):
    return list(RecordScanner().scan(chunks))


def test_a_record_on_the_wire():
    assert pack_record(Record(2, 50, b"abc")).hex() == "ecf102000000320003616263eb90710f"


def test_whole():
    assert scan(STREAM) == RECORDS


def test_one_byte_at_a_time():
    assert scan(*(STREAM[i : i + 1] for i in range(len(STREAM)))) == RECORDS


@pytest.mark.parametrize("junk", [b"x", SYNC, SYNC + b"\x02", SYNC + bytes(9), SYNC * 100])
def test_with_junk_before_between_and_after(junk):
    dirty = junk + junk.join(map(pack_record, RECORDS)) + junk
    assert scan(dirty) == RECORDS
    assert scan(*(dirty[i : i + 1] for i in range(len(dirty)))) == RECORDS


def test_cut_at_each_length():
    ends = [len(b"".join(map(pack_record, RECORDS[: n + 1]))) for n in range(len(RECORDS))]
    for size in range(len(STREAM)):
        assert scan(STREAM[:size]) == RECORDS[: sum(end <= size for end in ends)]


def test_records_come_out_as_soon_as_they_are_whole():
    arrived = iter([pack_record(RECORDS[0]), pack_record(RECORDS[1])[:-1]])
    assert next(RecordScanner().scan(arrived)) == RECORDS[0]


def test_a_damaged_length_does_not_swallow_what_follows():
    liar = bytearray(pack_record(Record(2, 0, bytes(20))))
    liar[7:9] = (20 + 4 * OVERHEAD_BYTES).to_bytes(2, "big")
    assert scan(bytes(liar) + STREAM) == RECORDS


def test_longer_records_than_the_limit_are_not_waited_for():
    scanner = RecordScanner()
    scanner.limit_bytes = 10
    long = pack_record(Record(2, 0, bytes(MAX_PAYLOAD_BYTES)))
    assert list(scanner.scan([long + STREAM])) == RECORDS
    assert scan(long) == [Record(2, 0, bytes(MAX_PAYLOAD_BYTES))]


@given(st.lists(st.binary(max_size=200)))
def test_any_bytes_give_records_or_nothing(chunks):
    assert all(isinstance(record, Record) for record in scan(*chunks))


@given(record_lists, st.integers(1, 9))
def test_round_trip_in_any_pieces(records, size):
    stream = b"".join(map(pack_record, records))
    assert scan(*(stream[i : i + size] for i in range(0, len(stream), size))) == records


@given(record_lists, st.data())
def test_one_wrong_byte_costs_one_record_at_most(records, data):
    stream = bytearray(b"".join(map(pack_record, records)))
    if stream:
        stream[data.draw(st.integers(0, len(stream) - 1))] ^= data.draw(st.integers(1, 255))
    got = scan(bytes(stream))
    assert len(got) >= len(records) - 1
    assert all(record in records for record in got)
