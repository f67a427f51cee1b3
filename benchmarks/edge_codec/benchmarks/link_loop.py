"""Both ends of a link in one process, for measurements: codes in, bytes, codes out."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from edge_codec.benchmarks.coders import ModelCoder
from edge_codec.firmware_bridge import FramesReceived, Hello, Receiver, Transmitter, profile_for

NONCE = bytes(8)
"""Nothing is secured here."""


class LinkLoop:
    """A packet link without a channel between its ends, on a clock of code frames."""

    def __init__(self, coder: ModelCoder) -> None:
        """Nothing is sent yet; the profile is the default one of the codec's bitrate."""
        spec = coder.spec
        profile = profile_for(coder.layers, spec.bits_per_code, spec.frame_rate_hz)
        hello = Hello(source="AB1CD", model_hash=bytes(4), profile=profile, nonce=NONCE)
        self._transmitter = Transmitter(hello, stream_tag=1)
        self._receiver = Receiver()
        self._layers, self._packing = coder.layers, coder.packing
        self._frames = profile.frames_per_superframe
        self._open_FK: NDArray[np.int64] = np.zeros((0, coder.layers), np.int64)
        self._frame_s = 1 / spec.frame_rate_hz
        self._now_s = 0.0

    def send(self, codes_FK: NDArray[np.int64]) -> bytes:
        """Bytes that became ready, often none; superframes are packed once they are whole."""
        self._now_s += len(codes_FK) * self._frame_s
        self._open_FK = np.concatenate([self._open_FK, codes_FK])
        sent = b""
        while len(self._open_FK) >= self._frames:
            numbers_FL = self._packing.pack(self._open_FK[: self._frames], self._layers)
            self._open_FK = self._open_FK[self._frames :]
            sent += b"".join(self._transmitter.send_frames(numbers_FL, now_s=self._now_s))
        return sent

    def receive(self, chunk: bytes) -> list[FramesReceived]:
        """Superframes that became whole, unpacked."""
        self._receiver.receive_data(chunk, now_s=self._now_s)
        events = [e for e in iter(self._receiver.next_event, None) if isinstance(e, FramesReceived)]
        unpacked = (self._packing.unpack(e.codes_FK, e.valid_layers_F) for e in events)
        return [
            replace(event, codes_FK=codes_FK, valid_layers_F=valid_F)
            for event, (codes_FK, valid_F) in zip(events, unpacked, strict=True)
        ]
