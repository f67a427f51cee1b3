"""The trainer: it learns, resumes as if never stopped, and draws what the recipe asks for."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from edge_codec.runtime.errors import ConfigError
from edge_codec.training.checkpoint import (
    FACTS_FILE,
    STATE_FILE,
    load_checkpoint,
    load_codec,
    save_checkpoint,
)
from edge_codec.training.codec import FrameCodec
from edge_codec.training.config import (
    AdversarialConfig,
    DataConfig,
    OptimiserConfig,
    QuantizerConfig,
    Recipe,
)
from edge_codec.training.frame_loss import (
    draw_bursts,
    draw_depths,
    draw_levelled,
    draw_wrong_codes,
    frame_levels_db,
    level_depths,
)
from edge_codec.training.optimisers import schedule
from edge_codec.training.trainer import RESTART_EVERY, Trainer
from support.tiny_codec import TINY, TINY_RECIPE, make_codec, make_source


def make_trainer(
    recipe: Recipe = TINY_RECIPE, seed: int = 1, teacher: FrameCodec | None = None
) -> Trainer:
    return Trainer(recipe, make_source(), seed=seed, data_sha256="0" * 64, teacher=teacher)


def test_it_learns() -> None:
    recipe = replace(TINY_RECIPE, steps=120, quantizer=QuantizerConfig(start_step=20))
    losses = list(make_trainer(recipe).run())
    assert len(losses) == 120
    late = np.mean([loss["mel"] for loss in losses[-10:]])
    assert late < 0.6 * losses[0]["mel"]
    assert "commitment" not in losses[19]
    assert "commitment" in losses[20]


@pytest.mark.parametrize("stop", [2, 3, 7])
def test_resumed_training_is_bit_exact(tmp_path: Path, stop: int) -> None:
    whole = make_trainer()
    expected = list(whole.run())
    first = make_trainer()
    begun = [first.train_step() for _ in range(stop)]
    first.save(tmp_path)
    second = make_trainer()
    second.resume(tmp_path)
    assert begun + list(second.run()) == expected
    for name, tensor in whole.averaged.state_dict().items():
        assert torch.equal(tensor, second.averaged.state_dict()[name]), name


def test_new_recipe_starts_from_old_weights(tmp_path: Path) -> None:
    first = make_trainer()
    list(first.run())
    first.save(tmp_path)
    second = make_trainer(replace(TINY_RECIPE, steps=2))
    second.resume(tmp_path, restart_schedule=True)
    assert second.is_quantizing
    assert len(list(second.run())) == 2
    assert second.step == TINY_RECIPE.steps + 2


def test_averaged_weights_alone_can_be_trained_on(tmp_path: Path) -> None:
    first = make_trainer()
    list(first.run())
    first.save_averaged(tmp_path)
    first.save(tmp_path / "whole")
    size, whole = ((tmp_path / path / STATE_FILE).stat().st_size for path in ("", "whole"))
    assert size < 0.25 * whole
    second = make_trainer(replace(TINY_RECIPE, steps=1))
    second.resume(tmp_path, restart_schedule=True)
    for name, tensor in first.averaged.state_dict().items():
        torch.testing.assert_close(second.codec.state_dict()[name], tensor, atol=1e-3, rtol=1e-3)
    assert len(list(second.run())) == 1


ADVERSARIAL = AdversarialConfig(
    adversarial=1.0, features=2.0, periods=(2,), period_width=2, windows=(128,), band_width=2
)


def test_adversarial_training_resumes_bit_exactly(tmp_path: Path) -> None:
    loss = replace(TINY_RECIPE.loss, balanced=True)
    recipe = replace(TINY_RECIPE, adversarial=ADVERSARIAL, loss=loss, steps=6)
    whole = list(make_trainer(recipe).run())
    assert all(step["discrimination"] > 0 for step in whole)
    first = make_trainer(recipe)
    begun = [first.train_step() for _ in range(4)]
    first.save(tmp_path)
    second = make_trainer(recipe)
    second.resume(tmp_path)
    assert begun + list(second.run()) == whole


def test_discriminators_of_other_widths_are_refused(tmp_path: Path) -> None:
    recipe = replace(TINY_RECIPE, adversarial=ADVERSARIAL)
    make_trainer(recipe).save(tmp_path)
    wider = replace(recipe, adversarial=replace(ADVERSARIAL, band_width=3))
    with pytest.raises(ConfigError, match="discriminators differ"):
        make_trainer(wider).resume(tmp_path)


def test_frozen_bitstream_trains_the_decoder_alone(tmp_path: Path) -> None:
    first = make_trainer()
    list(first.run())
    first.save(tmp_path)
    second = make_trainer(replace(TINY_RECIPE, freeze_bitstream=True, steps=3))
    second.resume(tmp_path, restart_schedule=True)
    before = {name: tensor.clone() for name, tensor in second.codec.state_dict().items()}
    assert all("codebook" not in step for step in second.run())
    changed = {
        name.split(".")[0]
        for name, tensor in second.codec.state_dict().items()
        if not torch.equal(tensor, before[name])
    }
    assert changed == {"decoder"}


def test_distillation_needs_a_fitting_teacher() -> None:
    recipe = replace(TINY_RECIPE, loss=replace(TINY_RECIPE.loss, distillation=1.0), steps=2)
    with pytest.raises(ConfigError, match="--teacher"):
        make_trainer(recipe)
    losses = list(make_trainer(recipe, teacher=make_codec()).run())
    assert all(step["distillation"] > 0 for step in losses)
    slow = replace(TINY, lookahead_frames=1)
    with pytest.raises(ConfigError, match="delay"):
        make_trainer(recipe, teacher=FrameCodec(slow))


def test_normalised_lookup_trains_through_a_restart_of_dead_codes() -> None:
    recipe = replace(TINY_RECIPE, model=replace(TINY, normalised_lookup=True))
    assert recipe.steps > RESTART_EVERY
    assert len(list(make_trainer(recipe).run())) == recipe.steps


def test_lookahead_delays_the_target() -> None:
    recipe = replace(TINY_RECIPE, model=replace(TINY, lookahead_frames=1))
    assert recipe.model.spec.delay_samples == 160 + 320
    assert len(list(make_trainer(recipe).run())) == recipe.steps


def test_every_place_of_a_frame_is_heard_alike() -> None:
    trainer, shifts = make_trainer(), set()

    def judge(decoded: torch.Tensor, original: torch.Tensor, taught: None) -> None:
        assert decoded.shape == original.shape
        shifts.add(trainer.samples - trainer.codec.forward_delay_samples - decoded.shape[1])
        raise StopIteration

    trainer.objective.judge = judge
    for trainer.step in range(40):
        with pytest.raises(StopIteration):
            trainer.train_step()
    hop = trainer.codec.spec.hop_samples
    assert len(shifts) > 30
    assert min(shifts) < hop / 8 < hop * 7 / 8 < max(shifts) < hop


def test_excerpts_too_short_for_the_losses_are_refused() -> None:
    with pytest.raises(ConfigError, match="lengthen data"):
        make_trainer(replace(TINY_RECIPE, data=DataConfig(excerpt_s=0.03)))


def test_another_model_is_refused(tmp_path: Path) -> None:
    make_trainer().save(tmp_path)
    other = replace(TINY_RECIPE, model=replace(TINY_RECIPE.model, channels=24))
    with pytest.raises(ConfigError, match="another model"):
        make_trainer(other).resume(tmp_path)


def test_data_of_another_rate_is_refused() -> None:
    source = make_source(sample_rate_hz=44_100)
    with pytest.raises(ConfigError, match="--rate 16000"):
        Trainer(TINY_RECIPE, source, seed=1, data_sha256="")


def test_moments_of_other_optimisers_are_refused(tmp_path: Path) -> None:
    first = make_trainer()
    first.train_step()
    first.save(tmp_path)
    adamw_alone = replace(TINY_RECIPE, optimiser=replace(TINY_RECIPE.optimiser, muon_lr=0.0))
    with pytest.raises(ConfigError, match=r"moments.*--start-from"):
        make_trainer(adamw_alone).resume(tmp_path)
    second = make_trainer(adamw_alone)
    second.resume(tmp_path, restart_schedule=True)
    assert second.train_step()["total"] > 0


def test_a_checkpoint_that_lost_a_tensor_is_refused(tmp_path: Path) -> None:
    trainer = make_trainer()
    trainer.save(tmp_path)
    tensors, recipe, facts = load_checkpoint(tmp_path)
    del tensors["ema.decoder.head.bias"]
    save_checkpoint(tmp_path, tensors, recipe, facts)
    with pytest.raises(ConfigError, match="does not fit"):
        trainer.resume(tmp_path)


def test_a_training_that_diverges_stops_and_keeps_its_weights() -> None:
    trainer = make_trainer()
    weight = trainer.codec.decoder.head.bias
    before = weight.detach().clone()
    weight.register_hook(lambda gradient: gradient * float("nan"))
    with pytest.raises(ConfigError, match=r"diverged at step 0.*--resume"):
        trainer.train_step()
    assert torch.equal(weight, before)


def test_checkpoint_gives_the_averaged_codec(tmp_path: Path) -> None:
    trainer = make_trainer()
    list(trainer.run())
    trainer.save(tmp_path)
    codec, recipe, facts = load_codec(tmp_path)
    assert recipe == TINY_RECIPE
    assert (facts.step, facts.seed, facts.data) == (TINY_RECIPE.steps, 1, "0" * 64)
    audio = make_source().draw(DataConfig(batch=1), 3200, np.random.default_rng(0))
    expected = trainer.averaged.eval().encoder(audio)
    torch.testing.assert_close(codec.encoder(audio), expected)


@pytest.mark.parametrize("name", [STATE_FILE, FACTS_FILE])
@pytest.mark.parametrize("content", [b"", b"{", b"\xff" * 100, b'{"recipe": 3, "facts": {}}'])
def test_damaged_checkpoint(tmp_path: Path, name: str, content: bytes) -> None:
    trainer = make_trainer()
    tensors = trainer.averaged.state_dict()
    trainer.save(tmp_path)
    save_file(tensors, tmp_path / STATE_FILE)  # without the copy of the facts that heals them
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ConfigError):
        load_codec(tmp_path)


def test_missing_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no checkpoint"):
        load_codec(tmp_path / "none")


def test_schedule_warms_holds_and_falls() -> None:
    config = OptimiserConfig(warmup_steps=10, decay_fraction=0.5)
    factors = [schedule(step, 100, config) for step in range(100)]
    assert factors[0] == pytest.approx(0.1)
    assert factors[10:50] == [1.0] * 40
    assert factors[75] == pytest.approx(0.5)
    assert 0 < factors[99] < 0.03


def test_depths_follow_the_recipe() -> None:
    config = QuantizerConfig(full_depth=0.25, depths=(1, 3, 40), lost_frames=0.0)
    kept = draw_depths(config, 12, (4000, 3), np.random.default_rng(0))
    assert set(np.unique(kept)) == {1, 3, 12}
    assert (kept == kept[:, :1]).all()
    assert (kept[:, 0] == 12).mean() == pytest.approx(0.25, abs=0.03)


def test_depth_per_frame_only_lowers() -> None:
    config = QuantizerConfig(full_depth=0.0, depths=(4,), depth_per_frame=1.0)
    kept = draw_depths(config, 12, (200, 20), np.random.default_rng(0))
    assert set(np.unique(kept)) == {1, 2, 3, 4}


def test_softer_frames_keep_fewer_layers() -> None:
    kept = torch.tensor([[3, 3, 0, 3], [3, 3, 0, 3]])
    levels_db = torch.tensor([-20.0, -29.0, -20.0, -60.0]).expand(2, 4)
    got = level_depths(kept, torch.tensor([1, -1]), levels_db, 12)
    assert got.tolist() == [[4, 3, 0, 1], [3, 3, 0, 3]]
    more = draw_levelled(0.5, 4000, np.random.default_rng(0))
    assert set(np.unique(more)) == {-1, 0, 1, 2, 3}
    assert (more < 0).mean() == pytest.approx(0.5, abs=0.03)


def test_levels_are_those_of_each_frame() -> None:
    audio = torch.cat([torch.full((1, 320), 0.1), torch.zeros(1, 320)], dim=1)
    torch.testing.assert_close(frame_levels_db(audio, 320), torch.tensor([[-20.0, -80.0]]))


def test_bursts_have_the_asked_share_and_length() -> None:
    lost = draw_bursts(0.1, 1.5, (400, 500), np.random.default_rng(0))
    assert lost.mean() == pytest.approx(0.1, abs=0.005)
    starts = (lost[:, 1:] & ~lost[:, :-1]).sum() + lost[:, 0].sum()
    assert lost.sum() / starts == pytest.approx(1.5, abs=0.05)


def test_excerpts_depend_on_the_draw_only() -> None:
    source, config = make_source(), DataConfig(batch=16, gain_db=(0.0, 0.0))
    first = source.draw(config, 3000, np.random.default_rng(5))
    torch.testing.assert_close(first, source.draw(config, 3000, np.random.default_rng(5)))
    assert first.shape == (16, 3000)
    assert first.abs().max() <= 1


def test_short_clips_end_in_silence() -> None:
    source = make_source()
    only_short = replace(source, offsets=source.offsets[2:], lengths=source.lengths[2:])
    excerpt = only_short.draw(DataConfig(batch=1), 3000, np.random.default_rng(0))
    assert excerpt[0, :1000].any()
    assert not excerpt[0, 1000:].any()


def test_empty_cache_is_refused() -> None:
    none = np.zeros(0, np.int64)
    with pytest.raises(ConfigError, match="holds no clips"):
        replace(make_source(), offsets=none, lengths=none)


def test_wrong_codes_have_their_share_and_stay_in_the_book() -> None:
    wrong = draw_wrong_codes(0.01, 1024, (100, 40, 12), np.random.default_rng(0))
    assert (wrong >= 0).mean() == pytest.approx(0.01, abs=0.002)
    assert wrong.max() < 1024
    assert wrong.min() == -1
