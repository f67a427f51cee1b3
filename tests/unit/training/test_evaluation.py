"""Evaluation with codecs whose result is known: who is scored, what is counted, what is printed."""

import json
from dataclasses import replace

import numpy as np
import pytest
import soundfile

from edge_codec.runtime import quality
from edge_codec.runtime.errors import AudioError
from edge_codec.runtime.spec import CodecSpec
from edge_codec.training import measures
from edge_codec.training.evaluation import (
    Clip,
    Conditions,
    clips_in,
    entropy_bits,
    evaluate,
    format_table,
)

SPEC = CodecSpec(sample_rate_hz=16_000, strides=(320,), layers=4, bits_per_code=3, delay_samples=7)
NOISE_T = np.random.default_rng(0).standard_normal(16_007).astype(np.float32) * 0.1


@pytest.fixture
def fast_score(monkeypatch):
    """Count SI-SDR alone: the perceptual measures are tested by themselves."""

    def score(reference_T, decoded_T, rate_hz):
        if not reference_T.any():
            raise AudioError("no speech")
        known = {"pesq_wb": quality.PESQ_WB_FLOOR}
        values = dict.fromkeys(measures.MODES["speech"].measures, 0.0) | known
        return values | {"si_sdr_db": quality.si_sdr_db(reference_T, decoded_T)}

    mode = replace(measures.MODES["speech"], score=score)
    monkeypatch.setitem(measures.MODES, "speech", mode)


class DelayedEcho:
    """Gives the clip back 7 samples late; frames that did not arrive are silent."""

    def encode(self, audio_T):
        assert len(audio_T) % SPEC.hop_samples == 0
        self.delayed_T = np.concatenate([np.zeros(7, np.float32), audio_T])[: len(audio_T)]
        self.frames = len(audio_T) // SPEC.hop_samples
        return np.tile(np.arange(4), (self.frames, 1))

    def decode(self, codes_FK):
        assert codes_FK.shape == (self.frames, 4)
        self.codes_FK = codes_FK
        came_F = codes_FK[:, 0] < SPEC.codebook_size
        return self.delayed_T * np.repeat(came_F, SPEC.hop_samples)


def clip_of(audio_T):
    return Clip(read=lambda: audio_T)


def test_delay_is_removed_and_the_last_samples_are_kept(fast_score):
    coder = DelayedEcho()
    result = evaluate(coder, {"a": clip_of(NOISE_T)}, SPEC, layers=[4, 1])
    assert [row.layers for row in result.rows] == [1, 4]
    assert [row.bitrate_bps for row in result.rows] == [150, 600]
    assert [row.means["si_sdr_db"].mean for row in result.rows] == [pytest.approx(100)] * 2
    assert result.code_entropy_bits == [0, 0, 0, 0]
    assert result.bitrate_efficiency == 0


def test_layers_not_sent_are_marked(fast_score):
    coder = DelayedEcho()
    evaluate(coder, {"a": clip_of(NOISE_T)}, SPEC, layers=[3])
    assert (coder.codes_FK == [0, 1, 2, SPEC.codebook_size]).all()


def test_the_asked_share_of_frames_is_lost(fast_score):
    coder, long_T = DelayedEcho(), np.tile(NOISE_T, 20)
    conditions = Conditions(frame_loss=0.1, seed=3)
    result = evaluate(coder, {"a": clip_of(long_T)}, SPEC, layers=[4], conditions=conditions)
    lost_F = (coder.codes_FK == SPEC.codebook_size).all(axis=1)
    assert lost_F.mean() == pytest.approx(0.1, abs=0.03)
    # A tenth of the energy is missing, so SI-SDR is that of 0.9 / 0.1.
    assert result.rows[0].means["si_sdr_db"].mean == pytest.approx(9.5, abs=1.5)
    assert "10 % of the frames lost" in format_table(result)
    before_F = lost_F.copy()
    evaluate(coder, {"a": clip_of(long_T)}, SPEC, layers=[4], conditions=conditions)
    assert ((coder.codes_FK == SPEC.codebook_size).all(axis=1) == before_F).all()


def test_bits_and_ratio_are_those_of_the_files(fast_score):
    clip = Clip(read=lambda: NOISE_T, pcm_bits=48_021 * 2 * 16)  # 48 kHz stereo
    conditions = Conditions(file_bits=lambda _, layers, samples: 8 * samples // layers)
    result = evaluate(DelayedEcho(), {"a": clip}, SPEC, layers=[1, 4], conditions=conditions)
    assert [row.measured_bps for row in result.rows] == pytest.approx([128_000, 32_000], rel=1e-3)
    assert result.rows[1].compression_ratio == pytest.approx(48, rel=1e-3)
    plain = evaluate(DelayedEcho(), {"a": clip_of(NOISE_T)}, SPEC, layers=[4]).rows[0]
    assert plain.measured_bps == pytest.approx(51 / 50 * 600, rel=1e-3)  # the delay adds a frame
    assert plain.compression_ratio == pytest.approx(16_007 * 16 / (51 * 12))


def test_clips_that_cannot_be_scored_are_named(fast_score):
    def unreadable():
        raise AudioError("broken file")

    clips = {
        "good": clip_of(NOISE_T),
        "bad": Clip(read=unreadable),
        "mute": clip_of(np.zeros_like(NOISE_T)),
        "nan": clip_of(np.full_like(NOISE_T, np.nan)),
    }
    result = evaluate(DelayedEcho(), clips, SPEC, layers=[2])
    assert result.clips == 1
    assert result.unscored == {
        "bad": "broken file",
        "mute": "no speech",
        "nan": "decoded to NaN or infinity with 2 layers",
    }
    assert result.rows[0].pesq_floored == 1
    table = format_table(result)
    assert "not scored: bad: broken file" in table
    assert "scored lowest, at 300 bit/s: 1" in table
    json.dumps(result.to_dict(), allow_nan=False)


def test_a_set_without_one_good_clip_is_an_error(fast_score):
    with pytest.raises(AudioError, match="none of the 1 clips"):
        evaluate(DelayedEcho(), {"mute": clip_of(np.zeros_like(NOISE_T))}, SPEC, layers=[1])


def test_processes_give_the_scores_of_one_process(tmp_path):
    speech_T = NOISE_T * (np.sin(np.arange(len(NOISE_T)) / 500) > 0)
    soundfile.write(tmp_path / "one.wav", speech_T, 16_000)
    soundfile.write(tmp_path / "two.flac", speech_T[::-1], 16_000)
    clips = clips_in(tmp_path, SPEC.sample_rate_hz)
    alone, shared = (
        evaluate(DelayedEcho(), clips, SPEC, layers=[1, 4], jobs=jobs).to_dict() for jobs in (1, 2)
    )
    for row in (*alone["rows"], *shared["rows"]):
        del row["means"]["estoi"]  # pystoi adds unseeded noise of 1e-16 to silent bands
    assert alone == shared


def test_audio_mode_scores_music_at_the_codecs_rate():
    t = np.arange(48_000) / 48_000
    chord_T = sum(0.1 * np.sin(2 * np.pi * hz * t) for hz in (220, 1_760, 14_080))
    dull_T = sum(0.1 * np.sin(2 * np.pi * hz * t) for hz in (220, 1_760))
    same, dull = (measures.score_audio(chord_T, other, 48_000) for other in (chord_T, dull_T))
    assert list(same) == list(measures.MODES["audio"].measures)
    assert (same["mel"], same["stft"]) == (0, 0)
    assert same["visqol_audio"] == pytest.approx(4.73, abs=0.02)
    # What is missing lies above 8 kHz: measures at 16 kHz would not hear it.
    assert dull["visqol_audio"] < same["visqol_audio"]
    assert dull["mel"] > 0.5
    for nothing_T in (np.zeros(48_000), np.zeros(100)):
        with pytest.raises(AudioError):
            measures.score_audio(nothing_T, nothing_T, 48_000)


def test_clips_in_names_files_by_their_place(tmp_path):
    (tmp_path / "sub").mkdir()
    soundfile.write(tmp_path / "sub" / "x.flac", np.zeros((4_410, 2)), 44_100)
    (tmp_path / "notes.txt").write_text("not audio")
    clips = clips_in(tmp_path, 16_000)
    assert list(clips) == ["sub/x.flac"]
    assert clips["sub/x.flac"].read().shape == (1_600,)
    assert clips["sub/x.flac"].pcm_bits == 4_410 * 2 * 16
    with pytest.raises(AudioError, match="no audio in"):
        clips_in(tmp_path / "missing", 16_000)


def test_entropy_is_that_of_the_counts():
    counts_KN = np.array([[1, 1, 1, 1], [4, 0, 0, 0], [2, 1, 1, 0], [0, 0, 0, 0]])
    assert entropy_bits(counts_KN) == pytest.approx([2.0, 0.0, 1.5, 0.0])


def test_what_a_bitrate_carries_is_what_is_decoded(fast_score):
    heard = []

    class Ear(DelayedEcho):
        def decode(self, codes_FK):
            heard.append(codes_FK)
            return super().decode(codes_FK)

    def carried(codes_FK, layers):
        return np.where(np.arange(4) <= layers, codes_FK, SPEC.codebook_size)

    conditions = Conditions(carried=carried)
    evaluate(Ear(), {"a": clip_of(NOISE_T)}, SPEC, layers=[1, 2], conditions=conditions)
    assert [(codes_FK < SPEC.codebook_size).sum(axis=1).max() for codes_FK in heard] == [2, 3]
