"""The codec in torch on one whole file, as its memory is measured."""

import pytest

from edge_codec.runtime.errors import ConfigError
from edge_codec.training.checkpoint import AVERAGED, Facts, save_checkpoint
from edge_codec.training.whole_file import code_noise
from support.tiny_codec import TINY_RECIPE, make_codec


def test_every_sample_is_decoded(tmp_path):
    facts = Facts(step=0, schedule_step=0, seed=0, data="", commit="")
    weights = {AVERAGED + name: value for name, value in make_codec().state_dict().items()}
    save_checkpoint(tmp_path, weights, TINY_RECIPE, facts)
    assert code_noise(tmp_path, 0.5) == 8000


def test_a_missing_checkpoint_is_one_line(tmp_path):
    with pytest.raises(ConfigError, match="no checkpoint in"):
        code_noise(tmp_path / "nowhere", 1)
