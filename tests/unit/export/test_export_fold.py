import copy

import pytest
import torch
from torch import nn
from torch.nn.utils.parametrizations import weight_norm

from edge_codec.export.fold import fold_codec, remove_parametrizations
from edge_codec.export.onnx_writer import complete, trace


class WeightNormed(nn.Module):
    """Linear layer on rows of four samples, its weight split into length and direction."""

    def __init__(self):
        super().__init__()
        self.linear = weight_norm(nn.Linear(4, 4))

    def forward(self, audio, state):
        y = self.linear(audio.reshape(1, -1, 4) + state)
        return y.reshape(1, -1), state + y[:, -1]


@pytest.fixture
def varied(codec):
    """The tiny codec with gains that differ from channel to channel."""
    varied = copy.deepcopy(codec)
    for name, weight in varied.named_parameters():
        if name.endswith("gain"):
            nn.init.uniform_(weight, -1, 1)
    return varied


def test_folded_codec_does_the_same_without_gains(varied, speech):
    audio = torch.from_numpy(speech)[None]
    folded = fold_codec(varied)
    with torch.no_grad():
        latent, folded_latent = varied.encoder(audio), folded.encoder(audio)
        samples, folded_samples = varied.decoder(latent), folded.decoder(latent)
    torch.testing.assert_close(folded_latent, latent, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(folded_samples, samples, atol=1e-5, rtol=1e-4)
    assert {p.numel() for n, p in folded.named_parameters() if n.endswith("gain")} == {1}


def test_folding_leaves_the_codec_as_it_was(varied):
    before = copy.deepcopy(varied.state_dict())
    fold_codec(varied)
    for name, tensor in varied.state_dict().items():
        torch.testing.assert_close(tensor, before[name], atol=0, rtol=0)


def test_weight_norm_leaves_no_trace_in_a_graph():
    torch.manual_seed(0)
    module = WeightNormed().eval().requires_grad_(False)
    audio, state = torch.randn(1, 8), torch.randn(1, 4)
    expected = module(audio, state)[0]
    remove_parametrizations(module)
    torch.testing.assert_close(module(audio, state)[0], expected)
    kinds = {
        node.op_type
        for node in complete(trace(module, (audio, state), ("audio", "codes"))).graph.node
    }
    assert kinds <= {"Reshape", "Add", "MatMul", "Gather"}
