"""What is still understood after bit errors and losses, mode by mode, on a simulated channel.

The same seed meets every system, so all of them see the same kind of luck. Scores are ESTOI: it
says how much is understood.
"""

from collections.abc import Iterator, Sequence

from tqdm import tqdm

from edge_codec.benchmarks.link_systems import KissCodec2, LxstCodec2, OurMode, System
from edge_codec.benchmarks.quality import Clips
from edge_codec.benchmarks.record import LinkRun
from edge_codec.firmware_bridge import Channel, ChannelModel
from edge_codec.runtime.bundle import Bundle
from edge_codec.runtime.errors import MissingExtraError
from edge_codec.runtime.quality import mean_of, stoi

MODES = ("P1000", "P3000", "P6000", "R1000", "R1500", "R3000", "R6000")
RED_MODES = ("P3000",)
LEVELS = {
    "ber": (0.0, 1e-4, 1e-3, 1e-2, 3e-2, 5e-2),
    "loss": (0.01, 0.05, 0.1, 0.2),
}
LINK_CLIPS = 4
"""Clips are scored at every level of every system: four are a minute of work."""


def open_systems(bundle: Bundle, *, has_peers: bool) -> tuple[list[System], dict[str, str]]:
    """Our modes that this model has, the peers, and why one of them cannot be opened."""
    spec = bundle.spec
    available = {f"{spec.bitrate_bps(layers):.0f}" for layers in range(1, spec.layers + 1)}
    names = [name for name in MODES if name[1:] in available]
    systems: list[System] = [OurMode(bundle, name) for name in names]
    systems += [OurMode(bundle, name, red=1) for name in RED_MODES if name in names]
    skipped: dict[str, str] = {}
    for peer in (KissCodec2, LxstCodec2) if has_peers else ():
        try:
            systems.append(peer())
        except MissingExtraError as error:
            skipped[peer.name] = str(error)
    return systems, skipped


def measure_link(
    systems: Sequence[System], clips: Clips, *, show_progress: bool = False
) -> list[LinkRun]:
    """Every system at every level of every channel, over all clips.

    Raises:
        MissingExtraError: ESTOI's package is not installed.
    """
    work = [(system, channel, level) for system in systems for channel, level in _levels()]
    bar = tqdm(work, "link", disable=None if show_progress else True, leave=False)
    return [_measure(system, channel, level, clips) for system, channel, level in bar]


def _levels() -> Iterator[tuple[str, float]]:
    for channel, levels in LEVELS.items():
        for level in levels:
            yield channel, level


def _measure(system: System, channel: str, level: float, clips: Clips) -> LinkRun:
    model = (
        ChannelModel(bit_error_rate=level) if channel == "ber" else ChannelModel(drop_rate=level)
    )
    heard = {
        name: system.send(audio_T, Channel(model, seed=seed))
        for seed, (name, audio_T) in enumerate(clips.items())
    }
    estoi = [stoi(clips[name], item.samples_T, extended=True) for name, item in heard.items()]
    return LinkRun(
        system=system.name,
        gross_bps=round(system.gross_bps, 1),
        codec_bps=system.codec_bps,
        overhead=round(system.gross_bps / system.codec_bps - 1, 4),
        latency_ms=system.latency_ms,
        channel=channel,
        level=level,
        base_lost=_mean([item.base_lost for item in heard.values()]),
        layers_lost=_mean([item.layers_lost for item in heard.values()]),
        estoi=mean_of(estoi),
    )


def _mean(shares: list[float]) -> float:
    return round(sum(shares) / len(shares), 5)
