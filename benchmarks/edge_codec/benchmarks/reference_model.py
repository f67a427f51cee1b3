"""The reference model `thesis-44k`, untrained: what it takes in memory does not depend on training.

Made by the commands a user would type, so that nothing here needs torch.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile

from edge_codec.benchmarks.processes import edge_codec, output_of
from edge_codec.benchmarks.reports import REPOSITORY

NAME = "thesis-44k"
RATE_HZ = 44_100


class ReferenceModel(NamedTuple):
    """The same weights twice."""

    bundle: Path
    checkpoint: Path


def make_reference_model(work: Path) -> ReferenceModel:
    """Train for no steps and export below `work`, unless that is done already.

    Raises:
        EdgeCodecError: a command failed: most likely torch is not installed.
    """
    made = ReferenceModel(work / NAME, work / "run" / "averaged")
    if (made.bundle / "manifest.json").is_file():
        return made
    (work / "audio").mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(0).normal(0, 0.1, 5 * RATE_HZ)
    soundfile.write(work / "audio" / "noise.wav", noise, RATE_HZ)
    labels = work / "audio.csv"
    labels.write_text("file,domain\nnoise.wav,environment\n", encoding="ascii")
    recipe = REPOSITORY / "training" / "recipes" / f"{NAME}.toml"
    cache = work / "cache"
    for words in (
        ("prepare", cache, work / "audio", "--rate", RATE_HZ, "--manifest", labels),
        ("train", recipe, "--data", cache, "--out", work / "run", "--steps", 0),
        ("export", made.checkpoint, "--out", made.bundle),
    ):
        output_of(edge_codec(*words))
    return made
