"""Scores of a codec over many clips, per bitrate, and how much of its codebooks it uses.

Knows callables and arrays: the codec may be a torch model in training or a shipped bundle.
Shapes: T samples, F code frames, K codebooks, N codebook entries.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, Future
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import soundfile
from numpy.typing import NDArray
from tqdm import tqdm

from edge_codec.runtime.errors import AudioError
from edge_codec.runtime.quality import PESQ_WB_FLOOR, Mean, align, mean_of
from edge_codec.runtime.spec import CodecSpec
from edge_codec.training.audio_files import find_audio, read_mono
from edge_codec.training.measures import MODES, Scores
from edge_codec.training.parallel import draw_ahead, workers

FloatArray = NDArray[np.floating[Any]]
IntArray = NDArray[np.integer[Any]]
PCM_BITS = 16
"""Bits of a sample of the original that the compression ratio counts."""


class Coder(Protocol):
    """The codec under test; every call is a stream of its own."""

    def encode(self, audio_T: NDArray[np.float32]) -> IntArray:
        """Codes of all layers [F, K] from whole frames at the codec's rate."""

    def decode(self, codes_FK: IntArray) -> FloatArray:
        """[T] from codes; a code equal to the codebook size did not arrive."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Clip:
    """One clip to score on."""

    read: Callable[[], NDArray[np.float32]]
    """Gives it [T] at the codec's rate; AudioError when it cannot."""
    pcm_bits: int | None = None
    """Bits of the original as 16-bit PCM with all its channels; None for as `read` gives it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Conditions:
    """Under which everything is scored."""

    mode: str = "speech"
    """Key of `MODES`."""
    frame_loss: float = 0.0
    """Share of frames that are lost on the way, each by itself."""
    seed: int = 1
    """Decides which."""
    file_bits: Callable[[IntArray, int, int], int] | None = None
    """(codes [F, K], layers, samples of the clip) -> bits of a file; None for the codes alone."""
    carried: Callable[[IntArray, int], IntArray] | None = None
    """(codes [F, K], layers) -> those of them that a bitrate of so many layers carries, the
    codebook's size in the place of others; None for the first layers of each frame."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BitrateRow:
    """What one bitrate scored."""

    layers: int
    """RVQ layers sent."""
    bitrate_bps: float
    """Codec bits per second."""
    measured_bps: float
    """Bits of the files per second of audio."""
    compression_ratio: float
    """Bits of the originals as 16-bit PCM over those of the files."""
    means: dict[str, Mean]
    """Measure -> mean over the scored clips."""
    pesq_floored: int
    """Clips so damaged that PESQ found no speech: they count with its lowest score."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Evaluation:
    """Everything measured on one set of clips."""

    mode: str
    """Key of `MODES`."""
    frame_loss: float
    """Share of frames lost on the way."""
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
    bitrate_efficiency: float
    """Sum of the entropies over the sum of the bits sent (thesis)."""

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready fields."""
        return asdict(self)


def clips_in(folder: Path, rate_hz: int) -> dict[str, Clip]:
    """Name -> every audio file below `folder`, for `evaluate`."""
    return {
        str(path.relative_to(folder)): Clip(
            read=partial(read_mono, path, rate_hz), pcm_bits=_pcm_bits(path)
        )
        for path in find_audio(folder)
    }


def evaluate(
    coder: Coder,
    clips: Mapping[str, Clip],
    spec: CodecSpec,
    *,
    layers: Sequence[int],
    conditions: Conditions | None = None,
    jobs: int = 1,
    show_progress: bool = False,
) -> Evaluation:
    """Encode and decode every clip at every layer count and score the result.

    The codec runs in this process; scoring, which costs more, in `jobs` processes.

    Raises:
        AudioError: not one clip could be scored.
    """
    conditions = conditions or Conditions()
    bench = _Bench(coder, spec, sorted(set(layers)), conditions)
    scores: list[list[Scores]] = []
    unscored: dict[str, str] = {}
    with workers(jobs) as pool:
        futures = ((name, _submit(pool, bench, clip)) for name, clip in clips.items())
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
    entropies = entropy_bits(bench.code_counts_KN)
    return Evaluation(
        mode=conditions.mode,
        frame_loss=conditions.frame_loss,
        clips=len(scores),
        unscored=unscored,
        rows=[
            bench.row(index, [clip_scores[index] for clip_scores in scores])
            for index in range(len(bench.layers))
        ],
        code_entropy_bits=entropies,
        bits_per_code=spec.bits_per_code,
        bitrate_efficiency=sum(entropies) / (len(entropies) * spec.bits_per_code),
    )


def entropy_bits(code_counts_KN: IntArray) -> list[float]:
    """[K] Shannon entropy of each layer, from how often each code occurred."""
    shares_KN = code_counts_KN / np.maximum(code_counts_KN.sum(axis=1, keepdims=True), 1)
    logs_KN = np.log2(shares_KN, where=shares_KN > 0, out=np.zeros_like(shares_KN))
    return [float(-(share @ log)) for share, log in zip(shares_KN, logs_KN, strict=True)]


def format_table(evaluation: Evaluation) -> str:
    """Markdown: one line per bitrate, then codebook use and what could not be scored."""
    measures = MODES[evaluation.mode].measures
    titles = ["kbit/s", "in a file", "ratio", *(measure.title for measure in measures.values())]
    lines = [f"| {' | '.join(titles)} |", "| ---: " * len(titles) + "|"]
    for row in evaluation.rows:
        cells = [f"{row.bitrate_bps / 1000:g}", f"{row.measured_bps / 1000:.2f}"]
        cells += [f"{row.compression_ratio:.1f}"]
        cells += [_cell(row.means[name], measure.decimals) for name, measure in measures.items()]
        lines.append(f"| {' | '.join(cells)} |")
    use = " ".join(f"{bits:.2f}" for bits in evaluation.code_entropy_bits)
    lines += ["", f"{evaluation.clips} clips, mean ± 95 % confidence"]
    if evaluation.frame_loss:
        lines += [f"{100 * evaluation.frame_loss:g} % of the frames lost at random"]
    lines += [f"codebook use, bits of {evaluation.bits_per_code} per layer: {use}"]
    lines += [f"bitrate efficiency: {100 * evaluation.bitrate_efficiency:.1f} %"]
    lines += [
        f"no speech left for PESQ, scored lowest, at {row.bitrate_bps:g} bit/s: {row.pesq_floored}"
        for row in evaluation.rows
        if row.pesq_floored
    ]
    lines += [f"not scored: {name}: {reason}" for name, reason in evaluation.unscored.items()]
    return "\n".join(lines)


def _cell(mean: Mean, decimals: int) -> str:
    if mean.half_width_95 is None:
        return f"{mean.mean:.{decimals}f}"
    return f"{mean.mean:.{decimals}f} ± {mean.half_width_95:.{decimals}f}"


def _pcm_bits(path: Path) -> int | None:
    try:
        info = soundfile.info(path)
    except soundfile.LibsndfileError:  # reading it will say why
        return None
    return int(info.frames * info.channels * PCM_BITS)


@dataclass(slots=True)
class _Tally:
    """What the clips of one layer count took."""

    file_bits: int = 0
    pcm_bits: int = 0


@dataclass(slots=True)
class _Bench:
    """Runs the codec over clips, counting the codes it used and the bits they take."""

    coder: Coder
    spec: CodecSpec
    layers: list[int]
    conditions: Conditions
    code_counts_KN: IntArray = field(init=False)
    _tallies: list[_Tally] = field(init=False)
    _duration_s: float = 0.0
    _rng: np.random.Generator = field(init=False)

    def __post_init__(self) -> None:
        self.code_counts_KN = np.zeros((self.layers[-1], self.spec.codebook_size), np.int64)
        self._tallies = [_Tally() for _ in self.layers]
        self._rng = np.random.default_rng(self.conditions.seed)

    def run(self, clip: Clip) -> tuple[FloatArray, list[FloatArray]]:
        """The clip and its decoded forms, delay removed, all at the codec's rate."""
        audio_T, spec = clip.read(), self.spec
        pad = spec.delay_samples + -(len(audio_T) + spec.delay_samples) % spec.hop_samples
        codes_FK = self.coder.encode(np.pad(audio_T, (0, pad)))
        for layer, codes_F in enumerate(codes_FK.T[: self.layers[-1]]):
            self.code_counts_KN[layer] += np.bincount(codes_F, minlength=spec.codebook_size)
        is_lost_F = self._rng.random(len(codes_FK)) < self.conditions.frame_loss
        decoded = []
        for count, tally in zip(self.layers, self._tallies, strict=True):
            arrived_FK = self._carried(codes_FK, count)
            arrived_FK[is_lost_F] = spec.codebook_size
            decoded_T = align(self.coder.decode(arrived_FK), spec.delay_samples, len(audio_T))
            if not np.isfinite(decoded_T).all():
                raise AudioError(f"decoded to NaN or infinity with {count} layers")
            decoded.append(decoded_T)
            tally.file_bits += self._bits(codes_FK, count, len(audio_T))
            tally.pcm_bits += clip.pcm_bits or PCM_BITS * len(audio_T)
        self._duration_s += len(audio_T) / spec.sample_rate_hz
        return audio_T, decoded

    def row(self, index: int, scores: list[Scores]) -> BitrateRow:
        """The means at one layer count."""
        layers, tally = self.layers[index], self._tallies[index]
        return BitrateRow(
            layers=layers,
            bitrate_bps=self.spec.bitrate_bps(layers),
            measured_bps=tally.file_bits / self._duration_s,
            compression_ratio=tally.pcm_bits / tally.file_bits,
            means={name: mean_of([score[name] for score in scores]) for name in scores[0]},
            pesq_floored=sum(score.get("pesq_wb") == PESQ_WB_FLOOR for score in scores),
        )

    def _carried(self, codes_FK: IntArray, layers: int) -> IntArray:
        if self.conditions.carried is not None:
            return self.conditions.carried(codes_FK, layers)
        carried_FK = codes_FK.copy()
        carried_FK[:, layers:] = self.spec.codebook_size
        return carried_FK

    def _bits(self, codes_FK: IntArray, layers: int, samples: int) -> int:
        if self.conditions.file_bits is not None:
            return self.conditions.file_bits(codes_FK, layers, samples)
        return len(codes_FK) * layers * self.spec.bits_per_code


def _submit(pool: Executor, bench: _Bench, clip: Clip) -> "Future[list[Scores]]":
    try:
        original_T, decoded = bench.run(clip)
    except AudioError as error:
        failed: Future[list[Scores]] = Future()
        failed.set_exception(error)
        return failed
    mode = bench.conditions.mode
    return pool.submit(_score_all, mode, original_T, decoded, bench.spec.sample_rate_hz)


def _score_all(
    mode: str, original_T: FloatArray, decoded: list[FloatArray], rate_hz: int
) -> list[Scores]:
    return [MODES[mode].score(original_T, decoded_T, rate_hz) for decoded_T in decoded]
