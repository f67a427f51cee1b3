"""Caches one at a time: the order, fetching, and that shards together hold everything."""

from pathlib import Path

import numpy as np
import pytest
import torch

from edge_codec.runtime.errors import AudioError, ConfigError
from edge_codec.training.cache import read_manifest
from edge_codec.training.commands import prepare as prepare_command
from edge_codec.training.config import DataConfig
from edge_codec.training.distributed import Crew
from edge_codec.training.preparation import prepare
from edge_codec.training.shards import STEPS_PER_SHARD, ShardedSource, read_list
from edge_codec.training.trainer import Trainer
from support.data_sets import write_noise
from support.tiny_codec import TINY_RECIPE
from support.training_files import write_cache

CPU = torch.device("cpu")
DATA = DataConfig(batch=2)


def make_shards(folder: Path, count: int = 3) -> list[str]:
    for number in range(7):
        write_noise(folder / f"corpus/{number}.wav", 16_000, seed=number)
    for index in range(count):
        prepare(folder / str(index), [folder / "corpus"], rate_hz=16_000, shard=(index, count))
    return [str(folder / str(index)) for index in range(count)]


def draw(source: ShardedSource, step: int) -> torch.Tensor:
    return source.at(step).draw(DATA, 800, np.random.default_rng(step))


def test_shards_together_hold_every_file_once(tmp_path: Path) -> None:
    places = make_shards(tmp_path)
    names = [[c["source"] for c in read_manifest(Path(place))["clips"]] for place in places]
    assert [len(found) for found in names] == [3, 2, 2]
    assert sorted(name for found in names for name in found) == [
        f"corpus/{number}.wav" for number in range(7)
    ]


def test_every_shard_has_its_turn_in_each_round() -> None:
    source = ShardedSource(["a", "b", "c"], Path(), CPU, seed=1)
    rounds = [[source.place(3 * epoch + index) for index in range(3)] for epoch in range(6)]
    assert all(sorted(places) == ["a", "b", "c"] for places in rounds)
    assert len({tuple(places) for places in rounds}) > 1


def test_draws_depend_on_step_and_rank_only(tmp_path: Path) -> None:
    places = make_shards(tmp_path)
    first = ShardedSource(places, tmp_path, CPU, seed=1)
    later = STEPS_PER_SHARD + 3
    expected = [draw(first, 0), draw(first, later)]
    assert not torch.equal(*expected)
    assert torch.equal(draw(ShardedSource(places, tmp_path, CPU, seed=1), later), expected[1])
    assert torch.equal(draw(first, 0), expected[0])


def test_processes_take_different_shards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    places = make_shards(tmp_path)
    monkeypatch.setattr(Crew, "size", property(lambda crew: 3))
    monkeypatch.setattr(Crew, "rank", property(lambda crew: crew.fabric))
    crews = [Crew(rank) for rank in range(3)]  # type: ignore[arg-type]
    batches = [draw(ShardedSource(places, tmp_path, CPU, 1, crew), 0) for crew in crews]
    assert not torch.equal(batches[0], batches[1])
    assert not torch.equal(batches[1], batches[2])


def test_shards_are_fetched_by_url_and_only_one_is_kept(tmp_path: Path) -> None:
    places = make_shards(tmp_path)
    urls = [f"file://{place}" for place in places]
    near, far = (ShardedSource(p, tmp_path / "store", CPU, seed=1) for p in (places, urls))
    for step in (0, STEPS_PER_SHARD, 2 * STEPS_PER_SHARD):
        assert torch.equal(draw(near, step), draw(far, step))
        assert [path.name for path in (tmp_path / "store").iterdir()] == ["rank-0"]
    for url in ("file:///nowhere", "nosuch://x"):
        with pytest.raises(AudioError, match="cannot fetch"):
            ShardedSource([url], tmp_path / "store", CPU, seed=1).at(0)


def test_a_trainer_takes_them(tmp_path: Path) -> None:
    write_cache(tmp_path / "cache")
    source = ShardedSource([str(tmp_path / "cache")], tmp_path, CPU, seed=1)
    trainer = Trainer(TINY_RECIPE, source, seed=1, data_sha256="")
    assert trainer.train_step()["total"] > 0


def test_lists(tmp_path: Path) -> None:
    path = tmp_path / "shards.txt"
    path.write_text("# mine\n\none\n https://example.org/two \n/abs\n")
    assert read_list(path) == [str(tmp_path / "one"), "https://example.org/two", "/abs"]
    for content in (b"", b"# none\n", b"\xff\xfe"):
        path.write_bytes(content)
        with pytest.raises(ConfigError, match=r"shards\.txt"):
            read_list(path)


@pytest.mark.parametrize("text", ["", "1", "3/3", "-1/3", "a/b", "1/0"])
def test_a_shard_must_be_one_of_them(text: str) -> None:
    with pytest.raises(Exception, match="I/N"):
        prepare_command._shard(text)
