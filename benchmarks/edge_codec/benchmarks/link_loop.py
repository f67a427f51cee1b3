"""Both ends of a link in one process, for measurements: codes in, bytes, codes out."""

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
        self._frame_s = 1 / spec.frame_rate_hz
        self._now_s = 0.0

    def send(self, codes_FK: NDArray[np.int64]) -> bytes:
        """Bytes that became ready, often none."""
        self._now_s += len(codes_FK) * self._frame_s
        return b"".join(self._transmitter.send_frames(codes_FK, now_s=self._now_s))

    def receive(self, chunk: bytes) -> list[FramesReceived]:
        """Superframes that became whole."""
        self._receiver.receive_data(chunk, now_s=self._now_s)
        events = iter(self._receiver.next_event, None)
        return [event for event in events if isinstance(event, FramesReceived)]
