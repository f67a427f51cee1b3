import copy
from dataclasses import replace

import numpy as np
import pytest
import torch

from edge_codec.export.parity import (
    LIMITS,
    Int8Parity,
    Parity,
    check_parity,
    measure_parity,
    with_holes,
)
from edge_codec.runtime.errors import ParityError

PERFECT = Parity(
    codes_equal=1.0,
    samples_difference=0.0,
    chunked_codes_equal=1.0,
    chunked_samples_difference=0.0,
    int8=Int8Parity(equal_by_layer=[1.0, 1.0], snr_db=60.0, mel_loss=-0.01),
)
SPOILED = {
    "codes_equal": {"codes_equal": 0.99},
    "samples_difference": {"samples_difference": 2e-4},
    "chunked_codes_equal": {"chunked_codes_equal": 0.0},
    "chunked_samples_difference": {"chunked_samples_difference": float("nan")},
    "int8_first_layer_equal": {"int8": replace(PERFECT.int8, equal_by_layer=[0.97, 1.0])},
    "int8_codes_equal": {"int8": replace(PERFECT.int8, equal_by_layer=[0.99, 0.6])},
    "int8_snr_db": {"int8": replace(PERFECT.int8, snr_db=20.0)},
    "int8_mel_loss": {"int8": replace(PERFECT.int8, mel_loss=0.1)},
}


def test_every_limit_has_a_fact():
    assert PERFECT.to_dict().keys() == LIMITS.keys() == SPOILED.keys()
    check_parity(PERFECT)


@pytest.mark.parametrize("name", SPOILED)
def test_each_limit_is_enforced_by_name(name):
    with pytest.raises(ParityError, match=rf"codec: {name} is .*, limit {LIMITS[name]:g};"):
        check_parity(replace(PERFECT, **SPOILED[name]))


def test_int8_counts_only_where_there_is_some():
    parity = replace(PERFECT, int8=None)
    assert not [name for name in parity.to_dict() if name.startswith("int8")]
    check_parity(parity)


def test_facts_are_rounded_for_the_manifest():
    assert (
        replace(PERFECT, samples_difference=1.23456e-7).to_dict()["samples_difference"] == 1.23e-7
    )


def test_the_bundle_agrees_with_the_checkpoint(exported, codec, bundle, speech):
    measured = measure_parity(codec, bundle, speech)
    check_parity(measured)
    assert measured.int8
    assert len(measured.int8.equal_by_layer) == codec.spec.layers
    assert bundle.manifest["parity"] == exported[1].to_dict()


def test_another_codec_is_told_apart(codec, bundle, speech):
    other = copy.deepcopy(codec)
    with torch.no_grad():
        other.encoder.head.bias += 0.1
        other.decoder.head.bias += 0.1
    measured = measure_parity(other, bundle, speech)
    with pytest.raises(ParityError, match=r"codes_equal is .*; samples_difference is"):
        check_parity(measured)


def test_holes_are_missing_layers_and_lost_frames():
    codes = np.ones((16, 4), np.int64)
    kept = (with_holes(codes, 9, lost=False) == 1).sum(axis=1)
    assert set(kept) == {1, 2, 4}
    kept = (with_holes(codes, 9, lost=True) == 1).sum(axis=1)
    assert set(kept) == {0, 1, 2, 4}
