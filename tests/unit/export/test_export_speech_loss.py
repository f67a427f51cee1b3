"""What int8 loses by opinion scores: on how many clips, of which graphs, with which sign."""

from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

from edge_codec.export import speech_loss
from edge_codec.export.parity import FloatParity, Int8Parity, Parity
from edge_codec.export.speech_loss import Int8Coder, with_speech_loss
from edge_codec.runtime import StreamDecoder, StreamEncoder
from edge_codec.training.coders import CodecCoder

FLOAT = FloatParity(
    codes_equal=1.0,
    samples_difference=0.0,
    chunked_codes_equal=1.0,
    chunked_samples_difference=0.0,
)
INT8 = Int8Parity(equal_by_layer=[1.0], snr_db=60.0, mel_loss=0.0)


@dataclass
class Scorer:
    """Stands for `evaluate`, which takes a second a clip: the torch codec scores higher."""

    asked: list

    def __call__(self, coder, clips, spec, *, layers):
        self.asked.append((type(coder), list(clips), layers))
        best = isinstance(coder, CodecCoder)
        means = {"visqol": 3.0 if best else 2.9, "pesq_wb": 2.0 if best else 2.25}
        return SimpleNamespace(
            rows=[SimpleNamespace(means={k: SimpleNamespace(mean=v) for k, v in means.items()})]
        )


@pytest.fixture
def scorer(monkeypatch):
    scorer = Scorer([])
    monkeypatch.setattr(speech_loss, "evaluate", scorer)
    return scorer


def make_clips(folder, count):
    for index in range(count):
        soundfile.write(folder / f"{index:02}.wav", np.zeros(100), 16_000)
    return folder


def test_a_loss_is_what_int8_scores_less(scorer, codec, bundle, tmp_path):
    parity = Parity(graphs={"onnx_fp32": FLOAT, "onnx_int8": INT8})
    found = with_speech_loss(parity, codec, bundle, make_clips(tmp_path, 2)).graphs
    assert found["onnx_int8"].speech_loss == pytest.approx({"visqol_loss": 0.1, "pesq_loss": -0.25})
    assert found["onnx_fp32"] == FLOAT
    assert parity.graphs["onnx_int8"].speech_loss == {}
    every_layer = [codec.spec.layers]
    clips = ["00.wav", "01.wav"]
    assert scorer.asked == [(CodecCoder, clips, every_layer), (Int8Coder, clips, every_layer)]


def test_many_clips_are_thinned_out_evenly(scorer, codec, bundle, tmp_path):
    parity = Parity(graphs={"onnx_int8": INT8})
    with_speech_loss(parity, codec, bundle, make_clips(tmp_path, 25))
    assert scorer.asked[0][1] == [f"{index:02}.wav" for index in range(0, 25, 3)]


def test_int8_is_scored_as_it_runs_live(bundle, speech):
    coder = Int8Coder(bundle)
    codes_FK = coder.encode(speech)
    np.testing.assert_array_equal(codes_FK, coder.encode(speech))  # nothing is left of the first
    whole_FK = StreamEncoder(bundle, precision="int8").push(speech)
    assert (codes_FK == whole_FK).mean() > 0.9
    np.testing.assert_allclose(
        coder.decode(codes_FK), StreamDecoder(bundle, precision="int8").push(codes_FK), atol=0.02
    )
