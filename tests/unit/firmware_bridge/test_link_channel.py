"""The channel simulator: its rates are what they say, its seed decides everything."""

import numpy as np
import pytest

from edge_codec.firmware_bridge import Channel, ChannelModel, LocalLinkError

DATA = np.random.default_rng(9).integers(0, 256, 40_000, np.uint8).tobytes()
BAD = ChannelModel(bit_error_rate=0.01, burst_share=0.05, slip_rate=0.01)


def flipped(out: bytes) -> np.ndarray:
    return np.unpackbits(np.frombuffer(DATA, np.uint8) ^ np.frombuffer(out, np.uint8))


def test_a_perfect_channel_changes_nothing() -> None:
    assert Channel(ChannelModel(), seed=1).send(DATA) == DATA


def test_the_pieces_do_not_matter() -> None:
    whole = Channel(BAD, seed=4).send(DATA)
    for size in (3, 100, 7777):
        channel = Channel(BAD, seed=4)
        pieces = [channel.send(DATA[i : i + size]) for i in range(0, len(DATA), size)]
        assert b"".join(pieces) == whole
    assert Channel(BAD, seed=5).send(DATA) != whole


@pytest.mark.parametrize("rate", [1e-3, 1e-2, 0.5])
def test_bit_error_rate(rate: float) -> None:
    errors = flipped(Channel(ChannelModel(bit_error_rate=rate), seed=2).send(DATA))
    assert errors.mean() == pytest.approx(rate, rel=0.15)


def test_bursts_have_their_share_and_come_in_bursts() -> None:
    model = ChannelModel(burst_share=0.02, burst_bits=100)
    errors = flipped(Channel(model, seed=2).send(DATA))
    assert errors.mean() == pytest.approx(0.01, rel=0.4)
    after_an_error = errors[1:][errors[:-1] == 1].mean()
    assert after_an_error == pytest.approx(0.5, abs=0.05)


def test_slips_lose_and_add_bytes() -> None:
    model = ChannelModel(slip_rate=0.1)
    lengths = [len(Channel(model, seed=s).send(DATA)) for s in range(20)]
    assert np.mean(lengths) == pytest.approx(len(DATA), rel=0.005)
    assert np.std(lengths) == pytest.approx(np.sqrt(0.1 * len(DATA)), rel=0.5)


def test_drops_take_whole_pieces() -> None:
    channel = Channel(ChannelModel(drop_rate=0.25), seed=2)
    pieces = [channel.send(b"piece") for _ in range(2000)]
    assert set(pieces) == {b"", b"piece"}
    assert pieces.count(b"") / 2000 == pytest.approx(0.25, abs=0.03)


def test_nothing_in_nothing_out() -> None:
    assert Channel(BAD, seed=1).send(b"") == b""


@pytest.mark.parametrize(
    "wrong", [{"bit_error_rate": 1.5}, {"drop_rate": -0.1}, {"burst_share": 1.0}, {"burst_bits": 0}]
)
def test_impossible_channels_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(LocalLinkError):
        ChannelModel(**wrong)
