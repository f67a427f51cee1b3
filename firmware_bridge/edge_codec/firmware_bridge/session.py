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
MAX_RED_AWAITED = 3
"""A repetition farther back than this is not waited for."""
STREAM_TIMEOUT_S = 3.0
"""Silence after which a stream has ended."""


class Session:
    """Up to `MAX_STREAMS` streams by tag.

    What comes of a stream comes with the event that would begin it.
    """

    def __init__(
        self,
        *,
        hold_superframes: int,
        events: EventQueue,
        stats: LinkStats,
        waits_for_red: bool = False,
    ) -> None:
        self._hold = hold_superframes
        self._waits_for_red = waits_for_red
        self._events = events
        self._stats = stats
        self._streams: dict[int, Stream] = {}

    def profile_of(self, stream_tag: int) -> StreamProfile | None:
        """The profile of a stream, if it is known."""
        stream = self._streams.get(stream_tag)
        return None if stream is None else stream.profile

    def on_hello(self, begin: StreamStarted, sequence: int, hello: Hello, *, now_s: float) -> None:
        """Someone begins to speak, or still does."""
        self._stats.hello_received += 1
        tag = begin.stream_tag
        known = self._streams.get(tag)
        if known is not None and known.nonce not in (None, hello.nonce):
            self._replace(tag, now_s)
        stream = self._stream(begin, sequence, now_s)
        if not stream.is_over:
            stream.nonce = hello.nonce
            stream.on_hello(sequence)
            self._events.put(HelloReceived(tag, hello))

    def on_voice(self, begin: StreamStarted, sequence: int, voice: Voice, *, now_s: float) -> None:
        """One superframe of somebody's voice."""
        self._stats.voice_received += 1
        stream = self._stream(begin, sequence, now_s)
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

    def _stream(self, begin: StreamStarted, sequence: int, now_s: float) -> Stream:
        """The stream of this tag and profile, begun if it is new; heard now unless over."""
        stream = self._streams.get(begin.stream_tag)
        if stream is not None and stream.profile != begin.profile:
            self._replace(begin.stream_tag, now_s)
            stream = None
        if stream is None:
            stream = self._start(begin, sequence, now_s)
        if not stream.is_over:
            stream.heard_s = now_s
        return stream

    def _start(self, begin: StreamStarted, sequence: int, now_s: float) -> Stream:
        if len(self._streams) == MAX_STREAMS:
            self._replace(min(self._streams, key=self._dispensability), now_s)
        stream = Stream(
            begin.stream_tag,
            begin.profile,
            sequence,
            hold_superframes=self._hold_for(begin.red_distance),
            events=self._events,
            stats=self._stats,
        )
        self._streams[begin.stream_tag] = stream
        self._stats.streams_started += 1
        self._events.put(begin)
        return stream

    def _hold_for(self, red_distance: int) -> int:
        """Superframes that later ones wait for: what is repeated farther back comes later."""
        wanted = min(red_distance, MAX_RED_AWAITED) - 1 if self._waits_for_red else 0
        return max(self._hold, wanted)

    def _dispensability(self, tag: int) -> tuple[bool, float]:
        stream = self._streams[tag]
        return not stream.is_over, stream.heard_s

    def _replace(self, tag: int, now_s: float) -> None:
        stream = self._streams.pop(tag)
        self._stats.streams_replaced += not stream.is_over
        stream.close(EndReason.REPLACED, now_s=now_s)
