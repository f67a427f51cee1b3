"""Hours on a bad link in made-up time: speakers of all modes, every impairment, one listener."""

import gc
from collections import Counter
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count

import numpy as np

from edge_codec.firmware_bridge import (
    Channel,
    ChannelModel,
    EndReason,
    Event,
    FramesReceived,
    Framing,
    HelloReceived,
    Line,
    LinkStats,
    Mode,
    RawTransmitter,
    Spurt,
    StreamEnded,
    StreamStarted,
    Transmitter,
    modes,
)
from edge_codec.runtime.bundle import Bundle
from edge_codec.runtime.transceiver import assembly
from support.link_pair import make_hello

STEP_S = 0.02
PHASE_S = 30.0
PACKETS = ChannelModel(bit_error_rate=2e-5, burst_share=1e-3, slip_rate=1e-5, drop_rate=0.05)
FRAMES = ChannelModel(bit_error_rate=1e-2, burst_share=1e-2, slip_rate=2e-4)


@dataclass
class Speaker:
    """One talk spurt, superframe after superframe."""

    spurt: Spurt
    next_s: float
    left: int
    red: int = 0

    def speak(self, rng: np.random.Generator) -> list[bytes]:
        """The packets of the next superframe, or of the end."""
        profile, now_s = self.spurt.profile, self.next_s
        self.next_s += profile.superframe_s
        if self.left == 0:
            return self.spurt.finish(now_s=now_s)
        self.left -= 1
        shape = (profile.frames_per_superframe, profile.layers)
        codes_FK = rng.integers(0, 1 << profile.bits_per_code, shape)
        if rng.random() < 0.02:
            self.spurt.skip_superframe(codes_FK)
            return []
        self.spurt.layers = int(rng.integers(self.spurt.least_layers, profile.layers + 1))
        return self.spurt.send_frames(codes_FK, now_s=now_s)


@dataclass
class Books:
    """What was sent, what was heard, and whether the two agree."""

    sent: dict[bytes, LinkStats] = field(default_factory=dict)
    """Counters of each talk spurt, by its nonce."""
    heard_streams: int = 0
    whole_streams: int = 0
    events: Counter[str] = field(default_factory=Counter)
    objects: list[int] = field(default_factory=list)
    """Live objects at the end of each phase."""
    _open: dict[int, list[FramesReceived]] = field(default_factory=dict)
    _nonces: dict[int, bytes] = field(default_factory=dict)

    def take(self, event: Event) -> None:
        """Check an event against what came before."""
        self.events[type(event).__name__] += 1
        match event:
            case StreamStarted(stream_tag=tag):
                self._open[tag] = []
                self._nonces.pop(tag, None)
                self.heard_streams += 1
            case HelloReceived(stream_tag=tag, hello=hello):
                self._nonces[tag] = hello.nonce
            case FramesReceived(stream_tag=tag, sequence=sequence):
                frames = self._open[tag]
                assert not frames or sequence - frames[-1].sequence <= 1
                frames.append(event)
            case StreamEnded(stream_tag=tag, reason=reason):
                self._close(tag, reason)

    def _close(self, tag: int, reason: EndReason) -> None:
        frames = self._open.pop(tag)
        # Once: what goes on after a long gap may begin at a number that looks like the first.
        sent = self.sent.pop(self._nonces.get(tag, b""), None)
        is_whole = reason is EndReason.END and frames and frames[0].sequence == 0
        if sent and is_whole:
            self.whole_streams += 1
            assert len(frames) == sent.voice_sent + sent.voice_dropped


class Soak:
    """The world: a clock, speakers, a channel and a listener."""

    def __init__(self, bundle: Bundle, *, seed: int) -> None:
        self.books = Books()
        self.listener = assembly.make_listener(bundle, "udp://:1", Line(baud=9600), fast=False)
        self.received_bytes = 0
        self._model_hash = bytes.fromhex(bundle.model_hash)[:4]
        self._rng = np.random.default_rng(seed)
        self._order = count()
        self._arrivals: list[tuple[float, int, bytes]] = []
        self._speakers: list[Speaker] = []
        self._now_s = 0.0
        self._tag = 0
        self._wrap_listener()

    def run(self, seconds: float) -> None:
        """Let so much time pass, packets and raw frames in turn."""
        for phase in range(round(seconds / PHASE_S)):
            framing = Framing.RAW if phase % 2 else Framing.PACKET
            model = FRAMES if framing is Framing.RAW else PACKETS
            channel = Channel(model, seed=phase)
            for _ in range(round(PHASE_S / STEP_S)):
                self._step(framing, channel)
            if phase % 8 == 7:
                gc.collect()
                self.books.objects.append(len(gc.get_objects()))
        self._finish()

    def _wrap_listener(self) -> None:
        """Books see every event before the listener does."""
        receiver = self.listener._receiver
        next_event = receiver.next_event

        def booked() -> Event | None:
            event = next_event()
            if event is not None:
                self.books.take(event)
            return event

        receiver.next_event = booked  # type: ignore[method-assign]

    def _step(self, framing: Framing, channel: Channel) -> None:
        rng = self._rng
        # Clocks jump: forward when a machine was suspended.
        self._now_s += STEP_S + (12.0 if rng.random() < 1e-5 else 0.0)
        most = 1 if framing is Framing.RAW else 4
        if len(self._speakers) < most and rng.random() < 0.02:
            self._speakers.append(self._new_speaker(framing))
        for speaker in [s for s in self._speakers if s.next_s <= self._now_s]:
            for packet in speaker.speak(rng):
                self._send(packet, framing, channel)
            if speaker.spurt.stats.end_sent:
                self._speakers.remove(speaker)
        self._deliver()

    def _new_speaker(self, framing: Framing) -> Speaker:
        rng = self._rng
        table: list[Mode] = modes(framing=framing)
        # One in 256 pairs that speak at once share a tag: nobody can tell their voices apart.
        self._tag = (self._tag + int(rng.integers(1, 50))) % 256
        nonce, tag = rng.bytes(8), self._tag
        profile = table[rng.integers(len(table))].profile
        hello = make_hello(profile, nonce=nonce, model_hash=self._model_hash)
        spurt: Spurt
        if framing is Framing.RAW:
            spurt = RawTransmitter(hello, stream_tag=tag)
        else:
            spurt = Transmitter(hello, stream_tag=tag, red=int(rng.integers(3)))
        self.books.sent[nonce] = spurt.stats
        length_s = float(rng.exponential(8.0))
        return Speaker(spurt, self._now_s, 1 + int(length_s / profile.superframe_s))

    def _send(self, packet: bytes, framing: Framing, channel: Channel) -> None:
        rng, delay_s = self._rng, 0.05
        if framing is Framing.PACKET:
            delay_s += float(rng.exponential(0.02))
            delay_s += 0.4 * (rng.random() < 0.005)  # overtaken by the next one
        copies = 1 + (framing is Framing.PACKET and rng.random() < 0.02)
        if rng.random() < 0.01:
            garbage = rng.bytes(int(rng.integers(400)))
            heappush(self._arrivals, (self._now_s, next(self._order), garbage))
        for _ in range(copies):
            data = channel.send(packet)
            heappush(self._arrivals, (self._now_s + delay_s, next(self._order), data))

    def _deliver(self) -> None:
        while self._arrivals and self._arrivals[0][0] <= self._now_s:
            data = heappop(self._arrivals)[2]
            self.received_bytes += len(data)
            self.listener.receive_data(data, self._now_s)
        self.listener.handle_timeout(self._now_s)
        self.listener.pull(self._now_s)

    def _finish(self) -> None:
        for _ in range(2):  # what is still under way arrives, then all is silent
            self._now_s += 60.0
            self._deliver()


def check(soak: Soak) -> None:
    """Everything that was received is accounted for."""
    books, stats = soak.books, soak.listener.stats
    delivered = stats.voice_delivered + stats.voice_recovered + stats.voice_lost
    assert books.events["FramesReceived"] == delivered
    accounted = stats.voice_delivered + stats.voice_duplicate + stats.voice_late
    assert stats.voice_received == accounted
    assert stats.bytes_received == soak.received_bytes
    assert stats.streams_started == books.heard_streams == books.events["StreamEnded"]
    assert stats.events_dropped == 0
    assert not books._open
