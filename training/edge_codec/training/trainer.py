"""The training loop: excerpts -> codec -> losses -> step, on a CPU, a GPU or many of them.

Randomness depends only on (seed, step) and all state is in the checkpoint, so a training that
was killed continues as if it had not been. It knows nothing of files but checkpoints.

Shapes: B batch, F code frames, K layers.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from edge_codec.runtime.errors import ConfigError
from edge_codec.training.checkpoint import (
    AVERAGED,
    Facts,
    load_checkpoint,
    save_checkpoint,
    source_commit,
)
from edge_codec.training.codec import Codec
from edge_codec.training.config import DataConfig, Recipe
from edge_codec.training.data import ExcerptSource
from edge_codec.training.distributed import ALONE, Crew
from edge_codec.training.frame_loss import (
    before_hardening,
    draw_depths,
    draw_levelled,
    draw_wrong_codes,
    frame_levels_db,
    level_depths,
)
from edge_codec.training.lookahead import frames_further, looking_ahead
from edge_codec.training.objective import Objective
from edge_codec.training.optimisers import (
    make_optimisers,
    optimiser_tensors,
    restore_optimiser,
    schedule,
)
from edge_codec.training.precision import all_bits, codec_format, start_tf32
from edge_codec.training.registry import make_codec
from edge_codec.training.rvq import Quantized
from edge_codec.training.scatter import share_weights
from edge_codec.training.shards import ShardedSource
from edge_codec.training.widening import is_widening, widened

START_EXCERPTS = 64
"""Excerpts that the codec sees before the first step, to set its scales."""
RESTART_EVERY = 10
"""Steps between searches for dead codes."""


class Trainer:
    """A training in progress."""

    def __init__(
        self,
        recipe: Recipe,
        source: ExcerptSource | ShardedSource,
        *,
        seed: int,
        data_sha256: str,
        teacher: Codec | None = None,
        crew: Crew = ALONE,
    ) -> None:
        """Start from random weights on the device that holds `source`.

        Raises:
            ConfigError: the recipe distils and there is no teacher, or its audio does not fit; the
                data has another rate; the crew cannot share the recipe's batch; excerpts are too
                short for the losses.
        """
        torch.manual_seed(seed)
        self.crew = crew
        self.crew.check_batch(recipe.data.batch)
        self.recipe, self.source, self.seed, self.data_sha256 = recipe, source, seed, data_sha256
        self.device = source.device
        start_tf32(self.device)
        self.codec = make_codec(recipe).to(self.device)
        self.averaged = make_codec(recipe).to(self.device).requires_grad_(False)
        self.teacher = check_teacher(recipe, self.codec, teacher)
        self.objective = Objective(recipe, self.device, self.crew)
        self.optimisers = make_optimisers(self.codec, recipe)
        self.trained = [w for o, _ in self.optimisers for g in o.param_groups for w in g["params"]]
        self.step = self.schedule_step = 0
        hop = self.codec.spec.hop_samples
        self.frames = round(recipe.data.excerpt_s * recipe.model.sample_rate_hz / hop)
        self.samples = self.frames * hop
        self._check_excerpts()
        self._start_from_data()

    def _check_excerpts(self) -> None:
        delay, hop = self.codec.forward_delay_samples, self.codec.spec.hop_samples
        longest = max(self.recipe.loss.mel_windows)
        if self.samples < delay + hop + longest:
            raise ConfigError(
                f"an excerpt has {self.samples} samples; less a delay of {delay} and a frame of "
                f"{hop}, the longest loss window of {longest} does not fit: lengthen data.excerpt_s"
            )

    def _start_from_data(self) -> None:
        rng = np.random.default_rng([self.seed, 0])
        batch = START_EXCERPTS + -START_EXCERPTS % self.crew.size
        excerpts = self._draw(replace(self.recipe.data, batch=batch), rng)
        self.codec.start_from(self.crew.gather(excerpts))
        self.averaged.load_state_dict(self.codec.state_dict())

    def _draw(self, config: DataConfig, rng: np.random.Generator) -> Tensor:
        """This process' excerpts of the batch that all processes draw."""
        source, wanted_hz = self.source.at(self.step), self.recipe.model.sample_rate_hz
        if source.sample_rate_hz != wanted_hz:
            raise ConfigError(
                f"the data has {source.sample_rate_hz} Hz, the recipe {wanted_hz}; prepare it "
                f"again with --rate {wanted_hz}"
            )
        return self.crew.part(source.draw(config, self.samples, rng))

    @property
    def is_quantizing(self) -> bool:
        """Whether the quantizer has been initialised."""
        return self.step >= self.recipe.quantizer.start_step

    @property
    def is_finished(self) -> bool:
        """Whether the recipe's last step is done."""
        return self.schedule_step >= self.recipe.steps

    def run(self) -> Iterator[dict[str, float]]:
        """Train to the recipe's last step; yields the losses of each step."""
        while not self.is_finished:
            yield self.train_step()

    def train_step(self) -> dict[str, float]:
        """One optimiser step; returns its losses.

        Raises:
            ConfigError: the training diverged; the weights are those before the step.
        """
        rng = np.random.default_rng([self.seed, self.step, 1])
        if self.step == self.recipe.quantizer.start_step and self.recipe.quantizer.from_data:
            self._initialise_quantizer(rng)
        original = self._draw(self.recipe.data, rng)
        decoded, quantized = self._run_codec(original, rng)
        delay = self.codec.forward_delay_samples
        # At fixed places the losses' windows would hear some parts of a frame better than others.
        heard = slice(int(rng.integers(self.codec.spec.hop_samples)), self.samples - delay)
        taught = self._teach(original, heard)
        verdict = self.objective.judge(decoded[:, delay:][:, heard], original[:, heard], taught)
        terms = dict(verdict.terms)
        total = self.objective.total(terms, self.schedule_step, decoded)
        if quantized is not None and not self.recipe.freeze_bitstream:
            terms |= {"codebook": quantized.codebook_loss, "commitment": quantized.commitment_loss}
            total = total + self.recipe.loss.codebook * quantized.codebook_loss
            total = total + self.recipe.loss.commitment * quantized.commitment_loss
        self._update(total, verdict.discrimination)
        self.step += 1
        self.schedule_step += 1
        if verdict.discrimination is not None:
            terms["discrimination"] = verdict.discrimination
        terms = {"total": total} | terms
        values = self.crew.mean(torch.stack([value.detach() for value in terms.values()]))
        return dict(zip(terms, values.tolist(), strict=True))

    def _run_codec(
        self, original: Tensor, rng: np.random.Generator
    ) -> tuple[Tensor, Quantized | None]:
        with torch.set_grad_enabled(not self.recipe.freeze_bitstream):
            with codec_format(self.device, bf16=self.recipe.bf16):
                latent = self.codec.encoder(original).float()
            with all_bits():
                quantized = self._quantize(original, latent, rng) if self.is_quantizing else None
        with codec_format(self.device, bf16=self.recipe.bf16):
            decoded = self.codec.decoder(latent if quantized is None else quantized.latent_BFD)
        return decoded, quantized

    def _quantize(self, original: Tensor, latent: Tensor, rng: np.random.Generator) -> Quantized:
        config, layers = self.recipe.quantizer, self.recipe.model.layers
        if self.schedule_step < config.harden_from * self.recipe.steps:
            config = before_hardening(config)
        shape = (self.recipe.data.batch, self.frames)
        drawn = torch.from_numpy(draw_depths(config, layers, shape, rng))
        kept = self.crew.part(drawn).to(self.device)
        if config.depth_by_level > 0:
            drawn = torch.from_numpy(draw_levelled(config.depth_by_level, shape[0], rng))
            more = self.crew.part(drawn).to(self.device)
            levels_db = frame_levels_db(original, self.codec.spec.hop_samples)
            kept = level_depths(kept, more, levels_db, layers)
        wrong = None
        if config.wrong_codes > 0:
            size = self.codec.spec.codebook_size
            drawn = torch.from_numpy(
                draw_wrong_codes(config.wrong_codes, size, (*shape, layers), rng)
            )
            wrong = self.crew.part(drawn).to(self.device)
        quantized: Quantized = self.codec.quantizer(latent, kept, wrong)
        restarts = config.from_data and not self.recipe.freeze_bitstream
        if self.step % RESTART_EVERY == 0 and restarts:
            generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
            codes = self.crew.gather(quantized.codes_BFK)
            self.codec.quantizer.restart_dead(self.crew.gather(latent), codes, generator)
        return quantized

    @torch.no_grad()
    def _teach(self, original: Tensor, heard: slice) -> Tensor | None:
        """What the teacher makes of the same part of the excerpts, without its delay."""
        if self.teacher is None:
            return None
        decoded: Tensor = self.teacher(original)
        return decoded[:, self.teacher.forward_delay_samples :][:, heard]

    def _update(self, total: Tensor, discrimination: Tensor | None) -> None:
        config = self.recipe.optimiser
        factor = schedule(self.schedule_step, self.recipe.steps, config)
        for optimiser, peak in self.optimisers:
            optimiser.param_groups[0]["lr"] = peak * factor
            optimiser.zero_grad(set_to_none=True)
        contested = discrimination is not None
        total.backward(inputs=self.trained, retain_graph=contested)  # type: ignore[no-untyped-call]
        if self.objective.adversary is not None and discrimination is not None:
            self.objective.adversary.learn(discrimination, factor, self.crew)
        self.crew.average_gradients(self.trained)
        norm = nn.utils.clip_grad_norm_(self.trained, config.clip)
        if not torch.isfinite(norm):
            raise ConfigError(
                f"the training diverged at step {self.step}: its gradient is no number any more. "
                "Give the recipe a smaller optimiser.lr and go on with --resume"
            )
        for optimiser, _ in self.optimisers:
            optimiser.step()
        decay = min(config.ema, (1 + self.step) / (10 + self.step))
        averaged = [p.detach() for p in self.averaged.parameters()]
        torch._foreach_lerp_(averaged, [p.detach() for p in self.codec.parameters()], 1 - decay)

    @torch.no_grad()
    def _initialise_quantizer(self, rng: np.random.Generator) -> None:
        latents: list[Tensor] = []
        while sum(map(len, latents)) < self.recipe.quantizer.initial_vectors:
            latent = self.codec.encoder(self._draw(self.recipe.data, rng))
            latents.append(self.crew.gather(latent).flatten(0, 1))
        generator = torch.Generator().manual_seed(self.seed)
        self.codec.quantizer.initialise(torch.cat(latents), generator)
        self.averaged.quantizer.load_state_dict(self.codec.quantizer.state_dict())

    def save(self, folder: Path) -> None:
        """Write a checkpoint from which `resume` continues bit-exactly on a CPU."""
        tensors = dict(self.codec.state_dict())
        tensors |= {AVERAGED + k: v for k, v in self.averaged.state_dict().items()}
        tensors["code_use"] = self.codec.quantizer.use_KN
        for number, (optimiser, _) in enumerate(self.optimisers):
            tensors |= optimiser_tensors(optimiser, f"optimiser.{number}.")
        self._write(folder, tensors | self.objective.state())

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
        """Continue from a checkpoint; its weights must fit this recipe's model.

        Args:
            folder: what `save` wrote.
            restart_schedule: take only the weights and begin the recipe anew. Then they may also
                be those of a lower sample rate, or of a decoder that looks less far ahead.
        Raises:
            ConfigError: the checkpoint is damaged, of another model, or of other optimisers.
        """
        tensors, recipe, facts = load_checkpoint(folder)
        if restart_schedule and is_widening(recipe.model, self.recipe.model):
            self._widen(tensors)
            return
        further = frames_further(recipe.model, self.recipe.model) if restart_schedule else 0
        if further:
            tensors = looking_ahead(tensors, further)
        elif not share_weights(recipe.model, self.recipe.model):
            raise ConfigError(f"checkpoint {folder} holds another model than the recipe describes")
        try:
            self._restore(tensors, with_moments=not restart_schedule)
        except (RuntimeError, KeyError, ValueError) as error:
            raise ConfigError(
                f"checkpoint {folder} does not fit the recipe: {error}; begin anew at its weights "
                "with --start-from and another --out"
            ) from error
        self.step = facts.step
        self.schedule_step = 0 if restart_schedule else facts.schedule_step

    def _restore(self, tensors: Mapping[str, Tensor], *, with_moments: bool) -> None:
        averaged = {k: tensors[AVERAGED + k] for k in self.averaged.state_dict()}
        self.averaged.load_state_dict(averaged)
        self.codec.load_state_dict({k: tensors.get(k, v) for k, v in averaged.items()})
        if "code_use" in tensors:
            self.codec.quantizer.use_KN.copy_(tensors["code_use"])
        if with_moments:
            for number, (optimiser, _) in enumerate(self.optimisers):
                restore_optimiser(optimiser, tensors, f"optimiser.{number}.")
        self.objective.restore(tensors, with_moments=with_moments)

    def _widen(self, tensors: dict[str, Tensor]) -> None:
        narrow = {
            name.removeprefix(AVERAGED): tensor.float().to(self.device)
            for name, tensor in tensors.items()
            if name.startswith(AVERAGED)
        }
        self.codec.load_state_dict(widened(narrow, self.codec.state_dict()))
        self.averaged.load_state_dict(self.codec.state_dict())


def check_teacher(recipe: Recipe, codec: Codec, teacher: Codec | None) -> Codec | None:
    """The teacher, if the recipe wants one and it suits.

    Raises:
        ConfigError: the recipe distils without a teacher, or the teacher's audio does not fit.
    """
    if recipe.loss.distillation == 0:
        return None
    if teacher is None:
        raise ConfigError("the recipe distils: name the teacher's checkpoint with --teacher")
    ours, theirs = codec.spec, teacher.spec
    if theirs.sample_rate_hz != ours.sample_rate_hz or theirs.delay_samples > ours.delay_samples:
        raise ConfigError(
            f"the teacher has {theirs.sample_rate_hz} Hz and {theirs.delay_samples} samples of "
            f"delay; this model needs {ours.sample_rate_hz} Hz and at most {ours.delay_samples}"
        )
    return teacher.requires_grad_(False)
