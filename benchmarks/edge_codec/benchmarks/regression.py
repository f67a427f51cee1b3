"""Did the codec become slower? A fresh measurement against the committed record, and why.

    python -m edge_codec.benchmarks.regression --model models/voice-m --lyra-models lyra/

Milliseconds of two days do not compare, so three ratios are watched instead: our time by that of
every peer, taken in turns in one process; our time by that of the same code at an earlier commit,
in processes that alternate; and instructions counted by qemu, which repeat to a few in ten
thousand. A change counts when its whole 95 % interval lies beyond the limit. Exit code 1: slower.
"""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge_codec.benchmarks import emulation
from edge_codec.benchmarks.benches import Plan, measure
from edge_codec.benchmarks.comparison import compare_instructions
from edge_codec.benchmarks.latency import time_ratio
from edge_codec.benchmarks.processes import output_of
from edge_codec.benchmarks.record import LatencyRun, Record, load_record
from edge_codec.benchmarks.reports import REPOSITORY, latest_record
from edge_codec.benchmarks.stats import Ratio, quotient, ratio_of_fastest
from edge_codec.runtime.errors import EdgeCodecError, MissingExtraError

TIME_LIMIT = 0.10
"""Share by which a ratio of times must have moved: what two runs on a busy machine differ by."""
INSTRUCTION_LIMIT = 0.02
ROUNDS = 4
"""Processes of each commit, taken in turns."""
PROBE_S = 8.0
PROBE_ROUNDS = 10
"""Of one second of audio in each process."""
STAGE_SHARE = 0.10
"""A stage is named as a reason when it moved by more than this."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One ratio, now by then."""

    what: str
    moved: Ratio
    """Above 1: more time or more instructions than before."""
    limit: float

    @property
    def is_slower(self) -> bool:
        """Whether it is worse beyond doubt."""
        return self.moved.low_95 > 1 + self.limit

    @property
    def verdict(self) -> str:
        """In a word or two."""
        if not self.moved.differs_by(self.limit):
            return "within the noise" if self.limit == TIME_LIMIT else "same"
        return "SLOWER" if self.is_slower else "faster"


def watch(committed: Record, fresh: Record) -> list[Finding]:
    """Our time by each peer's, and instructions, in both records."""
    before, now = peer_ratios(committed), peer_ratios(fresh)
    findings = [
        Finding(
            what=f"time, ours / {name}", moved=quotient(now[name], before[name]), limit=TIME_LIMIT
        )
        for name in now.keys() & before.keys()
    ]
    counted = compare_instructions(committed, fresh)
    findings += [
        Finding(what=item.what, moved=item.ratio, limit=INSTRUCTION_LIMIT) for item in counted
    ]
    return sorted(findings, key=lambda finding: finding.what)


def peer_ratios(record: Record) -> dict[str, Ratio]:
    """Peer -> our processor time a call by the peer's, both at 20 ms a call, taken in turns."""
    ours = [run for run in record.latency if run.codec.startswith(record.model)]
    peers = [run for run in record.latency if run not in ours]
    if not ours:
        return {}
    return {run.codec: time_ratio(ours[-1], run) for run in peers}


def is_slower(findings: Sequence[Finding]) -> bool:
    """Most ratios to peers agree, or another ratio says so by itself: one peer may have moved."""
    to_peers = [finding for finding in findings if finding.what.startswith("time, ours / ")]
    others = [finding for finding in findings if finding not in to_peers]
    slower = sum(finding.is_slower for finding in to_peers)
    return 2 * slower > max(1, len(to_peers)) or any(finding.is_slower for finding in others)


def explain(committed: Record, fresh: Record) -> Iterator[str]:
    """What else changed between two records, likeliest reason first."""
    if committed.model_hash != fresh.model_hash:
        yield f"the model is another one ({fresh.model_hash[:8]}, was {committed.model_hash[:8]})"
    for name in sorted(committed.versions.keys() | fresh.versions.keys()):
        old, new = committed.versions.get(name, "none"), fresh.versions.get(name, "none")
        if old != new:
            yield f"{name} {new}, was {old}"
    if committed.board.cpu != fresh.board.cpu:
        yield f"the processor is {fresh.board.cpu}, was {committed.board.cpu}: ratios shift with it"
    yield from _moved_stages(_graph_us(committed), _graph_us(fresh))
    yield from fresh.warnings


def compare_commits(model: Path, base: str, rounds: int = ROUNDS) -> Finding:
    """Our time now by that of the code at `base`, same model, processes in turns.

    Raises:
        EdgeCodecError: the commit cannot be checked out, or its code fails.
    """
    with tempfile.TemporaryDirectory() as folder:
        output_of(["git", "-C", str(REPOSITORY), "worktree", "add", "--detach", folder, base])
        try:
            turns = [
                (_probe(Path(folder), model), _probe(REPOSITORY, model)) for _ in range(rounds)
            ]
        finally:
            output_of(["git", "-C", str(REPOSITORY), "worktree", "remove", "--force", folder])
    then, now = (np.concatenate(times) for times in zip(*turns, strict=True))
    moved = ratio_of_fastest(now, then)
    return Finding(what=f"time, now / {base}", moved=moved, limit=TIME_LIMIT)


def _probe(checkout: Path, model: Path) -> list[list[float]]:
    """Processor microseconds of every frame in every round, by the code of one checkout."""
    paths = [str(checkout / part) for part in ("runtime", "firmware_bridge")]
    environment = os.environ | {"PYTHONPATH": ":".join(paths), "OMP_NUM_THREADS": "1"}
    probe = Path(__file__).with_name("frame_probe.py")
    command = [sys.executable, str(probe), str(model.resolve()), str(PROBE_ROUNDS)]
    taken_us: list[list[float]] = json.loads(output_of(command, environment))
    return taken_us


def _graph_us(record: Record) -> dict[str, float]:
    detailed: LatencyRun | None = next((run for run in record.latency if run.graph_us), None)
    return {} if detailed is None else detailed.graph_us


def _moved_stages(before: dict[str, float], now: dict[str, float]) -> Iterator[str]:
    """Stages whose share of the time in the graphs moved."""
    total_before, total_now = sum(before.values()), sum(now.values())
    for stage in before.keys() & now.keys():
        old, new = before[stage] / total_before, now[stage] / total_now
        if abs(new - old) > STAGE_SHARE * max(old, new) and abs(new - old) > 0.02:
            yield f"{stage} takes {100 * new:.0f} % of the graphs' time, was {100 * old:.0f} %"


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, compare, explain; 1 if the codec became slower."""
    args = _parse(argv)
    try:
        committed = latest_record(args.model.name, "latency")
        plan = Plan(
            what="latency", model=str(args.model), seconds=PROBE_S, lyra_models=args.lyra_models
        )
        fresh = measure(plan).record
        findings = watch(committed, fresh) + _counted(args.model)
        if args.base:
            findings.append(compare_commits(args.model, args.base))
    except EdgeCodecError as error:
        print(f"bench-check: {error}", file=sys.stderr)
        return 2
    print("\n".join(render(findings, list(explain(committed, fresh)))))
    return int(is_slower(findings))


def render(findings: Sequence[Finding], reasons: Sequence[str]) -> Iterator[str]:
    """Every ratio with its verdict, then what else changed."""
    for finding in findings:
        yield f"{finding.verdict:>16}  {finding.what}: {finding.moved} of what it was"
    yield "slower than the committed record" if is_slower(findings) else "not slower"
    if reasons:
        yield "what else differs from the committed record:"
        yield from (f"- {reason}" for reason in reasons)


def _counted(model: Path) -> list[Finding]:
    """Instructions on this architecture against the committed count; none without qemu."""
    try:
        committed = latest_record(model.name, "instructions")
        with tempfile.TemporaryDirectory() as folder:
            emulation.run(str(model), [emulation.HOST], Path(folder), Path(folder))
            (path,) = Path(folder).rglob("*.json")
            return watch(committed, load_record(path))
    except MissingExtraError as error:
        print(f"bench-check: instructions are not counted: {error}", file=sys.stderr)
        return []


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="edge_codec.benchmarks.regression")
    parser.add_argument("--model", type=Path, default=Path("models/voice-m"), help="a bundle")
    parser.add_argument("--lyra-models", type=Path, help="folder of Lyra v2's graphs")
    parser.add_argument("--base", default="HEAD~1", help="commit to compare with; empty: none")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
