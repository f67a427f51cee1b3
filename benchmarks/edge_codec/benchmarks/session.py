"""One run of the benchmarks: the facts before it, its results, the facts after it, one record."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from edge_codec.benchmarks.board import Conditions, read_board, read_conditions
from edge_codec.benchmarks.record import (
    SCHEMA_VERSION,
    SECTIONS,
    LatencyRun,
    Record,
    package_versions,
    today,
)
from edge_codec.benchmarks.source import commit, source_doubts
from edge_codec.benchmarks.stats import outlier_warning, waiting_factor
from edge_codec.runtime.bundle import Bundle
from edge_codec.runtime.inspection import describe_model

BUSY_LOAD_SHARE = 0.75
"""Load by cores above which others compete for the processor."""

BUSY_WAITING_FACTOR = 1.5


@dataclass(slots=True)
class Session:
    """What has been measured so far."""

    bundle: Bundle
    clips: str = ""
    """Name of the set of clips."""
    results: dict[str, list[Any]] = field(default_factory=lambda: {name: [] for name in SECTIONS})
    """Section of the record -> its runs."""
    skipped: dict[str, str] = field(default_factory=dict)
    """What was not measured -> why."""
    before: Conditions = field(default_factory=read_conditions)
    """The board when it began."""

    def record(self) -> Record:
        """All of it, with the state of the board before and now.

        Raises:
            ParityError: this board does not make the codes that it should: figures are worthless.
        """
        after = read_conditions()
        board = read_board()
        facts = describe_model(str(self.bundle.path), check=True)
        equal_percent: Mapping[str, float] = facts["golden_codes_equal_percent"]
        return Record(
            schema_version=SCHEMA_VERSION,
            created=today(),
            commit=commit(),
            board=board,
            versions=package_versions(),
            before=self.before,
            after=after,
            model=self.bundle.name,
            model_hash=self.bundle.model_hash,
            golden_codes_equal_percent=dict(equal_percent),
            clips=self.clips,
            skipped={name: _without_folders(why) for name, why in self.skipped.items()},
            warnings=self._warnings(board.cores, board.emulated),
            **self.results,
        )

    def _warnings(self, cores: int, emulated: bool) -> list[str]:
        if emulated:
            return ["emulated: times mean nothing here, instruction counts do"]
        found = source_doubts()
        if self.before.throttled:
            found.append("throttled: cool the board or give it a better supply, and measure again")
        if self.before.load_1_min > BUSY_LOAD_SHARE * cores:
            load = self.before.load_1_min
            found.append(f"busy: a load of {load:.1f} on {cores} cores when it began")
        encodes = {_title(run): run.stages["encode"] for run in self.results["latency"]}
        waited = max(map(waiting_factor, encodes.values()), default=1.0)
        if waited > BUSY_WAITING_FACTOR:
            found.append(
                f"busy: the clock ran up to {waited:.1f} times as long as the processor;"
                " only processor times (CPU) and ratios say something"
            )
        outliers = (outlier_warning(name, stage) for name, stage in encodes.items())
        return found + [warning for warning in outliers if warning is not None]


def _title(run: LatencyRun) -> str:
    return f"{run.codec} {run.precision} {1000 * run.audio_s:.0f} ms"


def _without_folders(text: str) -> str:
    """A message without the folders of the paths in it: they may name somebody.

    >>> _without_folders("cannot load /home/ada/models/encoder.onnx")
    'cannot load encoder.onnx'
    """
    return re.sub(r"(?<!\S)[\"']?(~|\.{0,2})/(\S*/)?", "", text)
