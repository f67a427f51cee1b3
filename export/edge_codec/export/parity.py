"""Whether the forms of one codec agree: torch, float graphs in calls of any length, and int8.

Runs the bundle as it was written, through the runtime, so that what is measured is what ships.

Shapes: T samples, F code frames, K layers.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

import numpy as np
import numpy.typing as npt
import torch

from edge_codec.runtime.bundle import Bundle
from edge_codec.runtime.codec import StreamDecoder, StreamEncoder
from edge_codec.runtime.errors import ParityError
from edge_codec.runtime.quality import align, mel_distance
from edge_codec.training.codec import Codec, FrameCodec

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]

ODD_SAMPLES = 1_237
"""A chunk of audio that never ends with a frame."""
WINDOW_FRAMES, WINDOWED_FRAMES = 10, 100
"""Shortest calls of a time-domain codec, and how much of the speech it is compared on."""

FLOAT_LIMITS = {
    "codes_equal": 0.999,
    "samples_difference": 1e-4,
    "chunked_codes_equal": 0.999,
    "chunked_samples_difference": 1e-4,
}
INT8_LIMITS = {
    "first_layer_equal": 0.99,
    "codes_equal": 0.9,
    "snr_db": 25.0,
    "mel_loss": 0.03,
    "visqol_loss": 0.05,
}
"""Those of codes only find graphs that are broken: dithering the last of 16 bits changes as many
codes of the float encoder (docs/adr/0006). What int8 may cost is the loss of speech quality."""
TFLITE_INT8_LIMITS = INT8_LIMITS | {"codes_equal": 0.95}
"""TFLite encoders have weights rounded to fit together, and products that are exact for them."""
LIMITS: dict[str, Mapping[str, float]] = {
    "onnx_fp32": FLOAT_LIMITS,
    "onnx_int8": INT8_LIMITS,
    "tflite_fp32": FLOAT_LIMITS,
    "tflite_int8": TFLITE_INT8_LIMITS,
    "tflite_int8_storage": TFLITE_INT8_LIMITS,
}
"""By back end and precision."""
UNTRAINED_LIMITS = LIMITS | {"onnx_int8": {}, "tflite_int8": {}, "tflite_int8_storage": {}}
"""Untrained codes are noise, which int8 cannot keep."""
AT_MOST = ("_difference", "_loss")
"""Ends of the names of facts whose limit is the largest value; of the others it is the least."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FloatParity:
    """Agreement of float graphs with the trained codec."""

    codes_equal: float
    """Share of codes that are torch's."""
    samples_difference: float
    """Largest difference to torch's samples, same codes, some frames and layers missing."""
    chunked_codes_equal: float
    """Share of codes that stay the same in calls of other lengths; the worst length."""
    chunked_samples_difference: float
    """Largest difference of samples between calls of different lengths."""

    def to_dict(self) -> dict[str, float]:
        """Facts by name."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True, slots=True)
class Int8Parity:
    """Agreement of int8 graphs with the trained codec, in the shortest calls."""

    equal_by_layer: list[float]
    """[K] share of codes that are the float encoder's."""
    snr_db: float
    """The decoder's samples against the float decoder's, same codes."""
    mel_loss: float
    """Mel distance to the original by int8 graphs, less that by the float codec, all layers."""
    speech_loss: dict[str, float] = field(default_factory=dict)
    """What is lost of ViSQOL and PESQ, where that was measured."""

    def to_dict(self) -> dict[str, float]:
        """Facts by name."""
        return {
            "first_layer_equal": self.equal_by_layer[0],
            "codes_equal": float(np.mean(self.equal_by_layer)),
            "snr_db": self.snr_db,
            "mel_loss": self.mel_loss,
            **self.speech_loss,
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class Parity:
    """Agreement of all graphs of a bundle with the trained codec on some speech."""

    graphs: dict[str, FloatParity | Int8Parity]
    """By back end and precision, such as `tflite_int8`."""

    def to_dict(self) -> dict[str, float]:
        """Facts for the manifest, rounded so that equal graphs give equal manifests everywhere."""
        return {
            f"{graphs}_{name}": float(f"{value:.3g}")
            for graphs, parity in self.graphs.items()
            for name, value in parity.to_dict().items()
        }


def measure_parity(codec: Codec, bundle: Bundle, speech_T: FloatArray) -> Parity:
    """Compare all graphs with `codec` on `speech_T`, whole frames at the codec's rate."""
    frames = 1
    if not isinstance(codec, FrameCodec):  # each call goes over its whole reach once more
        frames, speech_T = WINDOW_FRAMES, speech_T[: WINDOWED_FRAMES * codec.spec.hop_samples]
    graphs: dict[str, FloatParity | Int8Parity] = {}
    for backend in bundle.backends:
        for precision in bundle.precisions(backend):
            shown = bundle.on(backend)
            graphs[f"{backend}_{precision}"] = (
                measure_float(codec, shown, speech_T, frames)
                if precision == "fp32"
                else measure_int8(codec, shown, speech_T, frames, precision=precision)
            )
    return Parity(graphs=graphs)


def measure_float(
    codec: Codec, bundle: Bundle, speech_T: FloatArray, frames: int = 1
) -> FloatParity:
    """Compare the float graphs that `bundle` runs on with `codec`, in calls of `frames` and up."""
    encoder = StreamEncoder(bundle, precision="fp32")
    decoder = StreamDecoder(bundle, precision="fp32")
    codes_FK = encode(encoder, speech_T, len(speech_T))
    holed_FK = with_holes(codes_FK, codec.spec.codebook_size, lost=bundle.conceals_loss)
    samples_T = decode(decoder, holed_FK, len(holed_FK))
    chunks = (frames * codec.spec.hop_samples, frames * ODD_SAMPLES)
    other_codes = [encode(encoder, speech_T, chunk) for chunk in chunks]
    other_samples = [decode(decoder, holed_FK, count) for count in (frames, 7 * frames)]
    return FloatParity(
        codes_equal=share_equal(codes_FK, torch_codes(codec, speech_T)),
        samples_difference=difference(samples_T, torch_samples(codec, holed_FK)),
        chunked_codes_equal=min(share_equal(codes_FK, other) for other in other_codes),
        chunked_samples_difference=max(difference(samples_T, other) for other in other_samples),
    )


def measure_int8(
    codec: Codec,
    bundle: Bundle,
    speech_T: FloatArray,
    frames: int = 1,
    *,
    precision: str = "int8",
) -> Int8Parity:
    """Compare the int8 graphs that `bundle` runs on with `codec`, in calls of `frames` frames."""
    spec = bundle.spec
    chunk, delay = frames * spec.hop_samples, spec.delay_samples
    encoder = StreamEncoder(bundle, precision=precision)
    decoder = StreamDecoder(bundle, precision=precision)
    codes_FK, int8_codes_FK = torch_codes(codec, speech_T), encode(encoder, speech_T, chunk)
    samples_T, same_codes_T = torch_samples(codec, codes_FK), decode(decoder, codes_FK, frames)
    mel, int8_mel = (
        mel_distance(speech_T, align(decoded_T, delay, len(speech_T)), spec.sample_rate_hz)
        for decoded_T in (samples_T, decode(decoder, int8_codes_FK, frames))
    )
    return Int8Parity(
        equal_by_layer=(codes_FK == int8_codes_FK).mean(axis=0).tolist(),
        snr_db=snr_db(samples_T, same_codes_T),
        mel_loss=int8_mel - mel,
    )


def check_parity(parity: Parity, limits: Mapping[str, Mapping[str, float]]) -> None:
    """Raise unless every limit is kept.

    Args:
        parity: what was measured.
        limits: by back end and precision, then by fact; facts without one are not looked at.

    Raises:
        ParityError: names each that is not.
    """
    failed = [
        f"{graphs} {name} is {value:.3g}, limit {limits[graphs][name]:g}"
        for graphs, facts in parity.graphs.items()
        for name, value in facts.to_dict().items()
        if name in limits[graphs] and not is_kept(name, value, limits[graphs][name])
    ]
    if failed:
        raise ParityError(
            f"the graphs are not the trained codec: {'; '.join(failed)}; nothing was written. "
            "If only int8 is named, --precision fp32 leaves it out"
        )


def is_kept(name: str, value: float, limit: float) -> bool:
    """Whether a fact is within its limit."""
    return value <= limit if name.endswith(AT_MOST) else value >= limit


def with_holes(codes_FK: IntArray, codebook_size: int, *, lost: bool) -> IntArray:
    """`codes_FK` with layers of some frames, and all of others if `lost`, marked as not sent."""
    layers = codes_FK.shape[1]
    pattern = [layers, (layers + 1) // 2, layers, 1] + [0, layers, 0, 0] * lost
    kept_F = np.resize(pattern, len(codes_FK))
    return np.where(np.arange(layers) < kept_F[:, None], codes_FK, codebook_size)


def encode(encoder: StreamEncoder, samples_T: FloatArray, chunk: int) -> IntArray:
    """Codes [F, K] of a whole stream, pushed `chunk` samples at a time."""
    encoder.reset()
    starts = range(0, len(samples_T), chunk)
    return np.concatenate([encoder.push(samples_T[start : start + chunk]) for start in starts])


def decode(decoder: StreamDecoder, codes_FK: IntArray, frames: int) -> FloatArray:
    """Samples [T] of a whole stream, pushed `frames` frames at a time."""
    decoder.reset()
    starts = range(0, len(codes_FK), frames)
    return np.concatenate([decoder.push(codes_FK[start : start + frames]) for start in starts])


@torch.no_grad()
def torch_codes(codec: Codec, samples_T: FloatArray) -> IntArray:
    """Codes [F, K] by the trained net itself, all samples at once."""
    codes_1FK, _ = codec.encode_step(torch.from_numpy(samples_T)[None], codec.encoder.zero_state())
    return codes_1FK[0].numpy()


@torch.no_grad()
def torch_samples(codec: Codec, codes_FK: IntArray) -> FloatArray:
    """Samples [T] by the trained net itself, all codes at once."""
    samples_1T, _ = codec.decode_step(torch.from_numpy(codes_FK)[None], codec.decoder.zero_state())
    return samples_1T[0].numpy()


def share_equal(codes_FK: IntArray, others_FK: IntArray) -> float:
    """Share of codes that are equal, 0 to 1."""
    return float((codes_FK == others_FK).mean())


def difference(samples_T: FloatArray, others_T: FloatArray) -> float:
    """Largest absolute difference."""
    return float(np.abs(samples_T - others_T).max())


def snr_db(samples_T: FloatArray, others_T: FloatArray) -> float:
    """Power of `samples_T` over that of the difference, decibels; finite for equal signals."""
    signal, noise = np.square(samples_T).mean(), np.square(others_T - samples_T).mean()
    return 10 * float(np.log10((signal + 1e-12) / (noise + 1e-12)))
