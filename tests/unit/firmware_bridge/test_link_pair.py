"""Two ends joined by a bad channel and a fake clock: nothing is lost without being counted."""

import numpy as np
import pytest

from edge_codec.firmware_bridge import (
    PROFILES,
    Channel,
    ChannelModel,
    EndReason,
    Receiver,
    StreamEnded,
)
from support.link_pair import heard, kinds, make_codes, receive, send_spurt

P3000 = PROFILES[6]
CHANNELS = {
    "clean": ChannelModel(),
    "bit errors": ChannelModel(bit_error_rate=2e-4),
    "bursts": ChannelModel(burst_share=0.005, burst_bits=40),
    "slips": ChannelModel(slip_rate=1e-3),
    "drops": ChannelModel(drop_rate=0.1),
}


def protected(timed: list[tuple[float, bytes]], channel: Channel) -> list[tuple[float, bytes]]:
    """The channel's output, but for the first HELLO and END, which arrive clean."""
    return [timed[0], *((t, channel.send(packet)) for t, packet in timed[1:-1]), timed[-1]]


@pytest.mark.parametrize("name", CHANNELS)
@pytest.mark.parametrize("hold", [0, 2])
@pytest.mark.parametrize("red", [0, 1])
def test_sent_is_delivered_plus_counted_losses(name: str, hold: int, red: int) -> None:
    superframes = 300
    timed = send_spurt(P3000, superframes, red=red)
    timed = [*timed[:-1], (timed[-1][0], b"\0" + timed[-1][1])]
    receiver = Receiver(hold_superframes=hold)
    events = receive(protected(timed, Channel(CHANNELS[name], seed=3)), receiver=receiver)
    stats = receiver.stats
    assert stats.voice_delivered + stats.voice_recovered + stats.voice_lost == superframes
    assert stats.voice_delivered == stats.voice_received
    assert len(heard(events)) == superframes
    assert events[-1] == StreamEnded(7, EndReason.END)
    assert (name == "clean") == (stats.voice_delivered == superframes)
    assert stats.voice_delivered > superframes / 2


@pytest.mark.parametrize("name", CHANNELS)
def test_what_arrives_is_what_was_sent(name: str) -> None:
    events = receive(protected(send_spurt(P3000, 200), Channel(CHANNELS[name], seed=5)))
    codes_FK = make_codes(P3000, 200).reshape(200, 12, 6)
    for event in heard(events):
        if event.valid_layers_F[0]:
            assert (event.codes_FK == codes_FK[event.sequence]).all()


def test_red_1_turns_ten_percent_loss_into_one() -> None:
    timed = send_spurt(P3000, 2000, red=1)
    receiver = Receiver()
    receive(protected(timed, Channel(ChannelModel(drop_rate=0.1), seed=1)), receiver=receiver)
    assert 0.07 < receiver.stats.voice_recovered / 2000 < 0.12
    assert receiver.stats.voice_lost / 2000 <= 0.015


@pytest.mark.parametrize("seed", range(3))
def test_reordering_within_the_hold_loses_nothing(seed: int) -> None:
    timed = send_spurt(P3000, 100)
    delays_s = np.random.default_rng(seed).uniform(0, 0.45, len(timed))
    late = sorted(
        ((t + d, p) for (t, p), d in zip(timed, delays_s, strict=True)), key=lambda item: item[0]
    )
    receiver = Receiver(hold_superframes=2)
    events = receive(late, receiver=receiver)
    assert receiver.stats.voice_lost == 0
    assert receiver.stats.voice_duplicate + receiver.stats.voice_late == 0
    codes_FK = np.concatenate([event.codes_FK for event in heard(events)])
    assert (codes_FK == make_codes(P3000, 100)).all()
    assert kinds(events).count("StreamStarted") == 1


def test_two_stations_in_turn_and_a_cut_carrier() -> None:
    first = send_spurt(P3000, 10, tag=1)[:8]
    second = [(t + 60, packet) for t, packet in send_spurt(P3000, 5, tag=2, seed=2)]
    events = receive(first + second)
    ended = [event for event in events if isinstance(event, StreamEnded)]
    assert ended == [StreamEnded(1, EndReason.TIMEOUT), StreamEnded(2, EndReason.END)]
