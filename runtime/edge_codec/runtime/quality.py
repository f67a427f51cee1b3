"""How close decoded audio comes to the original: speech at 16 kHz by six measures, any by four.

Mel distance and SI-SDR need numpy alone, so a board can report them. The perceptual measures
import their package (extra `train`) when called. Knows arrays only: no files, no codecs.
Shapes: T samples, W samples of one analysis window, M mel bands.
"""

import warnings
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from math import exp
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_codec.runtime.errors import AudioError, MissingExtraError

FloatArray = NDArray[np.floating[Any]]

SCORED_RATE_HZ = 16_000
"""Rate every measure expects; PESQ-WB, ViSQOL speech mode and STOI are defined there."""
MIN_SCORED_SAMPLES = SCORED_RATE_HZ // 2
"""STOI needs 30 voiced frames (0.4 s) and PESQ 0.25 s: anything shorter cannot be scored."""
MEL_BANDS_BY_WINDOW = {32: 5, 64: 10, 128: 20, 256: 40, 512: 80, 1024: 160, 2048: 320}
"""Window samples -> mel bands of the seven scales of the mel distance (hop = window / 4)."""
STFT_WINDOWS = (2048, 512)
"""Windows of the log-magnitude distance, as in the thesis' reference (DAC; hop = window / 4)."""
VISQOL_AUDIO_RATE_HZ = 48_000
"""Rate of ViSQOL's audio mode."""
MEL_FLOOR = 1e-5
"""Magnitudes below this count as equal silence."""
PESQ_WB_FLOOR = 0.999 + 4.0 / (1.0 + exp(1.3669 * 0.5 + 3.8224))
"""What P.862.2 maps the lowest raw score (-0.5) to; given to speech decoded to nothing."""
VISQOL_FLOOR = 1.0
"""Lowest mean opinion score; given to speech decoded to nothing, where ViSQOL divides by zero."""
STOI_TOO_SHORT = 1e-5
"""What pystoi returns, with a warning, for fewer than 30 voiced frames."""
SI_SDR_LIMIT_DB = 100.0
"""SI-SDR is clipped here, so that silence and identity stay finite numbers."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Score:
    """The six measures of one decoded clip against its original."""

    visqol: float
    """ViSQOL speech mode, lattice model: MOS-LQO, 1 to about 4.6."""
    pesq_wb: float
    """PESQ wide band (P.862.2): MOS-LQO, 1.04 to 4.64."""
    stoi: float
    """Short-time objective intelligibility, up to 1."""
    estoi: float
    """Extended STOI, up to 1."""
    mel: float
    """Sum over seven scales of the L1 distance of log10 mel magnitudes; 0 is identity."""
    si_sdr_db: float
    """Scale-invariant signal-to-distortion ratio, decibels."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Mean:
    """The mean of a measure over clips, with its confidence."""

    mean: float
    """Arithmetic mean over the clips."""
    half_width_95: float | None
    """Half of the 95 % confidence interval (Student's t); None for a single clip."""


def score_clip(reference_T: FloatArray, decoded_T: FloatArray) -> Score:
    """Score one decoded clip by all six measures.

    Args:
        reference_T: [T] original, -1 to 1, at `SCORED_RATE_HZ`.
        decoded_T: [T] decoded, same rate, with the codec's delay removed (see `align`).
    Raises:
        AudioError: the original is too short or holds no speech, so nothing can be said of it.
        MissingExtraError: a package of the perceptual measures is not installed.
    """
    if len(reference_T) < MIN_SCORED_SAMPLES:
        raise AudioError(f"clip of {len(reference_T)} samples: scores need {MIN_SCORED_SAMPLES}")
    return Score(
        pesq_wb=pesq_wb(reference_T, decoded_T),
        visqol=visqol(reference_T, decoded_T),
        stoi=stoi(reference_T, decoded_T),
        estoi=stoi(reference_T, decoded_T, extended=True),
        mel=mel_distance(reference_T, decoded_T),
        si_sdr_db=si_sdr_db(reference_T, decoded_T),
    )


def mean_of(values: list[float]) -> Mean:
    """Mean of `values` (at least one) with its 95 % confidence interval."""
    count = len(values)
    if count < 2:
        return Mean(mean=values[0], half_width_95=None)
    spread = float(np.std(values, ddof=1))
    return Mean(
        mean=float(np.mean(values)), half_width_95=_student_t_975(count - 1) * spread / count**0.5
    )


def align(decoded_T: FloatArray, delay_samples: int, length_samples: int) -> FloatArray:
    """Drop a constant delay, then cut or zero-pad to `length_samples`."""
    aligned_T = decoded_T[delay_samples : delay_samples + length_samples]
    return np.pad(aligned_T, (0, length_samples - len(aligned_T)))


def mel_distance(
    reference_T: FloatArray, decoded_T: FloatArray, rate_hz: int = SCORED_RATE_HZ
) -> float:
    """Sum over seven scales of the mean |log10 mel difference|; 0 is identity.

    Source: multi-scale mel loss of DAC (arXiv 2306.06546), with its windows and bands.
    """
    pairs = (
        [_log_mel(audio_T, window, rate_hz) for audio_T in (reference_T, decoded_T)]
        for window in MEL_BANDS_BY_WINDOW
    )
    return sum(float(np.abs(reference - decoded).mean()) for reference, decoded in pairs)


def stft_distance(reference_T: FloatArray, decoded_T: FloatArray) -> float:
    """Mean over `STFT_WINDOWS` of the mean |log10 magnitude difference|; 0 is identity."""
    pairs = (
        [_log(_magnitudes(audio_T, window)) for audio_T in (reference_T, decoded_T)]
        for window in STFT_WINDOWS
    )
    return float(np.mean([np.abs(reference - decoded).mean() for reference, decoded in pairs]))


def si_sdr_db(reference_T: FloatArray, decoded_T: FloatArray) -> float:
    """Scale-invariant SDR in decibels, clipped to +-`SI_SDR_LIMIT_DB`.

    With the means removed it depends on the correlation alone: rho^2 / (1 - rho^2).

    Source: Le Roux et al., "SDR - half-baked or well done?", arXiv 1811.02508.
    """
    reference_T = reference_T - np.mean(reference_T, dtype=np.float64)
    decoded_T = decoded_T - np.mean(decoded_T, dtype=np.float64)
    energies = float(reference_T @ reference_T) * float(decoded_T @ decoded_T)
    similarity = float(reference_T @ decoded_T) ** 2 / energies if energies > 0 else 0.0
    smallest = 10 ** (-SI_SDR_LIMIT_DB / 10)
    ratio = max(similarity, smallest) / max(1 - similarity, smallest)
    return float(np.clip(10 * np.log10(ratio), -SI_SDR_LIMIT_DB, SI_SDR_LIMIT_DB))


def pesq_wb(reference_T: FloatArray, decoded_T: FloatArray) -> float:
    """PESQ wide band; speech decoded to silence scores `PESQ_WB_FLOOR`, it is not left out.

    Raises:
        AudioError: PESQ finds no speech in the original itself.
    """
    pesq = _import_extra("pesq")

    def scored(degraded_T: FloatArray) -> float | None:
        if not np.any(degraded_T):
            return None
        try:
            return float(pesq.pesq(SCORED_RATE_HZ, reference_T, degraded_T, "wb"))
        except pesq.NoUtterancesError:
            return None

    score = scored(decoded_T)
    if score is not None:
        return score
    if scored(reference_T) is None:
        raise AudioError("PESQ finds no speech in the original: the clip cannot be scored")
    return PESQ_WB_FLOOR


def stoi(reference_T: FloatArray, decoded_T: FloatArray, *, extended: bool = False) -> float:
    """STOI, or ESTOI when `extended`.

    Raises:
        AudioError: less than 0.4 s of the original is louder than its silence threshold.
    """
    pystoi = _import_extra("pystoi")
    with warnings.catch_warnings(action="ignore", category=RuntimeWarning):
        score = float(pystoi.stoi(reference_T, decoded_T, SCORED_RATE_HZ, extended=extended))
    if score == STOI_TOO_SHORT:
        raise AudioError("STOI finds less than 0.4 s of speech: the clip cannot be scored")
    return score


def visqol(reference_T: FloatArray, decoded_T: FloatArray) -> float:
    """ViSQOL in speech mode with the lattice model: MOS-LQO; silence scores `VISQOL_FLOOR`.

    Raises:
        AudioError: the original is silent or too short for it.
    """
    return _visqol_score("speech", reference_T, decoded_T, SCORED_RATE_HZ)


def visqol_audio(reference_T: FloatArray, decoded_T: FloatArray) -> float:
    """ViSQOL in audio mode, both at `VISQOL_AUDIO_RATE_HZ`: MOS-LQO up to 4.73.

    Raises:
        AudioError: the original is silent or too short for it.
    """
    return _visqol_score("audio", reference_T, decoded_T, VISQOL_AUDIO_RATE_HZ)


def _visqol_score(mode: str, reference_T: FloatArray, decoded_T: FloatArray, rate_hz: int) -> float:
    if not np.any(reference_T):
        raise AudioError("the original is silent: the clip cannot be scored")
    if not np.any(decoded_T):
        return VISQOL_FLOOR
    try:
        result = _visqol_api(mode).measure_from_arrays(reference_T, decoded_T, rate_hz)
    except (ValueError, IndexError) as error:
        raise AudioError(f"ViSQOL cannot score the clip ({error}); is it too short?") from error
    return float(result.moslqo)


@cache
def _visqol_api(mode: str) -> Any:
    # Without LiteRT the package would fall back to a polynomial with another scale.
    _import_extra("ai_edge_litert")
    api = _import_extra("visqol").VisqolApi()
    api.create(mode=mode, use_lattice_model=True if mode == "speech" else None)
    return api


def _import_extra(package: str) -> Any:
    try:
        return import_module(package)
    except ModuleNotFoundError as error:
        if error.name != package:
            raise
        raise MissingExtraError(
            f"this measure needs the package {package}: pip install 'edge-codec[bench]'"
        ) from error


def _log_mel(audio_T: FloatArray, window: int, rate_hz: int = SCORED_RATE_HZ) -> FloatArray:
    return _log(_magnitudes(audio_T, window) @ _mel_bank(window, rate_hz))


def _log(magnitudes: FloatArray) -> FloatArray:
    return np.log10(np.maximum(magnitudes, np.float32(MEL_FLOOR)))


def _magnitudes(audio_T: FloatArray, window: int) -> FloatArray:
    padded_T = np.pad(np.asarray(audio_T, np.float32), window // 2, mode="reflect")
    frames_FW = np.lib.stride_tricks.sliding_window_view(padded_T, window)[:: window // 4]
    return np.abs(np.fft.rfft(frames_FW * _hann(window)))


@cache
def _hann(window: int) -> FloatArray:
    return (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)).astype(np.float32)


@cache
def _mel_bank(window: int, rate_hz: int) -> FloatArray:
    """[window / 2 + 1, M] triangles of equal area on Slaney's mel scale, 0 Hz to Nyquist."""
    bands = MEL_BANDS_BY_WINDOW[window]
    edges_hz = _mel_to_hz(np.linspace(0, _hz_to_mel(rate_hz / 2), bands + 2))
    bins_hz = np.fft.rfftfreq(window, 1 / rate_hz)[:, None]
    low, centre, high = edges_hz[:-2], edges_hz[1:-1], edges_hz[2:]
    triangles = np.minimum((bins_hz - low) / (centre - low), (high - bins_hz) / (high - centre))
    return (np.maximum(triangles, 0) * 2 / (high - low)).astype(np.float32)


# Slaney's mel scale (Auditory Toolbox): 15 mel up to 1 kHz, then 27 mel for each factor of 6.4.
def _hz_to_mel(hz: float) -> float:
    return hz * 15 / 1000 if hz < 1000 else float(15 + 27 * np.log(hz / 1000) / np.log(6.4))


def _mel_to_hz(mel: FloatArray) -> FloatArray:
    return np.where(mel < 15, mel * 1000 / 15, 1000 * 6.4 ** ((mel - 15) / 27))


def _student_t_975(freedom: int) -> float:
    """97.5 % quantile of Student's t: Cornish-Fisher about the normal, within 1 % from 4 up."""
    z = NormalDist().inv_cdf(0.975)
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + first / freedom + second / freedom**2 + third / freedom**3
