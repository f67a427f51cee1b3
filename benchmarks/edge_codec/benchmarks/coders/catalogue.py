"""Which codecs are compared, and at which bitrates."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from edge_codec.benchmarks.coders.coder import Coder
from edge_codec.benchmarks.coders.lyra import Lyra
from edge_codec.benchmarks.coders.model import SuperframeCoder
from edge_codec.benchmarks.coders.native import AmrWb, Codec2, Opus, Speex
from edge_codec.runtime.bundle import Bundle
from edge_codec.runtime.errors import MissingExtraError

Makers = Mapping[str, Callable[[], Coder]]
"""Name -> what opens the codec, or raises `MissingExtraError`."""

OUR_BITRATES_BPS = (500, 1000, 1500, 3000, 6000)


def peer_makers(lyra_models: Path | None) -> Makers:
    """Every peer at every bitrate; Lyra v2's graphs are the user's own copy."""
    makers: dict[str, Callable[[], Coder]] = {}
    for bitrate_bps in (700, 1200, 3200):
        makers[f"Codec2 {bitrate_bps}"] = partial(Codec2, bitrate_bps)
    for quality in (0, 1):
        makers[f"Speex-WB q{quality}"] = partial(Speex, quality)
    for bitrate_bps in (6000, 12_000):
        makers[f"Opus {bitrate_bps}"] = partial(Opus, bitrate_bps)
    for mode in (0, 1):
        makers[f"AMR-WB mode {mode}"] = partial(AmrWb, mode)
    for bitrate_bps in (3200, 6000, 9200):
        makers[f"Lyra v2 {bitrate_bps}"] = partial(_open_lyra, lyra_models, bitrate_bps)
    return makers


def model_coders(bundle: Bundle, precision: str = "auto") -> list[Coder]:
    """Our codec at every bitrate of the comparison that it has."""
    spec = bundle.spec
    layers = sorted({spec.layers_for(max(bps, spec.bitrate_bps(1))) for bps in OUR_BITRATES_BPS})
    return [SuperframeCoder(bundle, count, precision=precision) for count in layers]


def open_installed(makers: Makers) -> tuple[list[Coder], dict[str, str]]:
    """The codecs that can be opened here, and why the others cannot."""
    opened: list[Coder] = []
    skipped: dict[str, str] = {}
    for name, make in makers.items():
        try:
            opened.append(make())
        except MissingExtraError as error:
            skipped[name] = str(error)
    return opened, skipped


def _open_lyra(models: Path | None, bitrate_bps: int) -> Coder:
    if models is None:
        raise MissingExtraError("Lyra v2 needs --lyra-models, the folder of its three graphs")
    return Lyra(models, bitrate_bps)
