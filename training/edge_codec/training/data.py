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
    draw_span,
    mix_noise,
    played_in,
)
from edge_codec.training.cache import Cache, load_cache
from edge_codec.training.config import DataConfig

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]
FULL_SCALE = 32768.0
"""int16 to [-1, 1)."""
SOFTEST_LUFS = -60.0
"""Clips softer than this are not made louder than from here: they are mostly noise."""
_GIVE_DOMAINS = "prepare it with --domain or a column `domain` in its --manifest"


@dataclass(frozen=True)
class ExcerptSource:
    """All clips end to end, where each begins, and what is known of it."""

    audio: Tensor
    """int16 samples of all clips."""
    offsets: IntArray
    """First sample of each clip."""
    lengths: IntArray
    """Samples of each clip."""
    sample_rate_hz: int
    """Rate of the samples."""
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
        span = draw_span(config, samples, rng)
        clips = self._draw_clips(config, span, rng)
        excerpts = played_in(samples, self._cut(clips, span, rng))
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
        shares = self._domain_shares(config)
        if not shares and config.full_band_share == 0:
            return _draw_from(np.arange(len(room)), room, config.batch, rng)
        chosen = [np.arange(len(room))] * config.batch
        if shares:
            domains = _apportion(list(shares.values()), config.batch, rng)
            pools = [self._pool(name) for name in shares]
            chosen = [pools[number] for number in domains]
        for slot in self._full_band_slots(config, chosen):
            narrowed = np.intersect1d(chosen[slot], self._full_band, assume_unique=True)
            # A domain without such clips lends its place to the others.
            chosen[slot] = narrowed if len(narrowed) else self._full_band
        return np.concatenate([_draw_from(pool, room, 1, rng) for pool in chosen])

    def _domain_shares(self, config: DataConfig) -> dict[str, float]:
        """Domain -> its weight among the excerpts; nothing if domains do not matter."""
        if config.domain_shares or not config.balance_domains:
            return {name: share for name, share in config.domain_shares.items() if share > 0}
        if self.domains is None or not any(self.domains):
            raise ConfigError(f"the cache has no domains to balance; {_GIVE_DOMAINS}")
        return {str(name): 1.0 for name in np.unique(self.domains)}

    def _pool(self, domain: str) -> IntArray:
        """Clips of a domain."""
        pool = np.flatnonzero([] if self.domains is None else self.domains == domain)
        if len(pool) == 0:
            raise ConfigError(
                f"the recipe asks for the domain {domain!r} and the cache has none; {_GIVE_DOMAINS}"
            )
        return pool

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
        pool = self._pool(config.noise_domain)
        return _draw_from(pool, self._room(samples), config.batch, rng)


def _apportion(shares: list[float], count: int, rng: np.random.Generator) -> IntArray:
    """Numbers of `count` places in random order, each given to a share as fairly as can be.

    A share gets its part rounded up or down, and on average exactly its part.
    """
    ends = np.cumsum(shares) / sum(shares)
    places = (rng.random() + np.arange(count)) / count
    return rng.permutation(np.searchsorted(ends[:-1], places, side="right"))


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
        cache.sample_rate_hz,
        cache.domains,
        cache.loudness_lufs,
        cache.full_band,
    )
