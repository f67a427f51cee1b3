"""What a training shows of itself in TensorBoard: loss curves, decoded excerpts, spectrograms.

Shapes: B excerpts, T samples.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter

from edge_codec.training.codec import mask_layers
from edge_codec.training.trainer import Trainer

LOG_EVERY = 20
"""Steps averaged into one point of the loss curves."""
SAMPLES = 4
"""Excerpts that are decoded again and again."""
SAMPLE_S = 2.0
"""Their length."""
WINDOW_SAMPLES = 512
"""Window of the spectrograms."""
RANGE_DB = 80.0
"""Levels that a spectrogram shows, black to white."""


class Monitor:
    """Writes to the TensorBoard folder of a training; points after its present step are dropped."""

    def __init__(self, folder: Path, trainer: Trainer) -> None:
        self._writer = SummaryWriter(folder, purge_step=trainer.step + 1)
        self._trainer = trainer
        self._sums: dict[str, float] = {}
        self._count = 0
        self._originals_BT: Tensor | None = None

    def close(self) -> None:
        """Write what is left."""
        self._writer.close()

    def add(self, losses: Mapping[str, float]) -> dict[str, str] | None:
        """Take the losses of a step; now and then gives their means, ready to print."""
        self._count += 1
        self._sums = {name: self._sums.get(name, 0.0) + value for name, value in losses.items()}
        if self._trainer.step % LOG_EVERY:
            return None
        means = {name: value / self._count for name, value in self._sums.items()}
        for name, value in means.items():
            self._writer.add_scalar(f"loss/{name}", value, self._trainer.step)
        self._sums, self._count = {}, 0
        return {name: f"{value:.3f}" for name, value in means.items()}

    @torch.no_grad()
    def show_samples(self) -> None:
        """Decode the excerpts with the averaged weights, with all layers and with a quarter."""
        if not self._trainer.is_quantizing:
            return
        codec = self._trainer.averaged.eval()
        if self._originals_BT is None:
            self._originals_BT = self._draw_originals()
            self._show_audio("original", self._originals_BT)
        audio_BT = self._originals_BT
        codes_BFK, _ = codec.encode_step(audio_BT, codec.encoder.zero_state(len(audio_BT)))
        for layers in sorted({codec.spec.layers, max(1, codec.spec.layers // 4)}):
            sent = mask_layers(codes_BFK, layers, codec.spec.codebook_size)
            decoded_BT, _ = codec.decode_step(sent, codec.decoder.zero_state(len(audio_BT)))
            self._show_audio(f"{codec.spec.bitrate_bps(layers):g} bit per s", decoded_BT)

    def _draw_originals(self) -> Tensor:
        trainer = self._trainer
        config = replace(trainer.recipe.data, batch=SAMPLES, gain_db=(0.0, 0.0))
        spec = trainer.codec.spec
        samples = round(SAMPLE_S * spec.frame_rate_hz) * spec.hop_samples
        return trainer.source.at(trainer.step).draw(
            config, samples, np.random.default_rng([trainer.seed, 2])
        )

    def _show_audio(self, name: str, audio_BT: Tensor) -> None:
        step, rate_hz = self._trainer.step, self._trainer.codec.spec.sample_rate_hz
        for number, audio_T in enumerate(audio_BT.cpu()):
            place = f"sample {number}/{name}"
            self._writer.add_audio(place, audio_T.clamp(-1, 1)[None], step, rate_hz)
            self._writer.add_image(place, spectrogram(audio_T)[None], step)


def spectrogram(audio_T: Tensor) -> Tensor:
    """Picture [height, width] of a signal, 0 to 1: frequency rises upwards, time to the right."""
    bins = torch.stft(
        audio_T,
        WINDOW_SAMPLES,
        WINDOW_SAMPLES // 4,
        window=torch.hann_window(WINDOW_SAMPLES),
        return_complex=True,
    )
    full_scale_db = 20 * np.log10(WINDOW_SAMPLES / 4)  # of a sine
    levels_db = 20 * bins.abs().clamp_min(1e-9).log10() - full_scale_db
    picture: Tensor = (levels_db / RANGE_DB + 1).clamp(0, 1).flip(0)
    return picture
