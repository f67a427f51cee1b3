"""What a receiver tells its caller: one frozen dataclass per event, and their queue.

Every event names its stream by `stream_tag`, but for damage, which belongs to no stream.
Legend: F code frames of one superframe, K layers of the stream's profile.
"""

from collections import deque
from dataclasses import dataclass
from enum import StrEnum

from edge_codec.firmware_bridge.bits import IntArray
from edge_codec.firmware_bridge.hello import Hello
from edge_codec.firmware_bridge.profile import Framing, StreamProfile
from edge_codec.firmware_bridge.stats import LinkStats


class DamageReason(StrEnum):
    """Why a piece of the byte stream was not accepted as a packet."""

    STUFFING = "stuffing"
    """Byte stuffing is broken: bytes were lost, or two packets ran together."""
    SHORT = "short"
    """Too short to hold a header and a CRC."""
    OVERSIZE = "oversize"
    """Longer than any packet; skipped up to the next delimiter."""
    CRC = "crc"
    """The checksum does not match."""
    VERSION = "version"
    """Whole, but of another protocol version."""
    TYPE = "type"
    """Whole, but of a type this version does not define."""
    LENGTH = "length"
    """Whole, but its length fits no number of layers."""
    CONTENT = "content"
    """Whole, but a field holds a value that is not allowed."""
    SECURED = "secured"
    """Secured: it cannot be checked without a key, nor before a HELLO of its stream."""
    UNSECURED = "unsecured"
    """Whole, but not secured, which this receiver demands."""
    SUITE = "suite"
    """Secured in another way than this receiver expects."""
    TAG = "tag"
    """The authentication tag does not match: noise, another key or a forgery."""
    REPLAY = "replay"
    """Secured, but it came before."""
    STALE = "stale"
    """Secured HELLO of a stream that is older than one heard since, or was heard already."""
    PROFILE = "profile"
    """Voice whose profile is unknown until a HELLO of its stream arrives."""


class EndReason(StrEnum):
    """Why a stream is over."""

    END = "end"
    """The sender said so."""
    TIMEOUT = "timeout"
    """Nothing was heard for `STREAM_TIMEOUT_S`."""
    REPLACED = "replaced"
    """Another stream took its tag, or its place among the four that are followed."""


class MessageType(StrEnum):
    """Packets that the link passes on without looking inside."""

    CTRL = "ctrl"
    TEXT = "text"
    CLIP = "clip"
    STAT = "stat"


@dataclass(frozen=True, slots=True)
class StreamStarted:
    """A stream is readable from here on; comes before all else of it."""

    stream_tag: int
    profile: StreamProfile
    framing: Framing = Framing.PACKET
    red_distance: int = 0
    """Superframes by which a lost one comes late from another packet, as far as known; 0: never."""


@dataclass(frozen=True, slots=True)
class HelloReceived:
    """Who speaks to whom, with which model; repeated while the stream lasts."""

    stream_tag: int
    hello: Hello


@dataclass(frozen=True, slots=True, eq=False)
class FramesReceived:
    """One superframe, in order, lost ones too: ready for the decoder."""

    stream_tag: int
    sequence: int
    """Number of the superframe, extended to 32 bits; rises by one from event to event."""
    codes_FK: IntArray
    """[F, K] int64; 2**bits_per_code where a layer did not arrive."""
    valid_layers_F: IntArray
    """[F] int64, layers that arrived of each frame; 0 = lost, conceal it."""


@dataclass(frozen=True, slots=True)
class PacketsLost:
    """Superframes that will not come; their `FramesReceived`, all zero layers, follow."""

    stream_tag: int
    count: int


@dataclass(frozen=True, slots=True)
class PacketDamaged:
    """Bytes that were not accepted; noise is normal, so this is only a report."""

    reason: DamageReason


@dataclass(frozen=True, slots=True)
class MessageReceived:
    """A packet of another type, its content untouched."""

    stream_tag: int
    type: MessageType
    sequence: int
    """0 to 255, counts the messages of the stream."""
    payload: bytes


@dataclass(frozen=True, slots=True)
class StreamEnded:
    """Nothing more of this stream follows."""

    stream_tag: int
    reason: EndReason


Event = (
    StreamStarted
    | HelloReceived
    | FramesReceived
    | PacketsLost
    | PacketDamaged
    | MessageReceived
    | StreamEnded
)

MAX_EVENTS = 4096
"""Events kept for the caller; beyond that the oldest go, counted as `events_dropped`."""


class EventQueue:
    """Events on their way to the caller, oldest first, never more than `MAX_EVENTS`."""

    def __init__(self, stats: LinkStats) -> None:
        self._events: deque[Event] = deque()
        self._stats = stats

    def put(self, event: Event) -> None:
        """Add an event; the oldest gives way if there is no room."""
        if len(self._events) == MAX_EVENTS:
            self._events.popleft()
            self._stats.events_dropped += 1
        self._events.append(event)

    def pop(self) -> Event | None:
        """The oldest event; None if there is none."""
        return self._events.popleft() if self._events else None
