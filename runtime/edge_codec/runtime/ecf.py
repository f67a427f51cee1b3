"""The `.ecf` file: the codes of a recording. docs/ecf.md is the authority on the format.

Bytes in, code frames out: knows no audio, no model and no file names. A file is a header record,
blocks of packed codes, and an end record that repeats the header with what was not known at the
start. Nothing is written twice, so the same bytes serve a file and a pipe.

Shapes: F code frames, C channels, L layers kept of each frame.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import IntEnum
from io import SEEK_END, BufferedIOBase
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_codec.runtime.bits import MAX_BITS_PER_CODE, pack_codes, packed_bytes, unpack_codes
from edge_codec.runtime.errors import AudioError
from edge_codec.runtime.packing import Packing, PlainPacking
from edge_codec.runtime.records import (
    MAX_PAYLOAD_BYTES,
    Record,
    RecordScanner,
    pack_record,
)
from edge_codec.runtime.spec import CodecSpec
from edge_codec.runtime.streams import iter_chunks

IntArray = npt.NDArray[np.int64]

MAGIC = b"\x89ECF\r\n\x1a\n"
FORMAT_VERSION = 1
MIN_RATE_HZ, MAX_RATE_HZ = 1_000, 768_000
MAX_GAP_FRAMES = 1 << 18
"""A block further ahead than this (87 minutes at 50 Hz) is taken for damage, not for a gap."""

MAX_NAME_BYTES = 64
_HEADER = struct.Struct(">HHIIIBBBBQh32s")
_LIMITS = {  # the whole numbers of `_HEADER`, in its order, each with its least and its most
    "frames_per_block": (1, 0xFFFF),
    "sample_rate_hz": (MIN_RATE_HZ, MAX_RATE_HZ),
    "source_rate_hz": (MIN_RATE_HZ, MAX_RATE_HZ),
    "hop_samples": (1, MAX_RATE_HZ),
    "channels": (1, 32),
    "source_channels": (1, 255),
    "layers": (1, 64),
    "bits_per_code": (1, MAX_BITS_PER_CODE),
}
_UNKNOWN_LENGTH = (1 << 64) - 1
_UNKNOWN_LOUDNESS = -(1 << 15)
_FRAMES = struct.Struct(">H")
_GAIN = struct.Struct(">h")
MAX_GAIN_DB = 100.0
"""A level record that says more is taken for damage."""
_READ_BYTES = 1 << 16
_TAIL_BYTES = 4096


class Kind(IntEnum):
    """What a record of an `.ecf` file holds; later versions may add kinds, readers skip them."""

    HEADER = 1
    CODES = 2
    END = 3
    LEVEL = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class EcfHeader:
    """What is needed to decode the blocks and to restore the recording."""

    model_name: str
    """Name of the model, for messages only."""
    model_hash: str
    """SHA-256 of the model's manifest, hex: only this model can decode the file."""
    sample_rate_hz: int
    """Rate the codec works at."""
    hop_samples: int
    """Samples of audio in one code frame, at the codec's rate."""
    bits_per_code: int
    """Bits of one code."""
    layers: int
    """RVQ layers kept of every frame."""
    channels: int
    """Channels that were encoded."""
    frames_per_block: int
    """Code frames in the longest block."""
    source_rate_hz: int
    """Rate of the recording before encoding."""
    source_channels: int
    """Channels of the recording before they were mixed."""
    length_samples: int | None = None
    """Length of the recording at its own rate; None while it is not known."""
    loudness_dbfs: float | None = None
    """RMS level of what was encoded, 0 = full scale; None while it is not known."""

    def __post_init__(self) -> None:
        for name, (low, high) in _LIMITS.items():
            if not low <= (value := getattr(self, name)) <= high:
                raise AudioError(f".ecf header: {name} must be {low} to {high}, got {value}")
        name = self.model_name
        if len(name.encode()) > MAX_NAME_BYTES or not name.isprintable():
            raise AudioError(f".ecf header: {name!r:.80} cannot be the name of a model")
        if self.block_bytes > MAX_PAYLOAD_BYTES:
            raise AudioError(f".ecf header: blocks of {self.block_bytes} bytes are too long")

    @classmethod
    def for_codec(cls, spec: CodecSpec, *, channels: int, layers: int, **rest: Any) -> "EcfHeader":
        """A header for codes of this codec, in blocks of one second or what fits."""
        codes_bits = channels * layers * spec.bits_per_code
        fitting = (MAX_PAYLOAD_BYTES - _FRAMES.size) * 8 // codes_bits
        return cls(
            sample_rate_hz=spec.sample_rate_hz,
            hop_samples=spec.hop_samples,
            bits_per_code=spec.bits_per_code,
            frames_per_block=max(1, min(round(spec.frame_rate_hz), fitting)),
            channels=channels,
            layers=layers,
            **rest,
        )

    @property
    def frame_rate_hz(self) -> float:
        """Code frames per second."""
        return self.sample_rate_hz / self.hop_samples

    @property
    def bitrate_bps(self) -> float:
        """Codec bits per second, all channels together."""
        return self.frame_rate_hz * self.channels * self.layers * self.bits_per_code

    @property
    def block_bytes(self) -> int:
        """Payload of the longest block."""
        return self.payload_bytes(self.frames_per_block)

    def payload_bytes(self, frames: int) -> int:
        """Payload of a block of `frames` frames."""
        codes = frames * self.channels * self.layers
        return _FRAMES.size + packed_bytes(codes, self.bits_per_code)

    def pack(self) -> bytes:
        """Payload of a header or end record."""
        length, loudness = self.length_samples, self.loudness_dbfs
        fixed = _HEADER.pack(
            FORMAT_VERSION,
            *(getattr(self, name) for name in _LIMITS),
            _UNKNOWN_LENGTH if length is None else length,
            _UNKNOWN_LOUDNESS if loudness is None else round(100 * loudness),
            bytes.fromhex(self.model_hash),
        )
        return fixed + self.model_name.encode()

    @classmethod
    def unpack(cls, payload: bytes) -> "EcfHeader":
        """Inverse of `pack`.

        Raises:
            AudioError: another format version, or values that cannot be.
        """
        version = int.from_bytes(payload[:2], "big")
        if version != FORMAT_VERSION:
            raise AudioError(
                f"the .ecf file has format {version}, this release reads {FORMAT_VERSION}; "
                "update edge-codec"
            )
        if len(payload) < _HEADER.size:
            raise AudioError(f".ecf header: {len(payload)} bytes, expected {_HEADER.size} or more")
        _, *numbers, length, loudness, digest = _HEADER.unpack_from(payload)
        return cls(
            **dict(zip(_LIMITS, numbers, strict=True)),
            length_samples=None if length == _UNKNOWN_LENGTH else length,
            loudness_dbfs=None if loudness == _UNKNOWN_LOUDNESS else loudness / 100,
            model_hash=digest.hex(),
            model_name=payload[_HEADER.size :].decode(errors="replace"),
        )


class EcfWriter:
    """Write codes as they come; the file can be read up to the last whole block at any time."""

    def __init__(
        self,
        file: BufferedIOBase,
        header: EcfHeader,
        *,
        gain_db: float = 0.0,
        packing: Packing | None = None,
    ) -> None:
        """Write the start; `gain_db` is what the recording was made louder by.

        `packing` is that of the model; None: codes as they are.
        """
        self._file = file
        self._packing = packing or PlainPacking()
        self.header = header
        """As written at the start."""
        self._gain_db = gain_db
        self.frames = 0
        """Code frames written so far."""
        self._kept_FCL: IntArray = np.zeros(
            (0, header.channels, self._packing.needed_layers(header.layers)), np.int64
        )
        self.written_bytes = file.write(MAGIC)
        """Size of the file so far."""
        self._write(Kind.HEADER, header.pack())
        self._write_level()

    def write(self, codes_FCL: IntArray) -> None:
        """Add code frames of all layers the packing needs; whole blocks are written and flushed."""
        self._kept_FCL = np.concatenate([self._kept_FCL, codes_FCL])
        step = self.header.frames_per_block
        while len(self._kept_FCL) >= step:
            self._write_block(self._kept_FCL[:step])
            self._kept_FCL = self._kept_FCL[step:]
        self._file.flush()

    def finish(self, *, length_samples: int, loudness_dbfs: float) -> None:
        """Write what is left and the end record."""
        if len(self._kept_FCL):
            self._write_block(self._kept_FCL)
        self._write_level()
        final = replace(self.header, length_samples=length_samples, loudness_dbfs=loudness_dbfs)
        self._write(Kind.END, final.pack())
        self._file.flush()

    def _write_level(self) -> None:
        if self._gain_db:
            self._write(Kind.LEVEL, _GAIN.pack(round(100 * self._gain_db)))

    def _write_block(self, codes_FCL: IntArray) -> None:
        layers = self.header.layers
        channels = range(self.header.channels)
        numbers = [self._packing.pack(codes_FCL[:, c], layers) for c in channels]
        packed = pack_codes(np.stack(numbers, axis=1), self.header.bits_per_code)
        self._write(Kind.CODES, _FRAMES.pack(len(codes_FCL)) + packed)
        self.frames += len(codes_FCL)

    def _write(self, kind: Kind, payload: bytes) -> None:
        self.written_bytes += self._file.write(pack_record(Record(kind, self.frames, payload)))


@dataclass(frozen=True, slots=True)
class Block:
    """Code frames that follow those of the block before."""

    codes: IntArray
    """[F, C, L] as the packing of the model gave them; zeros if lost."""
    is_lost: bool
    """The file was damaged here: fill in this many frames."""


class EcfReader:
    """Read codes from a file or a pipe, damaged or not; memory does not grow with length."""

    def __init__(self, file: BufferedIOBase) -> None:
        """Read as far as the header; of a file that can seek, the end record too.

        Raises:
            AudioError: not an `.ecf` file, or of another version.
        """
        self.gain_db = 0.0
        """What the recording was made louder by before it was encoded; to be undone."""
        end = self._read_end(file)
        self._scanner = RecordScanner()
        self._records = self._scanner.scan(iter_chunks(file, _READ_BYTES))
        self.header = EcfHeader.unpack(end.payload if end else self._read_header())
        """What is known of the recording: of a pipe, length and loudness come at the end."""
        self._scanner.limit_bytes = max(self.header.block_bytes, len(self.header.pack()))
        self.total_frames = end.frame if end else None
        """Code frames the whole file has; None while that is not known."""
        self.frames = 0
        """Code frames read so far, lost ones included."""
        self.lost_frames = 0
        """Code frames damaged or missing so far."""
        self.is_complete = False
        """The end record was read: nothing is missing after the last block."""

    def blocks(self) -> Iterator[Block]:
        """Yield the blocks in order, with lost ones for what is damaged or missing between."""
        for record in self._records:
            gap_frames = record.frame - self.frames
            if not 0 <= gap_frames <= MAX_GAP_FRAMES:
                continue
            if record.kind == Kind.CODES and self._is_block(record.payload):
                yield from self._lose(gap_frames)
                yield self._unpack(record.payload)
            elif record.kind == Kind.LEVEL:
                self._take_level(record.payload)
            elif record.kind == Kind.END:
                yield from self._lose(gap_frames)
                self._finish(EcfHeader.unpack(record.payload))
                return

    def _read_header(self) -> bytes:
        first = next(self._records, None)
        if first is None or first.kind != Kind.HEADER:
            raise AudioError("not an .ecf file, or damaged at its beginning and its end")
        return first.payload

    def _take_level(self, payload: bytes) -> None:
        if len(payload) == _GAIN.size:
            gain_db = _GAIN.unpack(payload)[0] / 100
            self.gain_db = gain_db if abs(gain_db) <= MAX_GAIN_DB else self.gain_db

    def _is_block(self, payload: bytes) -> bool:
        frames = int.from_bytes(payload[: _FRAMES.size], "big")
        fits = 1 <= frames <= self.header.frames_per_block
        return fits and len(payload) == self.header.payload_bytes(frames)

    def _unpack(self, payload: bytes) -> Block:
        (frames,) = _FRAMES.unpack_from(payload)
        shape = (frames, self.header.channels, self.header.layers)
        codes = unpack_codes(payload[_FRAMES.size :], prod(shape), self.header.bits_per_code)
        self.frames += frames
        return Block(codes.reshape(shape), is_lost=False)

    def _lose(self, frames: int) -> Iterator[Block]:
        self.lost_frames += frames
        while frames > 0:
            step = min(frames, self.header.frames_per_block)
            shape = (step, self.header.channels, self.header.layers)
            frames -= step
            self.frames += step
            yield Block(np.zeros(shape, np.int64), is_lost=True)

    def _finish(self, end: EcfHeader) -> None:
        self.header = replace(
            self.header, length_samples=end.length_samples, loudness_dbfs=end.loudness_dbfs
        )
        self.is_complete = True

    def _read_end(self, file: BufferedIOBase) -> Record | None:
        """The end record of a file; None of a pipe, or if it is damaged or missing."""
        if not file.seekable():
            return None
        try:
            start = file.tell()
            file.seek(max(start, file.seek(0, SEEK_END) - _TAIL_BYTES))
            tail = list(RecordScanner().scan([file.read(_TAIL_BYTES)]))  # a device has no end
            file.seek(start)
        except OSError as error:
            raise AudioError(f"it cannot be read: {error.strerror}; is it a file?") from error
        for level in (record for record in tail if record.kind == Kind.LEVEL):
            self._take_level(level.payload)
        return next((record for record in tail if record.kind == Kind.END), None)
