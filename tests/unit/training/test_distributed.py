"""What a crew does with batches, without starting one; number formats."""

from types import SimpleNamespace

import pytest
import torch

from edge_codec.runtime.errors import ConfigError
from edge_codec.training.distributed import ALONE, Crew, join_crew
from edge_codec.training.precision import all_bits, codec_format, start_tf32


def make_crew(rank: int, size: int) -> Crew:
    return Crew(SimpleNamespace(global_rank=rank, world_size=size))  # type: ignore[arg-type]


def test_parts_make_the_whole() -> None:
    whole = torch.arange(12)
    parts = [make_crew(rank, 3).part(whole) for rank in range(3)]
    assert torch.equal(torch.cat(parts), whole)
    assert torch.equal(ALONE.part(whole), whole)


def test_a_batch_that_cannot_be_shared_is_refused() -> None:
    make_crew(0, 3).check_batch(12)
    with pytest.raises(ConfigError, match="multiple of 3"):
        make_crew(0, 3).check_batch(8)


def test_a_process_without_torchrun_is_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    assert join_crew("cpu") == (ALONE, "cpu")
    assert (ALONE.size, ALONE.rank) == (1, 0)
    assert ALONE.wants_stop(True)


def test_losses_see_all_bits_whatever_the_codec_runs_in() -> None:
    assert not torch.backends.cuda.matmul.allow_tf32
    start_tf32(torch.device("cpu"))
    assert not torch.backends.cuda.matmul.allow_tf32
    start_tf32(torch.device("cuda"))
    try:
        with all_bits():
            assert not torch.backends.cuda.matmul.allow_tf32
            assert not torch.backends.cudnn.allow_tf32
        assert torch.backends.cuda.matmul.allow_tf32
    finally:
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    with codec_format(torch.device("cpu"), bf16=True):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.bfloat16
