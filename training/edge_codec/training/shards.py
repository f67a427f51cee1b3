"""Data in many caches, of which each process holds one at a time: for corpora larger than a disk.

A list names the caches, one a line: folders, or URLs of any kind fsspec knows (https, s3, gs, ...).
Which shard a process draws from depends only on (seed, step, rank), so a resumed training sees the
same excerpts. Every shard should be a mixture of everything; `prepare --shard` makes such.
"""

import shutil
from dataclasses import dataclass, field
from pathlib import Path

import fsspec
import numpy as np
import torch

from edge_codec.runtime.errors import AudioError, ConfigError
from edge_codec.training.cache import AUDIO_NAME, MANIFEST_NAME
from edge_codec.training.data import ExcerptSource, load_source
from edge_codec.training.distributed import ALONE, Crew

STEPS_PER_SHARD = 500
"""Steps before a process takes its next shard."""


def read_list(path: Path) -> list[str]:
    """Places of the shards that a list names; folders are relative to the list.

    Raises:
        ConfigError: it cannot be read, or names none.
    """
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read the list of shards {path}: {error}") from error
    places = [line for line in lines if line and not line.startswith("#")]
    if not places:
        raise ConfigError(f"{path} names no shards; write one folder or URL a line")
    return [place if "://" in place else str(path.parent / place) for place in places]


@dataclass(slots=True)
class ShardedSource:
    """Excerpts from one shard after another."""

    places: list[str]
    """Folders or URLs of caches."""
    store: Path
    """Where shards from elsewhere are kept while in use."""
    device: torch.device
    """Where samples are drawn."""
    seed: int
    """Decides the order of the shards."""
    crew: Crew = ALONE
    """Processes that take different shards at the same time."""
    _turn: int = -1
    _source: ExcerptSource | None = field(default=None)

    def at(self, step: int) -> ExcerptSource:
        """The source of the excerpts of a step.

        Raises:
            AudioError: a shard cannot be fetched or read.
        """
        turn = step // STEPS_PER_SHARD * self.crew.size + self.crew.rank
        if turn != self._turn or self._source is None:
            self._source = None  # lets go of the mapped file
            self._source = load_source(self._fetch(self.place(turn)), str(self.device))
            self._turn = turn
        return self._source

    def place(self, turn: int) -> str:
        """Shard of a turn: all of them in random order, then all in another order."""
        epoch, index = divmod(turn, len(self.places))
        order = np.random.default_rng([self.seed, epoch, 3]).permutation(len(self.places))
        return self.places[int(order[index])]

    def _fetch(self, place: str) -> Path:
        if "://" not in place:
            return Path(place)
        folder = self.store / f"rank-{self.crew.rank}"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        try:
            for name in (AUDIO_NAME, MANIFEST_NAME):
                url = f"{place.rstrip('/')}/{name}"
                with fsspec.open(url) as remote, (folder / name).open("wb") as local:
                    shutil.copyfileobj(remote, local)
        except (OSError, ValueError, ImportError) as error:
            raise AudioError(f"cannot fetch shard {place}: {error}; go on with --resume") from error
        return folder
