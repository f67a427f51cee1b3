"""Files whose model wants a loudness: brought to it, and back, to the hundredth of a decibel."""

from io import BytesIO

import numpy as np
import pytest
import soundfile

from edge_codec.runtime.audio import regrouped
from edge_codec.runtime.bundle import load_bundle
from edge_codec.runtime.ecf import EcfHeader, EcfReader, EcfWriter, Kind
from edge_codec.runtime.errors import BundleError
from edge_codec.runtime.file_decoder import decode_file
from edge_codec.runtime.file_encoder import encode_file, find_gain_db
from edge_codec.runtime.records import Record, pack_record
from support.stub_bundle import make_bundle_copy

HEADER = EcfHeader(
    model_name="stub",
    model_hash="ab" * 32,
    sample_rate_hz=16_000,
    hop_samples=320,
    bits_per_code=10,
    layers=3,
    channels=2,
    frames_per_block=4,
    source_rate_hz=44_100,
    source_channels=2,
)
CODES = np.random.default_rng(0).integers(0, 1024, (18, 2, 3))


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "levelled"
    make_bundle_copy(path, lambda manifest: manifest.update(loudness_lufs=-16.0))
    return load_bundle(path)


def write_tone(path, level_dbfs, hz=1000, rate_hz=48_000, channels=2):
    t = np.arange(3 * rate_hz) / rate_hz
    tone_T = 10 ** (level_dbfs / 20) * np.sin(2 * np.pi * hz * t)
    soundfile.write(path, np.repeat(tone_T[:, None], channels, axis=1), rate_hz, "FLOAT")
    return str(path)


@pytest.mark.parametrize("level_dbfs", [-23.0, -33.0])
def test_gain_is_that_of_the_standard(tmp_path, level_dbfs):
    """EBU Tech 3341, cases 1 and 2: 1 kHz in both channels reads as its level."""
    tone = write_tone(tmp_path / "tone.wav", level_dbfs)
    assert find_gain_db(tone, 2, -16.0) == pytest.approx(-16.0 - level_dbfs, abs=0.1)
    assert find_gain_db(tone, 1, -16.0) == pytest.approx(-16.0 - level_dbfs + 3.01, abs=0.1)


def test_no_gain_for_silence_for_pipes_and_for_models_that_do_not_care(tmp_path):
    silence = tmp_path / "silence.wav"
    soundfile.write(silence, np.zeros(48_000), 48_000)
    assert find_gain_db(str(silence), 1, -16.0) == 0
    assert find_gain_db("-", 1, -16.0) == 0
    assert find_gain_db(str(silence), 1, None) == 0


@pytest.mark.parametrize("keep_channels", [False, True])
def test_decoding_restores_the_level(bundle, tmp_path, keep_channels):
    tone = write_tone(tmp_path / "tone.wav", -33.0, hz=150)  # the stub codec knows no more
    coded, back = str(tmp_path / "tone.ecf"), str(tmp_path / "back.wav")
    report = encode_file(tone, coded, bundle=bundle, keep_channels=keep_channels)
    assert report.gain_db > 15
    decode_file(coded, back, bundle=bundle)
    levels = [np.sqrt(np.square(soundfile.read(path)[0]).mean()) for path in (tone, back)]
    assert 20 * np.log10(levels[1] / levels[0]) == pytest.approx(0, abs=1.0)


def make_levelled(gain_db):
    file = BytesIO()
    writer = EcfWriter(file, HEADER, gain_db=gain_db)
    writer.write(CODES)
    writer.finish(length_samples=1000, loudness_dbfs=-20.0)
    return file.getvalue()


@pytest.mark.parametrize("gain_db", [-12.34, 0.01, 44.0])
def test_level_survives_the_loss_of_either_record(gain_db):
    data = make_levelled(gain_db)
    level = pack_record(Record(Kind.LEVEL, 0, round(100 * gain_db).to_bytes(2, "big", signed=True)))
    assert data.count(level) == 1  # the second one stands at another frame
    for damaged in (data, data.replace(level, bytes(len(level))), data[: -len(level) - 60]):
        reader = EcfReader(BytesIO(damaged))
        list(reader.blocks())
        assert reader.gain_db == gain_db


@pytest.mark.parametrize("payload", [b"", b"\x01", b"\x01\x02\x03", b"\x7f\xff", b"\x80\x00"])
def test_impossible_levels_are_ignored(payload):
    data = make_levelled(6.0)
    hostile = data + pack_record(Record(Kind.LEVEL, 0, payload))
    assert EcfReader(BytesIO(hostile)).gain_db == 6.0


@pytest.mark.parametrize("value", [-61, 0.5, "loud", None])
def test_impossible_wishes_are_refused(tmp_path, value):
    path = make_bundle_copy(tmp_path / "x", lambda manifest: manifest.update(loudness_lufs=value))
    with pytest.raises(BundleError, match="loudness_lufs"):
        load_bundle(path)


@pytest.mark.parametrize("samples", [1, 3, 10, 100])
def test_regrouped_audio_is_the_same(samples):
    audio_TC = np.arange(46, dtype=np.float32).reshape(23, 2)
    chunks = list(regrouped([audio_TC[:5], audio_TC[5:5], audio_TC[5:20], audio_TC[20:]], samples))
    np.testing.assert_array_equal(np.concatenate(chunks), audio_TC)
    assert {len(chunk) for chunk in chunks[:-1]} <= {samples}
