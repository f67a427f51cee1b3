"""What each `edge-codec bench` runs, in which order, and what of it goes into the record."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path

from edge_codec.benchmarks import latency, memory
from edge_codec.benchmarks.coders import (
    ModelCoder,
    SuperframeCoder,
    model_coders,
    open_installed,
    peer_makers,
    with_backend,
)
from edge_codec.benchmarks.coders.catalogue import Makers
from edge_codec.benchmarks.coders.coder import SCORED_HZ, FloatArray
from edge_codec.benchmarks.coders.native import Opus
from edge_codec.benchmarks.link import LINK_CLIPS, measure_link, open_systems
from edge_codec.benchmarks.quality import Clips, measure_quality
from edge_codec.benchmarks.record import Record
from edge_codec.benchmarks.session import Session
from edge_codec.benchmarks.speech import packaged_clips, read_clips
from edge_codec.benchmarks.thesis import measure_thesis
from edge_codec.runtime.bundle import Bundle, load_bundle
from edge_codec.runtime.errors import ConfigError, EdgeCodecError, MissingExtraError
from edge_codec.runtime.manifest import BACKENDS

WEIGHED_PEERS = (
    "Codec2 3200", "Opus 6000", "AMR-WB mode 0", "Speex-WB q1", "Lyra v2 3200", "Lyra v2 6000",
)  # fmt: skip
"""Peers that are timed and weighed: cost hardly depends on the bitrate."""
OUR_BITRATE_BPS = 3000
"""Beside the peers our codec is timed at its default bitrate."""

THESIS_PEERS_BPS = (6000, 8000, 12_000, 16_000, 24_000)
THESIS_PEERS: Makers = {
    f"Opus {bps}": partial(Opus, bps, 48_000, is_music=True) for bps in THESIS_PEERS_BPS
}
"""Opus as music would be sent with it: 48 kHz, audio mode, constant bitrate."""

Heard = dict[str, dict[str, FloatArray]]
"""Clip -> codec -> [T] at 16 kHz; `original` among them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What the user asked for."""

    what: str
    """latency, ram, quality, link, thesis or all."""
    model: str = "voice-m"
    backend: str = "auto"
    """auto: every back end that the bundle has graphs for."""
    precision: str = "auto"
    """auto: every precision that the bundle has."""
    threads: int = 1
    """Most threads of the sweep."""
    seconds: float = 10.0
    """Audio per configuration."""
    clips: Path | None = None
    """Folder of speech; None: the clips that come with the package."""
    folders: tuple[Path, ...] = ()
    """Folders of the thesis' table."""
    file_seconds: tuple[float, ...] = ()
    """Lengths of files whose coding is weighed instead of a stream's."""
    watched: tuple[str, ...] = ()
    """NAME=COMMAND: programs whose memory is watched from outside."""
    lyra_models: Path | None = None
    has_peers: bool = True
    """Whether other codecs are measured too."""
    jobs: int = 1
    """Processes that score."""


@dataclass(frozen=True, slots=True)
class Measured:
    """A record, and what is not for a record."""

    record: Record
    heard: Heard = field(default_factory=dict)
    """What decoded clips sound like."""


def measure(plan: Plan) -> Measured:
    """Run what was asked for; what cannot be measured here is skipped and said so.

    Raises:
        BundleError: the model is missing or damaged.
        ParityError: this machine does not make the codes that it should.
        AudioError: no clip can be read or scored.
    """
    bundle = load_bundle(plan.model)
    if plan.backend != "auto":
        bundle = with_backend(bundle, plan.backend)
    session = Session(bundle)
    heard: Heard = {}
    for name in _IN_ALL if plan.what == "all" else (plan.what,):
        try:
            heard |= _BENCHES[name](plan, session) or {}
        except MissingExtraError as error:
            if plan.what != "all":
                raise
            session.skipped[name] = str(error)
    return Measured(session.record(), heard)


def _latency(plan: Plan, session: Session) -> None:
    bundle, results = session.bundle, session.results["latency"]
    precision = bundle.best_precision() if plan.precision == "auto" else plan.precision
    results.append(latency.measure_model(bundle, seconds=plan.seconds, precision=precision))
    backends = _backends(bundle)
    swept, skipped = latency.sweep(
        bundle,
        seconds=plan.seconds,
        backends=backends,
        precisions=[p for name in backends for p in _precisions(plan, with_backend(bundle, name))],
        threads=sorted({1, plan.threads}),
    )
    results += swept
    makers = _makers(plan)
    weighed = {name: makers[name] for name in WEIGHED_PEERS if name in makers}
    peers, missing = open_installed(weighed)
    session.skipped |= skipped | missing
    ours = ModelCoder(bundle, bundle.spec.layers_for(OUR_BITRATE_BPS), precision=precision)
    seconds = latency.RATIO_ROUNDS * plan.seconds
    results += latency.measure_coders([ours, *peers], seconds=seconds if peers else plan.seconds)


def _ram(plan: Plan, session: Session) -> None:
    bundle, runs = session.bundle, session.results["ram"]
    for backend in _backends(bundle):
        for precision in _precisions(plan, with_backend(bundle, backend)):
            name = f"RAM of {bundle.name} {backend} {precision}"
            for seconds in plan.file_seconds:
                with _or_skipped(session, f"{name}, {seconds:g} s"):
                    runs += memory.measure_files(bundle, backend, precision, seconds)
            if not plan.file_seconds:
                with _or_skipped(session, name):
                    runs.append(memory.measure_model(bundle, backend, precision, 1))
    for watched in plan.watched:
        name, _, command = watched.partition("=")
        with _or_skipped(session, f"RAM of {name}"):
            runs.append(memory.watch(name, command))
    for name in WEIGHED_PEERS if plan.has_peers else ():
        with _or_skipped(session, f"RAM of {name}"):
            runs.append(memory.measure_peer(name, plan.lyra_models))


@contextmanager
def _or_skipped(session: Session, name: str) -> Iterator[None]:
    try:
        yield
    except EdgeCodecError as error:
        session.skipped[name] = str(error)


def _quality(plan: Plan, session: Session) -> Heard:
    bundle, clips = session.bundle, _clips(plan, session)
    ours = [coder for name in _precisions(plan, bundle) for coder in model_coders(bundle, name)]
    peers, skipped = open_installed(_makers(plan))
    found = measure_quality([*ours, *peers], clips, jobs=plan.jobs, show_progress=True)
    session.results["quality"] += found.runs
    session.skipped |= skipped | found.unscored
    return found.heard


def _link(plan: Plan, session: Session) -> None:
    systems, skipped = open_systems(session.bundle, has_peers=plan.has_peers)
    session.skipped |= skipped
    chosen = dict(islice(_clips(plan, session).items(), LINK_CLIPS))
    session.results["link"] += measure_link(systems, chosen, show_progress=True)


def _thesis(plan: Plan, session: Session) -> None:
    bundle = session.bundle
    if not plan.folders:
        raise ConfigError("the thesis' table needs folders: give --folders speech/ music/")
    ours = [SuperframeCoder(bundle, layers) for layers in _thesis_layers(bundle)]
    opus, skipped = open_installed(THESIS_PEERS)
    session.skipped |= skipped
    for folder in plan.folders:
        rows, unscored = measure_thesis(
            folder, [*ours, *opus], model_hz=bundle.spec.sample_rate_hz, show_progress=True
        )
        session.results["thesis"] += rows
        session.skipped |= unscored
    session.clips = session.clips or ", ".join(folder.resolve().name for folder in plan.folders)


def _thesis_layers(bundle: Bundle) -> list[int]:
    """Quarters of the layers: a voice model's 1.5 to 6 kbit/s."""
    return sorted({-(-bundle.spec.layers * quarters // 4) for quarters in (1, 2, 3, 4)})


def _clips(plan: Plan, session: Session) -> Clips:
    clips = packaged_clips(SCORED_HZ) if plan.clips is None else read_clips(plan.clips, SCORED_HZ)
    name = "packaged clips" if plan.clips is None else plan.clips.resolve().name
    session.clips = f"{name}, {len(clips)} files"
    return clips


def _makers(plan: Plan) -> Makers:
    return peer_makers(plan.lyra_models) if plan.has_peers else {}


def _backends(bundle: Bundle) -> list[str]:
    return [name for name in BACKENDS if bundle.manifest["graphs"].get(name)]


def _precisions(plan: Plan, bundle: Bundle) -> list[str]:
    return bundle.precisions() if plan.precision == "auto" else [plan.precision]


_IN_ALL = ("latency", "ram", "quality", "link")
_BENCHES: dict[str, Callable[[Plan, Session], Heard | None]] = {
    "latency": _latency,
    "ram": _ram,
    "quality": _quality,
    "link": _link,
    "thesis": _thesis,
}
