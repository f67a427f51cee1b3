"""The record of one run: what was measured, on which board, with which versions. One JSON file.

Every table in the documentation is generated from records, never typed. A section that was not
asked for is an empty list. What changes here changes `SCHEMA_VERSION`.
"""

import platform
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from edge_codec.benchmarks.board import Board, Conditions
from edge_codec.benchmarks.schema import load, to_json
from edge_codec.benchmarks.stats import StageTimes
from edge_codec.runtime.errors import ConfigError
from edge_codec.runtime.quality import Mean

SCHEMA_VERSION = 3
SECTIONS = ("latency", "ram", "quality", "thesis", "link", "instructions")
"""Fields of a record that are lists of runs."""
PACKAGES = (
    "edge-codec", "numpy", "onnxruntime", "ai-edge-litert", "soxr", "pesq", "pystoi",
    "visqol-python",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class LatencyRun:
    """Time per call of one codec in one configuration."""

    codec: str
    """Name of the model or of the peer, with its bitrate."""
    backend: str
    """What ran it: onnx, tflite, lyra or native."""
    precision: str
    """fp32 or int8; empty for a peer."""
    threads: int
    call_frames: int
    """Code frames a call."""
    audio_s: float
    """Audio a call, seconds: the deadline."""
    warm_up_calls: int
    """Calls that were made first and not counted."""
    rounds: int
    """How often the same calls were made, one round after the other, as the raw times stand."""
    stages: dict[str, StageTimes]
    """encode and decode; with resample and link where they were measured."""
    graph_us: dict[str, float]
    """Inside the graphs: median microseconds a call of stft, encoder, rvq, decoder, istft."""
    joules_per_audio_s: float | None
    """Energy of the whole board for a second of audio; None without a meter."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RamRun:
    """Resident memory of a process that did nothing else, in units of 1e6 bytes."""

    codec: str
    backend: str
    precision: str
    call_frames: int
    """Code frames a call; 0 for a command that was watched from outside."""
    rss_mb: dict[str, float]
    """After import, after load, steady, and peak: the kernel's VmHWM."""
    timeline_ms: list[int]
    """Raw: when memory was looked at, milliseconds since the process began."""
    timeline_mb: list[float]
    """Raw: what was resident then."""


@dataclass(frozen=True, kw_only=True, slots=True)
class QualityRun:
    """How one codec scored at one bitrate."""

    codec: str
    precision: str
    """fp32 or int8; empty for a peer."""
    bitrate_bps: int
    """Packet bits of all clips by their duration."""
    means: dict[str, Mean]
    """Measure -> mean over the clips."""
    pesq_floored: int
    """Clips so damaged that PESQ found no speech."""
    scores: dict[str, dict[str, float]]
    """Raw: clip -> measure -> score."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ThesisRow:
    """One codec on one folder, by the measures of the reference thesis."""

    folder: str
    codec: str
    clips: int
    seconds: float
    compression_ratio: float
    """16-bit PCM of the original at its own rate by what the codec sends."""
    mel_distance: Mean
    """Mean over the seven scales: the sum that other tables give, by 7."""
    visqol: Mean


@dataclass(frozen=True, kw_only=True, slots=True)
class LinkRun:
    """Speech that went over one simulated channel in one way of packing it."""

    system: str
    """Mode of our link, or the peer with its framing."""
    gross_bps: float
    """Bits per second on the wire while speech is sent."""
    codec_bps: float
    overhead: float
    """Share that framing adds to the codec's bits."""
    latency_ms: float
    """Mouth to ear, by construction: codec, superframes and jitter buffer."""
    channel: str
    """ber or loss."""
    level: float
    """Bit error rate, or share of packets lost."""
    base_lost: float
    """Share of code frames of which nothing could be decoded."""
    layers_lost: float
    """Share of layers that did not arrive, of all that were sent."""
    estoi: Mean
    """Of what is heard, over the clips."""


@dataclass(frozen=True, kw_only=True, slots=True)
class InstructionRun:
    """Instructions of one code frame, counted: they repeat where times do not."""

    codec: str
    backend: str
    precision: str
    counter: str
    """What counted: callgrind or qemu."""
    encode: int
    decode: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Record:
    """One run of the benchmarks."""

    schema_version: int
    created: str
    """Day of the run, UTC, ISO 8601."""
    commit: str
    """Revision of the source, or `unknown` outside a checkout."""
    board: Board
    versions: dict[str, str]
    before: Conditions
    after: Conditions
    model: str
    model_hash: str
    golden_codes_equal_percent: dict[str, float]
    """Precision -> how many codes of the bundle's golden clip this board makes."""
    clips: str
    """Name of the set of clips."""
    latency: list[LatencyRun]
    ram: list[RamRun]
    quality: list[QualityRun]
    thesis: list[ThesisRow]
    link: list[LinkRun]
    instructions: list[InstructionRun]
    skipped: dict[str, str]
    """What was not measured -> why."""
    warnings: list[str]
    """What makes these figures doubtful."""


def load_record(path: Path) -> Record:
    """Read a record.

    Raises:
        ConfigError: not a record, or one of another version.
    """
    try:
        return load(Record, path)
    except ConfigError as error:
        raise ConfigError(
            f"{error} (this release reads records of schema {SCHEMA_VERSION})"
        ) from error


def write_record(path: Path, record: Record) -> None:
    """Store a record as JSON that reads well in a diff."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(to_json(record), encoding="utf-8")


def measured_part(record: Record) -> str:
    """The section that a record has, or `all` if it has several."""
    measured = [name for name in SECTIONS if getattr(record, name)]
    return measured[0] if len(measured) == 1 else "all"


def record_name(record: Record) -> str:
    """File name of a record: day, commit, what was measured, model."""
    part = measured_part(record)
    return f"{record.created[:10]}-{record.commit[:7]}-{part}-{record.model}.json"


def today() -> str:
    """The day, UTC: enough to order records, and it says nothing of their owner."""
    return datetime.now(UTC).date().isoformat()


def package_versions() -> dict[str, str]:
    """Of Python and of every package that has a say in the figures."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
