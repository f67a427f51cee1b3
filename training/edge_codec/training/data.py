"""Random excerpts from a prepared cache, drawn on the device that trains.

Every draw depends only on (seed, step), so a resumed training sees the same excerpts.

Shapes: B excerpts, T samples.
"""

from dataclasses import dataclass
from functools import cached_property
from math import ceil
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from edge_codec.runtime.errors import ConfigError
from edge_codec.training.augmentation import (
    apply_response,
    draw_noise_levels,
    draw_response,
    mix_noise,
)
from edge_codec.training.cache import Cache, load_cache
from edge_codec.training.config import DataConfig

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]
FULL_SCALE = 32768.0
"""int16 to [-1, 1)."""
SOFTEST_LUFS = -60.0
"""Clips softer than this are not made louder than from here: they are mostly noise."""


@dataclass(frozen=True)
class ExcerptSource:
    """All clips end to end, where each begins, and what is known of it."""

    audio: Tensor
    """int16 samples of all clips."""
    offsets: IntArray
    """First sample of each clip."""
    lengths: IntArray
    """Samples of each clip."""
    domains: NDArray[np.str_] | None = None
    """Domain of each clip; None if nothing is known."""
    loudness_lufs: FloatArray | None = None
    """Loudness of each clip, NaN where it is silent; None if nothing is known."""
    full_band: NDArray[np.bool_] | None = None
    """Whether each clip is known to go up to Nyquist; None if nothing is known."""

    def __post_init__(self) -> None:
        if len(self.lengths) == 0:
            raise ConfigError("the prepared cache holds no clips; run `edge-codec prepare` again")

    @property
    def device(self) -> torch.device:
        """Where excerpts are drawn."""
        return self.audio.device

    def at(self, step: int) -> "ExcerptSource":
        """The source of the excerpts of a step: always this one."""
        del step
        return self

    def draw(self, config: DataConfig, samples: int, rng: np.random.Generator) -> Tensor:
        """A batch of excerpts [B, T], changed at random as `config` says.

        Every position of every clip of a pool (a domain if they are balanced) is equally likely.

        Raises:
            ConfigError: the cache lacks what `config` asks for.
        """
        clips = self._draw_clips(config, samples, rng)
        excerpts = self._cut(clips, samples, rng)
        low, high = config.gain_db
        gains = 10 ** (rng.uniform(low, high, len(clips)) / 20)
        gains = gains * rng.choice([-1.0, 1.0], len(clips)) * self._levelling(config, clips)
        excerpts = (
            excerpts * torch.from_numpy(gains / FULL_SCALE).float().to(excerpts.device)[:, None]
        )
        return self._augment(config, excerpts, rng).clamp(-1.0, 1.0)

    def _cut(self, clips: IntArray, samples: int, rng: np.random.Generator) -> Tensor:
        """Raw excerpts at random places of `clips`; short clips end in silence."""
        starts = (rng.random(len(clips)) * self._room(samples)[clips]).astype(np.int64)
        device = self.audio.device
        at = torch.arange(samples)
        last = torch.from_numpy(self.lengths[clips] - 1)[:, None]
        inside = torch.from_numpy(starts)[:, None] + at
        index = torch.from_numpy(self.offsets[clips])[:, None] + torch.minimum(inside, last)
        return self.audio[index.to(device)].float() * (inside <= last).to(device)

    def _room(self, samples: int) -> IntArray:
        """Places where an excerpt of each clip may begin."""
        return np.maximum(self.lengths - samples, 0) + 1

    def _draw_clips(self, config: DataConfig, samples: int, rng: np.random.Generator) -> IntArray:
        room = self._room(samples)
        if not config.balance_domains and config.full_band_share == 0:
            return _draw_from(np.arange(len(room)), room, config.batch, rng)
        everything = {"": np.arange(len(room))}
        pools = list((self._by_domain if config.balance_domains else everything).values())
        slots = rng.permutation(config.batch) % len(pools)
        chosen = [pools[number] for number in slots]
        for slot in self._full_band_slots(config, chosen):
            narrowed = np.intersect1d(chosen[slot], self._full_band, assume_unique=True)
            # A domain without such clips lends its place to the others.
            chosen[slot] = narrowed if len(narrowed) else self._full_band
        return np.concatenate([_draw_from(pool, room, 1, rng) for pool in chosen])

    @cached_property
    def _by_domain(self) -> dict[str, IntArray]:
        if self.domains is None or not any(self.domains):
            raise ConfigError("the cache has no domains to balance; prepare it with --manifest")
        return {str(name): np.flatnonzero(self.domains == name) for name in np.unique(self.domains)}

    @cached_property
    def _full_band(self) -> IntArray:
        if self.full_band is None or not self.full_band.any():
            raise ConfigError(
                "the recipe asks for full-band excerpts and the cache has none; prepare recordings "
                "that go up to Nyquist, or set data.full_band_share = 0"
            )
        return np.flatnonzero(self.full_band)

    def _full_band_slots(self, config: DataConfig, chosen: list[IntArray]) -> list[int]:
        """Places of the batch kept for full-band clips, those first whose pool has some."""
        asked = ceil(config.full_band_share * config.batch)
        if asked == 0:
            return []
        able = sorted(range(len(chosen)), key=lambda slot: not self._has_full_band(chosen[slot]))
        return able[:asked]

    def _has_full_band(self, pool: IntArray) -> bool:
        return self.full_band is not None and bool(self.full_band[pool].any())

    def _levelling(self, config: DataConfig, clips: IntArray) -> FloatArray:
        """Gain of each clip that brings it to the recipe's loudness."""
        if config.loudness_lufs == 0:
            return np.ones(len(clips))
        if self.loudness_lufs is None or np.isnan(self.loudness_lufs).all():
            raise ConfigError("the cache does not know how loud its clips are; prepare it again")
        own = np.maximum(self.loudness_lufs[clips], SOFTEST_LUFS)
        gains: FloatArray = 10 ** ((config.loudness_lufs - np.nan_to_num(own)) / 20)
        return np.where(np.isnan(own), 1.0, gains)

    def _augment(self, config: DataConfig, excerpts_BT: Tensor, rng: np.random.Generator) -> Tensor:
        batch, samples = excerpts_BT.shape
        device = excerpts_BT.device
        if config.phase_rotation > 0 or config.eq_db > 0:
            response = draw_response(config, batch, samples // 2 + 1, rng)
            excerpts_BT = apply_response(excerpts_BT, response.to(device))
        if config.noise_share > 0:
            noise_BT = self._cut(self._draw_noise(config, samples, rng), samples, rng)
            levels_B = draw_noise_levels(config, batch, rng).to(device)
            excerpts_BT = mix_noise(excerpts_BT, noise_BT, levels_B)
        return excerpts_BT

    def _draw_noise(self, config: DataConfig, samples: int, rng: np.random.Generator) -> IntArray:
        known = self.domains if self.domains is not None else np.array([], np.str_)
        pool = np.flatnonzero(known == config.noise_domain)
        if len(pool) == 0:
            raise ConfigError(
                f"the recipe mixes in noise of the domain {config.noise_domain!r} and the cache "
                "has none; prepare some, with a domain in its --manifest"
            )
        return _draw_from(pool, self._room(samples), config.batch, rng)


def _draw_from(pool: IntArray, room: IntArray, count: int, rng: np.random.Generator) -> IntArray:
    """Clips of `pool`, each as likely as it has room."""
    weights = room[pool]
    return pool[rng.choice(len(pool), size=count, p=weights / weights.sum())]


def load_source(folder: Path, device: str) -> ExcerptSource:
    """A prepared cache, its samples on `device`.

    Raises:
        AudioError: the folder is not a finished cache of this format.
    """
    return source_of(load_cache(folder), device)


def source_of(cache: Cache, device: str) -> ExcerptSource:
    """The excerpts of a cache; on a CPU its samples stay on disk."""
    return ExcerptSource(
        torch.from_numpy(cache.samples).to(device),
        cache.offsets,
        cache.lengths,
        cache.domains,
        cache.loudness_lufs,
        cache.full_band,
    )
