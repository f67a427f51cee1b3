"""The DFT in two steps does what the matrix does."""

import pytest
import torch

from edge_codec.export.two_stage import TwoStageAnalysis, TwoStageSynthesis, factors
from edge_codec.training.spectral import Analysis, Synthesis


@pytest.mark.parametrize("hop", [40, 160, 240])
def test_both_forms_agree(hop):
    torch.manual_seed(0)
    analysis, synthesis = Analysis(hop), Synthesis(hop)
    analysis.standardise(torch.randn(1, 20 * hop))
    audio, state = torch.randn(1, 6 * hop), torch.randn(1, hop)
    shorter = TwoStageAnalysis(analysis)
    for got, expected in zip(shorter.step(audio, state), analysis.step(audio, state), strict=True):
        torch.testing.assert_close(got, expected, atol=1e-3, rtol=1e-4)
    spectrum = torch.randn(1, 6, synthesis.features)
    pairs = zip(
        TwoStageSynthesis(synthesis).step(spectrum, state),
        synthesis.step(spectrum, state),
        strict=True,
    )
    for got, expected in pairs:
        torch.testing.assert_close(got, expected, atol=1e-5, rtol=1e-4)


def test_it_has_a_seventh_of_the_weights():
    shorter = sum(buffer.numel() for buffer in TwoStageAnalysis(Analysis(160)).buffers())
    whole = sum(buffer.numel() for buffer in Analysis(160).buffers())
    assert shorter < whole / 7
    assert factors(7) == (1, 7)
