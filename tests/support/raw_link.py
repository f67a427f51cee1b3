"""A talk spurt in R frames over a bad channel, and what became of every code frame."""

from dataclasses import dataclass

import numpy as np

from edge_codec.firmware_bridge import (
    Channel,
    ChannelModel,
    LinkStats,
    RawReceiver,
    RawTransmitter,
    raw_profile_for,
)
from support.link_pair import events_of, heard, make_codes, make_hello


@dataclass(frozen=True)
class Outcome:
    base_erased: float
    """Share of code frames without any layer."""
    upper_erased: float
    """Share of code frames without all layers."""
    wrong_frames: int
    """Code frames handed on with a wrong code."""
    stats: LinkStats


def send_over(
    model: ChannelModel, *, layers: int, superframes: int, seed: int = 1, paths: int = 8
) -> Outcome:
    profile = raw_profile_for(layers, 10, 50.0)
    transmitter = RawTransmitter(make_hello(profile), stream_tag=7)
    receiver, channel = RawReceiver(profile, paths=paths), Channel(model, seed=seed)
    codes_FK, step = make_codes(profile, superframes), profile.frames_per_superframe
    valid_F, wrong = np.zeros(len(codes_FK), np.int64), 0
    for n in range(superframes + 1):
        now_s, start = n * profile.superframe_s, n * step
        frames = transmitter.send_frames(codes_FK[start : start + step], now_s=now_s)
        if n == superframes:
            frames += transmitter.finish(now_s=now_s)
        for frame in frames:
            receiver.receive_data(channel.send(frame), now_s=now_s)
        for event in heard(list(events_of(receiver))):
            rows = slice(event.sequence * step, (event.sequence + 1) * step)
            valid_F[rows] = event.valid_layers_F
            arrived_FK = np.arange(layers) < event.valid_layers_F[:, None]
            wrong += int(((event.codes_FK != codes_FK[rows]) & arrived_FK).any(1).sum())
    return Outcome(
        base_erased=float((valid_F == 0).mean()),
        upper_erased=float((valid_F < layers).mean()),
        wrong_frames=wrong,
        stats=receiver.stats,
    )
