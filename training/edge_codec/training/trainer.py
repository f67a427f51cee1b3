"""The training loop: excerpts -> codec -> losses -> step, on a CPU or one GPU.

Randomness depends only on (seed, step) and all state is in the checkpoint, so a training that
was killed continues as if it had not been. It knows nothing of files but checkpoints.

Shapes: B batch, F code frames, K layers.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from edge_codec.runtime.errors import ConfigError
from edge_codec.training.checkpoint import (
    AVERAGED,
    Facts,
    load_checkpoint,
    save_checkpoint,
    source_commit,
)
from edge_codec.training.codec import FrameCodec
from edge_codec.training.config import OptimiserConfig, QuantizerConfig, Recipe
from edge_codec.training.data import ExcerptSource
from edge_codec.training.losses import ReconstructionLoss

RESTART_EVERY = 10
"""Steps between searches for dead codes."""


class Trainer:
    """A training in progress."""

    def __init__(
        self, recipe: Recipe, source: ExcerptSource, *, seed: int, data_sha256: str
    ) -> None:
        """Start from random weights on the device that holds `source`."""
        torch.manual_seed(seed)
        self.recipe, self.source, self.seed, self.data_sha256 = recipe, source, seed, data_sha256
        self.device = source.audio.device
        self.codec = FrameCodec(recipe.model).to(self.device)
        self.averaged = FrameCodec(recipe.model).to(self.device).requires_grad_(False)
        self.loss = ReconstructionLoss(recipe.loss, recipe.model.sample_rate_hz).to(self.device)
        self.optimisers = make_optimisers(self.codec, recipe.optimiser)
        self.step = self.schedule_step = 0
        hop = recipe.model.spec.hop_samples
        self.frames = round(recipe.data.excerpt_s * recipe.model.sample_rate_hz / hop)
        self.samples = self.frames * hop
        self._start_from_data()

    def _start_from_data(self) -> None:
        rng = np.random.default_rng([self.seed, 0])
        config = replace(self.recipe.data, batch=64)
        excerpts = self.source.draw(config, self.samples, rng)
        self.codec.encoder.analysis.standardise(excerpts)
        self.codec.decoder.start_at(self.codec.encoder.analysis.log_magnitude_mean())
        self.averaged.load_state_dict(self.codec.state_dict())

    @property
    def is_quantizing(self) -> bool:
        """Whether the quantizer has been initialised."""
        return self.step >= self.recipe.quantizer.start_step

    def run(self) -> Iterator[dict[str, float]]:
        """Train to the recipe's last step; yields the losses of each step."""
        while self.schedule_step < self.recipe.steps:
            yield self.train_step()

    def train_step(self) -> dict[str, float]:
        """One optimiser step; returns its losses."""
        rng = np.random.default_rng([self.seed, self.step, 1])
        if self.step == self.recipe.quantizer.start_step:
            self._initialise_quantizer(rng)
        original = self.source.draw(self.recipe.data, self.samples, rng)
        kept = None
        if self.is_quantizing:
            kept = torch.from_numpy(self._draw_depths(rng)).to(self.device)
        terms = self._losses(original, kept, rng)
        self._update(terms["total"])
        self.step += 1
        self.schedule_step += 1
        return {name: float(value.detach()) for name, value in terms.items()}

    def _draw_depths(self, rng: np.random.Generator) -> NDArray[np.int64]:
        config = self.recipe.quantizer
        if self.schedule_step < config.harden_from * self.recipe.steps:
            config = replace(config, depth_per_frame=0.0, lost_frames=0.0)
        shape = (self.recipe.data.batch, self.frames)
        return draw_depths(config, self.recipe.model.layers, shape, rng)

    def _losses(
        self, original: Tensor, kept: Tensor | None, rng: np.random.Generator
    ) -> dict[str, Tensor]:
        weights, delay = self.recipe.loss, self.codec.spec.delay_samples
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.recipe.bf16):
            latent = self.codec.encoder(original).float()
        quantized = None if kept is None else self.codec.quantizer(latent, kept)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.recipe.bf16):
            decoded = self.codec.decoder(latent if quantized is None else quantized.latent_BFD)
        distance = self.loss(decoded[:, delay:], original[:, : self.samples - delay])
        terms = {"mel": distance.mel, "spectral": distance.spectral}
        total = weights.mel * distance.mel + weights.spectral * distance.spectral
        if quantized is not None:
            terms |= {"codebook": quantized.codebook_loss, "commitment": quantized.commitment_loss}
            total = total + weights.codebook * quantized.codebook_loss
            total = total + weights.commitment * quantized.commitment_loss
            if self.step % RESTART_EVERY == 0:
                generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
                self.codec.quantizer.restart_dead(latent, quantized.codes_BFK, generator)
        return {"total": total} | terms

    def _update(self, total: Tensor) -> None:
        config = self.recipe.optimiser
        factor = schedule(self.schedule_step, self.recipe.steps, config)
        for optimiser, peak in self.optimisers:
            optimiser.param_groups[0]["lr"] = peak * factor
            optimiser.zero_grad(set_to_none=True)
        total.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.codec.parameters(), config.clip)
        for optimiser, _ in self.optimisers:
            optimiser.step()
        decay = min(config.ema, (1 + self.step) / (10 + self.step))
        averaged = [p.detach() for p in self.averaged.parameters()]
        torch._foreach_lerp_(averaged, [p.detach() for p in self.codec.parameters()], 1 - decay)

    @torch.no_grad()
    def _initialise_quantizer(self, rng: np.random.Generator) -> None:
        latents: list[Tensor] = []
        while sum(map(len, latents)) < self.recipe.quantizer.initial_vectors:
            excerpts = self.source.draw(self.recipe.data, self.samples, rng)
            latents.append(self.codec.encoder(excerpts).flatten(0, 1))
        generator = torch.Generator().manual_seed(self.seed)
        self.codec.quantizer.initialise(torch.cat(latents), generator)
        self.averaged.quantizer.load_state_dict(self.codec.quantizer.state_dict())

    def save(self, folder: Path) -> None:
        """Write a checkpoint from which `resume` continues bit-exactly on a CPU."""
        tensors = dict(self.codec.state_dict())
        tensors |= {AVERAGED + k: v for k, v in self.averaged.state_dict().items()}
        tensors["code_use"] = self.codec.quantizer.use_KN
        for number, (optimiser, _) in enumerate(self.optimisers):
            for index, state in optimiser.state_dict()["state"].items():
                tensors |= {f"optimiser.{number}.{index}.{k}": v for k, v in state.items()}
        self._write(folder, tensors)

    def save_averaged(self, folder: Path) -> None:
        """Write the averaged weights alone, matrices in half precision: small enough to share.

        `resume` continues from them with fresh optimisers.
        """
        weights = self.averaged.state_dict().items()
        halves = {AVERAGED + k: v.half() if v.ndim > 1 else v for k, v in weights}
        self._write(folder, halves)

    def _write(self, folder: Path, tensors: dict[str, Tensor]) -> None:
        facts = Facts(
            step=self.step,
            schedule_step=self.schedule_step,
            seed=self.seed,
            data=self.data_sha256,
            commit=source_commit(),
        )
        save_checkpoint(folder, tensors, self.recipe, facts)

    def resume(self, folder: Path, *, restart_schedule: bool = False) -> None:
        """Continue from a checkpoint; its model must be this recipe's.

        Args:
            folder: what `save` wrote.
            restart_schedule: keep weights and moments but begin the recipe's schedule anew.
        Raises:
            ConfigError: the checkpoint is damaged or of another model.
        """
        tensors, recipe, facts = load_checkpoint(folder)
        if recipe.model != self.recipe.model:
            raise ConfigError(f"checkpoint {folder} holds another model than the recipe describes")
        averaged = {k: tensors[AVERAGED + k] for k in self.averaged.state_dict()}
        self.averaged.load_state_dict(averaged)
        self.codec.load_state_dict({k: tensors.get(k, v) for k, v in averaged.items()})
        if "code_use" in tensors:
            self.codec.quantizer.use_KN.copy_(tensors["code_use"])
        for number, (optimiser, _) in enumerate(self.optimisers):
            restore_optimiser(optimiser, tensors, f"optimiser.{number}.")
        self.step = facts.step
        self.schedule_step = 0 if restart_schedule else facts.schedule_step


def make_optimisers(
    codec: FrameCodec, config: OptimiserConfig
) -> list[tuple[torch.optim.Optimizer, float]]:
    """Optimisers with their peak step sizes: Muon for the blocks' matrices if asked, AdamW else."""
    matrices = [
        weight
        for net in (codec.encoder.body, codec.decoder.body)
        for weight in net.parameters()
        if config.muon_lr > 0 and weight.ndim == 2
    ]
    chosen = {id(weight) for weight in matrices}
    others = [weight for weight in codec.parameters() if id(weight) not in chosen]
    adamw = torch.optim.AdamW(
        others, betas=config.betas, weight_decay=config.weight_decay, fused=True
    )
    optimisers: list[tuple[torch.optim.Optimizer, float]] = [(adamw, config.lr)]
    if matrices:
        muon = torch.optim.Muon(
            matrices, weight_decay=config.weight_decay, ns_steps=config.muon_iterations
        )
        optimisers.append((muon, config.muon_lr))
    return optimisers


def restore_optimiser(
    optimiser: torch.optim.Optimizer, tensors: dict[str, Tensor], prefix: str
) -> None:
    """Put saved moments back; a checkpoint without them leaves the optimiser fresh."""
    saved: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        if name.startswith(prefix):
            index, key = name.removeprefix(prefix).split(".", 1)
            saved.setdefault(int(index), {})[key] = tensor
    optimiser.load_state_dict(optimiser.state_dict() | {"state": saved})


def schedule(step: int, steps: int, config: OptimiserConfig) -> float:
    """Step-size factor: linear warm-up, hold, linear fall to zero over the last part."""
    warm = min(1.0, (step + 1) / config.warmup_steps)
    falling = max(1.0, steps * config.decay_fraction)
    return min(warm, (steps - step) / falling)


def draw_depths(
    config: QuantizerConfig, layers: int, shape: tuple[int, int], rng: np.random.Generator
) -> NDArray[np.int64]:
    """Layers kept of each frame, [B, F]: quantizer dropout, per-frame cuts and lost bursts."""
    batch, _ = shape
    depths = np.array([depth for depth in config.depths if depth <= layers])
    per_item = np.where(
        rng.random(batch) < config.full_depth, layers, rng.choice(depths, size=batch)
    )
    kept = np.broadcast_to(per_item[:, None], shape)
    varied = rng.random((batch, 1)) < config.depth_per_frame
    kept = np.where(varied, np.minimum(kept, rng.integers(1, layers + 1, size=shape)), kept)
    lost = draw_bursts(config.lost_frames, config.lost_burst, shape, rng)
    return np.where(lost, 0, kept).astype(np.int64)


def draw_bursts(
    share: float, mean_length: float, shape: tuple[int, int], rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Frames lost by a two-state chain: `share` of all, in bursts of geometric length."""
    batch, frames = shape
    enter = share / (mean_length * (1 - share))
    lost = np.zeros(shape, dtype=bool)
    state = np.zeros(batch, dtype=bool)
    for frame in range(frames):
        chance = rng.random(batch)
        state = np.where(state, chance < 1 - 1 / mean_length, chance < enter)
        lost[:, frame] = state
    return lost
