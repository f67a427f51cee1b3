"""A codec that looks ahead begun at the weights of one that does not."""

from dataclasses import replace
from pathlib import Path

import torch

from edge_codec.training.codec import FIRST_KERNEL, FrameCodec
from edge_codec.training.lookahead import frames_further, looking_ahead
from edge_codec.training.trainer import Trainer
from support.tiny_codec import TINY, TINY_RECIPE, make_codec, make_source

FAR = replace(TINY, lookahead_frames=1)


def without_oldest_tap() -> FrameCodec:
    codec = make_codec()
    first = codec.decoder.body.layers[0].linear.weight
    with torch.no_grad():
        first[:, : first.shape[1] // FIRST_KERNEL] = 0.0
    return codec


def test_it_says_the_same_one_code_frame_later() -> None:
    near, far = without_oldest_tap(), FrameCodec(FAR).eval()
    far.load_state_dict(looking_ahead(near.state_dict(), 1))
    for codec in near, far:
        codec.decoder.scatter.rate_Q.zero_()  # or what is said depends on when it is said
    audio = 0.1 * torch.randn(1, 20 * near.spec.hop_samples)
    hop = near.spec.hop_samples
    assert far.spec.delay_samples == near.spec.delay_samples + hop
    with torch.no_grad():
        now, later = near(audio), far(audio)
    # Up to its first frame each decoder heard zeros where the other heard nothing yet.
    settled = 12 * hop
    torch.testing.assert_close(
        later[:, settled + hop :], now[:, settled:-hop], atol=1e-5, rtol=1e-5
    )


def test_only_codecs_that_differ_in_nothing_else_are_taken() -> None:
    assert frames_further(TINY, FAR) == 1
    assert frames_further(replace(TINY, scatter_from_hz=0), FAR) == 1
    assert frames_further(FAR, TINY) == 0
    assert frames_further(TINY, replace(FAR, channels=24)) == 0


def test_a_training_begins_there(tmp_path: Path) -> None:
    first = Trainer(TINY_RECIPE, make_source(), seed=1, data_sha256="0" * 64)
    list(first.run())
    first.save(tmp_path)
    recipe = replace(TINY_RECIPE, model=FAR, steps=2)
    second = Trainer(recipe, make_source(), seed=1, data_sha256="0" * 64)
    second.resume(tmp_path, restart_schedule=True)
    assert second.is_quantizing
    assert len(list(second.run())) == 2
