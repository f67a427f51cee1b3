"""The streams of one link: which packet belongs to which, when one begins and ends.

Knows packets' meaning but no bytes, so every framing feeds the same session. A tag with
another nonce or another profile is another stream. An ended stream stays known for a while:
what still straggles in is late and starts nothing.
"""

from edge_codec.firmware_bridge.events import (
    EndReason,
    EventQueue,
    HelloReceived,
    StreamStarted,
)
from edge_codec.firmware_bridge.hello import Hello
from edge_codec.firmware_bridge.profile import StreamProfile
from edge_codec.firmware_bridge.stats import LinkStats
from edge_codec.firmware_bridge.stream import Stream
from edge_codec.firmware_bridge.voice import Voice

MAX_STREAMS = 4
"""Streams followed at once; a fifth takes the place of the one silent for longest."""
STREAM_TIMEOUT_S = 3.0
"""Silence after which a stream has ended."""


class Session:
    """Up to `MAX_STREAMS` streams by tag."""

    def __init__(self, *, hold_superframes: int, events: EventQueue, stats: LinkStats) -> None:
        self._hold = hold_superframes
        self._events = events
        self._stats = stats
        self._streams: dict[int, Stream] = {}

    def profile_of(self, stream_tag: int) -> StreamProfile | None:
        """The profile of a stream, if it is known."""
        stream = self._streams.get(stream_tag)
        return None if stream is None else stream.profile

    def on_hello(self, stream_tag: int, sequence: int, hello: Hello, *, now_s: float) -> None:
        """Someone begins to speak, or still does."""
        self._stats.hello_received += 1
        known = self._streams.get(stream_tag)
        if known is not None and known.nonce not in (None, hello.nonce):
            self._replace(stream_tag, now_s)
        stream = self._stream(stream_tag, hello.profile, sequence, now_s)
        if not stream.is_over:
            stream.nonce = hello.nonce
            stream.on_hello(sequence)
            self._events.put(HelloReceived(stream_tag, hello))

    def on_voice(
        self, stream_tag: int, sequence: int, profile: StreamProfile, voice: Voice, *, now_s: float
    ) -> None:
        """One superframe of somebody's voice."""
        self._stats.voice_received += 1
        stream = self._stream(stream_tag, profile, sequence, now_s)
        if stream.is_over:
            self._stats.voice_late += 1
        else:
            stream.on_voice(sequence, voice, now_s=now_s)

    def on_lost(self, stream_tag: int, sequence: int, *, now_s: float) -> None:
        """One superframe of somebody's voice that is known to be unreadable."""
        stream = self._streams.get(stream_tag)
        if stream is not None and not stream.is_over:
            stream.on_lost(sequence, now_s=now_s)

    def on_end(self, stream_tag: int, sequence: int, hello: Hello, *, now_s: float) -> None:
        """Somebody is done; of a stream that was not heard there is nothing to end."""
        self._stats.end_received += 1
        stream = self._streams.get(stream_tag)
        if stream is None or stream.is_over or stream.nonce not in (None, hello.nonce):
            return
        stream.heard_s, stream.nonce = now_s, hello.nonce
        self._events.put(HelloReceived(stream_tag, hello))
        stream.on_end(sequence, now_s=now_s)

    def next_timeout_s(self) -> float | None:
        """When the next stream gives up a gap or ends by silence."""
        deadlines = [stream.heard_s + STREAM_TIMEOUT_S for stream in self._streams.values()]
        gaps = [stream.give_up_s for stream in self._streams.values()]
        return min([*deadlines, *(gap for gap in gaps if gap is not None)], default=None)

    def handle_timeout(self, *, now_s: float) -> None:
        """Give up gaps, end and forget streams whose time has come."""
        for tag, stream in list(self._streams.items()):
            stream.advance(now_s=now_s)
            if now_s >= stream.heard_s + STREAM_TIMEOUT_S:
                stream.close(EndReason.TIMEOUT, now_s=now_s)
                del self._streams[tag]

    def _stream(self, tag: int, profile: StreamProfile, sequence: int, now_s: float) -> Stream:
        """The stream of this tag and profile, begun if it is new; heard now unless over."""
        stream = self._streams.get(tag)
        if stream is not None and stream.profile != profile:
            self._replace(tag, now_s)
            stream = None
        if stream is None:
            stream = self._start(tag, profile, sequence, now_s)
        if not stream.is_over:
            stream.heard_s = now_s
        return stream

    def _start(self, tag: int, profile: StreamProfile, sequence: int, now_s: float) -> Stream:
        if len(self._streams) == MAX_STREAMS:
            self._replace(min(self._streams, key=self._dispensability), now_s)
        stream = Stream(
            tag,
            profile,
            sequence,
            hold_superframes=self._hold,
            events=self._events,
            stats=self._stats,
        )
        self._streams[tag] = stream
        self._stats.streams_started += 1
        self._events.put(StreamStarted(tag, profile))
        return stream

    def _dispensability(self, tag: int) -> tuple[bool, float]:
        stream = self._streams[tag]
        return not stream.is_over, stream.heard_s

    def _replace(self, tag: int, now_s: float) -> None:
        stream = self._streams.pop(tag)
        self._stats.streams_replaced += not stream.is_over
        stream.close(EndReason.REPLACED, now_s=now_s)
