"""Train the tiny codec under torchrun and let the first process write down its losses.

torchrun --standalone --nproc-per-node 2 tests/support/loss_curve.py plain losses.npy
"""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from edge_codec.training.config import (
    AdversarialConfig,
    DataConfig,
    LossConfig,
    QuantizerConfig,
)
from edge_codec.training.distributed import join_crew
from edge_codec.training.trainer import Trainer
from support.tiny_codec import TINY_RECIPE, make_source

STEADY = QuantizerConfig(start_step=5, initial_vectors=200, full_depth=1.0, harden_from=1.0)
DROPPING = replace(STEADY, full_depth=0.3, depths=(1, 2), harden_from=0.0, lost_frames=0.05)
PLAIN = replace(TINY_RECIPE, steps=40, data=DataConfig(excerpt_s=0.2, batch=8), quantizer=STEADY)
RECIPES = {
    "plain": PLAIN,
    "dropout": replace(PLAIN, quantizer=DROPPING),
    "adversarial": replace(
        PLAIN,
        # Without a quantizer: k-means turns a rounding error of 1e-7 into a per cent of this loss.
        quantizer=replace(STEADY, start_step=PLAIN.steps),
        loss=LossConfig(mel_windows=(128, 512), spectral_windows=(512,), balanced=True),
        adversarial=AdversarialConfig(
            adversarial=1.0,
            features=2.0,
            periods=(2,),
            period_width=4,
            windows=(256,),
            band_width=4,
            ramp_steps=5,
        ),
    ),
}


def main() -> None:
    """Train and write [steps, 2]: total and mel loss."""
    kind, out = sys.argv[1:]
    crew, _ = join_crew("cpu")
    trainer = Trainer(RECIPES[kind], make_source(), seed=1, data_sha256="", crew=crew)
    losses = [[step["total"], step["mel"]] for step in trainer.run()]
    if crew.rank == 0:
        np.save(out, losses)


if __name__ == "__main__":
    main()
