"""Each measure against something computed another way, and against what it must never do."""

from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import scipy.signal
import scipy.stats
import soundfile

import edge_codec.runtime
from edge_codec.runtime import quality
from edge_codec.runtime.errors import AudioError, MissingExtraError

CLIPS = Path(edge_codec.runtime.__path__[0]) / "clips"
RATE_HZ = quality.SCORED_RATE_HZ


@pytest.fixture(scope="module")
def speech():
    audio_T, rate_hz = soundfile.read(CLIPS / "librispeech_3080.flac", dtype="float32")
    assert rate_hz == RATE_HZ
    return audio_T[: 3 * RATE_HZ]


@pytest.fixture
def noise():
    return np.random.default_rng(1).standard_normal(RATE_HZ).astype(np.float32) * 0.1


def test_mel_distance_of_a_gain_is_its_log_at_each_scale(noise):
    assert quality.mel_distance(noise, 2 * noise) == pytest.approx(7 * np.log10(2), rel=1e-4)
    assert quality.mel_distance(noise, noise) == 0


def test_mel_distance_of_silence_stops_at_the_floor():
    silence_T = np.zeros(RATE_HZ, np.float32)
    assert quality.mel_distance(silence_T, silence_T + 1e-9) == 0


def test_log_mel_agrees_with_scipy_and_hand_made_triangles(noise):
    window = 512
    _, _, spectrum = scipy.signal.stft(
        noise, nperseg=window, noverlap=window * 3 // 4, padded=False, boundary="even"
    )
    magnitudes_FB = np.abs(spectrum.T) * scipy.signal.get_window("hann", window).sum()
    bins_hz = np.arange(window // 2 + 1) * RATE_HZ / window
    bank_MB = np.array([[_triangle(band, hz) for hz in bins_hz] for band in range(80)])
    expected = np.log10(np.maximum(magnitudes_FB @ bank_MB.T, 1e-5))
    np.testing.assert_allclose(quality._log_mel(noise, window)[2:-2], expected[2:-2], atol=1e-3)


def _triangle(band, hz, bands=80):
    """Slaney's band `band` of `bands` at `hz`, from the published break point and slopes."""

    def edge_hz(index):
        mel = index / (bands + 1) * (15 + np.log(8) / (np.log(6.4) / 27))
        return mel * 200 / 3 if mel < 15 else 1000 * np.exp((mel - 15) * np.log(6.4) / 27)

    low, centre, high = edge_hz(band), edge_hz(band + 1), edge_hz(band + 2)
    slope = (hz - low) / (centre - low) if hz < centre else (high - hz) / (high - centre)
    return max(slope, 0.0) * 2 / (high - low)


def test_stft_distance_agrees_with_scipy(noise):
    other_T = np.cumsum(noise) * 0.1
    expected = []
    for window in (2048, 512):
        settings = {"nperseg": window, "noverlap": window * 3 // 4, "boundary": "even"}
        scale = scipy.signal.get_window("hann", window).sum()
        first, second = (
            np.log10(np.abs(scipy.signal.stft(audio_T, padded=False, **settings)[2] * scale))
            for audio_T in (noise, other_T)
        )
        expected.append(np.abs(first - second).mean())
    assert quality.stft_distance(noise, other_T) == pytest.approx(np.mean(expected), rel=0.01)
    assert quality.stft_distance(noise, 10 * noise) == pytest.approx(1, rel=1e-4)
    assert quality.stft_distance(noise, noise) == 0


def test_mel_distance_knows_the_rate(noise):
    """Sounds above 8 kHz count at 48 kHz; a gain is the same at every rate."""
    spectrum = np.fft.rfft(noise)
    spectrum[len(spectrum) // 3 :] = 0  # at 48 kHz: all above 8 kHz
    low_T = np.fft.irfft(spectrum, len(noise))
    # The lowest of the narrow bands lie between two bins at this rate, and are empty.
    gain = quality.mel_distance(noise, 2 * noise, 48_000)
    assert gain == pytest.approx(7 * np.log10(2), rel=0.05)
    assert quality.mel_distance(noise, low_T, 48_000) > 1


def test_audio_mode_hears_what_is_above_speech():
    noise_T = np.random.default_rng(0).standard_normal(2 * 48_000) * 0.1
    dull_T = scipy.signal.sosfilt(scipy.signal.butter(8, 6_000, fs=48_000, output="sos"), noise_T)
    assert quality.visqol_audio(noise_T, noise_T) == pytest.approx(4.73, abs=0.02)
    assert quality.visqol_audio(noise_T, dull_T) < 4
    assert quality.visqol_audio(noise_T, 0 * noise_T) == quality.VISQOL_FLOOR
    with pytest.raises(AudioError, match="silent"):
        quality.visqol_audio(0 * noise_T, noise_T)


def test_si_sdr_is_the_ratio_of_orthogonal_parts(noise):
    time_s = np.arange(RATE_HZ) / RATE_HZ
    target_T = np.sin(2 * np.pi * 100 * time_s)
    other_T = np.sin(2 * np.pi * 200 * time_s)
    for gain in (0.1, 1.0, -3.0):
        decoded_T = gain * (target_T + 0.1 * other_T) + 0.5
        assert quality.si_sdr_db(target_T, decoded_T) == pytest.approx(20, abs=1e-6)


def test_si_sdr_stays_finite_for_identity_and_silence(noise):
    assert quality.si_sdr_db(noise, noise) == pytest.approx(100)
    assert quality.si_sdr_db(noise, 0 * noise) == pytest.approx(-100)


def test_identity_scores_the_top_of_each_scale(speech):
    score = quality.score_clip(speech, speech)
    assert score.pesq_wb == pytest.approx(4.644, abs=0.001)  # P.862.2 at a raw score of 4.5
    assert score.stoi == pytest.approx(1)
    assert score.estoi == pytest.approx(1)
    # The lattice model's top lies below the 5.0 that the polynomial gives.
    assert 4.0 < score.visqol < 4.8


def test_noise_lowers_every_measure(speech, noise):
    noisy_T = speech + 0.3 * np.tile(noise, 3)
    clean, noisy = (quality.score_clip(speech, other) for other in (speech, noisy_T))
    for name in ("visqol", "pesq_wb", "stoi", "estoi", "si_sdr_db"):
        assert getattr(noisy, name) < getattr(clean, name), name
    assert noisy.mel > clean.mel


def test_speech_decoded_to_silence_scores_lowest_and_is_not_dropped(speech):
    score = quality.score_clip(speech, np.zeros_like(speech))
    assert score.pesq_wb == quality.PESQ_WB_FLOOR == pytest.approx(1.0427, abs=1e-4)
    assert score.visqol == quality.VISQOL_FLOOR
    assert score.stoi < 0.1


@pytest.mark.parametrize(
    ("reference_T", "reason"),
    [
        (np.zeros(2 * RATE_HZ, np.float32), "PESQ finds no speech"),
        (np.ones(RATE_HZ // 4, np.float32), "4000 samples"),
    ],
)
def test_an_original_without_speech_is_refused(reference_T, reason):
    with pytest.raises(AudioError, match=reason):
        quality.score_clip(reference_T, reference_T)


def test_align_drops_the_delay_and_keeps_the_length():
    decoded_T = np.arange(10.0)
    assert quality.align(decoded_T, 3, 5).tolist() == [3, 4, 5, 6, 7]
    assert quality.align(decoded_T, 8, 4).tolist() == [8, 9, 0, 0]


@pytest.mark.parametrize("count", [5, 8, 40, 1000])
def test_confidence_is_students_t(count):
    values = list(np.random.default_rng(count).standard_normal(count))
    mean = quality.mean_of(values)
    low, high = scipy.stats.t.interval(
        0.95, count - 1, loc=np.mean(values), scale=scipy.stats.sem(values)
    )
    assert mean.mean - mean.half_width_95 == pytest.approx(low, abs=0.01 * (high - low))
    assert mean.mean + mean.half_width_95 == pytest.approx(high, abs=0.01 * (high - low))


def test_one_clip_has_no_confidence():
    assert quality.mean_of([2.0]) == quality.Mean(mean=2.0, half_width_95=None)


@pytest.mark.parametrize("samples", [0, 400, 9_000])
def test_visqol_says_of_what_it_knows_nothing(speech, samples):
    with pytest.raises(AudioError, match=r"cannot be scored|cannot score"):
        quality.visqol(speech[:samples], speech[:samples])


def test_a_missing_package_names_the_extra(speech, monkeypatch):
    def without_litert(name, *rest):
        if name == "ai_edge_litert":
            raise ModuleNotFoundError(name="ai_edge_litert")
        return import_module(name, *rest)

    monkeypatch.setattr(quality, "import_module", without_litert)
    quality._visqol_api.cache_clear()
    with pytest.raises(MissingExtraError, match=r"edge-codec\[bench\]"):
        quality.visqol(speech, speech)
