"""Records as Markdown tables: the same ones on the terminal, in reports and in the docs."""

from collections.abc import Iterable, Sequence

from edge_codec.benchmarks.record import LatencyRun, LinkRun, QualityRun, RamRun, Record, ThesisRow
from edge_codec.runtime.quality import Mean

MEASURES = (
    ("visqol", "ViSQOL", 2),
    ("pesq_wb", "PESQ-WB", 2),
    ("stoi", "STOI", 3),
    ("estoi", "ESTOI", 3),
    ("mel", "mel ↓", 2),
    ("si_sdr_db", "SI-SDR dB", 1),
)


def markdown_table(
    heads: Sequence[str], rows: Iterable[Sequence[str]], text_columns: int = 1
) -> str:
    """A table whose first columns are text and whose others are numbers."""
    rules = ["---"] * text_columns + ["---:"] * (len(heads) - text_columns)
    lines = [heads, rules, *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def with_interval(mean: Mean, decimals: int) -> str:
    """A mean and half of its 95 % confidence interval."""
    half = "" if mean.half_width_95 is None else f" ± {mean.half_width_95:.{decimals}f}"
    return f"{mean.mean:.{decimals}f}{half}"


def cpu_factor(run: LatencyRun) -> float:
    """Processor seconds for a second of audio, encoder and decoder together."""
    return sum(run.stages[name].cpu_real_time_factor for name in ("encode", "decode"))


def stage_table(run: LatencyRun) -> str:
    """Every stage of one configuration, milliseconds a call."""
    heads = ["stage", "median ms", "p95", "p99", "max", "missed", "RTF", "CPU RTF"]
    rows = [
        [
            name,
            *(f"{value:.2f}" for value in (s.median_ms, s.p95_ms, s.p99_ms, s.max_ms)),
            f"{s.missed_deadlines}",
            f"{s.real_time_factor:.3f}",
            f"{s.cpu_real_time_factor:.3f}",
        ]
        for name, s in run.stages.items()
    ]
    rows += [
        [f"in the graph: {name}", f"{us / 1000:.2f}", *[""] * 5, f"{us / run.audio_s / 1e6:.3f}"]
        for name, us in run.graph_us.items()
    ]
    return markdown_table(heads, rows)


def sweep_table(runs: Sequence[LatencyRun]) -> str:
    """One line per configuration, encoder and decoder together."""
    heads = ["codec", "back end", "call", "threads", "ms a call", "missed", "RTF", "CPU RTF"]
    rows = []
    for run in runs:
        encode, decode = run.stages["encode"], run.stages["decode"]
        rows.append(
            [
                run.codec,
                f"{run.backend} {run.precision}".strip(),
                f"{1000 * run.audio_s:.0f} ms",
                f"{run.threads}",
                f"{encode.median_ms + decode.median_ms:.2f}",
                f"{encode.missed_deadlines + decode.missed_deadlines}",
                f"{encode.real_time_factor + decode.real_time_factor:.3f}",
                f"{cpu_factor(run):.3f}",
            ]
        )
    return markdown_table(heads, rows, 2)


def ram_table(runs: Sequence[RamRun]) -> str:
    """Resident memory of every process, MB of 1e6 bytes."""
    phases = ("import", "load", "steady", "peak")
    rows = [
        [run.codec, f"{run.backend} {run.precision}".strip(), f"{run.call_frames or ''}"]
        + [f"{run.rss_mb[phase]:.0f}" if phase in run.rss_mb else "" for phase in phases]
        for run in runs
    ]
    return markdown_table(["codec", "back end", "frames a call", *phases], rows, 2)


def quality_table(runs: Sequence[QualityRun], *, with_intervals: bool = True) -> str:
    """Every codec at every bitrate, lowest bitrate first."""
    heads = ["codec", "kbit/s", *(title for _, title, _ in MEASURES)]
    rows = []
    for run in sorted(runs, key=lambda run: run.bitrate_bps):
        row = [_name(run), f"{run.bitrate_bps / 1000:.1f}"]
        for name, _, decimals in MEASURES:
            mean = run.means[name]
            row.append(
                with_interval(mean, decimals) if with_intervals else f"{mean.mean:.{decimals}f}"
            )
        rows.append(row)
    return markdown_table(heads, rows)


def thesis_table(rows: Sequence[ThesisRow]) -> str:
    """The reference thesis' own table."""
    heads = ["folder", "codec", "compression", "mel distance ↓", "ViSQOL", "clips", "minutes"]
    return markdown_table(
        heads,
        [
            [
                row.folder,
                row.codec,
                f"{row.compression_ratio:.1f}",
                with_interval(row.mel_distance, 2),
                with_interval(row.visqol, 2),
                f"{row.clips}",
                f"{row.seconds / 60:.1f}",
            ]
            for row in rows
        ],
        2,
    )


def link_table(runs: Sequence[LinkRun], channel: str) -> str:
    """ESTOI of every system at every level of one kind of channel."""
    chosen = [run for run in runs if run.channel == channel]
    levels = sorted({run.level for run in chosen})
    heads = ["system", "gross bit/s", "overhead", "delay ms", *(f"{level:g}" for level in levels)]
    rows = []
    for system in dict.fromkeys(run.system for run in chosen):
        runs_by_level = {run.level: run for run in chosen if run.system == system}
        first = next(iter(runs_by_level.values()))
        cells = [
            f"{runs_by_level[lv].estoi.mean:.2f}" if lv in runs_by_level else "" for lv in levels
        ]
        overhead = f"{100 * first.overhead:.0f} %"
        rows.append([system, f"{first.gross_bps:.0f}", overhead, f"{first.latency_ms:.0f}", *cells])
    return markdown_table(heads, rows)


def board_line(record: Record) -> str:
    """The board and its state, in one line."""
    board, before, after = record.board, record.before, record.after
    parts = [board.model or "unnamed board", board.cpu, f"{board.cores} cores"]
    parts += [f"{board.memory_mb / 1000:.1f} GB", board.os, f"Linux {board.kernel}"]
    if board.governor:
        parts.append(f"governor {board.governor}")
    if before.temperature_c is not None and after.temperature_c is not None:
        parts.append(f"{before.temperature_c:.0f} to {after.temperature_c:.0f} °C")
    if after.throttled is not None:
        parts.append("throttled" if after.throttled else "not throttled")
    return ", ".join(part for part in parts if part)


def _name(run: QualityRun) -> str:
    return f"{run.codec} {run.precision}".strip()
