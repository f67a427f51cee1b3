"""Codecs behind one interface: framing and delay, bitrates, missing libraries, scores."""

import ctypes

import numpy as np
import pytest

from edge_codec.benchmarks import quality
from edge_codec.benchmarks.coders import ModelCoder, Packet, code_clip, open_installed, peer_makers
from edge_codec.benchmarks.coders.lyra import Lyra
from edge_codec.benchmarks.coders.native import AmrWb, Codec2, Opus, Speex
from edge_codec.runtime import load_bundle
from edge_codec.runtime.errors import MissingExtraError
from edge_codec.runtime.quality import Score
from support.stub_bundle import STUB_BUNDLE

NOISE_T = np.random.default_rng(0).standard_normal(32_123).astype(np.float32) * 0.1


class Echo:
    """A perfect codec of 3.2 kbit/s that is 50 samples late."""

    name, backend, precision = "Echo", "native", ""
    rate_hz, frame_samples, unit_samples, delay_samples = 16_000, 160, 160, 50

    def reset(self):
        self._kept = np.zeros(50, np.float32)

    def encode(self, frame_T):
        return Packet(frame_T, 32)

    def decode(self, packet):
        queue = np.concatenate([self._kept, packet.content])
        self._kept = queue[160:]
        return queue[:160]


def test_frames_are_joined_and_the_delay_is_cut():
    coded = code_clip(Echo(), NOISE_T)
    np.testing.assert_array_equal(coded.samples_T, NOISE_T)
    assert coded.bits == 32 * -(-(len(NOISE_T) + 50) // 160)


def test_a_clip_starts_from_a_fresh_state():
    coder = ModelCoder(load_bundle(STUB_BUNDLE), 2)
    first, second = (code_clip(coder, NOISE_T).samples_T for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_long_calls_give_the_same_speech_and_bits():
    bundle = load_bundle(STUB_BUNDLE)
    short, long = (ModelCoder(bundle, 2, call_frames=count) for count in (1, 12))
    one, twelve = code_clip(short, NOISE_T), code_clip(long, NOISE_T)
    np.testing.assert_allclose(one.samples_T, twelve.samples_T, atol=1e-5)
    assert one.bits == twelve.bits


def make_or_skip(make):
    try:
        return make()
    except MissingExtraError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize(
    ("make", "bitrate_bps"),
    [
        (lambda: Codec2(700), 700),
        (lambda: Codec2(3200), 3200),
        (lambda: Opus(12_000), 12_000),
        (lambda: AmrWb(0), 6600),
        (lambda: Speex(1), 6000),
    ],
)
def test_a_peer_keeps_its_bitrate_and_the_length(make, bitrate_bps):
    coded = code_clip(make_or_skip(make), NOISE_T)
    assert len(coded.samples_T) == len(NOISE_T)
    assert np.abs(coded.samples_T).max() > 0.01
    assert coded.bits == pytest.approx(bitrate_bps * len(NOISE_T) / 16_000, rel=0.04)


def test_opus_keeps_the_waveform():
    coder = make_or_skip(lambda: Opus(12_000))
    tone_T = (0.3 * np.sin(2 * np.pi * 300 * np.arange(32_000) / 16_000)).astype(np.float32)
    heard_T = code_clip(coder, tone_T).samples_T
    assert np.corrcoef(heard_T[8_000:], tone_T[8_000:])[0, 1] > 0.9


def test_what_is_missing_says_what_to_install(monkeypatch, tmp_path):
    def no_library(name):
        raise OSError(f"{name}: cannot open shared object file")

    monkeypatch.setattr(ctypes, "CDLL", no_library)
    opened, skipped = open_installed(peer_makers(None))
    assert opened == []
    assert "apt install libcodec2-1.0" in skipped["Codec2 3200"]
    assert "apt install libvo-amrwbenc0" in skipped["AMR-WB mode 0"]
    assert "--lyra-models" in skipped["Lyra v2 6000"]
    with pytest.raises(MissingExtraError, match=r"soundstream_encoder\.tflite is missing"):
        Lyra(tmp_path, 3200)


def test_quality_scores_every_clip_and_keeps_some_to_hear(monkeypatch):
    def score(reference_T, decoded_T):
        np.testing.assert_array_equal(reference_T, decoded_T)
        return Score(visqol=4.5, pesq_wb=4.64, stoi=1, estoi=1, mel=0, si_sdr_db=100)

    monkeypatch.setattr(quality, "score_clip", score)
    monkeypatch.setattr(quality, "pesq_wb", lambda a, b: 4.64)
    monkeypatch.setattr(quality, "stoi", lambda a, b: 1.0)
    clips = {"a": NOISE_T, "b": NOISE_T[:16_000], "short": NOISE_T[:100]}
    found = quality.measure_quality([Echo()], clips)
    (run,) = found.runs
    assert run.bitrate_bps == pytest.approx(3200, rel=0.02)
    assert list(run.scores) == ["a", "b"]
    assert run.means["visqol"].mean == 4.5
    assert "too short" in found.unscored["short"]
    assert set(found.heard["a"]) == {"original", "Echo"}
