"""Weights rounded to an 8-bit grid."""

import numpy as np
import torch

from edge_codec.export.fold import fold_codec
from edge_codec.export.ptq import round_weight as round_anew
from edge_codec.export.rounding import LARGEST, int8_layers, round_codec, round_weight


def on_grid(weight_OI):
    steps_OI = weight_OI / (weight_OI.abs().amax(dim=1, keepdim=True) / LARGEST)
    return torch.allclose(steps_OI, steps_OI.round(), atol=1e-3)


def test_what_a_layer_gives_stays_nearer_than_by_rounding_each_weight():
    torch.manual_seed(0)
    x_NI = torch.randn(400, 8) @ torch.randn(8, 32) + 0.1 * torch.randn(400, 32)
    weight_OI = torch.randn(16, 32)
    rounded_OI = round_weight(weight_OI, (x_NI.T @ x_NI).double())
    step_O1 = weight_OI.abs().amax(dim=1, keepdim=True) / LARGEST
    each_OI = (weight_OI / step_O1).round() * step_O1
    error, each_error = ((x_NI @ (w - weight_OI).T).norm() for w in (rounded_OI, each_OI))
    assert on_grid(rounded_OI)
    assert error < 0.7 * each_error


def test_inputs_that_never_vary_do_no_harm():
    rounded_OI = round_weight(torch.randn(3, 5), torch.zeros(5, 5, dtype=torch.float64))
    assert torch.isfinite(rounded_OI).all()
    assert not round_weight(torch.zeros(3, 5), torch.eye(5, dtype=torch.float64)).any()


def test_rounding_again_changes_nothing(codec, speech):
    rounded = round_codec(codec, torch.from_numpy(speech)[None])
    for role in ("encoder", "decoder"):
        layers = int8_layers(rounded, role)
        assert layers
        for layer in layers.values():
            weight_IO = layer.weight.detach().numpy().T
            steps_IO, scale_O = round_anew(weight_IO)
            again_IO = (steps_IO.astype(np.float32) - 128) * scale_O
            np.testing.assert_allclose(again_IO, weight_IO, atol=1e-6 * np.abs(weight_IO).max())


def test_the_first_layer_stays_as_it_was(codec, speech):
    rounded, folded = round_codec(codec, torch.from_numpy(speech)[None]), fold_codec(codec)
    assert torch.equal(rounded.encoder.embed.weight, folded.encoder.embed.weight)
