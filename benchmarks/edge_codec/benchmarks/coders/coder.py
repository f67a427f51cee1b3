"""What a voice codec is to the benchmarks: frames of samples to packets and back.

Knows no library and no scores. Shapes: T samples at the codec's own rate, float32, full scale 1.
"""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import soxr
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]

SCORED_HZ = 16_000
"""Rate of the clips that codecs are compared on."""


@dataclass(frozen=True, slots=True)
class Packet:
    """One frame, encoded."""

    content: Any
    """Whatever the codec's own decoder takes."""
    bits: int
    """Bits that would be sent."""


class Coder(Protocol):
    """A codec at one bitrate, with the state of one stream."""

    name: str
    """What tables call it."""
    backend: str
    """What runs it: onnx, tflite, lyra or native."""
    precision: str
    """fp32 or int8; empty where there is no choice."""
    rate_hz: int
    """Of the audio it takes and gives."""
    frame_samples: int
    """Samples of a call."""
    unit_samples: int
    """A shorter call must be a multiple of these."""
    delay_samples: int
    """By which the decoded audio lags."""

    def reset(self) -> None:
        """Begin a new stream."""

    def encode(self, frame_T: FloatArray) -> Packet:
        """Encode one frame."""

    def decode(self, packet: Packet) -> FloatArray:
        """[T] of one packet."""


@dataclass(frozen=True, slots=True)
class Coded:
    """What a codec made of one clip."""

    samples_T: FloatArray
    """[T] decoded, delay removed, as long as the clip."""
    bits: int
    """Bits of all its packets."""


def code_clip(coder: Coder, audio_T: FloatArray, audio_hz: int = SCORED_HZ) -> Coded:
    """Encode and decode one clip from a fresh state."""
    native_T = resampled(audio_T, audio_hz, coder.rate_hz)
    coder.reset()
    padding = coder.delay_samples + -(len(native_T) + coder.delay_samples) % coder.unit_samples
    padded_T, size = np.pad(native_T, (0, padding)), coder.frame_samples
    starts = range(0, len(padded_T), size)
    packets = [coder.encode(padded_T[start : start + size]) for start in starts]
    decoded_T = np.concatenate([coder.decode(packet) for packet in packets])
    heard_T = resampled(decoded_T[coder.delay_samples :], coder.rate_hz, audio_hz)
    bits = sum(packet.bits for packet in packets)
    return Coded(_fit(heard_T, len(audio_T)), bits)


def to_int16(audio_T: FloatArray) -> NDArray[np.int16]:
    """Samples as most libraries take them, rounded and clipped."""
    return np.clip(np.rint(audio_T * 32_768), -32_768, 32_767).astype(np.int16)


def from_int16(samples_T: NDArray[np.int16]) -> FloatArray:
    """The reverse of `to_int16`, in new memory."""
    return samples_T.astype(np.float32) / np.float32(32_768)


def resampled(audio_T: FloatArray, from_hz: int, to_hz: int) -> FloatArray:
    """The whole of it at another rate."""
    return audio_T if from_hz == to_hz else np.asarray(soxr.resample(audio_T, from_hz, to_hz))


def _fit(audio_T: FloatArray, samples: int) -> FloatArray:
    """Cut or zero-pad to `samples`; resampling there and back may be one off."""
    return np.pad(audio_T[:samples], (0, max(0, samples - len(audio_T))))
