"""The sending end of a packet link: code frames in, packets out. No I/O, no clock.

The caller brings the time, the random tag and nonce, writes the packets and paces itself.
"""

from collections import deque
from dataclasses import replace

from edge_codec.firmware_bridge.bits import IntArray
from edge_codec.firmware_bridge.errors import LocalLinkError
from edge_codec.firmware_bridge.events import MessageType
from edge_codec.firmware_bridge.framing import DELIMITER, stuff, unstuff
from edge_codec.firmware_bridge.hello import Hello, pack_hello
from edge_codec.firmware_bridge.packet import (
    FIRST_FLAG,
    RED_FLAG,
    Packet,
    PacketType,
    pack_packet,
    unpack_packet,
)
from edge_codec.firmware_bridge.profile import (
    CRC_BYTES,
    HEADER_BYTES,
    MAX_PACKET_BYTES,
    StreamProfile,
    framed_bytes,
    profile_id,
)
from edge_codec.firmware_bridge.security import NEVER_SECURED, Security, StreamSeal
from edge_codec.firmware_bridge.spurt import Spurt
from edge_codec.firmware_bridge.stats import LinkStats
from edge_codec.firmware_bridge.voice import pack_base, pack_voice, split_voice

MAX_RED = 2
MAX_MESSAGE_BYTES = MAX_PACKET_BYTES - HEADER_BYTES - CRC_BYTES


class Transmitter(Spurt):
    """One talk spurt in packets, stuffed and delimited."""

    def __init__(
        self,
        hello: Hello,
        *,
        stream_tag: int,
        red: int = 0,
        security: Security | None = None,
        stats: LinkStats | None = None,
    ) -> None:
        """Nothing is sent yet.

        Args:
            hello: who speaks; `hello.profile` is the profile of the stream.
            stream_tag: 0 to 255, random for each talk spurt.
            red: see `red`.
            security: secures all packets; `hello.nonce` must then be greater than that of any
                earlier stream of this source and epoch.
            stats: counters to go on with; None: new ones.

        Raises:
            LocalLinkError: tag or red out of range, or no room for a tag.
            ModuleNotFoundError: encryption needs the extra `crypto`.
        """
        super().__init__(hello, stream_tag=stream_tag, stats=stats)
        if security is not None:
            security.check_profile(hello.profile)
        self._security = security
        self._seal = None if security is None else StreamSeal(security, hello)
        self.red = red
        self._messages = 0
        self._bases: deque[bytes] = deque(maxlen=MAX_RED)

    @property
    def least_layers(self) -> int:
        """The base class is never cut."""
        return self._profile.base_layers

    @property
    def voice_bytes(self) -> int:
        """Most bytes that the next superframe takes, HELLO left out."""
        tag_bytes = self._security.tag_bytes if self._security else 0
        return framed_bytes(
            self._profile.packet_bytes(self._layers, red=self._red > 0, tag_bytes=tag_bytes)
        )

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

    def send_message(self, kind: MessageType, payload: bytes) -> list[bytes]:
        """One CTRL, TEXT, CLIP or STAT packet, at any time.

        Raises:
            LocalLinkError: the payload is longer than 249 bytes, or what a tag leaves of them.
        """
        limit = self._security.max_message_bytes if self._security else MAX_MESSAGE_BYTES
        if len(payload) > limit:
            raise LocalLinkError(f"a message may have {limit} bytes, got {len(payload)}; split it")
        packet = Packet(
            type=PacketType[kind.name],
            stream_tag=self._tag,
            sequence=self._messages,
            content=payload,
        )
        wire = self._wire(packet, self._messages)
        self.stats.message_sent += 1
        self._messages += 1
        return [self._counted(wire)]

    def _pack_hello(self, kind: PacketType) -> bytes:
        """The first one behind a delimiter of its own: noise before it costs nothing."""
        packet = self._pack(kind, pack_hello(self._hello), flags=self._red)
        return packet if self._hellos else DELIMITER + packet

    def _note_skipped(self, codes_FK: IntArray) -> None:
        self._bases.append(pack_base(codes_FK, self._profile))

    def _pack_voice(self, codes_FK: IntArray) -> bytes:
        red = (self._red, self._bases[-self._red]) if 0 < self._red <= len(self._bases) else None
        self._bases.append(pack_base(codes_FK, self._profile))
        content = pack_voice(codes_FK, self._profile, self._layers, red)
        flags = RED_FLAG * (red is not None) | FIRST_FLAG * (self._number == 0)
        return self._pack(PacketType.VOICE, content, flags=flags)

    def _pack(self, kind: PacketType, content: bytes, *, flags: int) -> bytes:
        packet = Packet(
            type=kind,
            stream_tag=self._tag,
            sequence=self._number,
            profile_id=profile_id(self._profile),
            content=content,
            has_red=bool(flags & RED_FLAG),
            is_first=bool(flags & FIRST_FLAG),
        )
        return self._wire(packet, self._number)

    def _wire(self, packet: Packet, number: int) -> bytes:
        if self._seal is None or packet.type in NEVER_SECURED:
            return stuff(pack_packet(packet))
        return stuff(self._seal.seal(packet, number))


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
    return stuff(pack_packet(_cut_voice(voice, profile, layers)))


def _cut_voice(voice: Packet, profile: StreamProfile, layers: int) -> Packet:
    classes = split_voice(voice.content, profile, has_red=voice.has_red)
    if classes is None:
        return voice
    base, field, upper = classes
    return replace(voice, content=base + field + upper[: profile.enhancement_bytes(layers)])


def _check_layers(layers: int, profile: StreamProfile) -> None:
    if not profile.base_layers <= layers <= profile.layers:
        raise LocalLinkError(
            f"layers must be {profile.base_layers} to {profile.layers}, got {layers}"
        )
