"""The context model: what training says a code costs is what the runtime spends."""

import json
from io import BytesIO

import numpy as np
import pytest
import torch

from edge_codec.runtime.context_coding import ContextCoder
from edge_codec.runtime.context_model import ContextModel, load_context_model
from edge_codec.runtime.errors import ConfigError
from edge_codec.training.checkpoint import CONTEXT_FILE
from edge_codec.training.commands import train, train_context
from edge_codec.training.context import (
    CodeSet,
    ContextConfig,
    ContextNet,
    layer_bits,
    mean_levels,
    places,
)
from edge_codec.training.context import train_context as training
from support.training_files import write_cache, write_recipe

SIZE, LAYERS = 32, 3


def drawn_codes(seed: int = 0, excerpts: int = 40) -> CodeSet:
    """First codes that walk, second ones that follow them, third ones at random."""
    rng = np.random.default_rng(seed)
    first = np.cumsum(rng.integers(-1, 2, (excerpts, 200)), axis=1) % SIZE
    second = (first + rng.integers(0, 2, first.shape)) % SIZE
    third = rng.integers(0, SIZE, first.shape)
    codes = torch.from_numpy(np.stack([first, second, third], axis=2)).int()
    return CodeSet(codes, -codes[..., 0].float())


def make_net(steps: int = 1) -> ContextNet:
    torch.manual_seed(0)
    config = ContextConfig(layers=LAYERS, steps=steps, hidden=24, rank=8, batch_frames=200)
    return ContextNet(config, torch.randn(LAYERS, SIZE, 4), drawn_codes())


@pytest.fixture(scope="module")
def trained() -> ContextNet:
    net = make_net(steps=200)
    list(training(net, drawn_codes().codes_BFL, torch.Generator().manual_seed(0)))
    return net


def test_it_learns_what_there_is_to_learn(trained):
    bits = layer_bits(trained, drawn_codes(1).codes_BFL, 24)
    assert bits[0] < 3.5  # log2(3) but for the first frame of each superframe
    assert bits[1] < 2.5  # 1
    assert bits[2] == pytest.approx(5, abs=0.3)


@pytest.mark.parametrize("frames", [1, 2, 24])
def test_the_runtime_spends_what_training_says(trained, frames):
    codes_BFL = drawn_codes(2, 1).codes_BFL[:, :frames]
    expected_FL = trained.bits(codes_BFL)[0].detach().numpy()
    model = ContextModel(trained.arrays())
    codes_FK = codes_BFL[0].numpy().astype(np.int64)
    steps_FK = ContextCoder(model, LAYERS)._all_steps(codes_FK)
    for layer in range(LAYERS):
        ends_FN = model.cumulative_odds(codes_FK, steps_FK, np.arange(frames), layer)
        shares_F = np.diff(ends_FN, axis=1, prepend=0)[np.arange(frames), codes_FK[:, layer]]
        spent_F = np.log2(ends_FN[:, -1] / shares_F)
        # Odds are rounded to whole numbers, of which the least is 1.
        np.testing.assert_allclose(spent_F, expected_FL[:, layer], atol=0.3)
        assert spent_F.mean() == pytest.approx(expected_FL[:, layer].mean(), abs=0.05)


def test_what_is_learnt_saves_room(trained):
    coder = ContextCoder(ContextModel(trained.arrays()), LAYERS)
    codes_FK = drawn_codes(3, 1).codes_BFL[0, :24].numpy().astype(np.int64)
    _, valid_F = coder.unpack(coder.pack(codes_FK, 2), np.full(24, 2))
    assert valid_F.mean() > 2.7


def test_places_are_before_or_below():
    assert places(0) == [(-1, 0), (-2, 0), (-3, 0), (-4, 0), (-5, 0), (-6, 0)]
    for layer in range(1, 6):
        for later, below in places(layer):
            assert below < layer or (below == layer and later != 0)


def test_levels_of_rare_codes_are_ordinary():
    codes = CodeSet(torch.tensor([[[1], [1], [2], [2]]]), torch.tensor([[-10.0, -20, -40, -50]]))
    levels = mean_levels(codes, 4)
    assert levels.tolist() == [-30, -20, -40, -30]


def test_the_command_writes_beside_the_weights(tmp_path, capsys):
    recipe = write_recipe(tmp_path / "tiny.toml", steps=6)
    data, out = str(write_cache(tmp_path / "cache")), tmp_path / "run"
    run(train, "train", recipe, "--data", data, "--out", out)
    argv = ("train-context", out, "--data", data, "--hours", 0.01, "--steps", 4)
    run(train_context, *argv, "--json")
    bits = json.loads(capsys.readouterr().out)["bits_by_layer"]
    assert set(bits) == {"4", "8", "12", "24", "50"}
    assert all(len(by_layer) == 4 for by_layer in bits.values())
    first = (out / CONTEXT_FILE).read_bytes()
    assert load_context_model(out / CONTEXT_FILE).codebook_size == 32
    run(train_context, *argv)
    assert "| frames | layer 1 |" in capsys.readouterr().out
    with np.load(out / CONTEXT_FILE) as again, np.load(BytesIO(first)) as before:
        assert all((again[name] == before[name]).all() for name in before.files)


@pytest.mark.parametrize("flags", [("--hours", 0), ("--steps", 0), ("--hours", "inf")])
def test_flags_out_of_range(tmp_path, flags):
    with pytest.raises(ConfigError, match="more than 0"):
        run(train_context, "train-context", tmp_path, "--data", tmp_path, *flags)


def run(command, *argv) -> None:
    import argparse

    parser = argparse.ArgumentParser()
    command.register(parser.add_subparsers())
    args = parser.parse_args([*map(str, argv)])
    args.run(args)
