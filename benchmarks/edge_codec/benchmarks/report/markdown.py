"""A record as Markdown: what was measured, in the order a buyer asks."""

from collections.abc import Iterator

from edge_codec.benchmarks.record import LatencyRun, Record
from edge_codec.benchmarks.tables import (
    board_line,
    link_table,
    markdown_table,
    quality_table,
    ram_table,
    stage_table,
    sweep_table,
    thesis_table,
)

CHANNELS = {"ber": "random bit errors", "loss": "lost packets"}


def render_markdown(record: Record) -> str:
    """All sections of a record."""
    return "\n".join(_lines(record)) + "\n"


def detailed_run(record: Record) -> LatencyRun | None:
    """The run with every stage, if latency was measured."""
    return next((run for run in record.latency if "link send" in run.stages), None)


def _lines(record: Record) -> Iterator[str]:
    yield f"# {record.model} on {record.board.model or record.board.cpu}"
    yield ""
    yield f"{board_line(record)}. Revision {record.commit[:7]}, {record.created}."
    codes = ", ".join(f"{name} {p:.1f} %" for name, p in record.golden_codes_equal_percent.items())
    yield f"Codes as they should be: {codes}."
    for warning in record.warnings:
        yield f"Warning: {warning}."
    for title, table in _tables(record):
        yield f"\n## {title}\n\n{table}"
    if record.skipped:
        yield "\n## Not measured\n"
        yield from (f"- {name}: {reason}" for name, reason in record.skipped.items())


def _tables(record: Record) -> Iterator[tuple[str, str]]:
    detailed = detailed_run(record)
    if detailed is not None:
        yield f"Stages, {1000 * detailed.audio_s:.0f} ms a call", stage_table(detailed)
        others = [run for run in record.latency if run is not detailed]
        yield "Configurations and other codecs", sweep_table(others)
    if record.ram:
        yield "Memory, MB", ram_table(record.ram)
    if record.quality:
        yield f"Quality, {record.clips}", quality_table(record.quality)
    if record.thesis:
        yield "Compression, by the thesis' measures", thesis_table(record.thesis)
    for channel, what in CHANNELS.items():
        if any(run.channel == channel for run in record.link):
            yield f"ESTOI after {what}", link_table(record.link, channel)
    if record.instructions:
        yield "Instructions of a code frame", _instructions(record)


def _instructions(record: Record) -> str:
    rows = [
        [
            run.codec,
            f"{run.backend} {run.precision}",
            f"{run.encode / 1e6:.2f}",
            f"{run.decode / 1e6:.2f}",
        ]
        for run in record.instructions
    ]
    return markdown_table(["codec", "back end", "encode, million", "decode, million"], rows, 2)
