"""The sending end of a packet link: code frames in, packets out. No I/O, no clock.

The caller brings the time, the random tag and nonce, writes the packets and paces itself.
"""

from collections import deque
from dataclasses import replace

import numpy as np

from edge_codec.firmware_bridge.bits import IntArray
from edge_codec.firmware_bridge.errors import LocalLinkError
from edge_codec.firmware_bridge.events import MessageType
from edge_codec.firmware_bridge.framing import DELIMITER, stuff, unstuff
from edge_codec.firmware_bridge.hello import Hello, pack_hello
from edge_codec.firmware_bridge.packet import Packet, PacketType, pack_packet, unpack_packet
from edge_codec.firmware_bridge.profile import (
    CRC_BYTES,
    HEADER_BYTES,
    MAX_PACKET_BYTES,
    StreamProfile,
    profile_id,
)
from edge_codec.firmware_bridge.stats import LinkStats
from edge_codec.firmware_bridge.voice import pack_base, pack_voice, split_voice

MAX_RED = 2
MAX_MESSAGE_BYTES = MAX_PACKET_BYTES - HEADER_BYTES - CRC_BYTES


class Transmitter:
    """One talk spurt: HELLO twice, VOICE with HELLO repeated between, END.

    Every method returns a list of packets, stuffed and delimited: bytes to be written in
    that order, each one datagram where the port has datagrams.
    """

    def __init__(self, hello: Hello, *, stream_tag: int, red: int = 0) -> None:
        """Nothing is sent yet.

        Args:
            hello: who speaks; `hello.profile` is the profile of the stream.
            stream_tag: 0 to 255, random for each talk spurt.
            red: see `red`.

        Raises:
            LocalLinkError: tag or red out of range.
        """
        if not 0 <= stream_tag <= 255:
            raise LocalLinkError(f"stream_tag must be 0 to 255, got {stream_tag}")
        profile = hello.profile
        self.stats = LinkStats()
        self.red = red
        self._hello = hello
        self._profile = profile
        self._tag = stream_tag
        self._layers = profile.layers
        self._open_FK = np.zeros((profile.frames_per_superframe, profile.layers), np.int64)
        self._open_frames = 0
        self._bases: deque[bytes] = deque(maxlen=MAX_RED)
        self._hello_s = 0.0
        self._is_finished = False

    @property
    def layers(self) -> int:
        """Layers sent from the next packet on; set it lower while the line is late.

        Raises:
            LocalLinkError: set outside base_layers to layers of the profile.
        """
        return self._layers

    @layers.setter
    def layers(self, layers: int) -> None:
        _check_layers(layers, self._profile)
        self._layers = layers

    @property
    def red(self) -> int:
        """0, or how many superframes (1 or 2) back the repeated base class lies.

        Raises:
            LocalLinkError: set out of range.
        """
        return self._red

    @red.setter
    def red(self, red: int) -> None:
        if not 0 <= red <= MAX_RED:
            raise LocalLinkError(f"red must be 0 to {MAX_RED}, got {red}")
        self._red = red

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
        packets = [] if self.stats.hello_sent else [self._open(now_s)]
        while len(codes_FK):
            codes_FK = self._fill(codes_FK)
            if self._open_frames == len(self._open_FK):
                packets += self._send_superframe(now_s)
        return packets

    def finish(self, *, now_s: float) -> list[bytes]:
        """End the talk spurt: the open superframe, filled up, then END. Once only."""
        packets = []
        if self._open_frames:
            last_FK = self._open_FK[self._open_frames - 1 : self._open_frames]
            packets = self.send_frames(last_FK.repeat(self.missing_frames, 0), now_s=now_s)
        if self.stats.hello_sent and not self._is_finished:
            packets.append(self._send(PacketType.END, pack_hello(self._hello)))
            self.stats.end_sent += 1
        self._is_finished = True
        return packets

    def send_message(self, kind: MessageType, payload: bytes) -> list[bytes]:
        """One CTRL, TEXT, CLIP or STAT packet, at any time.

        Raises:
            LocalLinkError: the payload is longer than 249 bytes.
        """
        if len(payload) > MAX_MESSAGE_BYTES:
            raise LocalLinkError(
                f"a message may have {MAX_MESSAGE_BYTES} bytes, got {len(payload)}; split it"
            )
        packet = Packet(
            type=PacketType[kind.name],
            stream_tag=self._tag,
            sequence=self.stats.message_sent,
            content=payload,
        )
        self.stats.message_sent += 1
        return [self._stuff(packet)]

    def _checked(self, codes_FK: IntArray) -> IntArray:
        """The columns that are sent, once they are known to be right."""
        layers, size = self._profile.layers, 1 << self._profile.bits_per_code
        if self._is_finished:
            raise LocalLinkError("this talk spurt is finished; open a new Transmitter")
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
        packets = []
        is_due = now_s - self._hello_s >= self._profile.hello_interval_s
        if self.stats.hello_sent < 2 or is_due:
            packets.append(self._send_hello(now_s))
        red = (self._red, self._bases[-self._red]) if 0 < self._red <= len(self._bases) else None
        content = pack_voice(self._open_FK, self._profile, self._layers, red)
        packets.append(self._send(PacketType.VOICE, content, has_red=red is not None))
        self._bases.append(pack_base(self._open_FK, self._profile))
        self._open_frames = 0
        self.stats.voice_sent += 1
        return packets

    def _open(self, now_s: float) -> bytes:
        """HELLO behind a delimiter of its own: noise before it costs nothing."""
        self.stats.bytes_sent += len(DELIMITER)
        return DELIMITER + self._send_hello(now_s)

    def _send_hello(self, now_s: float) -> bytes:
        self._hello_s = now_s
        packet = self._send(PacketType.HELLO, pack_hello(self._hello))
        self.stats.hello_sent += 1
        return packet

    def _send(self, kind: PacketType, content: bytes, *, has_red: bool = False) -> bytes:
        packet = Packet(
            type=kind,
            stream_tag=self._tag,
            sequence=self.stats.voice_sent,
            profile_id=profile_id(self._profile),
            content=content,
            has_red=has_red,
            is_first=kind is PacketType.VOICE and self.stats.voice_sent == 0,
        )
        return self._stuff(packet)

    def _stuff(self, packet: Packet) -> bytes:
        stuffed = stuff(pack_packet(packet))
        self.stats.bytes_sent += len(stuffed)
        return stuffed


def cut_packet(packet: bytes, profile: StreamProfile, layers: int) -> bytes:
    """The same VOICE packet with the enhancement class cut behind `layers` layers.

    For a queue that is late: works on a packet as `Transmitter` returned it. A packet of
    another type, or with no more layers than that, comes back as it is.

    Raises:
        LocalLinkError: layers out of range of the profile.
    """
    _check_layers(layers, profile)
    data = unstuff(packet.strip(DELIMITER))
    voice = unpack_packet(data) if isinstance(data, bytes) else data
    if not isinstance(voice, Packet) or voice.type is not PacketType.VOICE:
        return packet
    classes = split_voice(voice.content, profile, has_red=voice.has_red)
    if classes is None:
        return packet
    base, field, upper = classes
    content = base + field + upper[: profile.enhancement_bytes(layers)]
    return stuff(pack_packet(replace(voice, content=content)))


def _check_layers(layers: int, profile: StreamProfile) -> None:
    if not profile.base_layers <= layers <= profile.layers:
        raise LocalLinkError(
            f"layers must be {profile.base_layers} to {profile.layers}, got {layers}"
        )
