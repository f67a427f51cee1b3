"""Evaluation with codecs whose result is known: who is scored, what is counted, what is printed."""

import json

import numpy as np
import pytest
import soundfile

from edge_codec.runtime import quality
from edge_codec.runtime.errors import AudioError
from edge_codec.runtime.spec import CodecSpec
from edge_codec.training import evaluation
from edge_codec.training.evaluation import clips_in, entropy_bits, evaluate, format_table

SPEC = CodecSpec(sample_rate_hz=16_000, strides=(320,), layers=4, bits_per_code=3, delay_samples=7)
NOISE_T = np.random.default_rng(0).standard_normal(16_007).astype(np.float32) * 0.1


@pytest.fixture
def fast_score(monkeypatch):
    """Count SI-SDR alone: the perceptual measures are tested by themselves."""

    def score(reference_T, decoded_T):
        if not reference_T.any():
            raise AudioError("no speech")
        si_sdr_db = quality.si_sdr_db(reference_T, decoded_T)
        return quality.Score(
            visqol=1, pesq_wb=quality.PESQ_WB_FLOOR, stoi=0, estoi=0, mel=0, si_sdr_db=si_sdr_db
        )

    monkeypatch.setattr(evaluation, "score_clip", score)


def delayed_echo(audio_T, layers):
    """Returns its input 7 samples late, and code `layers` in every place."""
    assert len(audio_T) % SPEC.hop_samples == 0
    delayed_T = np.concatenate([np.zeros(7, np.float32), audio_T])[: len(audio_T)]
    return delayed_T, np.full((len(audio_T) // SPEC.hop_samples, layers), layers)


def test_delay_is_removed_and_the_last_samples_are_kept(fast_score):
    result = evaluate(delayed_echo, {"a": lambda: NOISE_T}, SPEC, layers=[4, 1])
    assert [row.layers for row in result.rows] == [1, 4]
    assert [row.bitrate_bps for row in result.rows] == [150, 600]
    assert [row.means["si_sdr_db"].mean for row in result.rows] == [pytest.approx(100)] * 2
    assert result.code_entropy_bits == [0, 0, 0, 0]


def test_clips_that_cannot_be_scored_are_named(fast_score):
    def unreadable():
        raise AudioError("broken file")

    clips = {"good": lambda: NOISE_T, "bad": unreadable, "mute": lambda: np.zeros_like(NOISE_T)}
    result = evaluate(delayed_echo, clips, SPEC, layers=[2])
    assert result.clips == 1
    assert result.unscored == {"bad": "broken file", "mute": "no speech"}
    assert result.rows[0].pesq_floored == 1
    table = format_table(result)
    assert "not scored: bad: broken file" in table
    assert "scored lowest, at 300 bit/s: 1" in table
    json.dumps(result.to_dict(), allow_nan=False)


def test_a_set_without_one_good_clip_is_an_error(fast_score):
    with pytest.raises(AudioError, match="none of the 1 clips"):
        evaluate(delayed_echo, {"mute": lambda: np.zeros_like(NOISE_T)}, SPEC, layers=[1])


def test_processes_give_the_scores_of_one_process(tmp_path):
    speech_T = NOISE_T * (np.sin(np.arange(len(NOISE_T)) / 500) > 0)
    soundfile.write(tmp_path / "one.wav", speech_T, 16_000)
    soundfile.write(tmp_path / "two.flac", speech_T[::-1], 16_000)
    clips = clips_in(tmp_path, SPEC.sample_rate_hz)
    alone, shared = (
        evaluate(delayed_echo, clips, SPEC, layers=[1, 4], jobs=jobs).to_dict() for jobs in (1, 2)
    )
    for row in (*alone["rows"], *shared["rows"]):
        del row["means"]["estoi"]  # pystoi adds unseeded noise of 1e-16 to silent bands
    assert alone == shared


def test_clips_in_names_files_by_their_place(tmp_path):
    (tmp_path / "sub").mkdir()
    soundfile.write(tmp_path / "sub" / "x.flac", np.zeros((4_410, 2)), 44_100)
    (tmp_path / "notes.txt").write_text("not audio")
    clips = clips_in(tmp_path, 16_000)
    assert list(clips) == ["sub/x.flac"]
    assert clips["sub/x.flac"]().shape == (1_600,)
    with pytest.raises(AudioError, match="no audio in"):
        clips_in(tmp_path / "missing", 16_000)


def test_entropy_is_that_of_the_counts():
    counts_KN = np.array([[1, 1, 1, 1], [4, 0, 0, 0], [2, 1, 1, 0], [0, 0, 0, 0]])
    assert entropy_bits(counts_KN) == pytest.approx([2.0, 0.0, 1.5, 0.0])
