"""Figures of a record, as SVG to be put into a page: they take its text colour, light or dark.

Each is narrow enough for a phone. Needs matplotlib (extra `bench`).
"""

import io
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from edge_codec.benchmarks.record import LatencyRun, LinkRun, QualityRun, RamRun, Record
from edge_codec.benchmarks.report.markdown import CHANNELS, detailed_run
from edge_codec.benchmarks.tables import MEASURES, cpu_factor

INK = "#010203"
"""Stands for the page's text colour until the figure is put into the page."""
WIDTH_IN, HEIGHT_IN = 4.8, 3.3
KBITS = (0.5, 1, 2, 3, 6, 12)
"""Ticks of the bitrate axis."""
_STYLE: Any = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": INK,
    "grid.alpha": 0.13,
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "lines.linewidth": 1.8,
}
_COLOURS = ("#2a78d6", "#e07b1f", "#1a9e6e", "#9b5fd0", "#d64f7b", "#8a8a80", "#b39a00", "#4bb3c4")
FAMILIES = ("Lyra", "Opus", "Codec2", "AMR-WB", "Speex")


def plot_all(record: Record) -> Iterator[tuple[str, str]]:
    """Caption and SVG of every figure that the record has something for."""
    detailed = detailed_run(record)
    if detailed is not None:
        yield "How long calls take", _figure(_draw_latency, detailed)
        swept = [run for run in record.latency if run is not detailed]
        yield "Real-time factor by configuration", _figure(_draw_factors, swept)
    if record.ram:
        yield "Memory over time", _figure(_draw_ram, record.ram)
    if record.quality:
        for name, title, _ in MEASURES:
            drawn = _figure(_draw_quality, record.quality, name, title)
            yield f"{title.removesuffix(' ↓')} against bitrate", drawn
    for channel, what in CHANNELS.items():
        runs = [run for run in record.link if run.channel == channel]
        if runs:
            yield f"Speech after {what}", _figure(_draw_link, runs, channel)


def family(codec: str) -> str:
    """The codec a name belongs to, whatever its bitrate."""
    known = next((name for name in FAMILIES if codec.startswith(name)), None)
    return known or codec.split(maxsplit=1)[0]


def colour_of(codec: str) -> str:
    """The colour a codec has in every figure; ours is the first."""
    name = family(codec)
    return _COLOURS[1 + FAMILIES.index(name)] if name in FAMILIES else _COLOURS[0]


def _figure(draw: Callable[..., None], *arguments: Any) -> str:
    with mpl.rc_context({**_STYLE, "svg.hashsalt": f"{draw.__name__}{arguments[1:]!r}"}):
        figure = Figure(figsize=(WIDTH_IN, HEIGHT_IN), layout="constrained")
        draw(figure.add_subplot(), *arguments)
        drawn = io.StringIO()
        figure.savefig(drawn, format="svg", transparent=True, metadata={"Date": None})
    svg = drawn.getvalue()
    svg = svg[svg.index("<svg") :].replace(INK, "currentColor")
    return re.sub(r'width="[\d.]+pt" height="[\d.]+pt" ', "", svg, count=1)


def _draw_latency(axes: Any, run: LatencyRun) -> None:
    """Share of calls that took no longer, encoder and decoder together."""
    encode, decode = run.stages["encode"], run.stages["decode"]
    times = {
        "on the clock": np.add(encode.wall_us, decode.wall_us),
        "of the processor": np.add(encode.cpu_us, decode.cpu_us),
    }
    for (name, taken_us), colour in zip(times.items(), _COLOURS, strict=False):
        sorted_ms = np.sort(taken_us) / 1000
        shares = np.arange(1, len(sorted_ms) + 1) / len(sorted_ms)
        axes.step(sorted_ms, 100 * shares, where="post", label=name, color=colour)
    axes.axvline(1000 * run.audio_s, color=INK, linestyle="--", linewidth=1)
    axes.annotate(
        "deadline", (1000 * run.audio_s, 4), rotation=90, ha="right", va="bottom", fontsize=8
    )
    axes.set(xscale="log", xlabel="ms for encoding and decoding one call", ylabel="% of calls")
    _plain_ticks(axes.xaxis)
    axes.legend(loc="lower center", bbox_to_anchor=(0.45, 0.0))


def _draw_factors(axes: Any, runs: Sequence[LatencyRun]) -> None:
    labels, factors, colours = [], [], []
    for run in runs:
        how = f" {run.backend} {run.precision}" if run.precision and run.backend != "lyra" else ""
        threads = f", {run.threads} threads" if run.threads > 1 else ""
        labels.append(f"{run.codec}{how}, {1000 * run.audio_s:.0f} ms{threads}")
        factors.append(cpu_factor(run))
        colours.append(colour_of(run.codec))
    axes.figure.set_figheight(0.9 + 0.21 * len(labels))
    rows = np.arange(len(labels))[::-1]
    axes.barh(rows, factors, color=colours, height=0.65)
    for row, factor in zip(rows, factors, strict=True):
        place = {"xytext": (4, 0), "textcoords": "offset points", "va": "center"}
        axes.annotate(f"{factor:.3f}", (factor, row), fontsize=7.5, **place)
    axes.axvline(1, color=INK, linestyle="--", linewidth=1)
    axes.annotate("real time", (1, rows[0] + 0.6), ha="right", va="bottom", fontsize=8)
    axes.set_yticks(rows, labels, fontsize=7.5)
    axes.set(xscale="log", xlim=(min(factors) / 2, 2), xlabel="processor seconds a second of audio")
    axes.grid(visible=False, axis="y")
    _plain_ticks(axes.xaxis)


def _draw_ram(axes: Any, runs: Sequence[RamRun]) -> None:
    for index, run in enumerate(runs):
        how = f" {run.backend} {run.precision}" if run.backend not in ("native", "lyra") else ""
        label = f"{run.codec}{how}: {run.rss_mb['peak']:.0f} MB"
        colour = _COLOURS[index % len(_COLOURS)]
        seconds = np.array(run.timeline_ms) / 1000
        axes.step(seconds, run.timeline_mb, where="post", color=colour, label=label)
    axes.set(xlabel="seconds", ylabel="MB resident", ylim=(0, None))
    _legend_below(axes, 2)


def _draw_quality(axes: Any, runs: Sequence[QualityRun], measure: str, title: str) -> None:
    lines: dict[str, list[QualityRun]] = {}
    for run in runs:
        lines.setdefault(f"{family(run.codec)} {run.precision}".strip(), []).append(run)
    for name, points in lines.items():
        points.sort(key=lambda run: run.bitrate_bps)
        is_ours = family(name) not in FAMILIES
        axes.errorbar(
            [run.bitrate_bps / 1000 for run in points],
            [run.means[measure].mean for run in points],
            [run.means[measure].half_width_95 or 0 for run in points],
            color=colour_of(name),
            marker="o" if is_ours else "s",
            markersize=4.5,
            linestyle="--" if name.endswith("fp32") else "-",
            linewidth=2.2 if is_ours else 1.2,
            elinewidth=0.8,
            capsize=2,
            label=name,
        )
    axes.set(xscale="log", xlabel="kbit/s", ylabel=title)
    _plain_ticks(axes.xaxis)
    axes.set_xticks(KBITS)
    _legend_below(axes, 3)


def _draw_link(axes: Any, runs: Sequence[LinkRun], channel: str) -> None:
    systems = list(dict.fromkeys(run.system for run in runs))
    for index, system in enumerate(systems):
        points = sorted((run for run in runs if run.system == system), key=lambda run: run.level)
        peer = "Codec2" in system
        axes.plot(
            [max(run.level, 1e-5) for run in points],
            [run.estoi.mean for run in points],
            color=INK if peer else _COLOURS[index % len(_COLOURS)],
            linestyle=":" if peer else "--" if system.startswith("P") else "-",
            marker="s" if "KISS" in system else "o",
            markersize=3.5,
            label=f"{system}, {points[0].gross_bps / 1000:.1f}k",
        )
    if channel == "ber":
        axes.set(xscale="log", xlabel="bit error rate (left end: none)")
    else:
        axes.set(xlabel="share of packets lost")
    axes.set(ylabel="ESTOI", ylim=(-0.03, 1))
    _legend_below(axes, 3)


def _legend_below(axes: Any, columns: int) -> None:
    entries = len(axes.get_legend_handles_labels()[0])
    axes.figure.set_figheight(HEIGHT_IN + 0.17 * -(-entries // columns))
    axes.figure.legend(loc="outside lower center", ncols=columns, columnspacing=1, handlelength=1.8)


def _plain_ticks(axis: Any) -> None:
    axis.set_major_formatter(mpl.ticker.FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(mpl.ticker.NullFormatter())
