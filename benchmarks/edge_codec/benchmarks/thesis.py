"""The reference thesis' own table: compression ratio, mel distance and ViSQOL, beside Opus.

Any folder of audio, at its own rates: each clip is coded at the model's rate, and what is heard is
brought back. Compression counts 16-bit PCM of one channel at the clip's rate against packet bits.
Mel distance is the mean over the seven scales, so that it can be read beside the thesis'; its
absolute value depends on details that the thesis does not give. Models of speech are scored at
16 kHz, by ViSQOL's speech mode; wider ones over all they carry, by its audio mode at 48 kHz.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tqdm import tqdm

from edge_codec.benchmarks.coders import Coder, code_clip
from edge_codec.benchmarks.coders.coder import SCORED_HZ, FloatArray, resampled
from edge_codec.benchmarks.record import ThesisRow
from edge_codec.benchmarks.speech import find_audio, read_mono
from edge_codec.runtime.audio import open_source
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


@dataclass(slots=True)
class _Sums:
    bits: int = 0
    mel: list[float] = field(default_factory=list)
    visqol: list[float] = field(default_factory=list)


def measure_thesis(
    folder: Path, coders: Sequence[Coder], *, model_hz: int, show_progress: bool = False
) -> list[ThesisRow]:
    """One row per codec, all scored alike.

    Args:
        folder: any audio.
        coders: a model at several bitrates, and its peers.
        model_hz: rate of the model, which decides what is scored.
        show_progress: draw a bar.
    Raises:
        AudioError: the folder holds no audio, or a file cannot be read.
        MissingExtraError: ViSQOL is not installed.
    """
    sums = {coder.name: _Sums() for coder in coders}
    pcm_bits, seconds = 0, 0.0
    paths = find_audio(folder)
    for path in tqdm(paths, folder.name, disable=None if show_progress else True, leave=False):
        clip_hz = _rate_hz(path)
        audio_T = read_mono(path, clip_hz)
        pcm_bits += PCM_BITS * len(audio_T)
        seconds += len(audio_T) / clip_hz
        for coder in coders:
            coded = code_clip(coder, audio_T, clip_hz)
            found = sums[coder.name]
            found.bits += coded.bits
            mel, mos = _scores(audio_T, coded.samples_T, clip_hz, model_hz)
            found.mel.append(mel)
            found.visqol.append(mos)
    return [
        ThesisRow(
            folder=folder.resolve().name,
            codec=name,
            clips=len(paths),
            seconds=round(seconds, 1),
            compression_ratio=round(pcm_bits / found.bits, 2),
            mel_distance=mean_of(found.mel),
            visqol=mean_of(found.visqol),
        )
        for name, found in sums.items()
    ]


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
