"""Quality against training steps: the line and the figure."""

from pathlib import Path

import pytest

from edge_codec.benchmarks import learning
from edge_codec.benchmarks.learning import LearningPoint, draw, gain_by_doubling, load_points
from edge_codec.runtime.errors import ConfigError

REPOSITORY = Path(__file__).parents[3]


def point(steps: int, estoi: float, *, finished: bool = True) -> LearningPoint:
    return LearningPoint(steps=steps, finished=finished, scores={"estoi": estoi})


def test_doubling_is_worth_the_slope_of_the_finished_points() -> None:
    points = [
        point(1000, 0.5),
        point(2000, 0.6),
        point(8000, 0.8),
        point(9000, 0.1, finished=False),
    ]
    assert gain_by_doubling(points, "estoi") == pytest.approx(0.1)


def test_one_point_promises_nothing() -> None:
    assert gain_by_doubling([point(1000, 0.5)], "estoi") is None


def test_a_measure_that_few_points_have_is_drawn_without_a_line(tmp_path: Path) -> None:
    draw([point(1000, 0.5), point(2000, 0.6)], tmp_path / "curve.svg")
    drawn = (tmp_path / "curve.svg").read_text()
    assert drawn.count("twice the steps") == 1
    assert "+0.100" in drawn


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"points": [{"steps": 1}]}', '{"points": [3]}'])
def test_what_holds_no_points_is_one_clear_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "points.json"
    path.write_text(text)
    with pytest.raises(ConfigError, match="holds no points"):
        load_points(path)


def test_the_figure_in_docs_is_drawn_from_the_committed_points(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = tmp_path / "again.svg"
    source = REPOSITORY / "benchmarks/learning/voice-m.json"
    monkeypatch.setattr("sys.argv", ["learning", str(source), str(drawn)])
    assert learning.main() == 0
    said = {line for line in drawn.read_text().splitlines() if "twice the steps" in line}
    committed = (REPOSITORY / "docs/learning-voice-m.svg").read_text()
    assert said
    assert all(line in committed for line in said)
