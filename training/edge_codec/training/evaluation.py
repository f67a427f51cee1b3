"""Scores of a codec over many clips, per bitrate, and how much of its codebooks it uses.

Knows callables and arrays: the codec may be a torch model in training or a shipped bundle.
Shapes: T samples, F code frames, K codebooks, N codebook entries.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, Future
from dataclasses import asdict, dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import soxr
from numpy.typing import NDArray
from tqdm import tqdm

from edge_codec.runtime.errors import AudioError
from edge_codec.runtime.quality import (
    PESQ_WB_FLOOR,
    SCORED_RATE_HZ,
    Mean,
    Score,
    align,
    mean_of,
    score_clip,
)
from edge_codec.runtime.spec import CodecSpec
from edge_codec.training.audio_files import find_audio, read_mono
from edge_codec.training.parallel import draw_ahead, workers

FloatArray = NDArray[np.floating[Any]]
IntArray = NDArray[np.integer[Any]]
EncodeDecode = Callable[[NDArray[np.float32], int], tuple[FloatArray, IntArray]]
"""(audio [T] of whole frames at the codec's rate, layers) -> decoded [T], codes [F, K]."""
ReadClip = Callable[[], NDArray[np.float32]]
"""Gives one clip [T] at the codec's rate; AudioError when it cannot."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BitrateRow:
    """What one bitrate scored."""

    layers: int
    """RVQ layers sent."""
    bitrate_bps: float
    """Codec bits per second."""
    means: dict[str, Mean]
    """Measure (a field of `Score`) -> mean over the scored clips."""
    pesq_floored: int
    """Clips so damaged that PESQ found no speech: they count with its lowest score."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Evaluation:
    """Everything measured on one set of clips."""

    clips: int
    """Clips scored."""
    unscored: dict[str, str]
    """Clip -> why it could not be scored at any bitrate (unreadable, silent, too short)."""
    rows: list[BitrateRow]
    """One per bitrate, rising."""
    code_entropy_bits: list[float]
    """[K] entropy of each layer's codes over the whole set, at the highest bitrate."""
    bits_per_code: int
    """What the entropy would be if every code were used equally."""

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready fields."""
        return asdict(self)


def clips_in(folder: Path, rate_hz: int) -> dict[str, ReadClip]:
    """Name -> reader of every audio file below `folder`, for `evaluate`."""
    paths = find_audio(folder)
    return {str(path.relative_to(folder)): partial(read_mono, path, rate_hz) for path in paths}


def evaluate(
    encode_decode: EncodeDecode,
    clips: Mapping[str, ReadClip],
    spec: CodecSpec,
    *,
    layers: Sequence[int],
    jobs: int = 1,
    show_progress: bool = False,
) -> Evaluation:
    """Encode and decode every clip at every layer count and score the result.

    The codec runs in this process; scoring, which costs more, in `jobs` processes.

    Raises:
        AudioError: not one clip could be scored.
    """
    coder = _Coder(encode_decode, spec, sorted(set(layers)))
    scores: list[list[Score]] = []
    unscored: dict[str, str] = {}
    with workers(jobs) as pool:
        futures = ((name, _submit(pool, coder, read)) for name, read in clips.items())
        in_flight = draw_ahead(futures, 2 * jobs)
        for name, future in tqdm(
            in_flight, "evaluate", len(clips), disable=None if show_progress else True
        ):
            try:
                scores.append(future.result())
            except AudioError as error:
                unscored[name] = str(error)
    if not scores:
        raise AudioError(f"none of the {len(clips)} clips could be scored: {unscored}")
    return Evaluation(
        clips=len(scores),
        unscored=unscored,
        rows=[
            _row(spec, count, [clip_scores[index] for clip_scores in scores])
            for index, count in enumerate(coder.layers)
        ],
        code_entropy_bits=entropy_bits(coder.code_counts_KN),
        bits_per_code=spec.bits_per_code,
    )


def entropy_bits(code_counts_KN: IntArray) -> list[float]:
    """[K] Shannon entropy of each layer, from how often each code occurred."""
    shares_KN = code_counts_KN / np.maximum(code_counts_KN.sum(axis=1, keepdims=True), 1)
    logs_KN = np.log2(shares_KN, where=shares_KN > 0, out=np.zeros_like(shares_KN))
    return [float(-(share @ log)) for share, log in zip(shares_KN, logs_KN, strict=True)]


def format_table(evaluation: Evaluation) -> str:
    """Markdown: one line per bitrate, then codebook use and what could not be scored."""
    names = list(_DECIMALS_BY_MEASURE)
    lines = [
        "| kbit/s | ViSQOL | PESQ-WB | STOI | ESTOI | mel ↓ | SI-SDR dB |",
        "| ---: " * (len(names) + 1) + "|",
    ]
    for row in evaluation.rows:
        cells = [f"{row.bitrate_bps / 1000:g}"]
        cells += [_cell(row.means[name], _DECIMALS_BY_MEASURE[name]) for name in names]
        lines.append(f"| {' | '.join(cells)} |")
    use = " ".join(f"{bits:.2f}" for bits in evaluation.code_entropy_bits)
    lines += ["", f"{evaluation.clips} clips, mean ± 95 % confidence"]
    lines += [f"codebook use, bits of {evaluation.bits_per_code} per layer: {use}"]
    lines += [
        f"no speech left for PESQ, scored lowest, at {row.bitrate_bps:g} bit/s: {row.pesq_floored}"
        for row in evaluation.rows
        if row.pesq_floored
    ]
    lines += [f"not scored: {name}: {reason}" for name, reason in evaluation.unscored.items()]
    return "\n".join(lines)


_DECIMALS_BY_MEASURE = {
    "visqol": 2, "pesq_wb": 2, "stoi": 3, "estoi": 3, "mel": 2, "si_sdr_db": 1
}  # fmt: skip


def _cell(mean: Mean, decimals: int) -> str:
    if mean.half_width_95 is None:
        return f"{mean.mean:.{decimals}f}"
    return f"{mean.mean:.{decimals}f} ± {mean.half_width_95:.{decimals}f}"


def _row(spec: CodecSpec, layers: int, scores: list[Score]) -> BitrateRow:
    return BitrateRow(
        layers=layers,
        bitrate_bps=spec.bitrate_bps(layers),
        means={
            field.name: mean_of([getattr(score, field.name) for score in scores])
            for field in fields(Score)
        },
        pesq_floored=sum(score.pesq_wb == PESQ_WB_FLOOR for score in scores),
    )


class _Coder:
    """Runs the codec over clips and counts the codes it used."""

    def __init__(self, encode_decode: EncodeDecode, spec: CodecSpec, layers: list[int]) -> None:
        self.layers = layers
        self.code_counts_KN = np.zeros((layers[-1], spec.codebook_size), np.int64)
        self._encode_decode = encode_decode
        self._spec = spec

    def run(self, audio_T: NDArray[np.float32]) -> tuple[FloatArray, list[FloatArray]]:
        """The clip and its decoded forms (delay removed), both at the scored rate."""
        spec = self._spec
        pad = spec.delay_samples + -(len(audio_T) + spec.delay_samples) % spec.hop_samples
        padded_T = np.pad(audio_T, (0, pad))
        decoded = []
        for count in self.layers:
            decoded_T, codes_FK = self._encode_decode(padded_T, count)
            decoded.append(self._to_scored_rate(align(decoded_T, spec.delay_samples, len(audio_T))))
        # The last run sent the most layers.
        for layer, codes_F in enumerate(codes_FK.T):
            self.code_counts_KN[layer] += np.bincount(codes_F, minlength=spec.codebook_size)
        return self._to_scored_rate(audio_T), decoded

    def _to_scored_rate(self, audio_T: FloatArray) -> FloatArray:
        if self._spec.sample_rate_hz == SCORED_RATE_HZ:
            return audio_T
        resampled: FloatArray = soxr.resample(audio_T, self._spec.sample_rate_hz, SCORED_RATE_HZ)
        return resampled


def _submit(pool: Executor, coder: _Coder, read: ReadClip) -> "Future[list[Score]]":
    try:
        return pool.submit(_score_all, *coder.run(read()))
    except AudioError as error:
        failed: Future[list[Score]] = Future()
        failed.set_exception(error)
        return failed


def _score_all(reference_T: FloatArray, decoded: list[FloatArray]) -> list[Score]:
    return [score_clip(reference_T, decoded_T) for decoded_T in decoded]
