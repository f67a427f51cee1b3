"""Residual vector quantization with factorised codebooks (thesis §RVQ; DAC, arXiv 2306.06546).

Each layer projects the residual to a few dimensions, picks the nearest codebook entry and
projects back. Projections have no bias, so a code that is "not sent" is simply a zero vector.
The first layer has one entry more: the learned stand-in for a lost frame.

Shapes: B batch, F frames, K layers, D latent, E code dimensions, N = B * F vectors.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

DEAD_BELOW = 0.03
"""A code used less than this fraction of its fair share is dead and restarts."""
USE_DECAY = 0.99
"""Forgetting of the code-use average, per training step."""
KMEANS_STEPS = 12
"""Lloyd iterations of the data initialisation; more gained nothing."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Quantized:
    """What the quantizer gives in training."""

    latent_BFD: Tensor
    """Sum of the kept layers, differentiable straight through."""
    codes_BFK: Tensor
    """Chosen entries of all layers, kept or not."""
    codebook_loss: Tensor
    """Pulls entries to the vectors that chose them."""
    commitment_loss: Tensor
    """Pulls vectors to the entries they chose."""


class ResidualVQ(nn.Module):
    """K factorised quantizer layers over a D-dimensional latent.

    With `normalised` the lookup compares directions only (the thesis' rule); without it,
    Euclidean distance, which suits codebooks initialised from data.
    """

    use_KN: Tensor

    def __init__(
        self, latent: int, layers: int, codebook_size: int, code_dim: int, *, normalised: bool
    ) -> None:
        super().__init__()
        self.normalised = normalised
        self.project_in = nn.Parameter(torch.randn(layers, latent, code_dim) * latent**-0.5)
        self.project_out = nn.Parameter(torch.randn(layers, code_dim, latent) * code_dim**-0.5)
        self.codebooks = nn.Parameter(torch.randn(layers, codebook_size, code_dim))
        self.lost = nn.Parameter(torch.zeros(code_dim))
        self.register_buffer("use_KN", torch.ones(layers, codebook_size), persistent=False)

    @property
    def layers(self) -> int:
        """Number of quantizer layers K."""
        return self.codebooks.shape[0]

    def entries(self, layer: int) -> Tensor:
        """Codebook of one layer as the lookup sees it, [entries, E]."""
        codebook = self.codebooks[layer]
        return functional.normalize(codebook, dim=1) if self.normalised else codebook

    def nearest(self, vectors_NE: Tensor, layer: int) -> Tensor:
        """Index of the nearest entry for each vector, [N]; needs no norm of the vectors."""
        entries = self.entries(layer)
        if self.normalised:
            return (vectors_NE @ entries.T).argmax(dim=1)
        return torch.addmm(-0.5 * entries.square().sum(1), vectors_NE, entries.T).argmax(dim=1)

    def encode(self, latent_BFD: Tensor) -> Tensor:
        """Codes of all layers, [B, F, K]."""
        return self.encode_layers(latent_BFD, range(self.layers))[0]

    def encode_layers(self, residual_BFD: Tensor, layers: range) -> tuple[Tensor, Tensor]:
        """Codes [B, F, L] of some layers in a row, and what they leave, [B, F, D]."""
        residual = residual_BFD.flatten(0, 1)
        codes = []
        for layer in layers:
            vectors = functional.linear(residual, self.project_in[layer].T)
            codes.append(self.nearest(vectors, layer))
            chosen = functional.embedding(codes[-1], self.entries(layer))
            residual = torch.addmm(residual, chosen, -self.project_out[layer])
        codes_LN = torch.cat(codes).reshape(len(layers), -1)
        codes_BFL = codes_LN.T.reshape(residual_BFD.shape[0], -1, len(layers))
        return codes_BFL, residual.reshape(residual_BFD.shape)

    def decode_table(self) -> Tensor:
        """Entries of all layers with their "not sent" rows, [K * (entries + 1), E].

        The row behind each codebook is zero; the first layer's is the lost frame.
        """
        absent = torch.zeros_like(self.codebooks[:, :1])
        absent = torch.cat([self.lost[None, None], absent[1:]], dim=0)
        books = torch.stack([self.entries(layer) for layer in range(self.layers)])
        return torch.cat([books, absent], dim=1).flatten(0, 1)

    def decode(self, codes_BFK: Tensor) -> Tensor:
        """Latent from codes, [B, F, D]; a code equal to the codebook size was not sent."""
        rows = self.codebooks.shape[1] + 1
        offsets = rows * torch.arange(self.layers, device=codes_BFK.device)
        vectors_BFKE = functional.embedding(codes_BFK + offsets, self.decode_table())
        project_out = self.project_out.flatten(0, 1)
        vectors_BFC = vectors_BFKE.reshape(codes_BFK.shape[0], -1, project_out.shape[0])
        return functional.linear(vectors_BFC, project_out.T)

    def forward(
        self, latent_BFD: Tensor, kept_BF: Tensor, wrong_BFK: Tensor | None = None
    ) -> Quantized:
        """Quantize for training.

        Args:
            latent_BFD: encoder output.
            kept_BF: layers kept of each frame, 0 (lost) to K.
            wrong_BFK: codes that reach the decoder instead of the right ones; -1 where none does.
        """
        residual = latent_BFD
        total = torch.where((kept_BF == 0)[..., None], self.lost @ self.project_out[0], 0.0)
        codes, codebook_losses, commitment_losses = [], [], []
        for layer in range(self.layers):
            vectors = residual @ self.project_in[layer]
            if self.normalised:
                vectors = functional.normalize(vectors, dim=-1)
            chosen = self.nearest(vectors.flatten(0, 1), layer).reshape(kept_BF.shape)
            entry = self.entries(layer)[chosen]
            kept = (kept_BF > layer).to(vectors.dtype)
            codebook_losses.append(mean_square(entry - vectors.detach(), kept))
            commitment_losses.append(mean_square(vectors - entry.detach(), kept))
            output = (vectors + (entry - vectors).detach()) @ self.project_out[layer]
            heard = output
            if wrong_BFK is not None:
                heard = self._corrupt(output, wrong_BFK[..., layer], layer)
            total = total + heard * kept[..., None]
            residual = residual - output
            codes.append(chosen)
        return Quantized(
            latent_BFD=total,
            codes_BFK=torch.stack(codes, dim=-1),
            codebook_loss=torch.stack(codebook_losses).sum(),
            commitment_loss=torch.stack(commitment_losses).sum(),
        )

    def _corrupt(self, output_BFD: Tensor, wrong_BF: Tensor, layer: int) -> Tensor:
        replaced = self.entries(layer)[wrong_BF.clamp_min(0)] @ self.project_out[layer]
        return torch.where((wrong_BF < 0)[..., None], output_BFD, replaced.detach())

    @torch.no_grad()
    def initialise(self, latent_ND: Tensor, generator: torch.Generator) -> None:
        """Set projections and codebooks from encoder output, layer by layer on the residuals.

        Projections become the residual's principal directions, codebooks its k-means centres.
        """
        residual = latent_ND.float()
        for layer in range(self.layers):
            directions = torch.linalg.eigh(residual.T @ residual)[1]
            directions = directions[:, -self.codebooks.shape[2] :].flip(1)
            self.project_in[layer] = directions
            self.project_out[layer] = directions.T
            vectors = residual @ directions
            self.codebooks[layer] = kmeans(vectors, self.codebooks.shape[1], generator)
            residual = residual - self.codebooks[layer][self.nearest(vectors, layer)] @ directions.T

    @torch.no_grad()
    def restart_dead(
        self, latent_BFD: Tensor, codes_BFK: Tensor, generator: torch.Generator
    ) -> int:
        """Count code use; move entries nobody uses onto current vectors. Returns how many."""
        size = self.codebooks.shape[1]
        residual, codes_NK = latent_BFD.flatten(0, 1), codes_BFK.flatten(0, 1)
        restarted = 0
        for layer in range(self.layers):
            vectors = residual @ self.project_in[layer]
            counts = torch.bincount(codes_NK[:, layer], minlength=size) * (size / len(codes_NK))
            self.use_KN[layer].lerp_(counts.to(self.use_KN.dtype), 1 - USE_DECAY)
            output = self.entries(layer)[codes_NK[:, layer]] @ self.project_out[layer]
            dead = (self.use_KN[layer] < DEAD_BELOW).nonzero()[:, 0]
            picks = torch.randint(len(vectors), (len(dead),), generator=generator)
            # `.data`: the step's gradient may still be to come, and no dead entry has a part in it.
            self.codebooks.data[layer][dead] = vectors[picks.to(vectors.device)]
            self.use_KN[layer][dead] = 1.0
            residual = residual - output
            restarted += len(dead)
        return restarted


def mean_square(gaps_BFE: Tensor, kept_BF: Tensor) -> Tensor:
    """Mean square over the kept frames only; zero when none is."""
    return (gaps_BFE.square().mean(-1) * kept_BF).sum() / kept_BF.sum().clamp_min(1.0)


def kmeans(vectors_NE: Tensor, clusters: int, generator: torch.Generator) -> Tensor:
    """Centres [clusters, E] by Lloyd's algorithm from randomly drawn vectors.

    Empty clusters keep their centre. With fewer vectors than clusters some centres repeat.
    """
    count = len(vectors_NE)
    if count >= clusters:
        first = torch.randperm(count, generator=generator)[:clusters]
    else:
        first = torch.randint(count, (clusters,), generator=generator)
    centres = vectors_NE[first.to(vectors_NE.device)].clone()
    for _ in range(KMEANS_STEPS):
        scores = vectors_NE @ centres.T - 0.5 * centres.square().sum(1)
        owner = scores.argmax(dim=1)
        sums = torch.zeros_like(centres).index_add_(0, owner, vectors_NE)
        sizes = torch.bincount(owner, minlength=clusters)[:, None]
        centres = torch.where(sizes > 0, sums / sizes.clamp_min(1), centres)
    return centres
