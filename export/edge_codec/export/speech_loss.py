"""What int8 costs in opinion scores, on recordings that nothing was fitted to.

Needs the scoring packages of the `train` extra, and a second or two for each clip and form.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_codec.export.parity import FloatParity, Parity, decode, encode
from edge_codec.runtime.bundle import Bundle
from edge_codec.runtime.codec import StreamDecoder, StreamEncoder
from edge_codec.training.codec import Codec
from edge_codec.training.coders import CodecCoder
from edge_codec.training.evaluation import Coder, clips_in, evaluate

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.integer[Any]]

MAX_CLIPS = 12
"""More are thinned out evenly: scoring is slow."""
MEASURES = {"visqol_loss": "visqol", "pesq_loss": "pesq_wb"}
"""Fact -> measure of `evaluate`."""


class Int8Coder:
    """Graphs of a bundle with int8 weights, in calls of one frame."""

    def __init__(self, bundle: Bundle, precision: str = "int8") -> None:
        self._encoder = StreamEncoder(bundle, precision=precision)
        self._decoder = StreamDecoder(bundle, precision=precision)

    def encode(self, audio_T: FloatArray) -> IntArray:
        """Codes [F, K]."""
        return encode(self._encoder, audio_T, self._encoder.spec.hop_samples)

    def decode(self, codes_FK: IntArray) -> FloatArray:
        """Samples [T]."""
        return decode(self._decoder, codes_FK.astype(np.int64), 1)


def with_speech_loss(parity: Parity, codec: Codec, bundle: Bundle, folder: Path) -> Parity:
    """`parity` with what the int8 graphs of each back end lose of ViSQOL and PESQ on `folder`.

    Raises:
        AudioError: there are no clips, or none can be scored.
        MissingExtraError: the scoring packages are not installed.
    """
    best = _scores(CodecCoder(codec), codec, folder)
    graphs = dict(parity.graphs)
    for name, facts in parity.graphs.items():
        if not isinstance(facts, FloatParity):
            backend, _, precision = name.partition("_")
            found = _scores(Int8Coder(bundle.on(backend), precision), codec, folder)
            loss = {fact: best[fact] - found[fact] for fact in MEASURES}
            graphs[name] = replace(facts, speech_loss=loss)
    return replace(parity, graphs=graphs)


def _scores(coder: Coder, codec: Codec, folder: Path) -> dict[str, float]:
    clips = clips_in(folder, codec.spec.sample_rate_hz)
    step = -(-len(clips) // MAX_CLIPS)
    thinned = dict(list(clips.items())[::step])
    (row,) = evaluate(coder, thinned, codec.spec, layers=[codec.spec.layers]).rows
    return {fact: row.means[measure].mean for fact, measure in MEASURES.items()}
