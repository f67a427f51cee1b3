"""FreeDV's raw-data modems out of libcodec2: bytes to audio and back, through ctypes."""

import ctypes
import ctypes.util
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

PcmArray = npt.NDArray[np.int16]

FSK_LDPC, DATAC1 = 9, 10
_CRC_BYTES = 2


class _Advanced(ctypes.Structure):
    """`struct freedv_advanced` of codec2/freedv_api.h."""

    _fields_ = [
        ("interleave_frames", ctypes.c_int),
        ("M", ctypes.c_int),
        ("Rs", ctypes.c_int),
        ("Fs", ctypes.c_int),
        ("first_tone", ctypes.c_int),
        ("tone_spacing", ctypes.c_int),
        ("codename", ctypes.c_char_p),
    ]


def load_library() -> ctypes.CDLL | None:
    """The library; None if it is not installed, or too old for raw data."""
    name = ctypes.util.find_library("codec2")
    library = ctypes.CDLL(name) if name else None
    if library is None or not hasattr(library, "freedv_rawdatapreambletx"):
        return None
    library.freedv_open.restype = library.freedv_open_advanced.restype = ctypes.c_void_p
    library.freedv_gen_crc16.restype = ctypes.c_ushort
    return library


class Modem:
    """One mode; each frame carries `payload_bytes` under a CRC."""

    def __init__(self, library: ctypes.CDLL, mode: int) -> None:
        self._library = library
        if mode == FSK_LDPC:
            setting = _Advanced(0, 4, 2400, 48_000, 2400, 2400, b"H_256_512_4")
            opened = library.freedv_open_advanced(mode, ctypes.byref(setting))
        else:
            opened = library.freedv_open(mode)
        assert opened
        self._modem = ctypes.c_void_p(opened)
        self._frame_bytes = self._get("bits_per_modem_frame") // 8
        self.payload_bytes = self._frame_bytes - _CRC_BYTES
        self.sample_rate_hz = self._get("modem_sample_rate")

    def send(self, payloads: list[bytes]) -> PcmArray:
        """One burst of as many frames; shorter payloads are filled up with zeros."""
        library, modem = self._library, self._modem
        library.freedv_set_frames_per_burst(modem, len(payloads))
        out = (ctypes.c_short * (4 * self._get("n_tx_modem_samples") + 100_000))()
        pieces = [self._samples(out, library.freedv_rawdatapreambletx(modem, out))]
        for payload in payloads:
            data = payload.ljust(self.payload_bytes, b"\0")
            crc = library.freedv_gen_crc16(data, len(data)).to_bytes(_CRC_BYTES, "big")
            library.freedv_rawdatatx(modem, out, data + crc)
            pieces.append(self._samples(out, self._get("n_tx_modem_samples")))
        pieces.append(self._samples(out, library.freedv_rawdatapostambletx(modem, out)))
        return np.concatenate(pieces)

    def expect(self, frames: int) -> None:
        """Say how many frames the burst to be received has."""
        self._library.freedv_set_frames_per_burst(self._modem, frames)

    def receive(self, samples_T: PcmArray) -> Iterator[bytes]:
        """The payloads whose CRC is right."""
        library, modem = self._library, self._modem
        payload, start = ctypes.create_string_buffer(self._frame_bytes), 0
        while start + (wanted := library.freedv_nin(modem)) <= len(samples_T):
            chunk = np.ascontiguousarray(samples_T[start : start + wanted])
            count = library.freedv_rawdatarx(modem, payload, chunk.ctypes.data_as(ctypes.c_void_p))
            if count:
                yield payload.raw[: count - _CRC_BYTES]
            start += wanted

    def close(self) -> None:
        self._library.freedv_close(self._modem)

    def _get(self, name: str) -> int:
        return int(getattr(self._library, f"freedv_get_{name}")(self._modem))

    @staticmethod
    def _samples(out: ctypes.Array[ctypes.c_short], count: int) -> PcmArray:
        return np.array(out[:count], np.int16)
