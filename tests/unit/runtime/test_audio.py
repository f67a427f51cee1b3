import io

import numpy as np
import pytest
import soundfile

from edge_codec.runtime.audio import (
    CHUNK_SAMPLES,
    _iter_pcm,
    mixed,
    open_sink,
    open_source,
    resampled,
)
from edge_codec.runtime.errors import AudioError
from edge_codec.runtime.pcm import LevelMeter, to_pcm
from support.recordings import make_recording, make_tones, snr_db


def read(path):
    with open_source(str(path), 16_000) as source:
        return np.concatenate(list(source.chunks())), source


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "mp3"])
def test_chunks_join_to_what_one_read_gives(tmp_path, suffix):
    path = make_recording(tmp_path / f"clip.{suffix}", 44_100, 5 * CHUNK_SAMPLES + 77, channels=2)
    samples, source = read(path)
    assert (samples == soundfile.read(path, dtype="float32")[0]).all()
    assert (source.sample_rate_hz, source.channels) == (44_100, 2)
    assert source.read_samples == len(samples) == source.length_samples


@pytest.mark.parametrize("rates_hz", [(8000, 16_000), (192_000, 16_000), (16_000, 44_100)])
@pytest.mark.parametrize("chunk", [100, 5000])
def test_resampling_keeps_audio_in_step(rates_hz, chunk):
    from_hz, to_hz = rates_hz
    tones, expected = make_tones(from_hz, from_hz), make_tones(to_hz, to_hz)
    chunks = (tones[i : i + chunk] for i in range(0, len(tones), chunk))
    got = np.concatenate(list(resampled(chunks, from_hz, to_hz, 1)))
    assert len(got) == to_hz
    middle = slice(to_hz // 10, -to_hz // 10)
    assert snr_db(expected[middle], got[middle]) > 60


def test_mixing_is_the_mean_of_the_channels():
    chunk = np.array([[1, 0, 0.5], [0, 0, 0.9]], np.float32)
    assert next(mixed([chunk])).ravel() == pytest.approx([0.5, 0.3])


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
def test_pcm_does_not_depend_on_chunks(size):
    data = np.arange(-50, 50, dtype="<i2").tobytes()
    chunks = (data[i : i + size] for i in range(0, len(data), size))
    got = np.concatenate(list(_iter_pcm(chunks)))
    assert (got.ravel() * 32_768 == np.arange(-50, 50)).all()


def test_pcm_is_rounded_and_clipped():
    samples = np.array([0, 1.6 / 32_768, 1, 3, -1, -3], np.float32)
    got = np.frombuffer(to_pcm(samples), "<i2")
    assert got.tolist() == [0, 2, 32_767, 32_767, -32_768, -32_768]


def test_levels_in_dbfs():
    meter = LevelMeter()
    assert meter.dbfs == -120
    meter.add(np.zeros((100, 2), np.float32))
    assert meter.dbfs == -120
    meter.add(np.full((300, 2), 0.1, np.float32))
    assert meter.dbfs == pytest.approx(-20 - 10 * np.log10(4 / 3), abs=1e-4)
    meter.add(np.full(10, 3e38, np.float32))
    assert meter.dbfs == 120


@pytest.mark.parametrize(("value", "at_s"), [(np.nan, "1.0"), (np.inf, "1.0"), (-np.inf, "1.0")])
def test_samples_that_are_no_numbers_are_refused(tmp_path, value, at_s):
    tones = make_tones(8192, 3 * 8192)
    tones[9000] = value
    soundfile.write(tmp_path / "bad.wav", tones, 8192, subtype="FLOAT")
    with pytest.raises(AudioError, match=f"NaN or infinite samples after {at_s} s"):
        read(tmp_path / "bad.wav")


def test_sources_that_are_no_audio_are_refused(tmp_path):
    (tmp_path / "empty.wav").touch()
    (tmp_path / "text.wav").write_text("not audio at all\n" * 100)
    cases = {
        "missing.wav": "cannot read .*missing.wav: No such file",
        "empty.wav": "empty.wav is empty",
        "text.wav": "text.wav is not audio that can be read",
        "": "Is a directory",
    }
    for name, message in cases.items():
        with pytest.raises(AudioError, match=message) as caught:
            read(tmp_path / name)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("suffix", ["wav", "flac", "mp3"])
def test_what_a_cut_file_still_has_is_read(tmp_path, suffix):
    path = make_recording(tmp_path / f"clip.{suffix}", 16_000, 100_000)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    samples, source = read(path)
    assert 20_000 < source.read_samples == len(samples) < 60_000


def test_sinks_write_what_they_are_given(tmp_path):
    tones = make_tones(48_000, 5000, channels=2)
    for suffix in ("wav", "flac"):
        path = tmp_path / f"out.{suffix}"
        with open_sink(str(path), 48_000, 2) as write:
            write(tones[:1234])
            write(tones[1234:])
        got, rate_hz = soundfile.read(path)
        assert rate_hz == 48_000
        np.testing.assert_allclose(got, tones, atol=1 / 32_767)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.flac", "out.wav"]


def test_sinks_that_cannot_be_written_are_refused(tmp_path):
    cases = {
        "out.mp4": "must end in .wav or .flac",
        "nowhere/out.wav": "No such file or directory",
        "taken.wav": "is a directory",
    }
    (tmp_path / "taken.wav").mkdir()
    for name, message in cases.items():
        with pytest.raises(AudioError, match=message), open_sink(str(tmp_path / name), 8000, 1):
            pass


def test_a_failed_write_leaves_nothing_and_keeps_the_old_file(tmp_path):
    path = make_recording(tmp_path / "out.wav", 8000, 100)
    before = path.read_bytes()
    with pytest.raises(AudioError, match="source broke"), open_sink(str(path), 8000, 1) as write:
        write(make_tones(8000, 50))
        raise AudioError("source broke")
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_ctrl_c_keeps_what_was_written(tmp_path):
    path = tmp_path / "out.wav"
    with pytest.raises(KeyboardInterrupt), open_sink(str(path), 8000, 1) as write:
        write(make_tones(8000, 50))
        raise KeyboardInterrupt
    assert soundfile.info(path).frames == 50


def test_standard_input_is_not_closed(monkeypatch, tmp_path):
    monkeypatch.setattr("edge_codec.runtime.audio.open_input", lambda name: io.BytesIO(bytes(10)))
    with open_source("-", 8000) as source:
        assert sum(len(chunk) for chunk in source.chunks()) == 5
    assert (source.sample_rate_hz, source.length_samples) == (8000, None)
