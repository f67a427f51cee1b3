"""Residual vector quantization: lookup, tables, training forward, data initialisation."""

import pytest
import torch

from edge_codec.training.codec import mask_layers
from edge_codec.training.rvq import ResidualVQ, kmeans

LAYERS, ENTRIES, LATENT = 3, 16, 6


def make_vq(*, normalised: bool = False) -> ResidualVQ:
    torch.manual_seed(0)
    vq = ResidualVQ(LATENT, LAYERS, ENTRIES, 4, normalised=normalised)
    torch.nn.init.normal_(vq.lost)
    return vq


@pytest.mark.parametrize("normalised", [False, True])
def test_decode_sums_the_chosen_entries(normalised: bool) -> None:
    vq = make_vq(normalised=normalised)
    codes = torch.randint(ENTRIES, (2, 5, LAYERS))
    expected = sum(vq.entries(k)[codes[..., k]] @ vq.project_out[k] for k in range(LAYERS))
    torch.testing.assert_close(vq.decode(codes), expected)


def test_euclidean_lookup_finds_the_nearest_entry() -> None:
    vq = make_vq()
    vectors = torch.randn(50, 4)
    torch.testing.assert_close(
        vq.nearest(vectors, 1), torch.cdist(vectors, vq.codebooks[1]).argmin(dim=1)
    )


def test_normalised_lookup_compares_directions_only() -> None:
    vq = make_vq(normalised=True)
    vectors = torch.randn(50, 4)
    cosine = torch.nn.functional.cosine_similarity(vectors[:, None], vq.codebooks[0][None], dim=2)
    torch.testing.assert_close(vq.nearest(vectors, 0), cosine.argmax(dim=1))
    torch.testing.assert_close(vq.nearest(7 * vectors, 0), vq.nearest(vectors, 0))


def test_layers_not_sent_add_nothing() -> None:
    vq = make_vq()
    codes = torch.randint(ENTRIES, (1, 4, LAYERS))
    first_only = vq.entries(0)[codes[..., 0]] @ vq.project_out[0]
    torch.testing.assert_close(vq.decode(mask_layers(codes, 1, ENTRIES)), first_only)


def test_lost_frame_decodes_to_the_learned_latent() -> None:
    vq = make_vq()
    decoded = vq.decode(torch.full((1, 1, LAYERS), ENTRIES))
    torch.testing.assert_close(decoded[0, 0], vq.lost @ vq.project_out[0])


def test_wrong_codes_reach_the_decoder_and_nobody_else() -> None:
    vq = make_vq()
    latent = torch.randn(1, 4, LATENT)
    kept = torch.full((1, 4), LAYERS)
    wrong = torch.full((1, 4, LAYERS), -1)
    wrong[0, 2, 1] = 7
    right, harmed = vq(latent, kept), vq(latent, kept, wrong)
    torch.testing.assert_close(harmed.codes_BFK, right.codes_BFK)
    heard = right.codes_BFK.clone()
    heard[0, 2, 1] = 7
    torch.testing.assert_close(harmed.latent_BFD, vq.decode(heard), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("normalised", [False, True])
def test_training_forward_equals_encode_and_decode(normalised: bool) -> None:
    vq = make_vq(normalised=normalised)
    latent = torch.randn(2, 5, LATENT)
    kept = torch.tensor([[3, 2, 1, 0, 3], [0, 1, 3, 2, 2]])
    quantized = vq(latent, kept)
    sent = torch.where(torch.arange(LAYERS) < kept[..., None], quantized.codes_BFK, ENTRIES)
    torch.testing.assert_close(quantized.latent_BFD, vq.decode(sent), atol=1e-5, rtol=1e-5)
    if not normalised:
        torch.testing.assert_close(quantized.codes_BFK, vq.encode(latent))


def test_losses_are_mean_squared_distances_of_the_kept_layers() -> None:
    vq = make_vq()
    latent = torch.randn(1, 5, LATENT)
    quantized = vq(latent, torch.ones(1, 5, dtype=torch.long))
    vectors = latent @ vq.project_in[0]
    gap = vectors - vq.entries(0)[quantized.codes_BFK[..., 0]]
    torch.testing.assert_close(quantized.codebook_loss, gap.square().mean())
    torch.testing.assert_close(quantized.commitment_loss, gap.square().mean())
    codebook_grad = torch.autograd.grad(
        quantized.commitment_loss, vq.codebooks, allow_unused=True, retain_graph=True
    )
    assert codebook_grad[0] is None or not codebook_grad[0].any()


def test_gradient_passes_straight_through() -> None:
    vq = make_vq()
    latent = torch.randn(1, 3, LATENT, requires_grad=True)
    quantized = vq(latent, torch.full((1, 3), 1))
    quantized.latent_BFD.sum().backward()
    expected = (vq.project_in[0] @ vq.project_out[0]).sum(1)
    torch.testing.assert_close(latent.grad[0, 0], expected)


def test_kmeans_finds_separate_clusters() -> None:
    generator = torch.Generator().manual_seed(3)
    centres = torch.tensor([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0]])
    vectors = centres.repeat(50, 1) + 0.1 * torch.randn(150, 2, generator=generator)
    found = kmeans(vectors, 12, generator)
    assert torch.cdist(centres, found).min(dim=1).values.max() < 0.3


def test_kmeans_with_fewer_vectors_than_clusters() -> None:
    assert kmeans(torch.randn(5, 2), 8, torch.Generator().manual_seed(0)).shape == (8, 2)


def test_data_initialisation_uses_every_layer() -> None:
    vq = make_vq()
    latent = torch.randn(4000, LATENT) @ torch.diag(torch.tensor([3.0, 2, 1, 1, 0.5, 0.1]))
    vq.initialise(latent, torch.Generator().manual_seed(0))
    codes = vq.encode(latent[None])
    errors = [
        (latent - vq.decode(mask_layers(codes, k, ENTRIES))[0]).square().mean().item()
        for k in range(1, LAYERS + 1)
    ]
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 0.2 * latent.var().item()
    for layer in range(LAYERS):
        assert len(codes[..., layer].unique()) == ENTRIES


def test_dead_entries_restart_on_data() -> None:
    vq = make_vq()
    with torch.no_grad():
        vq.codebooks[0, 5:] = 1e3
    latent = torch.randn(4, 50, LATENT)
    generator = torch.Generator().manual_seed(0)
    restarted = 0
    for _ in range(600):
        restarted += vq.restart_dead(latent, vq.encode(latent), generator)
    assert restarted >= ENTRIES - 5
    assert vq.codebooks[0].abs().max() < 100
    assert len(vq.encode(latent)[..., 0].unique()) > 8
