"""How long codecs take, call by call, in short turns so that one disturbance meets all.

Measured as a board runs it, through the runtime. Excluded: audio devices, ports, reading files.
The clock time of a call includes what else ran on the machine; its processor time does not.
"""

import gc
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import cycle, islice
from typing import Any

import numpy as np
import soxr

from edge_codec.benchmarks.coders import Coder, ModelCoder, with_backend
from edge_codec.benchmarks.coders.coder import FloatArray
from edge_codec.benchmarks.energy import EnergyMeter
from edge_codec.benchmarks.graph_stages import graph_times_us
from edge_codec.benchmarks.link_loop import LinkLoop
from edge_codec.benchmarks.record import LatencyRun
from edge_codec.benchmarks.speech import packaged_speech
from edge_codec.benchmarks.stats import (
    Ratio,
    StageTimes,
    ratio_of_fastest,
    ratio_of_medians,
    sum_up,
)
from edge_codec.runtime.bundle import Bundle
from edge_codec.runtime.errors import MissingExtraError

WARM_UP_S = 1.0
"""Audio of the first calls, which allocate and fill caches: they are not counted."""
BLOCK_S = 0.24
"""Codecs take turns after so much audio: short beside what disturbs a machine, long enough to have
the caches to themselves, as on a board."""
PIECE_S = 1.0
"""Speech that is coded over and over: the fastest of its rounds is what a call takes by itself.
Turns do not divide it, so that no call is the first of a turn, with cold caches, every time."""
RATIO_ROUNDS = 8
"""Rounds beside peers for one of the sweep: under load few of them are undisturbed."""
CALL_FRAMES = (1, 4, 12)
"""Call lengths of the sweep: 20, 80 and 240 ms, the last a superframe of most modes."""
STAGES = ("resample in", "encode", "link send", "link receive", "decode", "resample out")
DEVICE_HZ = 48_000
"""What sound cards run at: the resample stages go between this and the codec's rate."""


@dataclass(slots=True)
class _Stage:
    wall_ns: list[int] = field(default_factory=list)
    cpu_ns: list[int] = field(default_factory=list)

    def run(self, call: Callable[..., Any], *arguments: Any) -> Any:
        wall_ns, cpu_ns = time.perf_counter_ns(), time.process_time_ns()
        result = call(*arguments)
        self.cpu_ns.append(time.process_time_ns() - cpu_ns)
        self.wall_ns.append(time.perf_counter_ns() - wall_ns)
        return result


class _Lane:
    """One codec with its own piece of speech and its own times."""

    def __init__(self, coder: Coder, seconds: float, *, has_device: bool) -> None:
        self.coder = coder
        calls_per_s = coder.rate_hz / coder.frame_samples
        self.rounds = max(1, round(seconds / PIECE_S))
        self.calls = max(1, round(seconds / self.rounds * calls_per_s))
        self.warm_up_calls = max(1, round(WARM_UP_S * calls_per_s))
        speech_T = packaged_speech(coder.rate_hz, self.calls * coder.frame_samples)
        frames = cycle(speech_T.reshape(-1, coder.frame_samples))
        self._frames = islice(frames, self.warm_up_calls + self.rounds * self.calls)
        self._device = _SoundCard(coder.rate_hz) if has_device else None
        self._link = LinkLoop(coder) if has_device and isinstance(coder, ModelCoder) else None
        self._stages = {name: _Stage() for name in STAGES}

    def step_block(self) -> bool:
        """The calls of the next `BLOCK_S`; False when there are none."""
        count = max(1, round(BLOCK_S / self.audio_s))
        return sum(self._step(frame_T) for frame_T in islice(self._frames, count)) > 0

    def _step(self, frame_T: FloatArray) -> bool:
        stages, device = self._stages, self._device
        if device is not None:
            card_T = device.play_back(frame_T)
            stages["resample in"].run(device.take, card_T)
        packet = stages["encode"].run(self.coder.encode, frame_T)
        if self._link is not None:
            sent = stages["link send"].run(self._link.send, packet.content)
            stages["link receive"].run(self._link.receive, sent)
        heard_T = stages["decode"].run(self.coder.decode, packet)
        if device is not None:
            stages["resample out"].run(device.give, heard_T)
        return True

    def times(self) -> dict[str, StageTimes]:
        """The counted calls, summed up."""
        audio_s, first = self.audio_s, self.warm_up_calls
        return {
            name: sum_up(stage.wall_ns[first:], stage.cpu_ns[first:], audio_s)
            for name, stage in self._stages.items()
            if stage.wall_ns
        }

    @property
    def audio_s(self) -> float:
        return self.coder.frame_samples / self.coder.rate_hz


class _SoundCard:
    """What lies between a sound card at 48 kHz and the codec."""

    def __init__(self, rate_hz: int) -> None:
        self._up = soxr.ResampleStream(rate_hz, DEVICE_HZ, 1, dtype="float32")
        self._in = soxr.ResampleStream(DEVICE_HZ, rate_hz, 1, dtype="float32")
        self._out = soxr.ResampleStream(rate_hz, DEVICE_HZ, 1, dtype="float32")
        self.play_back = self._up.resample_chunk
        self.take = self._in.resample_chunk
        self.give = self._out.resample_chunk


def measure_coders(
    coders: Sequence[Coder], *, seconds: float, threads: int = 1, has_device: bool = False
) -> list[LatencyRun]:
    """Time every codec on `seconds` of speech, rounds of `PIECE_S`, in turn, call by call."""
    lanes = [_Lane(coder, seconds, has_device=has_device) for coder in coders]
    meter = EnergyMeter() if len(lanes) == 1 else None
    gc.collect()
    gc.disable()
    try:
        while sum(lane.step_block() for lane in lanes):
            pass
    finally:
        gc.enable()
    joules = None if meter is None else meter.joules()
    return [_run_of(lane, threads, joules) for lane in lanes]


def sweep(
    bundle: Bundle,
    *,
    seconds: float,
    backends: Sequence[str],
    precisions: Sequence[str],
    call_frames: Sequence[int] = CALL_FRAMES,
    threads: Sequence[int] = (1,),
) -> tuple[list[LatencyRun], dict[str, str]]:
    """Time a model in every configuration, and say why one could not be measured."""
    runs: list[LatencyRun] = []
    skipped: dict[str, str] = {}
    for count in threads:
        coders: list[Coder] = []
        for backend in backends:
            narrowed = with_backend(bundle, backend)
            for precision in sorted(set(precisions) & set(narrowed.precisions())):
                try:
                    coders += [_open(narrowed, precision, n, count) for n in call_frames]
                except MissingExtraError as error:
                    skipped[f"{bundle.name} {backend} {precision}"] = str(error)
        runs += measure_coders(coders, seconds=seconds, threads=count) if coders else []
    return runs, skipped


def measure_model(bundle: Bundle, *, seconds: float, precision: str) -> LatencyRun:
    """Time a model alone, one frame a call, with resampling, energy and what its graphs do."""
    coder = _open(bundle, precision, 1, 1)
    (run,) = measure_coders([coder], seconds=seconds, has_device=True)
    is_onnx = run.backend == "onnx"
    return replace(run, graph_us=graph_times_us(bundle, run.precision) if is_onnx else {})


def time_ratio(ours: LatencyRun, theirs: LatencyRun) -> Ratio:
    """Processor time of a call, encoded and decoded, of one run by that of another."""
    ours_RN, theirs_RN = _call_cpu_us(ours), _call_cpu_us(theirs)
    if min(ours.rounds, theirs.rounds) == 1:
        return ratio_of_medians(ours_RN.ravel(), theirs_RN.ravel())
    return ratio_of_fastest(ours_RN, theirs_RN)


def _call_cpu_us(run: LatencyRun) -> np.ndarray[Any, np.dtype[np.float64]]:
    """[R, N] processor time of encoding and decoding in each round of each counted call."""
    times = np.add(run.stages["encode"].cpu_us, run.stages["decode"].cpu_us)
    return times.astype(np.float64).reshape(run.rounds, -1)


def _open(bundle: Bundle, precision: str, call_frames: int, threads: int) -> ModelCoder:
    layers = bundle.spec.layers
    return ModelCoder(bundle, layers, precision=precision, call_frames=call_frames, threads=threads)


def _run_of(lane: _Lane, threads: int, joules: float | None) -> LatencyRun:
    coder = lane.coder
    audio_s = lane.audio_s * (lane.rounds * lane.calls + lane.warm_up_calls)
    return LatencyRun(
        codec=coder.name,
        backend=coder.backend,
        precision=coder.precision,
        threads=threads,
        call_frames=getattr(coder, "call_frames", 1),
        audio_s=lane.audio_s,
        warm_up_calls=lane.warm_up_calls,
        rounds=lane.rounds,
        stages=lane.times(),
        graph_us={},
        joules_per_audio_s=None if joules is None else round(joules / audio_s, 4),
    )
