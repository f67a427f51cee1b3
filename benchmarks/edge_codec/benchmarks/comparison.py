"""Two or more records side by side: what differs, by how much, and how sure that is."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from edge_codec.benchmarks.latency import time_ratio
from edge_codec.benchmarks.record import LatencyRun, QualityRun, Record
from edge_codec.benchmarks.stats import Ratio
from edge_codec.benchmarks.tables import cpu_factor


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """One figure of a later record by the same figure of the first."""

    what: str
    first: float
    later: float
    ratio: Ratio

    def __str__(self) -> str:
        return f"{self.what}: {self.first:.4g} -> {self.later:.4g}, ratio {self.ratio}"


def compare(first: Record, later: Record) -> Iterator[Difference]:
    """Every figure that both records have."""
    yield from _latencies(first, later)
    yield from _memories(first, later)
    yield from _qualities(first.quality, later.quality)
    yield from compare_instructions(first, later)


def describe(board: Record) -> str:
    """What a record is of, in one line."""
    facts = board.board
    name = facts.model or facts.architecture
    emulated = ", emulated" if facts.emulated else ""
    return f"{name} ({facts.cpu}{emulated}), {board.model}, {board.commit[:7]}, {board.created}"


def render_comparison(records: Sequence[Record]) -> str:
    """Markdown: each later record against the first."""
    first, *others = records
    lines = [f"first: {describe(first)}"]
    for later in others:
        lines += ["", f"later: {describe(later)}", ""]
        if first.model_hash != later.model_hash:
            lines += ["The models differ, so quality and time may as well.", ""]
        differences = list(compare(first, later))
        lines += [
            "| figure | first | later | ratio (95 %) |",
            "| --- | ---: | ---: | ---: |",
            *(f"| {d.what} | {d.first:.4g} | {d.later:.4g} | {d.ratio} |" for d in differences),
        ]
        if not differences:
            lines.append("They have no figure in common.")
    return "\n".join(lines)


def _latencies(first: Record, later: Record) -> Iterator[Difference]:
    if first.board.emulated or later.board.emulated:
        return
    known = {_configuration(run): run for run in first.latency}
    for run in later.latency:
        before = known.get(_configuration(run))
        if before is None:
            continue
        yield Difference(
            what=f"{_configuration(run)}, CPU real-time factor",
            first=cpu_factor(before),
            later=cpu_factor(run),
            ratio=time_ratio(run, before),
        )


def _memories(first: Record, later: Record) -> Iterator[Difference]:
    known = {(run.codec, run.backend, run.precision, run.call_frames): run for run in first.ram}
    for run in later.ram:
        before = known.get((run.codec, run.backend, run.precision, run.call_frames))
        if before is not None:
            what = f"{run.codec} {run.backend} {run.precision} x{run.call_frames}, peak RSS MB"
            yield _exact(what, before.rss_mb["peak"], run.rss_mb["peak"])


def _qualities(first: Sequence[QualityRun], later: Sequence[QualityRun]) -> Iterator[Difference]:
    known = {(run.codec, run.precision): run for run in first}
    for run in later:
        before = known.get((run.codec, run.precision))
        if before is None:
            continue
        for measure in ("visqol", "pesq_wb", "estoi"):
            old, new = before.means[measure], run.means[measure]
            error = ((old.half_width_95 or 0) ** 2 + (new.half_width_95 or 0) ** 2) ** 0.5
            ratio, relative = new.mean / old.mean, error / old.mean
            yield Difference(
                what=f"{run.codec} {run.precision}, {measure}",
                first=old.mean,
                later=new.mean,
                ratio=Ratio(ratio=ratio, low_95=ratio - relative, high_95=ratio + relative),
            )


def compare_instructions(first: Record, later: Record) -> Iterator[Difference]:
    """Instructions of a frame that both records have counted in the same way."""
    known = {(r.codec, r.backend, r.precision, r.counter): r for r in first.instructions}
    for run in later.instructions:
        before = known.get((run.codec, run.backend, run.precision, run.counter))
        if before is not None:
            for what in ("encode", "decode"):
                old, new = float(getattr(before, what)), float(getattr(run, what))
                name = f"{run.codec} {run.backend} {run.precision}, {what} instructions a frame"
                yield _exact(name, old, new)


def _exact(what: str, first: float, later: float) -> Difference:
    ratio = later / first
    exact = Ratio(ratio=ratio, low_95=ratio, high_95=ratio)
    return Difference(what=what, first=first, later=later, ratio=exact)


def _configuration(run: LatencyRun) -> str:
    alone = "alone" if "link send" in run.stages else ""
    call, threads = f"{1000 * run.audio_s:.0f} ms", f"{run.threads} thread"
    words = (run.codec, run.backend, run.precision, call, threads, alone)
    return " ".join(word for word in words if word)
