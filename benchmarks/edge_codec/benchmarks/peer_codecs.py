"""Other voice codecs behind one call: Codec2 and Opus from the system, Lyra v2 from its graphs.

Each opens its library when made and says what to install if it is not there. Knows nothing of
scores. Shapes: T samples at 16 kHz, F code frames, K codebooks.
"""

import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import soxr
from numpy.typing import NDArray

from edge_codec.runtime.errors import MissingExtraError

RATE_HZ = 16_000
FULL_SCALE = 32_768

FloatArray = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True, slots=True)
class Coded:
    """What a codec made of one clip."""

    samples: FloatArray
    """[T] decoded, delay removed, as long as the clip."""
    bits: int
    """Bits of all its packets."""


class Peer(Protocol):
    """A codec at one bitrate; every call starts from a fresh state."""

    name: str
    """What tables call it."""

    def code(self, audio_T: FloatArray) -> Coded:
        """Encode and decode one clip, [T] at 16 kHz."""


_CODEC2_MODES = {3200: (0, 160), 1200: (5, 160), 700: (8, 245)}
"""Bitrate -> CODEC2_MODE_* of codec2.h, and the delay at 8 kHz where ESTOI peaked on speech."""


class Codec2:
    """Codec2 (libcodec2): a sinusoidal vocoder at 8 kHz."""

    def __init__(self, bitrate_bps: int) -> None:
        """Open the library.

        Raises:
            MissingExtraError: libcodec2 is not installed.
        """
        self.name = "Codec2 700C" if bitrate_bps == 700 else f"Codec2 {bitrate_bps}"
        self._mode, self._delay_samples = _CODEC2_MODES[bitrate_bps]
        self._library = _load_library("libcodec2.so.1.0", "libcodec2-1.0")
        self._library.codec2_create.restype = ctypes.c_void_p

    def code(self, audio_T: FloatArray) -> Coded:
        """Encode and decode one clip, [T] at 16 kHz."""
        library = self._library
        state = ctypes.c_void_p(library.codec2_create(self._mode))
        packet = ctypes.create_string_buffer(64)
        decoded = np.zeros(library.codec2_samples_per_frame(state), np.int16)
        frame_bits = library.codec2_bits_per_frame(state)

        def code_frame(frame: NDArray[np.int16]) -> tuple[NDArray[np.int16], int]:
            library.codec2_encode(state, packet, _pointer(frame))
            library.codec2_decode(state, _pointer(decoded), packet)
            return decoded, frame_bits

        narrow_T = soxr.resample(audio_T, RATE_HZ, RATE_HZ // 2)
        coded = _code_frames(narrow_T, len(decoded), self._delay_samples, code_frame)
        library.codec2_destroy(state)
        wide_T = soxr.resample(coded.samples, RATE_HZ // 2, RATE_HZ)
        return Coded(samples=_fit(wide_T, len(audio_T)), bits=coded.bits)


class Opus:
    """Opus (libopus) at a constant bitrate, 20 ms frames, VoIP mode, complexity 10."""

    # opus_defines.h
    _VOIP, _SET_BITRATE, _SET_VBR, _SET_COMPLEXITY, _GET_LOOKAHEAD = 2048, 4002, 4006, 4010, 4027
    _FRAME_SAMPLES = 320
    _MAX_PACKET_BYTES = 1275

    def __init__(self, bitrate_bps: int) -> None:
        """Open the library.

        Raises:
            MissingExtraError: libopus is not installed.
        """
        self.name = f"Opus {bitrate_bps / 1000:g}k"
        self._bitrate_bps = bitrate_bps
        self._library = _load_library("libopus.so.0", "libopus0")
        self._library.opus_encoder_create.restype = ctypes.c_void_p
        self._library.opus_decoder_create.restype = ctypes.c_void_p

    def code(self, audio_T: FloatArray) -> Coded:
        """Encode and decode one clip, [T] at 16 kHz."""
        library = self._library
        encoder = self._open_encoder()
        decoder = ctypes.c_void_p(library.opus_decoder_create(RATE_HZ, 1, None))
        packet = ctypes.create_string_buffer(self._MAX_PACKET_BYTES)
        decoded = np.zeros(self._FRAME_SAMPLES, np.int16)
        size, capacity = self._FRAME_SAMPLES, self._MAX_PACKET_BYTES
        delay = ctypes.c_int()
        library.opus_encoder_ctl(encoder, self._GET_LOOKAHEAD, ctypes.byref(delay))

        def code_frame(frame: NDArray[np.int16]) -> tuple[NDArray[np.int16], int]:
            sent = library.opus_encode(encoder, _pointer(frame), size, packet, capacity)
            library.opus_decode(decoder, packet, sent, _pointer(decoded), size, 0)
            return decoded, 8 * sent

        coded = _code_frames(audio_T, self._FRAME_SAMPLES, delay.value, code_frame)
        library.opus_encoder_destroy(encoder)
        library.opus_decoder_destroy(decoder)
        return coded

    def _open_encoder(self) -> ctypes.c_void_p:
        library = self._library
        encoder = ctypes.c_void_p(library.opus_encoder_create(RATE_HZ, 1, self._VOIP, None))
        settings = {
            self._SET_BITRATE: self._bitrate_bps,
            self._SET_VBR: 0,
            self._SET_COMPLEXITY: 10,
        }
        for setting, value in settings.items():
            library.opus_encoder_ctl(encoder, setting, ctypes.c_int(value))
        return encoder


class Lyra:
    """Lyra v2 (google/lyra 1.3.2): its TFLite graphs, 320 samples a call."""

    _FRAME_SAMPLES = 320
    _BITS_PER_CODE = 4
    _STAGES = 46
    _DELAY_SAMPLES = 0  # the peak of the cross-correlation on speech at 6 kbit/s

    def __init__(self, models: Path, bitrate_bps: int) -> None:
        """Open the graphs in `models`.

        Raises:
            MissingExtraError: the runtime or a graph is missing.
        """
        self.name = f"Lyra v2 {bitrate_bps / 1000:g}k"
        self._layers = bitrate_bps * self._FRAME_SAMPLES // RATE_HZ // self._BITS_PER_CODE
        self._models = models
        self._interpreter = _load_interpreter()
        for graph in ("soundstream_encoder", "quantizer", "lyragan"):
            if not self._path(graph).is_file():
                raise MissingExtraError(f"{self._path(graph)} is missing: Lyra cannot be measured")

    def code(self, audio_T: FloatArray) -> Coded:
        """Encode and decode one clip, [T] at 16 kHz."""
        encode = self._signature("soundstream_encoder")  # the state lives in the graphs
        quantize = self._signature("quantizer", "encode")
        dequantize = self._signature("quantizer", "decode")
        decode = self._signature("lyragan")
        stages = np.int32(self._layers)

        def code_frame(frame: NDArray[np.int16]) -> tuple[NDArray[np.int16], int]:
            chunk = (frame / FULL_SCALE).astype(np.float32)[None]
            features = encode(input_audio=chunk)["output_0"]
            indices = quantize(input_frames=features, num_quantizers=stages)["output_0"]
            sent = dequantize(encoding_indices=indices)["output_0"]
            decoded = decode(input_audio=sent)["output_0"][0]
            return _to_int16(decoded), self._layers * self._BITS_PER_CODE

        return _code_frames(audio_T, self._FRAME_SAMPLES, self._DELAY_SAMPLES, code_frame)

    def _signature(self, graph: str, key: str | None = None) -> Callable[..., Any]:
        interpreter = self._interpreter(str(self._path(graph)), num_threads=1)
        runner: Callable[..., Any] = interpreter.get_signature_runner(key)
        return runner

    def _path(self, graph: str) -> Path:
        return self._models / f"{graph}.tflite"


CodeFrame = Callable[[NDArray[np.int16]], tuple[NDArray[np.int16], int]]
"""One frame of samples -> the decoded frame and the bits of its packet."""


def _code_frames(
    audio_T: FloatArray, frame_samples: int, delay_samples: int, code_frame: CodeFrame
) -> Coded:
    padding = delay_samples + -(len(audio_T) + delay_samples) % frame_samples
    frames = _to_int16(np.pad(audio_T, (0, padding))).reshape(-1, frame_samples)
    decoded = np.zeros_like(frames)
    bits = 0
    for index, frame in enumerate(frames):
        decoded[index], packet_bits = code_frame(frame)
        bits += packet_bits
    decoded_T = decoded.ravel()[delay_samples:].astype(np.float32) / np.float32(FULL_SCALE)
    return Coded(samples=_fit(decoded_T, len(audio_T)), bits=bits)


def _fit(audio_T: FloatArray, samples: int) -> FloatArray:
    """Cut or zero-pad to `samples`; resampling there and back may be one off."""
    return np.pad(audio_T[:samples], (0, max(0, samples - len(audio_T))))


def _to_int16(audio_T: FloatArray) -> NDArray[np.int16]:
    return np.clip(np.rint(audio_T * FULL_SCALE), -FULL_SCALE, FULL_SCALE - 1).astype(np.int16)


def _pointer(samples: NDArray[np.int16]) -> "ctypes._Pointer[ctypes.c_short]":
    return samples.ctypes.data_as(ctypes.POINTER(ctypes.c_short))


def _load_interpreter() -> Any:
    try:
        return import_module("ai_edge_litert.interpreter").Interpreter
    except ModuleNotFoundError as error:
        raise MissingExtraError("Lyra needs LiteRT: pip install 'edge-codec[train]'") from error


def _load_library(name: str, package: str) -> ctypes.CDLL:
    try:
        return ctypes.CDLL(name)
    except OSError as error:
        raise MissingExtraError(f"{name} is not installed: apt install {package}") from error
