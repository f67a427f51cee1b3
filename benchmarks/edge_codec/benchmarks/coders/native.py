"""Codec2, Opus, AMR-WB and Speex from the system's libraries, by ctypes.

Each opens its library when made, and says what to install if it is not there.
"""

import ctypes
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_codec.benchmarks.coders.coder import FloatArray, Packet, from_int16, to_int16
from edge_codec.runtime.errors import MissingExtraError

_MAX_PACKET_BYTES = 1275


class _Native:
    """A frame buffer, a packet buffer, and what all of them share."""

    backend = "native"
    precision = ""

    def __init__(self, name: str, library: tuple[str, str], rate_hz: int) -> None:
        self.name = name
        self.rate_hz = rate_hz
        self._library = load_library(*library)
        self._packet = ctypes.create_string_buffer(_MAX_PACKET_BYTES)

    def _hold(self, frame_samples: int, delay_samples: int) -> None:
        self.frame_samples = self.unit_samples = frame_samples
        self.delay_samples = delay_samples
        self._decoded = np.zeros(frame_samples, np.int16)

    def _function(self, name: str, *, gives_pointer: bool = False) -> Any:
        function = getattr(self._library, name)
        function.restype = ctypes.c_void_p if gives_pointer else ctypes.c_int
        return function

    def _state(self, name: str, *arguments: Any) -> ctypes.c_void_p:
        return ctypes.c_void_p(self._function(name, gives_pointer=True)(*arguments))


_CODEC2_MODES = {3200: (0, 160), 1600: (2, 160), 1200: (5, 160), 700: (8, 245)}
"""Bitrate -> CODEC2_MODE_* of codec2.h, and the delay at 8 kHz where ESTOI peaked on speech."""


class Codec2(_Native):
    """Codec2 (libcodec2): a sinusoidal vocoder at 8 kHz."""

    def __init__(self, bitrate_bps: int) -> None:
        """Open the library.

        Raises:
            MissingExtraError: libcodec2 is not installed.
        """
        name = "Codec2 700C" if bitrate_bps == 700 else f"Codec2 {bitrate_bps}"
        super().__init__(name, ("libcodec2.so.1.0", "libcodec2-1.0"), 8_000)
        self._mode, delay_samples = _CODEC2_MODES[bitrate_bps]
        self._codec = ctypes.c_void_p()
        self.reset()
        self._bits = self._function("codec2_bits_per_frame")(self._codec)
        self._hold(self._function("codec2_samples_per_frame")(self._codec), delay_samples)

    def reset(self) -> None:
        """Begin a new stream."""
        if self._codec:
            self._library.codec2_destroy(self._codec)
        self._codec = self._state("codec2_create", self._mode)

    def encode(self, frame_T: FloatArray) -> Packet:
        """Encode one frame."""
        self._library.codec2_encode(self._codec, self._packet, _pointer(to_int16(frame_T)))
        return Packet(self._packet.raw[: -(-self._bits // 8)], self._bits)

    def decode(self, packet: Packet) -> FloatArray:
        """[T] of one packet."""
        self._library.codec2_decode(self._codec, _pointer(self._decoded), packet.content)
        return from_int16(self._decoded)


class Opus(_Native):
    """Opus (libopus) at a constant bitrate, 20 ms frames, complexity 10."""

    # opus_defines.h
    _VOIP, _AUDIO = 2048, 2049
    _SET_BITRATE, _SET_VBR, _SET_COMPLEXITY, _GET_LOOKAHEAD = 4002, 4006, 4010, 4027

    def __init__(self, bitrate_bps: int, rate_hz: int = 16_000, *, is_music: bool = False) -> None:
        """Open the library.

        Raises:
            MissingExtraError: libopus is not installed.
        """
        super().__init__(f"Opus {bitrate_bps / 1000:g}k", ("libopus.so.0", "libopus0"), rate_hz)
        self._bitrate_bps = bitrate_bps
        self._application = self._AUDIO if is_music else self._VOIP
        self._encoder = self._decoder = ctypes.c_void_p()
        self.reset()
        delay = ctypes.c_int()
        self._library.opus_encoder_ctl(self._encoder, self._GET_LOOKAHEAD, ctypes.byref(delay))
        self._hold(rate_hz // 50, delay.value)

    def reset(self) -> None:
        """Begin a new stream."""
        if self._encoder:
            self._library.opus_encoder_destroy(self._encoder)
            self._library.opus_decoder_destroy(self._decoder)
        self._decoder = self._state("opus_decoder_create", self.rate_hz, 1, None)
        self._encoder = self._state("opus_encoder_create", self.rate_hz, 1, self._application, None)
        for setting, value in (
            (self._SET_BITRATE, self._bitrate_bps),
            (self._SET_VBR, 0),
            (self._SET_COMPLEXITY, 10),
        ):
            self._library.opus_encoder_ctl(self._encoder, setting, ctypes.c_int(value))

    def encode(self, frame_T: FloatArray) -> Packet:
        """Encode one frame."""
        size, frame = self.frame_samples, to_int16(frame_T)
        sent = self._library.opus_encode(
            self._encoder, _pointer(frame), size, self._packet, _MAX_PACKET_BYTES
        )
        return Packet(self._packet.raw[:sent], 8 * sent)

    def decode(self, packet: Packet) -> FloatArray:
        """[T] of one packet."""
        data, size = packet.content, self.frame_samples
        self._library.opus_decode(self._decoder, data, len(data), _pointer(self._decoded), size, 0)
        return from_int16(self._decoded)


class AmrWb:
    """AMR-WB (3GPP TS 26.171): VisualOn's encoder and opencore's decoder, 20 ms at 16 kHz."""

    backend, precision = "native", ""
    rate_hz, frame_samples, unit_samples = 16_000, 320, 320
    delay_samples = 95  # the peak of the cross-correlation on speech
    _BITS_BY_MODE = (132, 177, 253, 285, 317, 365, 397, 461, 477)  # TS 26.201, table 2

    def __init__(self, mode: int) -> None:
        """Open the libraries; `mode` is 0 (6.6 kbit/s) to 8 (23.85).

        Raises:
            MissingExtraError: a library is not installed.
        """
        self._bits = self._BITS_BY_MODE[mode]
        self.name = f"AMR-WB {self._bits / 20:.2f}k"
        self._mode = mode
        self._encoders = load_library("libvo-amrwbenc.so.0", "libvo-amrwbenc0")
        self._decoders = load_library("libopencore-amrwb.so.0", "libopencore-amrwb0")
        self._encoders.E_IF_init.restype = ctypes.c_void_p
        self._decoders.D_IF_init.restype = ctypes.c_void_p
        self._packet = ctypes.create_string_buffer(64)
        self._decoded = np.zeros(self.frame_samples, np.int16)
        self._encoder = self._decoder = ctypes.c_void_p()
        self.reset()

    def reset(self) -> None:
        """Begin a new stream."""
        if self._encoder:
            self._encoders.E_IF_exit(self._encoder)
            self._decoders.D_IF_exit(self._decoder)
        self._encoder = ctypes.c_void_p(self._encoders.E_IF_init())
        self._decoder = ctypes.c_void_p(self._decoders.D_IF_init())

    def encode(self, frame_T: FloatArray) -> Packet:
        """Encode one frame; the header byte of the storage format is not counted."""
        sent = self._encoders.E_IF_encode(
            self._encoder, self._mode, _pointer(to_int16(frame_T)), self._packet, 0
        )
        return Packet(self._packet.raw[:sent], self._bits)

    def decode(self, packet: Packet) -> FloatArray:
        """[T] of one packet."""
        self._decoders.D_IF_decode(self._decoder, packet.content, _pointer(self._decoded), 0)
        return from_int16(self._decoded)


class _SpeexBits(ctypes.Structure):
    _fields_ = (
        ("chars", ctypes.c_void_p), ("nbBits", ctypes.c_int), ("charPtr", ctypes.c_int),
        ("bitPtr", ctypes.c_int), ("owner", ctypes.c_int), ("overflow", ctypes.c_int),
        ("buf_size", ctypes.c_int), ("reserved1", ctypes.c_int), ("reserved2", ctypes.c_void_p),
    )  # fmt: skip  # speex_bits.h


class Speex(_Native):
    """Speex (libspeex), wide band, at one quality step; whole bytes a packet."""

    # speex.h
    _WIDE_BAND, _SET_QUALITY, _SET_COMPLEXITY = 1, 4, 16

    def __init__(self, quality: int) -> None:
        """Open the library; `quality` is 0 to 10.

        Raises:
            MissingExtraError: libspeex is not installed.
        """
        super().__init__(f"Speex-WB q{quality}", ("libspeex.so.1", "libspeex1"), 16_000)
        self._quality = quality
        self._bits = _SpeexBits()
        self._library.speex_bits_init(ctypes.byref(self._bits))
        self._encoder = self._decoder = ctypes.c_void_p()
        self.reset()
        self._hold(320, 222)  # the peak of the cross-correlation on speech

    def reset(self) -> None:
        """Begin a new stream."""
        if self._encoder:
            self._library.speex_encoder_destroy(self._encoder)
            self._library.speex_decoder_destroy(self._decoder)
        mode = self._state("speex_lib_get_mode", self._WIDE_BAND)
        self._encoder = self._state("speex_encoder_init", mode)
        self._decoder = self._state("speex_decoder_init", mode)
        settings = ((self._SET_QUALITY, self._quality), (self._SET_COMPLEXITY, 10))
        for setting, value in settings:
            number = ctypes.byref(ctypes.c_int(value))
            self._library.speex_encoder_ctl(self._encoder, setting, number)

    def encode(self, frame_T: FloatArray) -> Packet:
        """Encode one frame."""
        bits = ctypes.byref(self._bits)
        self._library.speex_bits_reset(bits)
        self._library.speex_encode_int(self._encoder, _pointer(to_int16(frame_T)), bits)
        sent = self._library.speex_bits_write(bits, self._packet, _MAX_PACKET_BYTES)
        return Packet(self._packet.raw[:sent], 8 * sent)

    def decode(self, packet: Packet) -> FloatArray:
        """[T] of one packet."""
        bits, data = ctypes.byref(self._bits), packet.content
        self._library.speex_bits_read_from(bits, data, len(data))
        self._library.speex_decode_int(self._decoder, bits, _pointer(self._decoded))
        return from_int16(self._decoded)


def load_library(name: str, package: str) -> ctypes.CDLL:
    """A shared library of the system.

    Raises:
        MissingExtraError: it is not installed; the message names the package.
    """
    try:
        return ctypes.CDLL(name)
    except OSError as error:
        raise MissingExtraError(f"{name} is not installed: apt install {package}") from error


def _pointer(samples: NDArray[np.int16]) -> "ctypes._Pointer[ctypes.c_short]":
    return samples.ctypes.data_as(ctypes.POINTER(ctypes.c_short))
