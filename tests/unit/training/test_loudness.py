"""Loudness and bandwidth against signals whose values are known from the standards."""

import numpy as np
import pytest

from edge_codec.runtime.loudness import LoudnessMeter, k_weighting
from edge_codec.training.bandwidth import BandwidthMeter


def make_sine(level_dbfs, seconds, rate_hz=48_000, hz=1000.0):
    t = np.arange(round(seconds * rate_hz)) / rate_hz
    return 10 ** (level_dbfs / 20) * np.sin(2 * np.pi * hz * t)


def loudness_of(audio_T, rate_hz=48_000, pieces=7):
    meter = LoudnessMeter(rate_hz)
    for piece_T in np.array_split(audio_T, pieces):
        meter.push(piece_T)
    return meter.lufs()


def test_weighting_has_the_coefficients_of_the_standard():
    """ITU-R BS.1770-5, annex 1, tables 1 and 2."""
    shelf, high_pass = k_weighting(48_000)
    expected = [
        1.53512485958697, -2.69169618940638, 1.19839281085285,
        1, -1.69065929318241, 0.73248077421585,
    ]  # fmt: skip
    np.testing.assert_allclose(shelf, expected, atol=1e-6)
    np.testing.assert_allclose(
        high_pass, [1, -2, 1, 1, -1.99004745483398, 0.99007225036621], atol=1e-6
    )


@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 44_100, 48_000])
def test_a_full_scale_sine_reads_minus_three(rate_hz):
    assert loudness_of(make_sine(0, 3, rate_hz, 997.0), rate_hz) == pytest.approx(-3.01, abs=0.1)


@pytest.mark.parametrize("rate_hz", [1_000, 2_000, 3_363, 3_364, 4_000])
def test_low_rates_have_no_shelf_and_stay_stable(rate_hz):
    audio_T = make_sine(-20, 3, rate_hz, 200.0)
    assert loudness_of(audio_T, rate_hz) == pytest.approx(-23.7, abs=2.0)


def test_pauses_are_left_out():
    """EBU Tech 3341, cases 3 and 4, in one channel instead of two: 3 LU less."""
    parts = [make_sine(-36, 10), make_sine(-23, 60), make_sine(-36, 10)]
    assert loudness_of(np.concatenate(parts)) == pytest.approx(-26.0, abs=0.1)
    parts = [make_sine(-72, 10), *parts, make_sine(-72, 10)]
    assert loudness_of(np.concatenate(parts)) == pytest.approx(-26.0, abs=0.1)


def test_pieces_do_not_matter_and_short_clips_count():
    audio_T = make_sine(-20, 1.234)
    assert loudness_of(audio_T, pieces=1) == pytest.approx(loudness_of(audio_T, pieces=999))
    assert loudness_of(make_sine(-20, 0.2)) == pytest.approx(-23.0, abs=0.3)
    assert loudness_of(np.zeros(48_000)) is None
    assert loudness_of(np.zeros(0)) is None


def bandwidth_of(audio_T, rate_hz=44_100):
    meter = BandwidthMeter(rate_hz)
    for piece_T in np.array_split(audio_T, 5):
        meter.push(piece_T)
    return meter


def low_passed(audio_T, cutoff_hz, rate_hz=44_100):
    spectrum = np.fft.rfft(audio_T)
    spectrum[np.fft.rfftfreq(len(audio_T), 1 / rate_hz) > cutoff_hz] = 0
    return np.fft.irfft(spectrum, len(audio_T))


@pytest.mark.parametrize(
    ("cutoff_hz", "is_full"), [(8_000, False), (16_000, False), (20_000, True), (22_050, True)]
)
def test_bandwidth_ends_where_the_filter_does(cutoff_hz, is_full):
    noise_T = np.random.default_rng(0).standard_normal(44_100) * 0.1
    # Rounding to 16 bits leaves noise up to Nyquist, which is not the recording's.
    audio_T = np.rint(low_passed(noise_T, cutoff_hz) * 32_768) / 32_768
    meter = bandwidth_of(audio_T)
    assert meter.cutoff_hz() == pytest.approx(cutoff_hz, abs=500)
    assert meter.is_full_band() is is_full


def test_bandwidth_of_next_to_nothing():
    assert bandwidth_of(np.zeros(44_100)).cutoff_hz() == 0
    assert bandwidth_of(np.zeros(0)).cutoff_hz() == 0
    assert bandwidth_of(np.random.default_rng(0).standard_normal(500)).is_full_band()
