"""The receiving half: bytes in, samples out when they are due.

Joins the link's receiver with a playout buffer and the decoder; no I/O, no clock. Follows one
stream at a time, and mutes one that this board's model cannot decode, or that is for others.
Shapes: F code frames, K layers of the stream, T samples.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from edge_codec.firmware_bridge import (
    BROADCAST,
    Event,
    EventFeed,
    FramesReceived,
    Hello,
    HelloReceived,
    LinkStats,
    StreamEnded,
    StreamProfile,
    StreamStarted,
    describe_model_mismatch,
    unit_frames,
)
from edge_codec.firmware_bridge.callsign import pack_callsign
from edge_codec.runtime.codec import StreamDecoder
from edge_codec.runtime.packing import Packing, PlainPacking, unpack_units
from edge_codec.runtime.spec import CodecSpec

PIECE_BYTES = 256
"""What goes to the receiver at once: however hostile, it makes fewer events than the receiver
keeps, and so none is lost that says that a stream is over."""

FloatArray = npt.NDArray[np.float32]
Frame = tuple[npt.NDArray[np.int64], int]
"""Codes [K] of one frame, and how many of its layers arrived."""


class Playout(Protocol):
    """What `jitter` offers: frames in by position, frames out by time."""

    late_frames: int

    @property
    def next_timeout_s(self) -> float | None:
        """When the next frame is due; None while nothing is playing."""

    @property
    def depth_s(self) -> float:
        """Audio held at present."""

    def push(self, position: int, frames: Sequence[Frame], now_s: float) -> None:
        """Store the frames of one superframe."""

    def pull(self, now_s: float) -> list[Frame | None]:
        """Return the frames due by now; None where one is missing."""

    def finish(self) -> None:
        """No more frames will come."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Audience:
    """Who listens here."""

    callsign: str = ""
    """Of this station."""
    groups: tuple[str, ...] = ()
    """Groups it is in, each with its `#`."""

    def __post_init__(self) -> None:
        """Refuse names that nobody can send to.

        Raises:
            LocalLinkError: a callsign or group that is not valid.
        """
        for name in (self.callsign, *self.groups):
            pack_callsign(name)

    def includes(self, destination: str) -> bool:
        """Whether what is sent to this destination is meant for this station.

        >>> Audience(groups=("#NET1",)).includes("#NET2")
        False
        """
        return destination in (BROADCAST, self.callsign, *self.groups)


@dataclass(frozen=True, slots=True)
class StreamMuted:
    """A stream that this board cannot decode, or that is for others; nothing of it is played."""

    stream_tag: int
    message: str


@dataclass(slots=True)
class _Stream:
    profile: StreamProfile
    playout: Playout
    unit_frames: int
    hello: Hello | None = None
    is_muted: bool = False
    has_ended: bool = False

    @property
    def is_playing(self) -> bool:
        return not self.has_ended or self.playout.next_timeout_s is not None


class Listener:
    """One receiver from bytes to samples."""

    def __init__(
        self,
        decoder: StreamDecoder,
        model_hash: bytes,
        make_playout: Callable[[StreamStarted], Playout],
        receiver: EventFeed,
        audience: Audience | None = None,
        *,
        packing: Packing | None = None,
    ) -> None:
        """Hear nothing yet.

        Args:
            decoder: of the model that `model_hash` names.
            model_hash: of the decoder's bundle, 4 bytes or more.
            make_playout: the buffer for a new stream.
            receiver: fresh.
            audience: plays only what is for this station, so nothing of a stream before its first
                HELLO; None: everything.
            packing: of the model; None: codes as they are.
        """
        self._decoder = decoder
        self._model_hash = model_hash
        self._make_playout = make_playout
        self._receiver = receiver
        self._audience = audience
        self._packing = packing or PlainPacking()
        self._streams: dict[int, _Stream] = {}
        self._current: _Stream | None = None
        self._leftover_T: FloatArray = np.zeros(0, np.float32)
        self.concealed_frames = 0
        """Frames that had to be filled in."""
        self.played_frames = 0
        """Frames decoded, filled in ones too."""
        self.late_frames = 0
        """Frames that came too late to be played, of streams that are over."""
        # A graph's first call takes many times longer than the next ones.
        decoder.push(np.zeros((1, 1), np.int64))
        decoder.reset()

    @property
    def stats(self) -> LinkStats:
        """Counters of the link."""
        return self._receiver.stats

    @property
    def played_s(self) -> float:
        """Seconds decoded so far."""
        return self.played_frames / self._decoder.spec.frame_rate_hz

    @property
    def is_playing(self) -> bool:
        """Whether samples of a stream are still to come."""
        return self._current is not None

    @property
    def bitrate_bps(self) -> float:
        """Codec bits per second of the stream that plays; 0 when none does."""
        return self._current.profile.codec_bitrate_bps if self._current else 0.0

    @property
    def depth_s(self) -> float:
        """Audio in the playout buffer."""
        return self._current.playout.depth_s if self._current else 0.0

    @property
    def next_timeout_s(self) -> float | None:
        """When to call `handle_timeout` and `pull` if no bytes come before."""
        playout = self._current.playout.next_timeout_s if self._current else None
        times_s = [t for t in (self._receiver.next_timeout_s(), playout) if t is not None]
        return min(times_s, default=None)

    def receive_data(self, chunk: bytes, now_s: float) -> list[Event | StreamMuted]:
        """Take bytes as they came; returns what a user may want to know of them."""
        events: list[Event | StreamMuted] = []
        for start in range(0, len(chunk), PIECE_BYTES):
            self._receiver.receive_data(chunk[start : start + PIECE_BYTES], now_s=now_s)
            events += self._handle_events(now_s)
        return events

    def handle_timeout(self, now_s: float) -> list[Event | StreamMuted]:
        """Let time pass."""
        self._receiver.handle_timeout(now_s=now_s)
        return self._handle_events(now_s)

    def pull(self, now_s: float) -> FloatArray:
        """[T] samples due by now, missing frames filled in; often none."""
        samples_T, self._leftover_T = self._leftover_T, self._leftover_T[:0]
        if self._current is None:
            return samples_T
        samples_T = np.concatenate([samples_T, self._decode(self._current.playout.pull(now_s))])
        if not self._current.is_playing:
            self._leave_current()
        return samples_T

    def _handle_events(self, now_s: float) -> list[Event | StreamMuted]:
        events: list[Event | StreamMuted] = []
        while (event := self._receiver.next_event()) is not None:
            match event:
                case StreamStarted():
                    events += [event, *self._start(event)]
                case HelloReceived():
                    events += self._meet(event)
                case FramesReceived():
                    self._hold(event, now_s)
                case StreamEnded():
                    self._end(event.stream_tag)
                    events.append(event)
                case _:
                    events.append(event)
        return events

    def _start(self, event: StreamStarted) -> list[StreamMuted]:
        frames = unit_frames(event.framing, event.profile)
        stream = _Stream(event.profile, self._make_playout(event), frames)
        self._streams[event.stream_tag] = stream
        return self._mute(event.stream_tag, _describe_misfit(event.profile, self._decoder.spec))

    def _meet(self, event: HelloReceived) -> list[Event | StreamMuted]:
        """Report a HELLO that says something new."""
        stream = self._streams.get(event.stream_tag)
        if stream is None or stream.hello == event.hello:
            return []
        stream.hello = event.hello
        message = describe_model_mismatch(event.hello.model_hash, self._model_hash)
        destination = event.hello.destination
        if self._audience and not self._audience.includes(destination):
            message = f"stream is for {destination}"
        return [event, *self._mute(event.stream_tag, message)]

    def _mute(self, stream_tag: int, message: str | None) -> list[StreamMuted]:
        stream = self._streams[stream_tag]
        if message is None or stream.is_muted:
            return []
        stream.is_muted = True
        if stream is self._current:
            self._current = None
        return [StreamMuted(stream_tag, message)]

    def _hold(self, event: FramesReceived, now_s: float) -> None:
        stream = self._streams.get(event.stream_tag)
        if stream is None or stream.is_muted or not event.valid_layers_F.any():
            return
        if self._audience and stream.hello is None:
            return
        if self._current is None or self._current.has_ended:
            self._change_to(stream)
        if stream is self._current:
            position = event.sequence * stream.profile.frames_per_superframe
            codes_FK, valid_F = unpack_units(
                self._packing, event.codes_FK, event.valid_layers_F, stream.unit_frames
            )
            frames = list(zip(codes_FK, valid_F.tolist(), strict=True))
            stream.playout.push(position, frames, now_s)

    def _change_to(self, stream: _Stream) -> None:
        if self._current is not None:
            self._leftover_T = self._decode(self._current.playout.pull(float("inf")))
            self._leave_current()
        self._decoder.reset()
        self._current = stream

    def _leave_current(self) -> None:
        if self._current is not None:
            self.late_frames += self._current.playout.late_frames
        self._current = None

    def _end(self, stream_tag: int) -> None:
        stream = self._streams.pop(stream_tag, None)
        if stream is not None:
            stream.has_ended = True
            stream.playout.finish()

    def _decode(self, frames: list[Frame | None]) -> FloatArray:
        if not frames:
            return np.zeros(0, np.float32)
        spec = self._decoder.spec
        codes_FK = np.full((len(frames), spec.layers), spec.codebook_size, np.int64)
        valid_layers_F = np.zeros(len(frames), np.int64)
        for index, frame in enumerate(frames):
            if frame is not None:
                codes_K, valid_layers_F[index] = frame
                codes_FK[index, : len(codes_K)] = codes_K
        self.played_frames += len(frames)
        self.concealed_frames += int((valid_layers_F == 0).sum())
        return self._decoder.push(codes_FK, valid_layers_F)


def _describe_misfit(profile: StreamProfile, spec: CodecSpec) -> str | None:
    """Why codes of this profile are not this codec's; None if they may be."""
    superframe_s = profile.frames_per_superframe / spec.frame_rate_hz
    fits = profile.layers <= spec.layers and profile.bits_per_code == spec.bits_per_code
    if fits and abs(superframe_s - profile.superframe_s) < 0.01:
        return None
    return (
        f"stream has {profile.layers} layers of {profile.bits_per_code} bits at"
        f" {profile.frame_rate_hz:g} frames/s, this board's model {spec.layers} of"
        f" {spec.bits_per_code} at {spec.frame_rate_hz:g}"
    )
