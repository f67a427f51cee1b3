"""The sending half: samples in, packets out as fast as the line takes them.

Joins the encoder with the link's transmitter; no I/O, no clock.
Shapes: T samples, F code frames, K codebooks.
"""

from collections import deque

import numpy as np
import numpy.typing as npt

from edge_codec.firmware_bridge import StreamProfile, TokenBucket, Transmitter
from edge_codec.runtime.codec import IntArray, StreamEncoder

FloatArray = npt.NDArray[np.float32]

CUT_AFTER_SUPERFRAMES = 1
"""A packet that has waited longer loses its enhancement layers."""
DROP_AFTER_SUPERFRAMES = 2
"""A packet that has waited longer is not sent: it would only delay the next ones."""


class Sender:
    """One talk spurt from samples to paced packets."""

    def __init__(
        self,
        encoder: StreamEncoder,
        transmitter: Transmitter,
        profile: StreamProfile,
        bucket: TokenBucket | None = None,
    ) -> None:
        """Nothing is queued yet.

        Args:
            encoder: of the model that the transmitter's HELLO names.
            transmitter: fresh.
            profile: of the stream, the one in the HELLO.
            bucket: paces the packets; None sends at once, for ports without a baud rate.
        """
        # A graph's first call takes many times longer than the next ones.
        encoder.push(np.zeros(encoder.spec.hop_samples, np.float32))
        encoder.reset()
        self._encoder = encoder
        self._transmitter = transmitter
        self._profile = profile
        self._bucket = bucket
        self._queue: deque[tuple[float, bytes]] = deque()
        self.dropped_packets = 0
        """Packets given up because the line was late."""
        self._samples = 0

    @property
    def sent_s(self) -> float:
        """Seconds of audio taken so far."""
        return self._samples / self._encoder.spec.sample_rate_hz

    @property
    def voice_packets(self) -> int:
        """Superframes made so far, later dropped ones too."""
        return self._transmitter.stats.voice_sent

    @property
    def is_idle(self) -> bool:
        """Every packet has been taken."""
        return not self._queue

    def open(self, now_s: float) -> None:
        """Announce the stream, so that its HELLO is through before the first voice."""
        nothing_FK = np.empty((0, self._encoder.spec.layers), np.int64)
        self._enqueue(self._transmitter.send_frames(nothing_FK, now_s=now_s), now_s)

    def push(self, samples_T: FloatArray, now_s: float) -> None:
        """Encode [T] samples at the codec's rate and queue what became complete."""
        self._samples += len(samples_T)
        self._send(self._encoder.push(samples_T), now_s)

    def finish(self, now_s: float) -> None:
        """Queue the rest, filled up with silence, and END."""
        spec = self._encoder.spec
        # The decoder lags: only with this much silence does the last sample come out.
        self._send(self._encoder.push(np.zeros(spec.delay_samples, np.float32)), now_s)
        self._send(self._encoder.flush(), now_s)
        missing_samples = self._transmitter.missing_frames * spec.hop_samples
        self._send(self._encoder.push(np.zeros(missing_samples, np.float32)), now_s)
        self._enqueue(self._transmitter.finish(now_s=now_s), now_s)

    def wait_s(self, now_s: float) -> float | None:
        """Seconds until the next packet may be written; None when none is queued."""
        if not self._queue:
            return None
        return self._bucket.delay_s(len(self._queue[0][1]), now_s=now_s) if self._bucket else 0.0

    def take_packet(self, now_s: float) -> bytes | None:
        """Return the next packet if the line can take it now.

        A late packet is cut to its base layers, a very late one dropped.
        """
        self._drop_late(now_s)
        if self.wait_s(now_s) != 0.0:
            return None
        queued_s, packet = self._queue.popleft()
        if now_s - queued_s > CUT_AFTER_SUPERFRAMES * self._profile.superframe_s:
            packet = self._transmitter.cut(packet, self._profile.base_layers)
        if self._bucket:
            self._bucket.consume(len(packet), now_s=now_s)
        return packet

    def queue_s(self, now_s: float) -> float:
        """Age of the oldest packet that waits."""
        return now_s - self._queue[0][0] if self._queue else 0.0

    def _send(self, codes_FK: IntArray, now_s: float) -> None:
        for codes_K in codes_FK:
            packets = self._transmitter.send_frames(codes_K[None], now_s=now_s)
            # A HELLO comes with the voice it is due before. Somebody waits for the voice, though:
            # on a slow line a HELLO in front would take 0.3 s.
            self._enqueue(packets[::-1], now_s)

    def _enqueue(self, packets: list[bytes], now_s: float) -> None:
        self._queue.extend((now_s, packet) for packet in packets)

    def _drop_late(self, now_s: float) -> None:
        # The last packet stays: it may be END.
        limit_s = DROP_AFTER_SUPERFRAMES * self._profile.superframe_s
        while len(self._queue) > 1 and now_s - self._queue[0][0] > limit_s:
            self._queue.popleft()
            self.dropped_packets += 1
