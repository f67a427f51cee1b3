"""Times summed up, and ratios with the confidence they deserve. Numbers only.

Shapes: N calls, R rounds of the same calls, D draws.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

RESAMPLES = 1000
"""Draws of the bootstrap: its 95 % limits then repeat to a few per cent of their width."""
ROUND_DRAWS = 250
"""Of the slower draws of `ratio_of_fastest`."""
OUTLIER_FACTOR = 10
"""A call that took this many times the median was not alone on the machine."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StageTimes:
    """How long one stage took, call by call, and what that comes to."""

    wall_us: list[int]
    """Raw: time on the clock of each call, microseconds."""
    cpu_us: list[int]
    """Raw: processor time of each call, all threads, microseconds."""
    median_ms: float
    """Of the clock time, milliseconds; so are p95, p99 and max."""
    p95_ms: float
    p99_ms: float
    max_ms: float
    missed_deadlines: int
    """Calls that took longer on the clock than the audio they stand for."""
    real_time_factor: float
    """Mean clock time by the duration of the audio; below 1 is live."""
    cpu_real_time_factor: float
    """Median processor time by the duration of the audio: what repeats on a busy machine."""


def sum_up(wall_ns: ArrayLike, cpu_ns: ArrayLike, audio_s: float) -> StageTimes:
    """Times [N] of calls on `audio_s` of audio each."""
    wall_N, cpu_N = np.asarray(wall_ns, np.int64), np.asarray(cpu_ns, np.int64)
    median, p95, p99 = (round(float(np.percentile(wall_N, p)) / 1e6, 4) for p in (50, 95, 99))
    return StageTimes(
        wall_us=_microseconds(wall_N),
        cpu_us=_microseconds(cpu_N),
        median_ms=median,
        p95_ms=p95,
        p99_ms=p99,
        max_ms=round(float(wall_N.max()) / 1e6, 4),
        missed_deadlines=int((wall_N > audio_s * 1e9).sum()),
        real_time_factor=round(float(wall_N.mean()) / (audio_s * 1e9), 5),
        cpu_real_time_factor=round(float(np.median(cpu_N)) / (audio_s * 1e9), 5),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Ratio:
    """One median by another."""

    ratio: float
    low_95: float
    """Lower limit of the 95 % confidence interval."""
    high_95: float
    """Upper limit."""

    def differs_by(self, share: float) -> bool:
        """Whether all of the interval lies more than `share` away from 1, up or down."""
        return self.low_95 > 1 + share or self.high_95 < 1 / (1 + share)

    def __str__(self) -> str:
        return f"{self.ratio:.2f} ({self.low_95:.2f} to {self.high_95:.2f})"


def ratio_of_medians(ours: ArrayLike, theirs: ArrayLike, *, seed: int = 0) -> Ratio:
    """Median of `ours` by median of `theirs`, with a block bootstrap interval.

    Neighbouring calls share what disturbed them, so blocks of a tenth are drawn, not calls.
    """
    rng = np.random.default_rng(seed)
    ours_N, theirs_N = np.asarray(ours, float), np.asarray(theirs, float)
    drawn = _block_medians(ours_N, rng) / _block_medians(theirs_N, rng)
    return _with_interval(float(np.median(ours_N) / np.median(theirs_N)), drawn)


def ratio_of_fastest(ours_RN: ArrayLike, theirs_RN: ArrayLike, *, seed: int = 0) -> Ratio:
    """What a call takes of `ours` by that of `theirs` when nothing disturbs it.

    Whatever else runs can only add to the processor time of a call, so the fastest of its rounds
    is the call itself; the mean over the calls keeps what depends on the speech. For the 95 %
    interval, draws take half of the rounds and as many calls as there are, with repeats.

    Args:
        ours_RN: [R, N] times of N calls, made in each of R rounds.
        theirs_RN: the same of another codec, for whatever R and N.
        seed: decides the draws.
    """
    rng = np.random.default_rng(seed)
    ours, theirs = np.asarray(ours_RN, float), np.asarray(theirs_RN, float)
    drawn = [
        _fastest(_drawn(ours, rng)) / _fastest(_drawn(theirs, rng)) for _ in range(ROUND_DRAWS)
    ]
    return _with_interval(_fastest(ours) / _fastest(theirs), np.array(drawn))


def quotient(upper: Ratio, lower: Ratio) -> Ratio:
    """One ratio by another, their relative errors added as independent ones are."""
    ratio = upper.ratio / lower.ratio
    error_up = np.hypot(np.log(upper.high_95 / upper.ratio), np.log(lower.ratio / lower.low_95))
    error_down = np.hypot(np.log(upper.ratio / upper.low_95), np.log(lower.high_95 / lower.ratio))
    return Ratio(
        ratio=ratio,
        low_95=float(ratio / np.exp(error_down)),
        high_95=float(ratio * np.exp(error_up)),
    )


def outlier_warning(name: str, stage: StageTimes) -> str | None:
    """What makes these times doubtful, if something does."""
    slowest, median = max(stage.cpu_us), float(np.median(stage.cpu_us))
    if slowest <= OUTLIER_FACTOR * max(median, 10):
        return None
    return f"{name}: the slowest call took {slowest / median:.0f} times the median"


def waiting_factor(stage: StageTimes) -> float:
    """How much longer the clock ran than the processor: 1 on a machine that does nothing else."""
    return sum(stage.wall_us) / max(1, sum(stage.cpu_us))


def _with_interval(ratio: float, drawn_D: NDArray[np.float64]) -> Ratio:
    low, high = np.percentile(drawn_D, (2.5, 97.5))
    return Ratio(ratio=ratio, low_95=float(min(low, ratio)), high_95=float(max(high, ratio)))


def _fastest(times_RN: NDArray[np.float64]) -> float:
    return float(times_RN.min(axis=0).mean())


def _drawn(times_RN: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    rounds, calls = times_RN.shape
    chosen = rng.permutation(rounds)[: (rounds + 1) // 2]
    return times_RN[chosen][:, rng.integers(calls, size=calls)]


def _block_medians(values_N: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    size = max(1, len(values_N) // 10)
    blocks = len(values_N) // size
    values_BS = values_N[: blocks * size].reshape(blocks, size)
    chosen = values_BS[rng.integers(blocks, size=(RESAMPLES, blocks))]
    return np.asarray(np.median(chosen.reshape(RESAMPLES, -1), axis=1))


def _microseconds(times_ns: NDArray[np.int64]) -> list[int]:
    return [int(value) for value in np.rint(times_ns / 1000)]
