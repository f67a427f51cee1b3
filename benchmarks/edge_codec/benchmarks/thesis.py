"""The reference thesis' own table: compression ratio, mel distance and ViSQOL, beside Opus.

Any folder of audio, at its own rates: each clip is coded at the model's rate, and what is heard is
brought back. Compression counts 16-bit PCM of one channel at the clip's rate against packet bits.
Mel distance is the mean over the seven scales at 16 kHz, so that it can be read beside the thesis';
its absolute value depends on details that the thesis does not give.
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
from edge_codec.runtime.quality import MEL_BANDS_BY_WINDOW, mean_of, mel_distance, visqol

PCM_BITS = 16


@dataclass(slots=True)
class _Sums:
    bits: int = 0
    mel: list[float] = field(default_factory=list)
    visqol: list[float] = field(default_factory=list)


def measure_thesis(
    folder: Path, coders: Sequence[Coder], *, show_progress: bool = False
) -> list[ThesisRow]:
    """One row per codec.

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
            _add(sums[coder.name], coder, audio_T, clip_hz)
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


def _add(found: _Sums, coder: Coder, audio_T: FloatArray, clip_hz: int) -> None:
    coded = code_clip(coder, audio_T, clip_hz)
    found.bits += coded.bits
    reference_T = resampled(audio_T, clip_hz, SCORED_HZ)
    heard_T = resampled(coded.samples_T, clip_hz, SCORED_HZ)
    found.mel.append(mel_distance(reference_T, heard_T) / len(MEL_BANDS_BY_WINDOW))
    found.visqol.append(visqol(reference_T, heard_T))


def _rate_hz(path: Path) -> int:
    with open_source(str(path), SCORED_HZ) as source:
        return source.sample_rate_hz
