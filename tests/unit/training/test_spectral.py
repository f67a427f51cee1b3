"""The codec's spectral ends against torch's own transforms."""

import torch

from edge_codec.training.spectral import (
    POWER,
    Analysis,
    Synthesis,
    dft_matrix,
    inverse_dft_matrix,
    sine_window,
)


def test_dft_matrix_is_the_real_fft() -> None:
    x = torch.randn(3, 20, dtype=torch.float64)
    bins = torch.fft.rfft(x)
    torch.testing.assert_close(x @ dft_matrix(20), torch.cat([bins.real, bins.imag], dim=1))
    torch.testing.assert_close(x @ dft_matrix(20) @ inverse_dft_matrix(20), x)


def test_true_spectrum_gives_the_input_one_hop_later() -> None:
    hop = 16
    audio = torch.randn(1, 10 * hop)
    padded = torch.cat([torch.zeros(1, hop), audio], dim=1)
    frames = padded.unfold(1, 2 * hop, hop) * sine_window(2 * hop).float()
    bins = torch.fft.rfft(frames)
    spectrum = torch.cat([bins.abs().log(), bins.angle()], dim=2)
    decoded = Synthesis(hop)(spectrum)
    torch.testing.assert_close(decoded[:, hop:], audio[:, :-hop], atol=1e-4, rtol=1e-4)


def test_features_are_the_compressed_spectrum() -> None:
    hop = 16
    analysis = Analysis(hop)
    audio = torch.randn(1, 4 * hop)
    features, _ = analysis.raw_features(audio, analysis.zero_state())
    frame = torch.fft.rfft(audio[0, : 2 * hop] * sine_window(2 * hop).float())
    q = hop + 1
    torch.testing.assert_close(features[0, 1, :q], POWER * frame.abs().log(), atol=1e-3, rtol=1e-3)
    compressed = frame * frame.abs() ** (POWER - 1)
    expected = torch.cat([compressed.real, compressed.imag])
    torch.testing.assert_close(features[0, 1, q:], expected, atol=1e-3, rtol=1e-3)


def test_standardised_features_have_zero_mean_and_unit_variance() -> None:
    analysis = Analysis(16)
    audio = 0.1 * torch.randn(4, 16 * 50)
    analysis.standardise(audio)
    features = analysis(audio).flatten(0, 1)
    torch.testing.assert_close(features.mean(0), torch.zeros(51), atol=1e-3, rtol=0)
    assert (features.std(0) - 1).abs().max() < 1e-2 or features.std(0).min() == 0
    assert analysis.log_magnitude_mean().shape == (17,)


def test_silence_and_full_scale_stay_finite() -> None:
    analysis, synthesis = Analysis(16), Synthesis(16)
    assert analysis(torch.zeros(1, 64)).isfinite().all()
    assert analysis(torch.ones(1, 64)).isfinite().all()
    assert synthesis(torch.full((1, 4, 34), 1e9)).isfinite().all()
