"""The receiving end of a packet link: bytes in, events out. No I/O, no clock.

Any bytes are welcome, in any pieces: what is no packet becomes `PacketDamaged` and a counter.
"""

from edge_codec.firmware_bridge.errors import LinkError, LocalLinkError
from edge_codec.firmware_bridge.events import (
    DamageReason,
    MessageReceived,
    MessageType,
    StreamStarted,
)
from edge_codec.firmware_bridge.feed import EventFeed
from edge_codec.firmware_bridge.framing import Unstuffer
from edge_codec.firmware_bridge.guard import Guard
from edge_codec.firmware_bridge.hello import unpack_hello
from edge_codec.firmware_bridge.packet import Packet, PacketType, unpack_packet
from edge_codec.firmware_bridge.profile import PROFILES
from edge_codec.firmware_bridge.voice import unpack_voice

MAX_HOLD_SUPERFRAMES = 8


class Receiver(EventFeed):
    """Follows up to four streams on one packet link."""

    def __init__(
        self,
        *,
        hold_superframes: int = 0,
        guard: Guard | None = None,
        waits_for_red: bool = False,
    ) -> None:
        """Nothing heard yet.

        Args:
            hold_superframes: 0 to 8, how long a missing superframe is waited for when later
                ones have come. 0 for a serial line, which keeps the order; 1 or 2 for UDP.
            guard: opens secured packets and refuses others; None: secured ones are refused.
            waits_for_red: wait longer in streams that say that they repeat from farther back.

        Raises:
            LocalLinkError: out of range.
        """
        if not 0 <= hold_superframes <= MAX_HOLD_SUPERFRAMES:
            raise LocalLinkError(
                f"hold_superframes must be 0 to {MAX_HOLD_SUPERFRAMES}, got {hold_superframes}"
            )
        super().__init__(hold_superframes=hold_superframes, waits_for_red=waits_for_red)
        self._unstuffer = Unstuffer()
        self._open = unpack_packet if guard is None else guard.open

    def receive_data(self, chunk: bytes, *, now_s: float) -> None:
        """Take bytes as they came from the port, any number of them."""
        self.stats.bytes_received += len(chunk)
        for piece in self._unstuffer.receive(chunk):
            outcome = self._receive_packet(piece, now_s) if isinstance(piece, bytes) else piece
            if outcome is not None:
                self._report(outcome)

    def _receive_packet(self, data: bytes, now_s: float) -> DamageReason | None:
        packet = self._open(data)
        if isinstance(packet, DamageReason):
            return packet
        if packet.type is PacketType.VOICE:
            return self._receive_voice(packet, now_s)
        if packet.type in (PacketType.HELLO, PacketType.END):
            return self._receive_hello(packet, now_s)
        self.stats.message_received += 1
        kind = MessageType[packet.type.name]
        self._events.put(MessageReceived(packet.stream_tag, kind, packet.sequence, packet.content))
        return None

    def _receive_voice(self, packet: Packet, now_s: float) -> DamageReason | None:
        tag = packet.stream_tag
        profile = PROFILES.get(packet.profile_id) or self._session.profile_of(tag)
        if profile is None:
            return DamageReason.PROFILE
        voice = unpack_voice(packet.content, profile, has_red=packet.has_red)
        if isinstance(voice, DamageReason):
            return voice
        begin = StreamStarted(tag, profile, red_distance=voice.distance)
        self._session.on_voice(begin, packet.sequence, voice, now_s=now_s)
        return None

    def _receive_hello(self, packet: Packet, now_s: float) -> DamageReason | None:
        try:
            hello = unpack_hello(packet.content)
        except LinkError:
            return DamageReason.CONTENT
        tag, sequence = packet.stream_tag, packet.sequence
        if packet.type is PacketType.END:
            self._session.on_end(tag, sequence, hello, now_s=now_s)
        else:
            begin = StreamStarted(tag, hello.profile, red_distance=packet.red_distance)
            self._session.on_hello(begin, sequence, hello, now_s=now_s)
        return None
