"""One talk spurt at the sending end: superframes, and when HELLO and END are due.

Knows frames and the rules of sending; how a packet looks is left to the framing.
"""

from abc import ABC, abstractmethod

import numpy as np

from edge_codec.firmware_bridge.bits import IntArray
from edge_codec.firmware_bridge.errors import LocalLinkError
from edge_codec.firmware_bridge.hello import Hello
from edge_codec.firmware_bridge.packet import PacketType
from edge_codec.firmware_bridge.profile import StreamProfile
from edge_codec.firmware_bridge.stats import LinkStats

_OPENING_HELLOS = 2


class Spurt(ABC):
    """HELLO twice, VOICE with HELLO repeated between, END.

    Every method returns a list of packets: bytes to be written in that order, each one
    datagram where the port has datagrams.
    """

    def __init__(self, hello: Hello, *, stream_tag: int, stats: LinkStats | None = None) -> None:
        """Nothing is sent yet.

        Args:
            hello: who speaks; `hello.profile` is the profile of the stream.
            stream_tag: 0 to 255, random for each talk spurt.
            stats: counters to go on with; None: new ones.

        Raises:
            LocalLinkError: tag out of range.
        """
        if not 0 <= stream_tag <= 255:
            raise LocalLinkError(f"stream_tag must be 0 to 255, got {stream_tag}")
        self.stats = LinkStats() if stats is None else stats
        self._hello = hello
        self._profile = hello.profile
        self._tag = stream_tag
        shape = (hello.profile.frames_per_superframe, hello.profile.layers)
        self._open_FK = np.zeros(shape, np.int64)
        self._open_frames = 0
        self._layers = hello.profile.layers
        self._number = 0
        self._hellos = 0
        self._hello_s = 0.0
        self._hello_interval_s = hello.profile.hello_interval_s
        self._is_finished = False

    @property
    def profile(self) -> StreamProfile:
        """Profile of the stream."""
        return self._profile

    @property
    def unit_frames(self) -> int:
        """Code frames that arrive or are lost together."""
        return self._profile.frames_per_superframe

    @property
    def least_layers(self) -> int:
        """Layers that cannot be cut."""
        return self._profile.layers

    @property
    def layers(self) -> int:
        """Layers sent from the next packet on; set it lower while the line is late.

        Raises:
            LocalLinkError: set outside `least_layers` to layers of the profile.
        """
        return self._layers

    @layers.setter
    def layers(self, layers: int) -> None:
        if not self.least_layers <= layers <= self._profile.layers:
            raise LocalLinkError(
                f"layers must be {self.least_layers} to {self._profile.layers}, got {layers}"
            )
        self._layers = layers

    @property
    def missing_frames(self) -> int:
        """Code frames that the open superframe still needs; 0 when none is open.

        Send that many frames of silence before `finish`, which else repeats the last one.
        """
        return -self._open_frames % self._profile.frames_per_superframe

    def send_frames(self, codes_FK: IntArray, *, now_s: float) -> list[bytes]:
        """Take code frames; the first call opens the talk spurt, with no frames too.

        Args:
            codes_FK: [F, K] integers in [0, 2**bits_per_code), any F, K >= layers of the
                profile; further layers are ignored.
            now_s: any clock that does not go back.

        Returns:
            The packets that became complete, often none.

        Raises:
            LocalLinkError: wrong shape or range, or the spurt is finished.
        """
        codes_FK = self._checked(codes_FK)
        packets = [] if self._hellos else [self._send_hello(now_s)]
        while len(codes_FK):
            codes_FK = self._fill(codes_FK)
            if self._open_frames == len(self._open_FK):
                packets += self._send_superframe(now_s)
        return packets

    def skip_superframe(self, codes_FK: IntArray) -> None:
        """Count one whole superframe that comes too late to be sent: a gap tells the receiver.

        Raises:
            LocalLinkError: wrong shape or range, or a superframe is open.
        """
        codes_FK = self._checked(codes_FK)
        if self._open_frames or len(codes_FK) != len(self._open_FK):
            raise LocalLinkError(f"only a whole superframe can be skipped, got {len(codes_FK)}")
        self._note_skipped(codes_FK)
        self.stats.voice_dropped += 1
        self._number += 1

    def finish(self, *, now_s: float) -> list[bytes]:
        """End the talk spurt: the open superframe, filled up, then END. Once only."""
        packets = []
        if self._open_frames:
            last_FK = self._open_FK[self._open_frames - 1 : self._open_frames]
            packets = self.send_frames(last_FK.repeat(self.missing_frames, 0), now_s=now_s)
        if self._hellos and not self._is_finished:
            packets.append(self._counted(self._pack_hello(PacketType.END)))
            self.stats.end_sent += 1
        self._is_finished = True
        return packets

    @property
    @abstractmethod
    def voice_bytes(self) -> int:
        """Most bytes that the next superframe takes, HELLO left out."""

    @abstractmethod
    def _pack_hello(self, kind: PacketType) -> bytes:
        """HELLO or END; the next superframe's number is `_number`."""

    @abstractmethod
    def _pack_voice(self, codes_FK: IntArray) -> bytes:
        """VOICE of one whole superframe; its number is `_number`."""

    def _note_skipped(self, codes_FK: IntArray) -> None:  # noqa: B027  most keep nothing
        """Keep what a later packet may repeat of a superframe that is not sent."""

    def _checked(self, codes_FK: IntArray) -> IntArray:
        """The columns that are sent, once they are known to be right."""
        layers, size = self._profile.layers, 1 << self._profile.bits_per_code
        if self._is_finished:
            raise LocalLinkError("this talk spurt is finished; open a new one")
        if codes_FK.ndim != 2 or codes_FK.shape[1] < layers or codes_FK.dtype.kind not in "iu":
            raise LocalLinkError(
                f"codes must be integers [F, {layers} or more],"
                f" got {codes_FK.dtype} {list(codes_FK.shape)}"
            )
        codes_FK = codes_FK[:, :layers]
        if codes_FK.size and not 0 <= codes_FK.min() <= codes_FK.max() < size:
            raise LocalLinkError(
                f"codes must be 0 to {size - 1}, got {codes_FK.min()} to {codes_FK.max()}"
            )
        return codes_FK

    def _fill(self, codes_FK: IntArray) -> IntArray:
        """Move frames into the open superframe; returns those that did not fit."""
        start = self._open_frames
        taken = min(len(codes_FK), len(self._open_FK) - start)
        self._open_FK[start : start + taken] = codes_FK[:taken]
        self._open_frames += taken
        return codes_FK[taken:]

    def _send_superframe(self, now_s: float) -> list[bytes]:
        is_due = now_s - self._hello_s >= self._hello_interval_s
        is_opening = self._hellos < _OPENING_HELLOS
        packets = [self._send_hello(now_s)] if is_opening or is_due else []
        packets.append(self._counted(self._pack_voice(self._open_FK)))
        self.stats.voice_sent += 1
        self.stats.voice_cut += self._layers < self._profile.layers
        self._number += 1
        self._open_frames = 0
        return packets

    def _send_hello(self, now_s: float) -> bytes:
        packet = self._counted(self._pack_hello(PacketType.HELLO))
        self.stats.hello_sent += 1
        self._hellos += 1
        self._hello_s = now_s
        return packet

    def _counted(self, packet: bytes) -> bytes:
        self.stats.bytes_sent += len(packet)
        return packet
