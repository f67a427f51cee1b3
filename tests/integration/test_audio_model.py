"""The model for any audio: 44.1 kHz through files and streams, live, more bits for more sound."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

from edge_codec.runtime import Bundle, StreamDecoder, StreamEncoder, cli, load_bundle
from edge_codec.runtime.quality import align, mel_distance, stoi
from support.repository import PACKAGES, REPOSITORY

MODEL = REPOSITORY / "models" / "audio-44k"
RATE_HZ = 44_100
CLIP = min((PACKAGES["runtime"] / "clips").glob("*.flac"))


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return load_bundle(MODEL)


@pytest.fixture(scope="module", name="speech_T")
def read_speech() -> np.ndarray:
    samples_T, rate_hz = soundfile.read(CLIP, dtype="float32")
    return soxr.resample(samples_T, rate_hz, RATE_HZ)


def decoded(bundle: Bundle, audio_T: np.ndarray, layers: int) -> np.ndarray:
    encoder = StreamEncoder(bundle)
    codes_FK = np.concatenate([encoder.push(audio_T), encoder.flush()])
    heard_T = StreamDecoder(bundle).push(codes_FK[:, :layers])
    return align(heard_T, bundle.spec.delay_samples, len(audio_T))


def test_golden_codes_are_what_this_machine_computes(bundle: Bundle) -> None:
    audio_T, rate_hz = soundfile.read(bundle.golden_path(), dtype="float32")
    codes_FK = StreamEncoder(bundle, precision="fp32").push(audio_T)
    assert rate_hz == RATE_HZ
    assert (codes_FK == bundle.load_golden_codes()).mean() >= 0.99


def test_more_bits_are_closer_and_four_kilobits_are_understood(
    bundle: Bundle, speech_T: np.ndarray
) -> None:
    heard = {layers: decoded(bundle, speech_T, layers) for layers in (1, 4, 8, 16)}
    distances = [mel_distance(speech_T, heard_T, RATE_HZ) for heard_T in heard.values()]
    assert distances == sorted(distances, reverse=True)
    original_T, heard_T = (soxr.resample(x, RATE_HZ, 16_000) for x in (speech_T, heard[8]))
    assert stoi(original_T, heard_T, extended=True) > 0.6


def test_sound_above_the_voice_models_band_comes_back(bundle: Bundle) -> None:
    hiss_T = np.random.default_rng(0).normal(0, 0.05, RATE_HZ).astype(np.float32)
    levels_db = [
        10 * np.log10(np.square(np.abs(np.fft.rfft(x[4410:]))[12_000:16_000]).mean())
        for x in (hiss_T, decoded(bundle, hiss_T, 16))
    ]
    assert abs(levels_db[1] - levels_db[0]) < 10


def test_silence_stays_quiet(bundle: Bundle) -> None:
    assert np.abs(decoded(bundle, np.zeros(RATE_HZ, np.float32), 16)).max() < 0.02


@pytest.mark.parametrize("rate_hz", [22_050, 48_000])
def test_files_of_any_rate_and_two_channels_come_back(
    speech_T: np.ndarray, tmp_path: Path, rate_hz: int
) -> None:
    stereo_TC = np.stack([soxr.resample(speech_T, RATE_HZ, rate_hz)] * 2, axis=1)
    given, coded, back = (tmp_path / name for name in ("in.wav", "in.ecf", "out.wav"))
    soundfile.write(given, stereo_TC, rate_hz)
    flags = ["--model", str(MODEL), "--bitrate", "8000", "--keep-channels"]
    assert cli.main(["encode", str(given), str(coded), *flags]) == 0
    assert cli.main(["decode", str(coded), str(back), "--model", str(MODEL)]) == 0
    heard_TC, heard_hz = soundfile.read(back)
    assert heard_hz == rate_hz
    assert heard_TC.shape == stereo_TC.shape
