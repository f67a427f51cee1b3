"""Recordings to `.ecf` files and back, as `encode_file` and `decode_file` do."""

from dataclasses import replace

import numpy as np
import pytest
import soundfile

from edge_codec.runtime import decode_file, encode_file, load_bundle
from edge_codec.runtime.ecf import EcfHeader, EcfReader, EcfWriter
from edge_codec.runtime.errors import AudioError, BundleError, CodeRangeError
from edge_codec.runtime.file_encoder import _ChannelsEncoder
from support.recordings import make_recording, make_tones, snr_db
from support.stub_bundle import STUB_BUNDLE, make_bundle_copy


@pytest.fixture(scope="module")
def bundle():
    return load_bundle(STUB_BUNDLE)


@pytest.fixture(scope="module")
def encoded(tmp_path_factory, bundle):
    """Ten seconds at 16 kHz, all layers."""
    folder = tmp_path_factory.mktemp("recordings")
    source = make_recording(folder / "ten.wav", 16_000, 160_000)
    encode_file(str(source), str(folder / "ten.ecf"), bundle=bundle)
    return folder / "ten.ecf"


RECORDINGS = [  # rate, samples, channels, suffix
    (8000, 25_681, 1, "wav"),
    (11_025, 20_000, 1, "flac"),
    (16_000, 1, 1, "wav"),
    (16_000, 319, 1, "wav"),
    (16_000, 320, 1, "wav"),
    (16_000, 48_000, 1, "flac"),
    (44_100, 100_003, 2, "flac"),
    (48_000, 96_000, 1, "wav"),
    (192_000, 384_019, 8, "wav"),
]


@pytest.mark.parametrize("recording", RECORDINGS, ids=str)
def test_what_comes_out_has_the_rate_length_and_place_of_what_went_in(tmp_path, bundle, recording):
    rate_hz, samples, channels, suffix = recording
    source = make_recording(tmp_path / f"in.{suffix}", rate_hz, samples, channels)
    ecf, out = str(tmp_path / "a.ecf"), str(tmp_path / "out.wav")
    encoded = encode_file(str(source), ecf, bundle=bundle)
    decoded = decode_file(ecf, out, bundle=bundle)
    assert encoded.duration_s == decoded.duration_s == samples / rate_hz
    assert (encoded.source_channels, encoded.channels) == (channels, 1)
    assert not decoded.is_damaged
    got, got_hz = soundfile.read(out, dtype="float32")
    assert (got_hz, len(got)) == (rate_hz, samples)
    if samples > 1000:
        expected = make_tones(rate_hz, samples, channels).mean(axis=1)
        assert snr_db(expected[500:-500], got[500:-500]) > 30


def test_channels_can_be_kept(tmp_path, bundle):
    source = make_recording(tmp_path / "in.wav", 44_100, 50_000, channels=3)
    ecf, out = str(tmp_path / "a.ecf"), str(tmp_path / "out.flac")
    report = encode_file(str(source), ecf, bundle=bundle, keep_channels=True)
    assert (report.channels, report.bitrate_bps) == (3, 18_000)
    decode_file(ecf, out, bundle=bundle)
    got, expected = soundfile.read(out, dtype="float32")[0], make_tones(44_100, 50_000, 3)
    assert snr_db(expected[500:-500], got[500:-500]) > 30


def test_reports_say_what_was_done(tmp_path, bundle):
    source = make_recording(tmp_path / "in.wav", 16_000, 32_000)
    ecf = tmp_path / "a.ecf"
    report = encode_file(str(source), str(ecf), bundle=bundle, layers=6)
    assert (report.layers, report.bitrate_bps) == (6, 3000)
    assert report.written_bytes == ecf.stat().st_size
    level = 10 * np.log10(np.mean(make_tones(16_000, 32_000) ** 2))
    assert report.loudness_dbfs == pytest.approx(level, abs=0.02)
    with ecf.open("rb") as file:
        assert EcfReader(file).header.loudness_dbfs == pytest.approx(level, abs=0.02)


def test_decoding_with_fewer_layers(tmp_path, bundle, encoded):
    out = str(tmp_path / "out.wav")
    assert decode_file(str(encoded), out, bundle=bundle, bitrate_bps=1700).layers == 3
    assert decode_file(str(encoded), out, bundle=bundle, layers=5).layers == 5
    assert decode_file(str(encoded), out, bundle=bundle, layers=5, bitrate_bps=9999).layers == 5
    for wrong in ({"layers": 0}, {"layers": 13}, {"bitrate_bps": 499}):
        with pytest.raises(CodeRangeError):
            decode_file(str(encoded), out, bundle=bundle, **wrong)
    with pytest.raises(CodeRangeError):
        encode_file(out, str(tmp_path / "a.ecf"), bundle=bundle, layers=13)


@pytest.mark.parametrize(("rate_hz", "samples"), [(8000, 80_000), (44_100, 441_000)])
def test_decoding_to_another_rate(tmp_path, bundle, encoded, rate_hz, samples):
    out = tmp_path / "out.wav"
    decode_file(str(encoded), str(out), bundle=bundle, sample_rate_hz=rate_hz)
    got = soundfile.read(out, dtype="float32")[0]
    expected = make_tones(rate_hz, samples)[:, 0]
    assert snr_db(expected[500:-500], got[500:-500]) > 30


def test_rates_nobody_can_write_are_refused(tmp_path, bundle, encoded):
    with pytest.raises(AudioError, match="5 Hz cannot be written"):
        decode_file(str(encoded), str(tmp_path / "o.wav"), bundle=bundle, sample_rate_hz=5)


def test_a_damaged_block_costs_only_its_second(tmp_path, bundle, encoded, caplog):
    data = bytearray(encoded.read_bytes())
    data[len(data) // 2] ^= 0x55
    (tmp_path / "bad.ecf").write_bytes(data)
    out = tmp_path / "out.wav"
    report = decode_file(str(tmp_path / "bad.ecf"), str(out), bundle=bundle)
    assert report.lost_s == 1
    assert report.is_complete
    assert caplog.messages == [f"{tmp_path / 'bad.ecf'} is damaged: 1.0 s lost and filled in"]
    got = soundfile.read(out, dtype="float32")[0]
    decode_file(str(encoded), str(out), bundle=bundle)
    intact = soundfile.read(out, dtype="float32")[0]
    wrong_frames = np.flatnonzero((got != intact).reshape(-1, 320).any(axis=1))
    assert wrong_frames.tolist() == list(range(wrong_frames[0], wrong_frames[0] + 51))


def test_what_is_left_of_a_cut_file_is_decoded(tmp_path, bundle, encoded, caplog):
    (tmp_path / "cut.ecf").write_bytes(encoded.read_bytes()[:4000])
    report = decode_file(str(tmp_path / "cut.ecf"), str(tmp_path / "o.wav"), bundle=bundle)
    assert report.duration_s == pytest.approx(5 - 0.02)
    assert not report.is_complete
    assert "its end is missing" in caplog.text


def test_only_the_model_it_was_encoded_with_decodes_a_file(tmp_path, encoded, monkeypatch):
    other = make_bundle_copy(tmp_path / "other", lambda m: m["provenance"].update(seed=1))
    with pytest.raises(BundleError, match=r"was encoded with model 'stub' .* give the model"):
        decode_file(str(encoded), str(tmp_path / "o.wav"), bundle=load_bundle(other))
    monkeypatch.setenv("EDGE_CODEC_MODELS", str(tmp_path))
    with pytest.raises(BundleError, match=r"'stub' .* not installed; found: other"):
        decode_file(str(encoded), str(tmp_path / "o.wav"))
    make_bundle_copy(tmp_path / "right")
    assert decode_file(str(encoded), str(tmp_path / "o.wav")).duration_s == 10


def test_a_header_that_contradicts_its_model_is_refused(tmp_path, bundle):
    spec = replace(bundle.spec, sample_rate_hz=8000)
    header = EcfHeader.for_codec(
        spec,
        channels=1,
        layers=12,
        model_name="stub",
        model_hash=bundle.model_hash,
        source_rate_hz=8000,
        source_channels=1,
    )
    with (tmp_path / "odd.ecf").open("wb") as file:
        EcfWriter(file, header).finish(length_samples=0, loudness_dbfs=-120)
    with pytest.raises(AudioError, match="contradicts its model 'stub'"):
        decode_file(str(tmp_path / "odd.ecf"), str(tmp_path / "o.wav"), bundle=bundle)


def test_a_file_is_never_its_own_result(tmp_path, bundle, encoded):
    source = make_recording(tmp_path / "in.wav", 16_000, 1000)
    with pytest.raises(AudioError, match="the same file"):
        encode_file(str(source), str(source), bundle=bundle)


def test_a_recording_without_samples_is_refused(tmp_path, bundle):
    source = make_recording(tmp_path / "in.wav", 16_000, 0)
    with pytest.raises(AudioError, match="holds no audio"):
        encode_file(str(source), str(tmp_path / "a.ecf"), bundle=bundle)
    assert list(tmp_path.iterdir()) == [source]


def test_a_cut_recording_is_encoded_as_far_as_it_goes(tmp_path, bundle, caplog):
    source = make_recording(tmp_path / "in.flac", 16_000, 160_000)
    source.write_bytes(source.read_bytes()[: source.stat().st_size // 2])
    report = encode_file(str(source), str(tmp_path / "a.ecf"), bundle=bundle)
    assert 2 < report.duration_s < 8
    assert "damaged or cut off: its last" in caplog.text


def test_ctrl_c_leaves_a_whole_file(tmp_path, bundle, monkeypatch, caplog):
    source = make_recording(tmp_path / "in.wav", 44_100, 441_000)
    push, pushed = _ChannelsEncoder.push, []

    def push_until_stopped(self, samples_TC):
        pushed.append(len(samples_TC))
        if sum(pushed) > 50_000:
            raise KeyboardInterrupt
        return push(self, samples_TC)

    monkeypatch.setattr(_ChannelsEncoder, "push", push_until_stopped)
    with pytest.raises(KeyboardInterrupt):
        encode_file(str(source), str(tmp_path / "a.ecf"), bundle=bundle)
    assert "a.ecf holds what was done" in caplog.text
    report = decode_file(str(tmp_path / "a.ecf"), str(tmp_path / "o.wav"), bundle=bundle)
    assert not report.is_damaged
    assert 2.8 < report.duration_s < 50_000 / 16_000
    got = soundfile.read(tmp_path / "o.wav", dtype="float32")[0]
    assert snr_db(make_tones(44_100, len(got))[500:-500, 0], got[500:-500]) > 30
