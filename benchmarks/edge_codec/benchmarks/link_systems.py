"""Ways to send speech over a bad channel: our modes, and what others do at the same gross rate.

Each takes a clip and a channel and gives what is heard. Legend: F code frames, K layers, T samples.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import numpy as np

from edge_codec.benchmarks.coders.coder import SCORED_HZ, FloatArray, Packet, resampled
from edge_codec.benchmarks.coders.native import Codec2
from edge_codec.firmware_bridge import (
    Channel,
    FramesReceived,
    Framing,
    Hello,
    RawReceiver,
    RawTransmitter,
    Receiver,
    StreamProfile,
    Transmitter,
    find_mode,
    unit_frames,
)
from edge_codec.firmware_bridge.kiss import KissFrame, KissUnpacker, pack_kiss
from edge_codec.runtime.bundle import Bundle
from edge_codec.runtime.codec import IntArray, StreamDecoder, StreamEncoder
from edge_codec.runtime.packing import pack_units, unpack_units
from edge_codec.runtime.quality import align


@dataclass(frozen=True, kw_only=True, slots=True)
class Heard:
    """What came out at the other end."""

    samples_T: FloatArray
    """[T] as long as the clip, delay removed."""
    base_lost: float
    """Share of code frames of which nothing arrived."""
    layers_lost: float
    """Share of all layers that did not arrive."""


class System(Protocol):
    """A codec with its framing."""

    name: str
    codec_bps: float
    gross_bps: float
    latency_ms: float

    def send(self, audio_T: FloatArray, channel: Channel) -> Heard:
        """One clip, [T] at the codec's rate, over the channel."""


class OurMode:
    """A mode of our link with a model."""

    def __init__(self, bundle: Bundle, name: str, *, red: int = 0) -> None:
        """Load the model; `red` repeats the base layers of so many superframes back."""
        spec = bundle.spec
        mode = find_mode(name, spec.layers, spec.bits_per_code, spec.frame_rate_hz)
        self.name = f"{mode.name} RED" if red else mode.name
        self.codec_bps = mode.profile.codec_bitrate_bps
        self.gross_bps = mode.gross_bps(red=bool(red))
        self.latency_ms = float(mode.mouth_to_ear_ms)
        self._mode, self._red, self._spec = mode, red, spec
        self._packing = bundle.open_packing()
        self._unit_frames = unit_frames(mode.framing, mode.profile)
        needed = self._packing.needed_layers(mode.profile.layers)
        self._encoder = StreamEncoder(bundle, layers=needed)
        self._decoder = StreamDecoder(bundle)

    def send(self, audio_T: FloatArray, channel: Channel) -> Heard:
        """One clip over the channel: packets or frames, each one piece."""
        self._encoder.reset()
        padded_T = np.pad(audio_T, (0, self._spec.delay_samples))
        codes_FK = np.concatenate([self._encoder.push(padded_T), self._encoder.flush()])
        frames, layers = self._mode.profile.frames_per_superframe, self._mode.profile.layers
        padded_FK = np.pad(codes_FK, ((0, -len(codes_FK) % frames), (0, 0)), mode="edge")
        numbers_FL = pack_units(self._packing, padded_FK, layers, self._unit_frames)
        received_FL, valid_F = self._transfer(numbers_FL, channel)
        self._decoder.reset()
        decoded_T = self._decoder.push(
            *unpack_units(self._packing, received_FL, valid_F, self._unit_frames)
        )
        return Heard(
            samples_T=align(decoded_T, self._spec.delay_samples, len(audio_T)).astype(np.float32),
            base_lost=float((valid_F == 0).mean()),
            layers_lost=float(1 - valid_F.mean() / self._mode.profile.layers),
        )

    def _transfer(self, numbers_FL: IntArray, channel: Channel) -> tuple[IntArray, IntArray]:
        """Numbers and valid layers of every frame that was sent; lost ones are zero."""
        profile = self._mode.profile
        transmitter, receiver = self._ends(profile)
        received_FL = np.zeros_like(numbers_FL)
        valid_F = np.zeros(len(received_FL), int)
        for packet, now_s in self._packets(transmitter, numbers_FL):
            receiver.receive_data(channel.send(packet), now_s=now_s)
        for event in iter(receiver.next_event, None):
            if isinstance(event, FramesReceived):
                start = event.sequence * profile.frames_per_superframe
                place = slice(start, start + profile.frames_per_superframe)
                received_FL[place] = event.codes_FK
                valid_F[place] = event.valid_layers_F
        return received_FL, valid_F

    def _packets(
        self, transmitter: Transmitter | RawTransmitter, numbers_FL: IntArray
    ) -> Iterator[tuple[bytes, float]]:
        now_s = 0.0
        for index in range(len(numbers_FL)):
            now_s = index / self._spec.frame_rate_hz
            for packet in transmitter.send_frames(numbers_FL[index : index + 1], now_s=now_s):
                yield packet, now_s
        for packet in transmitter.finish(now_s=now_s):
            yield packet, now_s

    def _ends(
        self, profile: StreamProfile
    ) -> tuple[Transmitter | RawTransmitter, Receiver | RawReceiver]:
        hello = Hello(source="AB1CD", model_hash=bytes(4), profile=profile, nonce=bytes(8))
        if self._mode.framing is Framing.RAW:
            return RawTransmitter(hello, stream_tag=1), RawReceiver(profile)
        return Transmitter(hello, stream_tag=1, red=self._red), Receiver(hold_superframes=self._red)


class KissCodec2:
    """Codec2 3200 in KISS frames of 240 ms, without a checksum, as simple radio links send it.

    It has no sequence number: a lost frame would shift all that follows, which is forgiven here.
    """

    name, codec_bps = "Codec2 3200, KISS", 3200.0
    FRAMES = 12

    def __init__(self) -> None:
        """Open the library.

        Raises:
            MissingExtraError: libcodec2 is not installed.
        """
        self._codec = Codec2(3200)
        piece_ms = self.FRAMES * 20
        self.gross_bps = len(pack_kiss(KissFrame(bytes(8 * self.FRAMES)))) * 8000 / piece_ms
        self.latency_ms = 2.0 * piece_ms + 40 + 20  # as ours: fill one, hold one, jitter, a frame

    def send(self, audio_T: FloatArray, channel: Channel) -> Heard:
        """One clip: bit errors reach the decoder, a broken frame is silence."""
        carry = partial(_over_kiss, channel)
        return _send_codec2(self._codec, audio_T, self.FRAMES, carry)


class LxstCodec2:
    """Codec2 1600 in pieces of 320 ms as LXST sends them over an encrypted Reticulum link.

    Sizes only: a msgpack map of one frame; IV, padding to 16 bytes and HMAC; packet header; flags.
    Source: markqvist/LXST telephony profiles; the Reticulum manual, "Wire Format".
    """

    name, codec_bps = "Codec2 1600, LXST", 1600.0
    FRAMES = 8
    _MSGPACK_BYTES, _CODEC_BYTES = 4, 2
    _BLOCK_BYTES, _IV_BYTES, _HMAC_BYTES, _HEADER_BYTES, _FLAG_BYTES = 16, 16, 32, 19, 2

    def __init__(self) -> None:
        """Open the library.

        Raises:
            MissingExtraError: libcodec2 is not installed.
        """
        self._codec = Codec2(1600)
        piece_ms = self.FRAMES * 40
        plain = 8 * self.FRAMES + self._MSGPACK_BYTES + self._CODEC_BYTES
        padded = (plain // self._BLOCK_BYTES + 1) * self._BLOCK_BYTES
        sealed = self._IV_BYTES + padded + self._HMAC_BYTES
        self._packet = bytes(self._HEADER_BYTES + sealed + self._FLAG_BYTES)
        self.gross_bps = len(self._packet) * 8000 / piece_ms
        self.latency_ms = 2.0 * piece_ms + 40 + 40

    def send(self, audio_T: FloatArray, channel: Channel) -> Heard:
        """One clip: a packet with one wrong bit is dropped by its HMAC."""

        def carry(data: bytes) -> bytes | None:
            return data if channel.send(self._packet) == self._packet else None

        return _send_codec2(self._codec, audio_T, self.FRAMES, carry)


def _over_kiss(channel: Channel, data: bytes) -> bytes | None:
    reader = KissUnpacker()
    arrived = channel.send(pack_kiss(KissFrame(data)))
    frames = [item.data for item in reader.receive(arrived) if isinstance(item, KissFrame)]
    whole = [frame for frame in frames if len(frame) == len(data)]
    return whole[0] if whole else None


def _send_codec2(
    codec: Codec2, audio_T: FloatArray, frames: int, carry: Callable[[bytes], bytes | None]
) -> Heard:
    """Code a clip in pieces of `frames` packets that `carry` brings over, or loses."""
    codec.reset()
    narrow_T = resampled(audio_T, SCORED_HZ, codec.rate_hz)
    piece_samples = frames * codec.frame_samples
    padding = codec.delay_samples + -(len(narrow_T) + codec.delay_samples) % piece_samples
    pieces = np.pad(narrow_T, (0, padding)).reshape(-1, frames, codec.frame_samples)
    heard, lost = [], 0
    for piece in pieces:
        packets = [codec.encode(frame_T) for frame_T in piece]
        arrived = carry(b"".join(packet.content for packet in packets))
        lost += arrived is None
        heard.append(_decode_piece(codec, packets, arrived, piece_samples))
    wide_T = resampled(np.concatenate(heard), codec.rate_hz, SCORED_HZ)
    delay_samples = codec.delay_samples * SCORED_HZ // codec.rate_hz
    share = lost / len(pieces)
    heard_T = align(wide_T, delay_samples, len(audio_T)).astype(np.float32)
    return Heard(samples_T=heard_T, base_lost=share, layers_lost=share)


def _decode_piece(
    codec: Codec2, packets: list[Packet], arrived: bytes | None, samples: int
) -> FloatArray:
    if arrived is None:
        return np.zeros(samples, np.float32)
    size = len(packets[0].content)
    cut = (arrived[start : start + size] for start in range(0, len(arrived), size))
    return np.concatenate([codec.decode(Packet(content, 0)) for content in cut])
