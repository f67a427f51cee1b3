"""The receiving end of secured packets: only what its sender made, and each packet once.

Stands before the session: what it lets through is a `Packet` like any other. State is bounded,
and only packets with a right tag make any.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from edge_codec.firmware_bridge.errors import LinkError
from edge_codec.firmware_bridge.events import DamageReason
from edge_codec.firmware_bridge.hello import Hello, unpack_hello
from edge_codec.firmware_bridge.packet import (
    Packet,
    PacketType,
    is_secured,
    unpack_content,
    unpack_packet,
)
from edge_codec.firmware_bridge.profile import (
    HEADER_BYTES,
    HELLO_BODY_BYTES,
    NUMBER_BYTES,
    SUITE_BYTES,
)
from edge_codec.firmware_bridge.security import (
    IN_CLEAR,
    MAX_NUMBER,
    NEVER_SECURED,
    Security,
    StreamSeal,
)

WINDOW = 64
"""Packets behind the newest one of which it is known whether they came."""
MAX_SOURCES = 256
"""Senders remembered; the one heard longest ago gives way."""
_MAX_STREAMS = 4
_HELLO_BACK = 8
"""A HELLO further back than this was not delayed: the session would count anew from it."""


class ReplayWindow:
    """Which numbers came, of the last `WINDOW` ones."""

    def __init__(self, expected: int, *, is_resumed: bool) -> None:
        """Nothing came yet; of a stream that is resumed, all below `expected` did."""
        self.expected = expected
        """The number behind the newest one."""
        self._seen = (1 << WINDOW) - 1 if is_resumed else 0

    def extend(self, sequence: int) -> int:
        """The number with these low 8 bits that lies nearest to the expected one."""
        return self.expected + (sequence - self.expected + 128) % 256 - 128

    def is_fresh(self, number: int) -> bool:
        """Whether this number may still come."""
        age = self.expected - 1 - number
        is_new = age < 0 or (age < WINDOW and not self._seen >> age & 1)
        return 0 <= number <= MAX_NUMBER and is_new

    def expect(self, number: int) -> None:
        """Learn that all before `number` has been sent."""
        steps = number - self.expected
        if steps > 0:
            self._seen = self._seen << min(steps, WINDOW) & (1 << WINDOW) - 1
            self.expected = number

    def note(self, number: int) -> None:
        """Learn that `number` came."""
        self.expect(number + 1)
        self._seen |= 1 << self.expected - 1 - number


@dataclass(frozen=True, slots=True)
class Heard:
    """The newest stream of one source, and how far it was heard."""

    epoch: int
    nonce: bytes
    next_voice: int = 0
    next_message: int = 0

    @property
    def order(self) -> tuple[int, bytes]:
        """What grows from stream to stream."""
        return self.epoch, self.nonce


class _Stream:
    def __init__(self, security: Security, hello: Hello, number: int, heard: Heard | None) -> None:
        self.source = hello.source
        self.seal = StreamSeal(security, hello)
        self.order = hello.epoch, hello.nonce
        is_resumed = heard is not None and heard.order == self.order
        voice, message = (heard.next_voice, heard.next_message) if heard and is_resumed else (0, 0)
        self.voice = ReplayWindow(voice, is_resumed=is_resumed)
        self.messages = ReplayWindow(message, is_resumed=is_resumed)
        self.voice.expect(number)

    @property
    def heard(self) -> Heard:
        return Heard(*self.order, self.voice.expected, self.messages.expected)


class Guard:
    """Opens secured packets; refuses all others."""

    def __init__(
        self,
        security: Security,
        heard: Mapping[str, Heard] | None = None,
        *,
        keep: Callable[[Mapping[str, Heard]], None] | None = None,
    ) -> None:
        """Know no stream yet.

        Args:
            security: as agreed with the senders.
            heard: newest stream by source, from `heard` of an earlier guard with this secret:
                without it, streams recorded before can be replayed once.
            keep: called with `heard` when a new stream has been accepted.
        """
        self._security = security
        self._streams: dict[int, _Stream] = {}
        self._heard = dict(heard or {})
        self._keep_heard = keep

    @property
    def heard(self) -> dict[str, Heard]:
        """Newest stream by source: 256 of them at most."""
        return dict(self._heard)

    def open(self, data: bytes) -> Packet | DamageReason:
        """The packet, or why it is not let through."""
        if not is_secured(data):
            packet = unpack_packet(data)
            is_refused = isinstance(packet, Packet) and packet.type not in NEVER_SECURED
            return DamageReason.UNSECURED if is_refused else packet
        framed = unpack_content(data[: -self._security.tag_bytes])
        if isinstance(framed, DamageReason):
            return framed
        opens = self._open_hello if framed.type in IN_CLEAR else self._open_other
        return opens(framed, data)

    def _open_hello(self, framed: Packet, data: bytes) -> Packet | DamageReason:
        if len(data) > _SUITE_AT and data[_SUITE_AT] != self._security.suite:
            return DamageReason.SUITE
        if len(data) != _SUITE_AT + SUITE_BYTES + self._security.tag_bytes:
            return DamageReason.LENGTH
        try:
            hello = unpack_hello(framed.content[NUMBER_BYTES:-SUITE_BYTES])
        except LinkError:
            return DamageReason.CONTENT
        number = _full_number(framed)
        stream = self._streams.get(framed.stream_tag)
        if stream is None or (stream.source, stream.order) != (hello.source, _order(hello)):
            stream = _Stream(self._security, hello, number, self._heard.get(hello.source))
        packet = stream.seal.open(data, number)
        if isinstance(packet, DamageReason):
            return packet
        if number < stream.voice.expected - _HELLO_BACK or self._is_old(framed.stream_tag, stream):
            return DamageReason.STALE
        stream.voice.expect(number)
        is_new = self._streams.get(framed.stream_tag) is not stream
        self._keep(framed.stream_tag, stream)
        if is_new and self._keep_heard:
            self._keep_heard(self._heard)
        return packet

    def _open_other(self, framed: Packet, data: bytes) -> Packet | DamageReason:
        stream = self._streams.get(framed.stream_tag)
        if stream is None:
            return DamageReason.SECURED
        is_voice = framed.type is PacketType.VOICE
        window = stream.voice if is_voice else stream.messages
        number = window.extend(framed.sequence) if is_voice else _full_number(framed)
        if not window.is_fresh(number):
            return DamageReason.REPLAY
        packet = stream.seal.open(data, number)
        if isinstance(packet, Packet):
            window.note(number)
            self._keep(framed.stream_tag, stream)
        return packet

    def _is_old(self, tag: int, stream: _Stream) -> bool:
        """Whether a later stream of this source was heard before; not asked while it lasts."""
        newest = self._heard.get(stream.source)
        is_live = self._streams.get(tag) is stream
        return not is_live and newest is not None and stream.order < newest.order

    def _keep(self, tag: int, stream: _Stream) -> None:
        """Remember the stream as the one heard last, by tag and by source."""
        self._streams.pop(tag, None)
        self._streams[tag] = stream
        if len(self._streams) > _MAX_STREAMS:
            del self._streams[next(iter(self._streams))]
        newest = self._heard.pop(stream.source, None)
        is_newest = newest is None or stream.order >= newest.order
        self._heard[stream.source] = stream.heard if newest is None or is_newest else newest
        if len(self._heard) > MAX_SOURCES:
            del self._heard[next(iter(self._heard))]


_SUITE_AT = HEADER_BYTES + NUMBER_BYTES + HELLO_BODY_BYTES


def _order(hello: Hello) -> tuple[int, bytes]:
    return hello.epoch, hello.nonce


def _full_number(framed: Packet) -> int:
    high = int.from_bytes(framed.content[:NUMBER_BYTES], "big")
    return high << 8 | framed.sequence
