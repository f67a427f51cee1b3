"""What a decoded clip is scored by: one list of measures for speech, one for music and noise.

Knows arrays only. Shapes: T samples.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import soxr
from numpy.typing import NDArray

from edge_codec.runtime.errors import AudioError
from edge_codec.runtime.quality import (
    SCORED_RATE_HZ,
    VISQOL_AUDIO_RATE_HZ,
    mel_distance,
    score_clip,
    si_sdr_db,
    stft_distance,
    visqol_audio,
)

FloatArray = NDArray[np.floating[Any]]
Scores = dict[str, float]
"""Measure -> value."""
SPEECH_UP_TO_HZ = 24_000
"""Codecs of at most this rate are scored as speech unless asked otherwise."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Measure:
    """How a measure is printed."""

    title: str
    """Head of its column."""
    decimals: int
    """Digits behind the point."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Mode:
    """One list of measures."""

    measures: dict[str, Measure]
    """Name in JSON -> how it is printed."""
    score: Callable[[FloatArray, FloatArray, int], Scores]
    """(original [T], decoded [T], their rate) -> a value for each measure."""


def score_speech(original_T: FloatArray, decoded_T: FloatArray, rate_hz: int) -> Scores:
    """The measures of telephony, at 16 kHz, and the thesis' distances.

    Raises:
        AudioError: nothing can be said of the clip.
    """
    original_T, decoded_T = (
        _resampled(x, rate_hz, SCORED_RATE_HZ) for x in (original_T, decoded_T)
    )
    scores = asdict(score_clip(original_T, decoded_T))
    return scores | {"stft": stft_distance(original_T, decoded_T)}


def score_audio(original_T: FloatArray, decoded_T: FloatArray, rate_hz: int) -> Scores:
    """ViSQOL's audio mode at 48 kHz, and the thesis' distances at the codec's rate.

    Raises:
        AudioError: nothing can be said of the clip.
    """
    if len(original_T) < rate_hz // 2:
        raise AudioError(f"clip of {len(original_T)} samples: scores need {rate_hz // 2}")
    wide = (_resampled(x, rate_hz, VISQOL_AUDIO_RATE_HZ) for x in (original_T, decoded_T))
    return {
        "visqol_audio": visqol_audio(*wide),
        "mel": mel_distance(original_T, decoded_T, rate_hz),
        "stft": stft_distance(original_T, decoded_T),
        "si_sdr_db": si_sdr_db(original_T, decoded_T),
    }


def _resampled(audio_T: FloatArray, from_hz: int, to_hz: int) -> FloatArray:
    if from_hz == to_hz:
        return audio_T
    resampled: FloatArray = soxr.resample(audio_T, from_hz, to_hz)
    return resampled


_DISTANCES = {
    "mel": Measure(title="mel ↓", decimals=2),
    "stft": Measure(title="STFT ↓", decimals=3),
    "si_sdr_db": Measure(title="SI-SDR dB", decimals=1),
}
MODES = {
    "speech": Mode(
        measures={
            "visqol": Measure(title="ViSQOL", decimals=2),
            "pesq_wb": Measure(title="PESQ-WB", decimals=2),
            "stoi": Measure(title="STOI", decimals=3),
            "estoi": Measure(title="ESTOI", decimals=3),
        }
        | _DISTANCES,
        score=score_speech,
    ),
    "audio": Mode(
        measures={"visqol_audio": Measure(title="ViSQOL audio", decimals=2)} | _DISTANCES,
        score=score_audio,
    ),
}
"""Name -> the list of measures."""
