"""The tables of README and docs, made from the committed records.

    python -m edge_codec.benchmarks.pages

A page marks where a table goes: `<!-- bench: NAME -->` on a line, the table, `<!-- end -->`. What
stands between is replaced. A test checks that pages are what the records say.
"""

import re
import sys
from collections.abc import Callable, Sequence

from edge_codec.benchmarks import tables
from edge_codec.benchmarks.benches import OUR_BITRATE_BPS
from edge_codec.benchmarks.latency import CALL_FRAMES
from edge_codec.benchmarks.record import QualityRun, Record
from edge_codec.benchmarks.reference_model import NAME as REFERENCE
from edge_codec.benchmarks.report.markdown import detailed_run
from edge_codec.benchmarks.reports import REPOSITORY, board_names, latest_path, latest_record
from edge_codec.runtime.errors import ConfigError, EdgeCodecError

PAGES = ("README.md", "docs/models.md", "docs/peers.md", "docs/benchmarks.md")
MODELS = ("voice-m", "voice-s")
AUDIO_MODEL = "audio-44k"
"""For speech, music and environment: beside Opus by the thesis' measures."""
HOST = "x86_64"
"""The board whose records the pages are about."""
README_CODECS = (
    "voice-m 1k", "voice-m 1.5k", "Codec2 1200", "voice-m 3k", "voice-s 3k", "Codec2 3200",
    "Lyra v2 3.2k", "voice-m 6k", "voice-s 6k", "Speex-WB q1", "Opus 6k", "Lyra v2 6k",
    "AMR-WB 6.60k",
)  # fmt: skip
THESIS_SAYS = (("the thesis' own program", "800"), ("SoundStream", "more than 11 000"))
"""S. Martyniuk, Kyiv 2024: memory to process one file."""
_BLOCK = re.compile(r"(<!-- bench: ([\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def main() -> int:
    """Write all pages anew."""
    try:
        for name in PAGES:
            path = REPOSITORY / name
            path.write_text(render_page(path.read_text(encoding="utf-8")), encoding="utf-8")
    except EdgeCodecError as error:
        print(f"pages: {error}", file=sys.stderr)
        return 1
    return 0


def render_page(text: str) -> str:
    """The page with every block made anew.

    Raises:
        ConfigError: an unknown block, or no record to make it from.
    """

    def replaced(found: "re.Match[str]") -> str:
        opening, name, closing = found.groups()
        if name not in _BLOCKS:
            raise ConfigError(f"no table {name!r}; there are {', '.join(_BLOCKS)}")
        return f"{opening}{_BLOCKS[name]()}\n{closing}"

    return _BLOCK.sub(replaced, text)


def _record(section: str, model: str = MODELS[0]) -> Record:
    return latest_record(model, section, HOST)


def _source(*parts: tuple[str, str]) -> str:
    """Links to the records that a block is made from."""
    paths = [latest_path(model, section, HOST).relative_to(REPOSITORY) for model, section in parts]
    links = [f"[{path.name}](/{path})" for path in dict.fromkeys(paths)]
    return f"From {', '.join(links)}."


def _qualities() -> list[QualityRun]:
    """Every codec once; ours in int8, as it runs by default, where the record has it."""
    runs: dict[str, QualityRun] = {}
    for model in MODELS:
        for run in sorted(_record("quality", model).quality, key=lambda run: run.precision):
            runs[run.codec] = run  # "" or fp32, then int8
    return list(runs.values())


def _notes(record: Record) -> str:
    """What a reader of scores must know; a busy machine does not change them."""
    notes = [warning for warning in record.warnings if not warning.startswith("busy")]
    return "".join(f" {note[0].upper()}{note[1:]}." for note in notes)


def _readme() -> str:
    chosen = [run for run in _qualities() if run.codec in README_CODECS]
    return tables.quality_table(chosen, with_intervals=False)


def _ours() -> str:
    runs = [run for model in MODELS for run in _record("quality", model).quality]
    ours = [run for run in runs if run.codec.startswith(MODELS)]
    ours.sort(key=lambda run: (run.precision, run.codec.split()[0]))
    clips = _record("quality").clips
    table = tables.quality_table(ours, with_intervals=False)
    notes = _notes(_record("quality"))
    return f"{table}\n\nOn `{clips}`.{notes} {_source(*((model, 'quality') for model in MODELS))}"


def _peers() -> str:
    record = _record("quality")
    table = tables.quality_table(_qualities())
    missing = "".join(f" Not measured: {reason}." for reason in record.skipped.values())
    notes = missing + _notes(record)
    return f"{table}\n\nOn `{record.clips}`.{notes} {_source((MODELS[0], 'quality'))}"


def _speed(models: Sequence[str]) -> str:
    heads = ["model", "back end", "20 ms a call", "80 ms", "240 ms", "peak RSS MB"]
    rows = []
    for model in models:
        peaks = {
            f"{run.backend} {run.precision}": f"{run.rss_mb['peak']:.0f}"
            for run in _record("ram", model).ram
        }
        for how, factors in _factors(_record("latency", model)).items():
            cells = [
                f"{factors[frames]:.3f}" if frames in factors else "" for frames in CALL_FRAMES
            ]
            rows.append([f"`{model}`", how, *cells, peaks.get(how, "")])
    table = tables.markdown_table(heads, rows, 2)
    sources = [(model, section) for model in models for section in ("latency", "ram")]
    return f"{table}\n\n{_source(*sources)}"


def _factors(record: Record) -> dict[str, dict[int, float]]:
    """Back end and precision -> code frames a call -> CPU real-time factor, from the sweep."""
    found: dict[str, dict[int, float]] = {}
    detailed = detailed_run(record)
    for run in record.latency:
        if run.codec.startswith(record.model) and run.threads == 1 and run is not detailed:
            factors = found.setdefault(f"{run.backend} {run.precision}", {})
            factors.setdefault(run.call_frames, tables.cpu_factor(run))
    return found


def _stages() -> str:
    record = _record("latency")
    detailed = detailed_run(record)
    if detailed is None:
        raise ConfigError("the newest latency record has no stages: run make bench-records")
    return f"{tables.stage_table(detailed)}\n\n{_source((MODELS[0], 'latency'))}"


def _sweep() -> str:
    record = _record("latency")
    detailed = detailed_run(record)
    table = tables.sweep_table([run for run in record.latency if run is not detailed])
    return f"{table}\n\n{_source((MODELS[0], 'latency'))}"


def _ram() -> str:
    return f"{tables.ram_table(_record('ram').ram)}\n\n{_source((MODELS[0], 'ram'))}"


def _files() -> str:
    """Peak memory of files by their length, and what others say of theirs."""
    rows = [
        [run.codec, f"{run.backend} {run.precision}".strip(), f"{run.rss_mb['peak']:.0f}"]
        for run in _record("ram", REFERENCE).ram
    ]
    rows += [[what, "as the thesis says", megabytes] for what, megabytes in THESIS_SAYS]
    table = tables.markdown_table(["what", "run by", "peak RSS MB"], rows, 2)
    return f"{table}\n\n{_source((REFERENCE, 'ram'))}"


def _link(channel: str) -> str:
    table = tables.link_table(_record("link").link, channel)
    return f"{table}\n\n{_source((MODELS[0], 'link'))}"


def _thesis(model: str) -> str:
    table = tables.thesis_table(_record("thesis", model).thesis)
    return f"{table}\n\n{_source((model, 'thesis'))}"


def _instructions() -> str:
    heads = ["board", "processor", "model", "precision", "encode", "decode", "codes equal %"]
    rows, links = [], []
    for name in board_names():
        for model in MODELS:
            try:
                path = latest_path(model, "instructions", name)
            except ConfigError:
                continue
            record = latest_record(model, "instructions", name)
            links.append(f"[{name}](/{path.relative_to(REPOSITORY)})")
            board = record.board.model if record.board.emulated else record.board.architecture
            for run in record.instructions:
                equal = record.golden_codes_equal_percent.get(run.precision)
                checked = "" if equal is None else f"{equal:.1f}"
                counted = [f"{run.encode / 1e6:.2f}", f"{run.decode / 1e6:.2f}", checked]
                how = [f"`{model}`", f"{run.backend} {run.precision}"]
                rows.append([board, record.board.cpu, *how, *counted])
    return f"{tables.markdown_table(heads, rows, 4)}\n\nFrom {', '.join(dict.fromkeys(links))}."


def _machine() -> str:
    record = _record("latency")
    warnings = "".join(f" Warning: {warning}." for warning in record.warnings)
    versions = ", ".join(f"{name} {version}" for name, version in record.versions.items())
    return f"{tables.board_line(record)}. {versions}.{warnings}"


def _ratios() -> str:
    from edge_codec.benchmarks.regression import peer_ratios  # noqa: PLC0415  it builds on this

    heads = [
        f"{MODELS[0]} at {OUR_BITRATE_BPS / 1000:g} kbit/s, CPU time by that of",
        "ratio (95 %)",
    ]
    rows = [[name, f"{ratio}"] for name, ratio in peer_ratios(_record("latency")).items()]
    return f"{tables.markdown_table(heads, rows)}\n\n{_source((MODELS[0], 'latency'))}"


_BLOCKS: dict[str, Callable[[], str]] = {
    "readme": _readme,
    "ours": _ours,
    "peers": _peers,
    "speed": lambda: _speed(MODELS),
    "audio-speed": lambda: _speed([AUDIO_MODEL]),
    "stages": _stages,
    "sweep": _sweep,
    "ratios": _ratios,
    "ram": _ram,
    "files": _files,
    "link-ber": lambda: _link("ber"),
    "link-loss": lambda: _link("loss"),
    "thesis": lambda: _thesis(MODELS[0]),
    "audio": lambda: _thesis(AUDIO_MODEL),
    "instructions": _instructions,
    "machine": _machine,
}


if __name__ == "__main__":
    sys.exit(main())
