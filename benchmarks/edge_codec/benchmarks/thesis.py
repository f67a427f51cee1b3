"""The reference thesis' own table: compression ratio, mel distance and ViSQOL, beside Opus.

Any folder of audio, at its own rates: each clip is coded at the model's rate, and what is heard is
brought back. Compression counts 16-bit PCM of one channel at the clip's rate against packet bits.
Mel distance is the mean over the seven scales, so that it can be read beside the thesis'; its
absolute value depends on details that the thesis does not give. Models of speech are scored at
16 kHz, by ViSQOL's speech mode; wider ones over all they carry, by its audio mode at 48 kHz.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from edge_codec.benchmarks.coders import Coder, code_clip
from edge_codec.benchmarks.coders.coder import SCORED_HZ, FloatArray, resampled
from edge_codec.benchmarks.record import ThesisRow
from edge_codec.benchmarks.speech import find_audio, read_mono
from edge_codec.runtime.audio import open_source
from edge_codec.runtime.errors import AudioError
from edge_codec.runtime.quality import (
    MEL_BANDS_BY_WINDOW,
    VISQOL_AUDIO_RATE_HZ,
    mean_of,
    mel_distance,
    visqol,
    visqol_audio,
)

PCM_BITS = 16
SPEECH_UP_TO_HZ = 24_000
"""Models of at most this rate are scored as speech."""


@dataclass(frozen=True, slots=True)
class _Clip:
    """One file and what every codec made of it."""

    samples: int
    rate_hz: int
    bits: dict[str, int]
    """Codec -> bits of its packets."""
    mel: dict[str, float]
    """Codec -> mel distance, mean over its scales."""
    visqol: dict[str, float]


def measure_thesis(
    folder: Path, coders: Sequence[Coder], *, model_hz: int, show_progress: bool = False
) -> tuple[list[ThesisRow], dict[str, str]]:
    """One row per codec, all over the same clips, and why a clip is left out of all.

    Args:
        folder: any audio.
        coders: a model at several bitrates, and its peers.
        model_hz: rate of the model, which decides what is scored.
        show_progress: draw a bar.
    Raises:
        AudioError: the folder holds no audio, or none that can be read and scored.
        MissingExtraError: ViSQOL is not installed.
    """
    clips: list[_Clip] = []
    unscored: dict[str, str] = {}
    paths, name = find_audio(folder), folder.resolve().name
    for path in tqdm(paths, name, disable=None if show_progress else True, leave=False):
        try:
            clips.append(_measure_clip(path, coders, model_hz))
        except AudioError as error:
            unscored[f"{name}/{path.relative_to(folder).as_posix()}"] = str(error)
    if not clips:
        raise AudioError(f"none of the {len(paths)} clips can be scored: {unscored}")
    return [_row(name, coder.name, clips) for coder in coders], unscored


def _measure_clip(path: Path, coders: Sequence[Coder], model_hz: int) -> _Clip:
    clip_hz = _rate_hz(path)
    audio_T = read_mono(path, clip_hz)
    clip = _Clip(len(audio_T), clip_hz, bits={}, mel={}, visqol={})
    for coder in coders:
        coded = code_clip(coder, audio_T, clip_hz)
        clip.bits[coder.name] = coded.bits
        scores = _scores(audio_T, coded.samples_T, clip_hz, model_hz)
        clip.mel[coder.name], clip.visqol[coder.name] = scores
    return clip


def _row(folder: str, codec: str, clips: Sequence[_Clip]) -> ThesisRow:
    pcm_bits = sum(PCM_BITS * clip.samples for clip in clips)
    return ThesisRow(
        folder=folder,
        codec=codec,
        clips=len(clips),
        seconds=round(sum(clip.samples / clip.rate_hz for clip in clips), 1),
        compression_ratio=round(pcm_bits / sum(clip.bits[codec] for clip in clips), 2),
        mel_distance=mean_of([clip.mel[codec] for clip in clips]),
        visqol=mean_of([clip.visqol[codec] for clip in clips]),
    )


def _scores(
    audio_T: FloatArray, heard_T: FloatArray, clip_hz: int, model_hz: int
) -> tuple[float, float]:
    """Mel distance, mean over its scales, and ViSQOL."""

    def at(rate_hz: int) -> tuple[FloatArray, FloatArray]:
        return resampled(audio_T, clip_hz, rate_hz), resampled(heard_T, clip_hz, rate_hz)

    if model_hz <= SPEECH_UP_TO_HZ:
        mel, mos = mel_distance(*at(SCORED_HZ)), visqol(*at(SCORED_HZ))
    else:
        mel, mos = mel_distance(*at(model_hz), model_hz), visqol_audio(*at(VISQOL_AUDIO_RATE_HZ))
    return mel / len(MEL_BANDS_BY_WINDOW), mos


def _rate_hz(path: Path) -> int:
    with open_source(str(path), SCORED_HZ) as source:
        return source.sample_rate_hz
