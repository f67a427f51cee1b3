"""Quality against training: how good a model was after how many steps, and what more would give.

    python -m edge_codec.benchmarks.learning POINTS.json FIGURE.svg

The file lists scores at one bitrate; `finished` ones had their step size fallen to zero, and a
line through them over the logarithm of the steps says what doubling the training is worth. Needs
matplotlib (extra `bench`).
"""

import argparse
import json
import math
import sys
from dataclasses import dataclass
from pathlib import Path
from statistics import linear_regression
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from edge_codec.runtime.errors import ConfigError, EdgeCodecError

INK = "#808080"
"""Readable on light and dark pages: an image does not know which it is on."""
MEASURES = {"visqol": "ViSQOL", "pesq": "PESQ-WB", "estoi": "ESTOI"}
PANEL_IN = (2.8, 3.0)


@dataclass(frozen=True, kw_only=True, slots=True)
class LearningPoint:
    """A model's scores at one moment of its training."""

    steps: int
    finished: bool
    """Whether the step size had fallen to zero: only such points compare."""
    scores: dict[str, float]
    """By the names in MEASURES; not every point need have all."""


def load_points(path: Path) -> list[LearningPoint]:
    """Points from a JSON file.

    Raises:
        ConfigError: the file is missing or not such a file.
    """
    try:
        points = [LearningPoint(**point) for point in json.loads(path.read_bytes())["points"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{path} holds no points of a training: {error}") from error
    return points


def gain_by_doubling(points: list[LearningPoint], measure: str) -> float | None:
    """What twice the steps add to a score, by the finished points; None with fewer than two."""
    known = [p for p in points if p.finished and measure in p.scores]
    if len(known) < 2:
        return None
    doublings = [math.log2(p.steps) for p in known]
    line = linear_regression(doublings, [p.scores[measure] for p in known])
    return line.slope


def draw(points: list[LearningPoint], path: Path) -> None:
    """Write a figure with one panel a measure, SVG or PNG by the name of `path`."""
    inks = ("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color")
    style: Any = {"svg.fonttype": "none", "svg.hashsalt": "learning", **dict.fromkeys(inks, INK)}
    with mpl.rc_context(style):
        figure = Figure(figsize=(len(MEASURES) * PANEL_IN[0], PANEL_IN[1]), layout="constrained")
        panels = figure.subplots(1, len(MEASURES))
        for axes, (measure, title) in zip(panels, MEASURES.items(), strict=True):
            _draw_panel(axes, points, measure, title)
        figure.savefig(path, transparent=True, metadata={"Date": None})


def _draw_panel(axes: mpl.axes.Axes, points: list[LearningPoint], measure: str, title: str) -> None:
    known = [p for p in points if measure in p.scores]
    for finished, marker in ((False, "o"), (True, "D")):
        chosen = [p for p in known if p.finished is finished]
        xs, ys = [p.steps for p in chosen], [p.scores[measure] for p in chosen]
        axes.plot(xs, ys, marker, color="#2a78d6", fillstyle="full" if finished else "none")
    gain = gain_by_doubling(points, measure)
    if gain is not None:
        last = max((p for p in known if p.finished), key=lambda p: p.steps)
        expected = last.scores[measure] + gain
        axes.plot([last.steps, 2 * last.steps], [last.scores[measure], expected], "--", color=INK)
        title += f"\ntwice the steps: {gain:+.3f}"
    axes.set(xscale="log", xlabel="thousand steps", title=title)
    ticks = [p.steps for p in points if p.finished]
    axes.set_xticks(ticks, [f"{steps / 1000:g}" for steps in ticks], rotation=45)
    axes.minorticks_off()
    axes.grid(alpha=0.2)


def main() -> int:
    """Draw the file named first into the one named second."""
    parser = argparse.ArgumentParser(prog="edge_codec.benchmarks.learning")
    parser.add_argument("points", type=Path, help="JSON file of scores")
    parser.add_argument("figure", type=Path, help="SVG or PNG file to write")
    args = parser.parse_args()
    try:
        draw(load_points(args.points), args.figure)
    except (EdgeCodecError, OSError, ValueError) as error:
        print(f"learning: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
