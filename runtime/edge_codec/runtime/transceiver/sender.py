"""The sending half: samples in, packets out as fast as the line takes them.

Joins the encoder with the link's talk spurts; no I/O, no clock. Code frames wait here, not packets:
how many layers are sent, and whether at all, is decided when the line is free.
Shapes: T samples, F code frames, K codebooks.
"""

from collections import deque
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from edge_codec.firmware_bridge import DutyCycle, Line, LinkStats, Spurt, StreamProfile, TokenBucket
from edge_codec.firmware_bridge.lateness import (
    BASE_AFTER,
    DROP_AFTER,
    LATE_AFTER,
    ByteBudget,
    StepControl,
)
from edge_codec.runtime.codec import IntArray, StreamEncoder
from edge_codec.runtime.packing import Packing, PlainPacking, pack_units

FloatArray = npt.NDArray[np.float32]
SpurtMaker = Callable[[StreamProfile, LinkStats], Spurt]


class Sender:
    """One transmission from samples to paced packets; a talk spurt, or several if it steps."""

    def __init__(
        self,
        encoder: StreamEncoder,
        make_spurt: SpurtMaker,
        steps: Sequence[StreamProfile],
        line: Line | None = None,
        *,
        duty: DutyCycle | None = None,
        is_live: bool = True,
        packing: Packing | None = None,
    ) -> None:
        """Nothing is queued yet.

        Args:
            encoder: of the model that the HELLOs name; gives as many layers as any step needs.
            make_spurt: opens a talk spurt with a profile and counters to go on with.
            steps: profile to begin with, and lower ones to step down to.
            line: paces the packets; None sends at once, for ports without a baud rate.
            duty: counts airtime, and keeps to a share of it; needs a line.
            is_live: what is late loses its worth; else everything is sent, at last.
            packing: of the model; None: codes as they are.
        """
        # A graph's first call takes many times longer than the next ones.
        encoder.push(np.zeros(encoder.spec.hop_samples, np.float32))
        encoder.reset()
        self.stats = LinkStats()
        """Counters of the link."""
        self.duty = duty or DutyCycle()
        """Airtime so far."""
        self.is_silenced = False
        """The duty cycle is used up at present."""
        self._encoder = encoder
        self._packing = packing or PlainPacking()
        self._make_spurt = make_spurt
        self._steps = steps
        self._step = 0
        self._is_settling = False
        """A new mode's HELLOs are on their way: what they make late says nothing about it."""
        self._spurt = make_spurt(steps[0], self.stats)
        self._last_layers = self.profile.layers
        """Layers of the superframe that was sent last."""
        self._line = line
        self._bucket = TokenBucket.for_line(line) if line else None
        self._is_live = is_live
        self._budget = ByteBudget()
        self._control = StepControl()
        self._frames: deque[tuple[IntArray, float]] = deque()
        """Code frames [K] and when they were made."""
        self._ready: deque[bytes] = deque()
        """Packets that are made and not yet taken: HELLO, END, at most one VOICE."""
        self._is_ending = False
        self._samples = 0

    @property
    def sent_s(self) -> float:
        """Seconds of audio taken so far."""
        return self._samples / self._encoder.spec.sample_rate_hz

    @property
    def profile(self) -> StreamProfile:
        """Profile of the talk spurt at present."""
        return self._spurt.profile

    @property
    def layers(self) -> int:
        """Layers of the superframe that was sent last."""
        return self._last_layers

    @property
    def voice_bytes(self) -> int:
        """Most bytes that the next superframe takes."""
        return self._spurt.voice_bytes

    @property
    def is_idle(self) -> bool:
        """Every packet has been taken."""
        return not self._ready and not self._is_ending and not self._has_superframe

    def open(self, now_s: float) -> None:
        """Announce the stream, so that its HELLO is through before the first voice."""
        nothing_FK = np.empty((0, self._encoder.layers), np.int64)
        self._ready += self._spurt.send_frames(nothing_FK, now_s=now_s)

    def push(self, samples_T: FloatArray, now_s: float) -> None:
        """Encode [T] samples at the codec's rate and queue what became complete."""
        self._samples += len(samples_T)
        self._enqueue(self._encoder.push(samples_T), now_s)

    def finish(self, now_s: float) -> None:
        """Queue the rest, filled up with silence, and END."""
        spec = self._encoder.spec
        # The decoder lags: only with this much silence does the last sample come out.
        self._enqueue(self._encoder.push(np.zeros(spec.delay_samples, np.float32)), now_s)
        self._enqueue(self._encoder.flush(), now_s)
        missing_frames = -len(self._frames) % self.profile.frames_per_superframe
        silence_T = np.zeros(missing_frames * spec.hop_samples, np.float32)
        self._enqueue(self._encoder.push(silence_T), now_s)
        self._is_ending = True

    def wait_s(self, now_s: float) -> float | None:
        """Seconds until the next packet may be written; None when none is queued."""
        if self.is_idle:
            return None
        self._choose_layers(now_s)
        if self._bucket is None:
            return 0.0
        n_bytes = len(self._ready[0]) if self._ready else self._spurt.voice_bytes
        return self._bucket.delay_s(n_bytes, now_s=now_s)

    def take_packet(self, now_s: float) -> bytes | None:
        """Return the next packet if the line can take it now."""
        self._give_up_late(now_s)
        if self.wait_s(now_s) != 0.0:
            return None
        if not self._ready:
            self._measure(now_s)
            self._make_packets(now_s)
        if not self._ready:
            return None
        packet = self._ready.popleft()
        self._budget.note(len(packet))
        if self._bucket and self._line:
            self._bucket.consume(len(packet), now_s=now_s)
            self.duty.use(self._line.airtime_s(len(packet)), now_s=now_s)
        return packet

    def queue_s(self, now_s: float) -> float:
        """Age of the oldest superframe that waits."""
        return self._age(now_s) * self.profile.superframe_s

    @property
    def _has_superframe(self) -> bool:
        return len(self._frames) >= self.profile.frames_per_superframe

    def _age(self, now_s: float) -> float:
        """How long the next superframe has waited, in superframes."""
        if not (self._is_live and self._has_superframe):
            return 0.0
        made_s = self._frames[self.profile.frames_per_superframe - 1][1]
        return (now_s - made_s) / self.profile.superframe_s

    def _enqueue(self, codes_FK: IntArray, now_s: float) -> None:
        self._frames.extend((codes_K, now_s) for codes_K in codes_FK)

    def _bytes_per_second(self, layers: int) -> float:
        self._spurt.layers = layers
        return self._spurt.voice_bytes / self.profile.superframe_s

    def _measure(self, now_s: float) -> None:
        """Learn from how long the superframe at hand had to wait what the line carries."""
        least_bytes_s, most_bytes_s = map(
            self._bytes_per_second, (self._spurt.least_layers, self.profile.layers)
        )
        self._budget.note_superframe(
            self._age(now_s), least_bytes_s=least_bytes_s, most_bytes_s=most_bytes_s, now_s=now_s
        )
        self._choose_layers(now_s)

    def _choose_layers(self, now_s: float) -> None:
        """As many as the line carries; the base class alone if that was not enough."""
        spurt = self._spurt
        spurt.layers = spurt.profile.layers
        if self._age(now_s) > BASE_AFTER:
            spurt.layers = spurt.least_layers
        elif (rate_bytes_s := self._budget.rate_bytes_s) is not None:
            budget_bytes = rate_bytes_s * spurt.profile.superframe_s
            while spurt.layers > spurt.least_layers and spurt.voice_bytes > budget_bytes:
                spurt.layers -= 1

    def _make_packets(self, now_s: float) -> None:
        """The next superframe, with HELLO when it is due; END when there is none."""
        if not self._has_superframe:
            self._ready += self._spurt.finish(now_s=now_s)
            self._is_ending = False
        elif self._may_send(now_s):
            self._is_settling = False
            self._last_layers = self._spurt.layers
            age = self._age(now_s)
            self._control.note(was_dropped=False, was_late=age > LATE_AFTER, now_s=now_s)
            packets = self._spurt.send_frames(self._next_superframe(), now_s=now_s)
            # A HELLO comes with the voice it is due before. Somebody waits for the voice, though:
            # on a slow line a HELLO in front would take 0.3 s.
            self._ready += packets[::-1]
            if self._step > 0 and self._control.should_step_up(now_s):
                self.stats.steps_up += 1
                self._change_step(self._step - 1, now_s)
        else:
            self._spurt.skip_superframe(self._next_superframe())

    def _may_send(self, now_s: float) -> bool:
        """Whether the duty cycle has room for a superframe."""
        airtime_s = self._line.airtime_s(self._spurt.voice_bytes) if self._line else 0.0
        self.is_silenced = not self.duty.allows(airtime_s, now_s=now_s)
        return not self.is_silenced

    def _next_superframe(self) -> IntArray:
        size = self.profile.frames_per_superframe
        codes_FK = np.stack([self._frames.popleft()[0] for _ in range(size)])
        return pack_units(self._packing, codes_FK, self.profile.layers, self._spurt.unit_frames)

    def _give_up_late(self, now_s: float) -> None:
        while self._age(now_s) > DROP_AFTER:
            self._spurt.skip_superframe(self._next_superframe())
            if self._is_settling:
                continue
            self._control.note(was_dropped=True, was_late=True, now_s=now_s)
            is_lowest = self._step + 1 == len(self._steps)
            if self._control.should_step_down(now_s) and not is_lowest:
                self.stats.steps_down += 1
                self._change_step(self._step + 1, now_s)

    def _change_step(self, step: int, now_s: float) -> None:
        """End the talk spurt and open one in another mode."""
        self._ready += self._spurt.finish(now_s=now_s)
        self._step = step
        self._is_settling = True
        self._spurt = self._make_spurt(self._steps[step], self.stats)
        self._last_layers = self.profile.layers
        self.open(now_s)
