"""The link bench: framings carry what they should, loss costs what it must, peers' sizes add up."""

import numpy as np
import pytest

from edge_codec.benchmarks import link, thesis
from edge_codec.benchmarks.link_systems import KissCodec2, LxstCodec2, OurMode
from edge_codec.benchmarks.speech import read_clips
from edge_codec.firmware_bridge import Channel, ChannelModel
from edge_codec.runtime import StreamDecoder, StreamEncoder, load_bundle
from edge_codec.runtime.errors import AudioError, MissingExtraError
from support.stub_bundle import STUB_BUNDLE

NOISE_T = np.random.default_rng(0).standard_normal(16_000).astype(np.float32) * 0.1
CLEAN = ChannelModel()


def our_modes():
    bundle = load_bundle(STUB_BUNDLE)
    systems, skipped = link.open_systems(bundle, has_peers=False)
    assert skipped == {}
    return bundle, systems


def test_a_clean_channel_gives_what_the_codec_gives():
    bundle, systems = our_modes()
    assert {system.name[0] for system in systems} == {"P", "R"}
    codes_FK = StreamEncoder(bundle).push(NOISE_T)
    for system in systems:
        heard = system.send(NOISE_T, Channel(CLEAN, seed=0))
        layers = round(system.codec_bps / bundle.spec.bitrate_bps(1))
        expected_T = StreamDecoder(bundle).push(codes_FK[:, :layers])
        count = len(NOISE_T) - bundle.spec.delay_samples
        delay = bundle.spec.delay_samples
        np.testing.assert_allclose(
            heard.samples_T[: count - delay], expected_T[delay:count], atol=1e-6
        )
        assert heard.base_lost == heard.layers_lost == 0
        assert len(heard.samples_T) == len(NOISE_T)


def test_everything_lost_is_everything_lost():
    _, systems = our_modes()
    heard = systems[0].send(NOISE_T, Channel(ChannelModel(drop_rate=1), seed=0))
    assert heard.base_lost == heard.layers_lost == 1


def test_peers_pay_for_their_framing():
    try:
        kiss, lxst = KissCodec2(), LxstCodec2()
    except MissingExtraError as error:
        pytest.skip(str(error))
    assert kiss.gross_bps == pytest.approx(3200 * 99 / 96)
    assert 2.0 < lxst.gross_bps / lxst.codec_bps < 3.3  # +103 to +228 %
    speech_T = np.tile(NOISE_T, 2)
    for peer in (kiss, lxst):
        assert peer.send(speech_T, Channel(CLEAN, seed=0)).base_lost == 0
        assert peer.send(speech_T, Channel(ChannelModel(drop_rate=1), seed=0)).base_lost == 1
    noisy = ChannelModel(bit_error_rate=0.01)
    assert kiss.send(speech_T, Channel(noisy, seed=1)).base_lost < 1
    assert lxst.send(speech_T, Channel(noisy, seed=1)).base_lost == 1


def test_runs_cover_every_level(monkeypatch):
    monkeypatch.setattr(link, "stoi", lambda reference, decoded, extended: 0.5)
    bundle = load_bundle(STUB_BUNDLE)
    name = link.open_systems(bundle, has_peers=False)[0][0].name
    runs = link.measure_link([OurMode(bundle, name)], {"a": NOISE_T})
    assert {(run.channel, run.level) for run in runs} == set(link._levels())


@pytest.mark.parametrize(("model_hz", "mos"), [(16_000, 4.0), (44_100, 3.0)])
def test_the_thesis_table_counts_pcm_against_packets(monkeypatch, tmp_path, model_hz, mos):
    import soundfile

    from edge_codec.benchmarks.coders import ModelCoder

    monkeypatch.setattr(thesis, "visqol", lambda reference, decoded: 4.0)
    monkeypatch.setattr(thesis, "visqol_audio", lambda reference, decoded: 3.0)
    soundfile.write(tmp_path / "a.au", np.tile(NOISE_T, 3), 48_000)
    (tmp_path / "jazz.wav").write_bytes(b"no audio")
    bundle = load_bundle(STUB_BUNDLE)
    coders = [ModelCoder(bundle, bundle.spec.layers)]
    (row,), unscored = thesis.measure_thesis(tmp_path, coders, model_hz=model_hz)
    assert list(unscored) == [f"{tmp_path.name}/jazz.wav"]
    assert row.clips == 1
    bitrate_bps = bundle.spec.bitrate_bps(bundle.spec.layers)
    assert row.compression_ratio == pytest.approx(48_000 * 16 / bitrate_bps, rel=0.05)
    assert (row.clips, row.seconds, row.visqol.mean) == (1, 1.0, mos)


def test_a_folder_of_which_nothing_can_be_scored_is_refused(tmp_path):
    (tmp_path / "jazz.wav").write_bytes(b"no audio")
    with pytest.raises(AudioError, match=r"none of the 1 clips.*jazz"):
        thesis.measure_thesis(tmp_path, [], model_hz=16_000)


def test_clips_of_one_name_in_two_folders_are_two(tmp_path):
    import soundfile

    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        soundfile.write(tmp_path / folder / "mixture.wav", NOISE_T, 16_000)
    assert list(read_clips(tmp_path, 16_000)) == ["one/mixture", "two/mixture"]
    soundfile.write(tmp_path / "two/mixture.flac", NOISE_T, 16_000)
    with pytest.raises(AudioError, match="two/mixture twice"):
        read_clips(tmp_path, 16_000)
