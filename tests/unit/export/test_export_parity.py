import copy
from dataclasses import replace

import numpy as np
import pytest
import torch

from edge_codec.export.parity import (
    LIMITS,
    UNTRAINED_LIMITS,
    FloatParity,
    Int8Parity,
    Parity,
    check_parity,
    measure_int8,
    measure_parity,
    with_holes,
)
from edge_codec.runtime.errors import ParityError

FLOAT = FloatParity(
    codes_equal=1.0,
    samples_difference=0.0,
    chunked_codes_equal=1.0,
    chunked_samples_difference=0.0,
)
INT8 = Int8Parity(
    equal_by_layer=[1.0, 1.0],
    snr_db=60.0,
    mel_loss=-0.01,
    speech_loss={"visqol_loss": 0.01, "pesq_loss": 0.02},
)
SPOILED = {
    "onnx_fp32 codes_equal": {"codes_equal": 0.99},
    "onnx_fp32 samples_difference": {"samples_difference": 2e-4},
    "onnx_fp32 chunked_codes_equal": {"chunked_codes_equal": 0.0},
    "onnx_fp32 chunked_samples_difference": {"chunked_samples_difference": float("nan")},
    "onnx_int8 first_layer_equal": {"equal_by_layer": [0.97, 1.0]},
    "onnx_int8 codes_equal": {"equal_by_layer": [0.99, 0.5]},
    "onnx_int8 snr_db": {"snr_db": 20.0},
    "onnx_int8 mel_loss": {"mel_loss": 0.1},
    "onnx_int8 visqol_loss": {"speech_loss": {"visqol_loss": 0.06}},
    "tflite_int8 first_layer_equal": {"equal_by_layer": [0.985, 1.0]},
    "tflite_int8 codes_equal": {"equal_by_layer": [0.99, 0.9]},
}
PERFECT = {"onnx_fp32": FLOAT, "onnx_int8": INT8, "tflite_int8": INT8}


def test_every_limit_has_a_fact():
    facts = Parity(graphs=PERFECT).to_dict().keys() - {
        "onnx_int8_pesq_loss",
        "tflite_int8_pesq_loss",
    }
    assert facts == {f"{graphs}_{name}" for graphs in PERFECT for name in LIMITS[graphs]}
    check_parity(Parity(graphs=PERFECT), LIMITS)


@pytest.mark.parametrize("name", SPOILED)
def test_each_limit_is_enforced_by_name(name):
    graphs, fact = name.split()
    spoiled = PERFECT | {graphs: replace(PERFECT[graphs], **SPOILED[name])}
    with pytest.raises(ParityError, match=rf"codec: {name} is .*, limit {LIMITS[graphs][fact]:g};"):
        check_parity(Parity(graphs=spoiled), LIMITS)


def test_facts_are_rounded_for_the_manifest():
    parity = Parity(graphs={"onnx_fp32": replace(FLOAT, samples_difference=1.23456e-7)})
    assert parity.to_dict()["onnx_fp32_samples_difference"] == 1.23e-7


def test_the_bundle_agrees_with_the_checkpoint(exported, codec, bundle, speech):
    measured = measure_parity(codec, bundle, speech)
    check_parity(measured, LIMITS)
    assert measured.graphs.keys() == {"onnx_fp32", "onnx_int8"}
    assert len(measured.graphs["onnx_int8"].equal_by_layer) == codec.spec.layers
    assert bundle.manifest["parity"] == exported[1].to_dict()


def test_the_mel_loss_is_at_the_rate_of_the_codec(codec, bundle, speech, monkeypatch):
    rates_hz = []

    def mel_distance(reference_T, decoded_T, rate_hz=None):
        rates_hz.append(rate_hz)
        return 0.0

    monkeypatch.setattr("edge_codec.export.parity.mel_distance", mel_distance)
    faster = replace(bundle, spec=replace(bundle.spec, sample_rate_hz=44_100))
    measure_int8(codec, faster, speech)
    assert rates_hz == [44_100, 44_100]


def test_another_codec_is_told_apart(codec, bundle, speech):
    other = copy.deepcopy(codec)
    with torch.no_grad():
        other.encoder.head.bias += 0.1
        other.decoder.head.bias += 0.1
    measured = measure_parity(other, bundle, speech)
    with pytest.raises(ParityError, match=r"codes_equal is .*; onnx_fp32 samples_difference is"):
        check_parity(measured, LIMITS)


def test_holes_are_missing_layers_and_lost_frames():
    codes = np.ones((16, 4), np.int64)
    kept = (with_holes(codes, 9, lost=False) == 1).sum(axis=1)
    assert set(kept) == {1, 2, 4}
    kept = (with_holes(codes, 9, lost=True) == 1).sum(axis=1)
    assert set(kept) == {0, 1, 2, 4}


def test_untrained_int8_graphs_have_no_codes_to_keep():
    spoiled = Parity(graphs=PERFECT | {"onnx_int8": replace(INT8, equal_by_layer=[0.5, 0.1])})
    check_parity(spoiled, UNTRAINED_LIMITS)
    broken = Parity(graphs=PERFECT | {"onnx_fp32": replace(FLOAT, codes_equal=0.5)})
    with pytest.raises(ParityError):
        check_parity(broken, UNTRAINED_LIMITS)
