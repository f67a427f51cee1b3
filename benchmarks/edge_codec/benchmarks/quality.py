"""How codecs sound, all of them on the same clips by the same measures.

Coding runs in this process, scoring, which costs more, in as many as asked for.
"""

import multiprocessing
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields

from tqdm import tqdm

from edge_codec.benchmarks.coders import Coder, code_clip
from edge_codec.benchmarks.coders.coder import SCORED_HZ, FloatArray
from edge_codec.benchmarks.record import QualityRun
from edge_codec.runtime.errors import AudioError
from edge_codec.runtime.quality import (
    MIN_SCORED_SAMPLES,
    PESQ_WB_FLOOR,
    Score,
    mean_of,
    pesq_wb,
    score_clip,
    stoi,
)

Clips = Mapping[str, FloatArray]
"""Name -> [T] at `SCORED_HZ`."""
HEARD_CLIPS = 2
"""Clips of which the decoded audio is kept, to be listened to."""


@dataclass(slots=True)
class Qualities:
    """What was measured, and some of what was heard."""

    runs: list[QualityRun] = field(default_factory=list)
    unscored: dict[str, str] = field(default_factory=dict)
    """Clip -> why it has no score even as it is."""
    heard: dict[str, dict[str, FloatArray]] = field(default_factory=dict)
    """Clip -> codec -> [T] decoded; `original` among them."""


def measure_quality(
    coders: Sequence[Coder], clips: Clips, *, jobs: int = 1, show_progress: bool = False
) -> Qualities:
    """Score every codec on every clip.

    Raises:
        AudioError: not one clip can be scored.
        MissingExtraError: the packages of the measures are not installed.
    """
    found = Qualities()
    scorable = _scorable(clips, found.unscored)
    found.heard = {name: {"original": clips[name]} for name in list(scorable)[:HEARD_CLIPS]}
    with _workers(jobs) as pool:
        bars = tqdm(coders, "quality", disable=None if show_progress else True, leave=False)
        pending = [(coder, _submit(pool, coder, scorable, found.heard)) for coder in bars]
        for coder, (bits, futures) in pending:
            scores = {name: future.result() for name, future in futures.items()}
            found.runs.append(_run_of(coder, bits, scores, scorable))
    return found


def _scorable(clips: Clips, unscored: dict[str, str]) -> Clips:
    """The clips that have a score against themselves by the strictest measures."""
    kept = {}
    for name, audio_T in clips.items():
        try:
            if len(audio_T) < MIN_SCORED_SAMPLES:
                raise AudioError("under half a second: too short to be scored")
            pesq_wb(audio_T, audio_T)
            stoi(audio_T, audio_T)
            kept[name] = audio_T
        except AudioError as error:
            unscored[name] = str(error)
    if not kept:
        raise AudioError(f"none of the {len(clips)} clips can be scored: {unscored}")
    return kept


def _submit(
    pool: Executor | None, coder: Coder, clips: Clips, heard: dict[str, dict[str, FloatArray]]
) -> tuple[int, dict[str, "Future[Score]"]]:
    bits, futures = 0, {}
    for name, audio_T in clips.items():
        coded = code_clip(coder, audio_T)
        bits += coded.bits
        futures[name] = _score(pool, audio_T, coded.samples_T)
        if name in heard:
            heard[name][coder.name] = coded.samples_T
    return bits, futures


def _score(pool: Executor | None, audio_T: FloatArray, decoded_T: FloatArray) -> "Future[Score]":
    if pool is not None:
        return pool.submit(score_clip, audio_T, decoded_T)
    done: Future[Score] = Future()
    done.set_result(score_clip(audio_T, decoded_T))
    return done


@contextmanager
def _workers(jobs: int) -> Iterator[Executor | None]:
    """Spawned, not forked: the codecs' libraries have threads."""
    if jobs == 1:
        yield None
        return
    with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn")) as pool:
        yield pool


def _run_of(coder: Coder, bits: int, scores: dict[str, Score], clips: Clips) -> QualityRun:
    duration_s = sum(len(audio_T) for audio_T in clips.values()) / SCORED_HZ
    return QualityRun(
        codec=coder.name,
        precision=coder.precision if coder.backend != "lyra" else "",
        bitrate_bps=round(bits / duration_s),
        means={
            item.name: mean_of([getattr(score, item.name) for score in scores.values()])
            for item in fields(Score)
        },
        pesq_floored=sum(score.pesq_wb == PESQ_WB_FLOOR for score in scores.values()),
        scores={
            name: {key: round(value, 4) for key, value in asdict(score).items()}
            for name, score in scores.items()
        },
    )
