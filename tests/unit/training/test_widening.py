"""A codec of a higher rate that begins with the weights of a lower one."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from edge_codec.runtime.errors import ConfigError
from edge_codec.training.codec import FrameCodec
from edge_codec.training.trainer import Trainer
from edge_codec.training.widening import is_widening, widened
from support.tiny_codec import TINY, TINY_RECIPE, make_codec, make_source

WIDE = replace(TINY, name="wide", sample_rate_hz=32_000, hop_samples=320, layers=6)


def test_the_wider_codec_hears_and_says_what_the_narrow_one_did() -> None:
    narrow = make_codec()
    audio_T = np.random.default_rng(0).normal(0, 0.1, 15_680).astype(np.float32)
    # Ideal resampling: all of the narrow one's band, to its very end.
    wide_T = 2 * np.fft.irfft(np.fft.rfft(audio_T), 31_360).astype(np.float32)
    wide = FrameCodec(WIDE).eval()
    wide.start_from(torch.from_numpy(wide_T)[None])
    wide.load_state_dict(widened(narrow.state_dict(), wide.state_dict()))
    with torch.no_grad():
        latent, wide_latent = (
            codec.encoder(torch.from_numpy(x)[None])
            for codec, x in ((narrow, audio_T), (wide, wide_T))
        )
        decoded, wide_decoded = (codec.decoder(latent)[0] for codec in (narrow, wide))
    spread = latent.std()
    assert (wide_latent - latent)[:, 4:-4].square().mean().sqrt() < 0.15 * spread
    spectrum, wide_spectrum = (
        torch.stft(x, n, n // 2, window=torch.hann_window(n), return_complex=True).abs()
        for x, n in ((decoded, 320), (wide_decoded, 640))
    )
    inside = wide_spectrum[5:120, 4:-4] / 2
    gap = (inside - spectrum[5:120, 4:-4]).square().mean().sqrt()
    assert gap < 0.1 * spectrum[5:120, 4:-4].square().mean().sqrt()


@pytest.mark.parametrize(
    "change",
    [
        {"sample_rate_hz": 16_000},
        {"hop_samples": 321},
        {"channels": 24},
        {"lookahead_frames": 1},
        {"decoder_blocks": (1, 2)},
    ],
)
def test_only_a_higher_rate_counts(change: dict[str, object]) -> None:
    assert is_widening(TINY, WIDE)
    assert not is_widening(TINY, replace(WIDE, **change))  # type: ignore[arg-type]
    assert not is_widening(WIDE, TINY)


def test_training_begins_at_a_narrower_checkpoint(tmp_path: Path) -> None:
    first = Trainer(TINY_RECIPE, make_source(), seed=1, data_sha256="0" * 64)
    list(first.run())
    first.save_averaged(tmp_path)
    source = make_source(sample_rate_hz=WIDE.sample_rate_hz)
    recipe = replace(TINY_RECIPE, model=WIDE, steps=5)
    second = Trainer(recipe, source, seed=1, data_sha256="0" * 64)
    with pytest.raises(ConfigError, match="another model"):
        second.resume(tmp_path)
    second.resume(tmp_path, restart_schedule=True)
    taken = first.averaged.state_dict()["decoder.body.layers.0.linear.weight"]
    begun = second.codec.state_dict()["decoder.body.layers.0.linear.weight"]
    torch.testing.assert_close(begun, taken, atol=1e-3, rtol=1e-3)
    assert len(list(second.run())) == 5
