"""A channel in time: pace, delay, order, and a fate that depends on the seed alone."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_codec.firmware_bridge import ChannelModel, Route
from edge_codec.firmware_bridge.route import OVERTAKEN_MAX_S, QUEUE_MAX_BYTES

PIECES = [bytes([n]) * (1 + n % 40) for n in range(200)]
BAD = ChannelModel(
    bit_error_rate=1e-2,
    slip_rate=1e-2,
    drop_rate=0.1,
    duplicate_rate=0.1,
    reorder_rate=0.1,
    delay_s=0.05,
    jitter_s=0.1,
    baud=9600,
)


def make_line(**changes: float) -> Route:
    return Route(ChannelModel(**({"baud": 9600} | changes)), seed=1, is_stream=True)


def pull(route: Route, now_s: float) -> bytes:
    return b"".join(route.pull(now_s))


def carry(route: Route, pieces: list[bytes], step_s: float = 0.05) -> list[bytes]:
    """What arrives, looked at every `step_s`."""
    arrived: list[bytes] = []
    for n, piece in enumerate(pieces):
        route.push(piece, n * step_s)
        arrived += route.pull((n + 1) * step_s)
    return arrived + route.pull(float("inf"))


def test_bytes_arrive_one_by_one_at_the_baud_rate() -> None:
    wire = make_line()
    wire.push(b"abcdef", 5.0)
    assert pull(wire, 5.0 + 0.9 * 10 / 9600) == b""
    assert pull(wire, 5.0 + 10 / 9600) == b"a"
    assert pull(wire, 5.0 + 35 / 9600) == b"bc"
    assert pull(wire, 6.0) == b"def"


def test_idle_time_is_not_saved_up() -> None:
    wire = make_line()
    wire.push(b"a", 0.0)
    assert pull(wire, 10.0) == b"a"
    wire.push(b"bc", 10.0)
    assert pull(wire, 10.0) == b""
    assert pull(wire, 10.0 + 10 / 9600) == b"b"


@pytest.mark.parametrize("step_s", [0.001, 0.004, 0.1])
def test_busy_wire_keeps_its_rate_whatever_the_steps(step_s: float) -> None:
    wire, now_s, received = make_line(), 0.0, 0
    while now_s < 2.0:
        if wire.free_bytes > 1000:
            wire.push(bytes(1000), now_s)
        now_s += step_s
        received += len(pull(wire, now_s))
    assert received == pytest.approx(960 * now_s, abs=1)


def test_wire_has_a_limit() -> None:
    wire = make_line()
    wire.push(bytes(QUEUE_MAX_BYTES), 0.0)
    assert wire.free_bytes == 0


def test_damage_is_done_to_what_comes_out() -> None:
    wire = make_line(bit_error_rate=0.1)
    wire.push(bytes(200), 0.0)
    flipped = sum(byte.bit_count() for byte in pull(wire, 1.0))
    assert 100 < flipped < 220


def test_what_does_not_fit_is_lost_and_counted() -> None:
    wire = make_line()
    for _ in range(3):
        wire.push(bytes(QUEUE_MAX_BYTES), 0.0)
    assert wire.stats.overflowed == 2
    assert len(pull(wire, float("inf"))) == QUEUE_MAX_BYTES


@pytest.mark.parametrize("is_stream", [False, True])
def test_the_seed_and_the_pieces_decide_everything(is_stream: bool) -> None:
    routes = [Route(BAD, seed=seed, is_stream=is_stream) for seed in (1, 1, 2)]
    first, again, other = (carry(route, PIECES, 0.2) for route in routes)
    assert first == again
    assert routes[0].stats == routes[1].stats
    assert first != other


def test_when_somebody_looks_does_not_matter() -> None:
    whole, stepwise = (Route(BAD, seed=1, is_stream=True) for _ in range(2))
    for piece in PIECES[:50]:
        whole.push(piece, 0.0)
        stepwise.push(piece, 0.0)
    steps = [pull(stepwise, n * 0.013) for n in range(1000)]
    assert b"".join(steps) == pull(whole, float("inf"))


def test_a_perfect_route_passes_everything_at_once() -> None:
    assert carry(Route(ChannelModel(), seed=1), PIECES) == PIECES
    stream = Route(ChannelModel(), seed=1, is_stream=True)
    assert b"".join(carry(stream, PIECES)) == b"".join(PIECES)


def test_delay() -> None:
    route = Route(ChannelModel(delay_s=0.5), seed=1)
    route.push(b"a", 1.0)
    assert route.next_timeout_s() == 1.5
    assert route.pull(1.49) == []
    assert route.pull(1.5) == [b"a"]
    assert route.next_timeout_s() is None


def test_jitter_lets_datagrams_overtake_each_other_but_never_bytes() -> None:
    model = ChannelModel(jitter_s=0.3)
    datagrams = carry(Route(model, seed=1), PIECES, 0.02)
    assert datagrams != PIECES
    assert sorted(datagrams) == sorted(PIECES)
    stream = carry(Route(model, seed=1, is_stream=True), PIECES, 0.02)
    assert b"".join(stream) == b"".join(PIECES)


def test_reordered_pieces_come_behind_the_next_one() -> None:
    route = Route(ChannelModel(reorder_rate=0.2), seed=1)
    arrived = carry(route, PIECES)
    places = [PIECES.index(piece) for piece in arrived]
    assert sorted(places) == list(range(200))
    assert sum(b < a for a, b in itertools.pairwise(places)) == route.stats.reordered
    assert 20 < route.stats.reordered < 55


def test_the_last_piece_does_not_wait_for_ever() -> None:
    route = Route(ChannelModel(reorder_rate=1.0), seed=1)
    route.push(b"a", 3.0)
    assert route.pull(3.5) == []
    assert route.next_timeout_s() == 3.0 + OVERTAKEN_MAX_S
    assert route.pull(3.0 + OVERTAKEN_MAX_S) == [b"a"]
    assert route.is_idle


def test_duplicates_and_drops_are_counted() -> None:
    route = Route(ChannelModel(duplicate_rate=0.1, drop_rate=0.2), seed=3)
    arrived = carry(route, PIECES)
    stats = route.stats
    assert len(arrived) == stats.pieces_out
    assert stats.pieces_in + stats.duplicated - stats.dropped == stats.pieces_out
    assert 8 < stats.duplicated < 40
    assert 20 < stats.dropped < 70


@settings(max_examples=50, deadline=None)
@given(
    sizes=st.lists(st.integers(0, 3000), max_size=20),
    steps=st.lists(st.floats(-5, 5), min_size=20, max_size=20),
    is_stream=st.booleans(),
)
def test_clocks_that_jump_lose_nothing(
    sizes: list[int], steps: list[float], is_stream: bool
) -> None:
    route, now_s, arrived = make_line(jitter_s=0.1), 100.0, 0
    route = Route(route.model, seed=1, is_stream=is_stream)
    for size, step_s in zip(sizes, steps, strict=False):
        route.push(bytes(size), now_s)
        now_s += step_s
        arrived += len(pull(route, now_s))
        assert 0 <= route.free_bytes <= QUEUE_MAX_BYTES
    arrived += len(pull(route, float("inf")))
    lost = route.stats.bytes_in - arrived
    assert lost == 0 if not route.stats.overflowed else lost > 0
    assert route.is_idle
    assert route.free_bytes == QUEUE_MAX_BYTES
