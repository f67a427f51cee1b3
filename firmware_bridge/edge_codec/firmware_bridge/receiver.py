"""The receiving end of a packet link: bytes in, events out. No I/O, no clock.

Any bytes are welcome, in any pieces: what is no packet becomes `PacketDamaged` and a counter.
"""

from edge_codec.firmware_bridge.errors import LinkError, LocalLinkError
from edge_codec.firmware_bridge.events import (
    DamageReason,
    Event,
    EventQueue,
    MessageReceived,
    MessageType,
    PacketDamaged,
)
from edge_codec.firmware_bridge.framing import Unstuffer
from edge_codec.firmware_bridge.hello import unpack_hello
from edge_codec.firmware_bridge.packet import Packet, PacketType, unpack_packet
from edge_codec.firmware_bridge.profile import PROFILES
from edge_codec.firmware_bridge.session import Session
from edge_codec.firmware_bridge.stats import LinkStats
from edge_codec.firmware_bridge.voice import unpack_voice

MAX_HOLD_SUPERFRAMES = 8

_FRAMING_DAMAGE = (DamageReason.STUFFING, DamageReason.SHORT, DamageReason.OVERSIZE)


class Receiver:
    """Follows up to four streams on one link.

    ::

        receiver.receive_data(chunk, now_s=t)
        while (event := receiver.next_event()) is not None: ...
        deadline_s = receiver.next_timeout_s()  # then receiver.handle_timeout(now_s=t)
    """

    def __init__(self, *, hold_superframes: int = 0) -> None:
        """Nothing heard yet.

        Args:
            hold_superframes: 0 to 8, how long a missing superframe is waited for when later
                ones have come. 0 for a serial line, which keeps the order; 1 or 2 for UDP.

        Raises:
            LocalLinkError: out of range.
        """
        if not 0 <= hold_superframes <= MAX_HOLD_SUPERFRAMES:
            raise LocalLinkError(
                f"hold_superframes must be 0 to {MAX_HOLD_SUPERFRAMES}, got {hold_superframes}"
            )
        self.stats = LinkStats()
        self._events = EventQueue(self.stats)
        self._unstuffer = Unstuffer()
        self._session = Session(
            hold_superframes=hold_superframes, events=self._events, stats=self.stats
        )

    def receive_data(self, chunk: bytes, *, now_s: float) -> None:
        """Take bytes as they came from the port, any number of them."""
        self.stats.bytes_received += len(chunk)
        for piece in self._unstuffer.receive(chunk):
            outcome = self._receive_packet(piece, now_s) if isinstance(piece, bytes) else piece
            if outcome is not None:
                self._report(outcome)

    def next_event(self) -> Event | None:
        """The oldest event not fetched yet; None: need more data."""
        return self._events.pop()

    def next_timeout_s(self) -> float | None:
        """When to call `handle_timeout` if nothing comes before; None: no need."""
        return self._session.next_timeout_s()

    def handle_timeout(self, *, now_s: float) -> None:
        """Give up what has been waited for long enough; harmless if called early."""
        self._session.handle_timeout(now_s=now_s)

    def _receive_packet(self, data: bytes, now_s: float) -> DamageReason | None:
        packet = unpack_packet(data)
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
        self._session.on_voice(tag, packet.sequence, profile, voice, now_s=now_s)
        return None

    def _receive_hello(self, packet: Packet, now_s: float) -> DamageReason | None:
        try:
            hello = unpack_hello(packet.content)
        except LinkError:
            return DamageReason.CONTENT
        is_end = packet.type is PacketType.END
        take = self._session.on_end if is_end else self._session.on_hello
        take(packet.stream_tag, packet.sequence, hello, now_s=now_s)
        return None

    def _report(self, reason: DamageReason) -> None:
        if reason in _FRAMING_DAMAGE:
            self.stats.damaged_framing += 1
        elif reason is DamageReason.CRC:
            self.stats.damaged_crc += 1
        else:
            self.stats.refused += 1
        self._events.put(PacketDamaged(reason))
