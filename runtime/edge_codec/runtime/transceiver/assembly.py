"""From what a user asked for to parts that fit together: profile, pacing, source, sink, playout.

Knows every part of a transceiver, and no command line.
"""

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from edge_codec.firmware_bridge import (
    BROADCAST,
    AutoReceiver,
    DutyCycle,
    EventFeed,
    Framing,
    Guard,
    Hello,
    Line,
    LinkStats,
    Mode,
    RawReceiver,
    RawTransmitter,
    Security,
    Spurt,
    StreamProfile,
    StreamStarted,
    Transmitter,
    find_mode,
    modes,
    ordered_nonce,
    refusal,
    steps_below,
)
from edge_codec.runtime.bundle import Bundle
from edge_codec.runtime.codec import StreamDecoder, StreamEncoder
from edge_codec.runtime.errors import ConfigError
from edge_codec.runtime.jitter import AdaptiveDelay, JitterBuffer, Passage, serial_delay
from edge_codec.runtime.meter import Report
from edge_codec.runtime.ports import is_datagram, is_line, is_transparent
from edge_codec.runtime.spec import CodecSpec
from edge_codec.runtime.streams import STANDARD
from edge_codec.runtime.transceiver.clock import Clock
from edge_codec.runtime.transceiver.listener import Audience, Listener, Playout
from edge_codec.runtime.transceiver.sender import Sender
from edge_codec.runtime.transceiver.sinks import PcmSink, Sink, WavSink
from edge_codec.runtime.transceiver.sound_card import Microphone, Speaker
from edge_codec.runtime.transceiver.sources import BlockSource, PcmSource, SampleClock, Source

DEFAULT_BAUD = 9600
"""What most serial radio modules come set to."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Talk:
    """What `tx` was asked for."""

    mode: Mode
    """Framing and bitrate."""
    line: Line | None = None
    """Paces what is sent; None: the port has no rate of its own."""
    callsign: str = ""
    """Who speaks."""
    destination: str = BROADCAST
    """To whom: a callsign, a group, or everybody."""
    red: int = 0
    """How far back packets repeat base classes, or 0."""
    duty_cycle: float = 1.0
    """Share of each hour that may be spent on the air."""
    security: Security | None = None
    """Secures all packets."""
    epoch: int = 0
    """Key epoch."""
    is_live: bool = True
    """What is late loses its worth."""


def line_of(url: str, baud: int | None, *, fast: bool, synchronous: bool = False) -> Line | None:
    """What paces that which is sent: a rate as asked for, 9600 baud for a line, else None.

    Raises:
        ConfigError: neither a rate nor the audio would keep datagrams from flooding a network.
        LocalLinkError: baud is not positive.
    """
    if fast and baud is None and is_datagram(url):
        raise ConfigError(f"{url} has no pace of its own: give --baud with --fast")
    if baud is None and not is_line(url):
        return None
    return Line(baud=DEFAULT_BAUD if baud is None else baud, is_synchronous=synchronous)


def choose_mode(
    spec: CodecSpec,
    wanted: str | float,
    line: Line | None = None,
    *,
    red: int = 0,
    tag_bytes: int = 0,
) -> Mode:
    """The mode of this name, or the packet mode of the highest bitrate up to this one.

    Raises:
        CodeRangeError: the codec has no bitrate so low.
        LocalLinkError: the codec has no mode of this name.
        ConfigError: the line cannot carry it; the message says what would fit.
    """
    if isinstance(wanted, str):
        mode = find_mode(wanted, spec.layers, spec.bits_per_code, spec.frame_rate_hz)
    else:
        mode = _mode_up_to(spec, wanted)
    mode = replace(mode, tag_bytes=tag_bytes)
    if red and mode.framing is Framing.RAW:
        raise ConfigError(f"{mode.name} frames protect themselves: --red is for packets (P modes)")
    if line is not None and (sentence := refusal(mode, line, red=red > 0)) is not None:
        raise ConfigError(sentence)
    return mode


def _mode_up_to(spec: CodecSpec, bitrate_bps: float) -> Mode:
    """The packet mode of the highest bitrate up to this one.

    Raises:
        ConfigError: it has more layers than the link carries.
    """
    table = modes(spec.layers, spec.bits_per_code, spec.frame_rate_hz)
    layers = spec.layers_for(bitrate_bps)
    if layers > len(table):
        raise ConfigError(
            f"{bitrate_bps:g} bit/s are {layers} layers of this model and the link carries "
            f"{len(table)}: give --bitrate {spec.bitrate_bps(len(table)):g} or less, or a file "
            "(edge-codec encode)"
        )
    return table[layers - 1]


def check_port(mode: Mode, url: str) -> None:
    """Raise if a port cannot carry a mode.

    Raises:
        ConfigError: raw frames need a port that hands on bytes as they are.
    """
    if mode.framing is Framing.RAW and not is_transparent(url):
        raise ConfigError(f"{url} carries packets, {mode.name} sends raw frames: give a P mode")


def choose_red(wanted: str, url: str, line: Line | None, mode: Mode) -> int:
    """How far back packets repeat base classes: as asked for, else 1 where packets get lost.

    Datagrams do; a serial line loses none, and a raw frame has its own protection.
    """
    if wanted != "auto":
        return int(wanted)
    is_lossy = mode.framing is Framing.PACKET and is_datagram(url)
    return int(is_lossy and (line is None or refusal(mode, line, red=True) is None))


def make_sender(bundle: Bundle, talk: Talk) -> Sender:
    """A sender for one transmission.

    Raises:
        ConfigError, LocalLinkError: as `sender_maker`.
    """
    return sender_maker(bundle, talk)()


def sender_maker(bundle: Bundle, talk: Talk) -> Callable[[], Sender]:
    """What gives a fresh sender for each transmission; they share encoder and duty cycle.

    Raises:
        ConfigError: what is secured needs a callsign and packets, a duty cycle needs a line.
        LocalLinkError: a callsign, the duty cycle or the epoch is not valid.
    """
    if talk.security is not None and not talk.callsign:
        raise ConfigError("--security needs --callsign: each station has a key of its own by it")
    if talk.security is not None and talk.mode.framing is Framing.RAW:
        raise ConfigError(f"{talk.mode.name} frames cannot be secured: give a P mode")
    if talk.duty_cycle < 1 and talk.line is None:
        raise ConfigError("--duty-cycle needs --baud: airtime is counted at the rate of the line")
    make_spurt = partial(_open_spurt, bundle, talk)
    steps = [mode.profile for mode in steps_below(talk.mode)]
    duty = DutyCycle(talk.duty_cycle)
    packing = bundle.open_packing()
    encoder = StreamEncoder(bundle, layers=packing.needed_layers(talk.mode.profile.layers))
    return partial(
        Sender,
        encoder,
        make_spurt,
        steps,
        talk.line,
        duty=duty,
        is_live=talk.is_live,
        packing=packing,
    )


def _open_spurt(bundle: Bundle, talk: Talk, profile: StreamProfile, stats: LinkStats) -> Spurt:
    """A talk spurt with fresh tag and nonce."""
    hello = Hello(
        source=talk.callsign,
        destination=talk.destination,
        model_hash=bytes.fromhex(bundle.model_hash)[:4],
        profile=profile,
        nonce=ordered_nonce(time.time_ns() // 1_000_000, os.urandom(2)),
        epoch=talk.epoch,
    )
    tag = os.urandom(1)[0]
    if talk.mode.framing is Framing.RAW:
        return RawTransmitter(hello, stream_tag=tag, stats=stats)
    return Transmitter(hello, stream_tag=tag, red=talk.red, security=talk.security, stats=stats)


def make_receiver(spec: CodecSpec, wanted: str = "auto", guard: Guard | None = None) -> EventFeed:
    """What hears packets and raw frames of any mode of a codec, packets alone, or one R mode.

    Args:
        spec: of the codec.
        wanted: auto, P, or a mode's name; `guard` hears packets alone.
        guard: hears secured streams alone; None: unsecured ones alone.

    Raises:
        ConfigError: raw frames cannot be secured.
        LocalLinkError: the codec has no mode of this name.
    """
    codec = (spec.layers, spec.bits_per_code, spec.frame_rate_hz)
    if wanted == "auto":
        raw_modes = [] if guard else modes(*codec, framing=Framing.RAW)
        return AutoReceiver(*(mode.profile for mode in raw_modes), guard=guard)
    mode = None if wanted.upper() == Framing.PACKET else find_mode(wanted, *codec)
    if mode is None or mode.framing is Framing.PACKET:
        return AutoReceiver(guard=guard)
    if guard is not None:
        raise ConfigError(f"{mode.name} frames cannot be secured: give --mode P")
    return RawReceiver(mode.profile)


def make_listener(
    bundle: Bundle,
    url: str,
    line: Line,
    *,
    fast: bool,
    receiver: EventFeed | None = None,
    audience: Audience | None = None,
) -> Listener:
    """A listener whose playout suits the port: a line, a network, or no clock with `fast`.

    Args:
        bundle: of the decoder.
        url: of the port.
        line: its rate, if it is a line.
        fast: play what has come, without a clock.
        receiver: hears; None: any mode, nothing secured.
        audience: whom this station is; None: it hears everything.
    """
    frame_s = bundle.spec.hop_samples / bundle.spec.sample_rate_hz
    delays: dict[float, AdaptiveDelay] = {}

    def make_playout(begin: StreamStarted) -> Playout:
        superframe_s = begin.profile.superframe_s
        repeated_s = begin.red_distance * superframe_s
        if fast:
            return Passage(frame_s)
        if not is_line(url):
            # What was learned about a network holds for the next talk spurt, too.
            delay = delays.setdefault(superframe_s, AdaptiveDelay(superframe_s))
            delay.least_s = repeated_s
            return JitterBuffer(frame_s, delay)
        mode = Mode(framing=begin.framing, profile=begin.profile)
        airtime_s = line.airtime_s(mode.superframe_bytes(red=begin.red_distance > 0))
        return JitterBuffer(frame_s, serial_delay(superframe_s, airtime_s, repeated_s))

    receiver = receiver or make_receiver(bundle.spec)
    model_hash = bytes.fromhex(bundle.model_hash)
    return Listener(
        StreamDecoder(bundle),
        model_hash,
        make_playout,
        receiver,
        audience,
        packing=bundle.open_packing(),
    )


@contextmanager
def open_source(name: str, sample_rate_hz: int, *, fast: bool) -> Iterator[Source]:
    """`mic`, `-` or an audio file, mono at `sample_rate_hz`.

    Raises:
        AudioError: it cannot be opened.
        ModuleNotFoundError: the microphone needs the extra `audio`.
    """
    clock = SampleClock(sample_rate_hz, fast=fast)
    if name == "mic":
        with closing(Microphone(sample_rate_hz)) as microphone:
            yield microphone
    elif name == STANDARD:
        yield PcmSource(sys.stdin.fileno(), clock)
    else:
        from edge_codec.runtime import audio  # noqa: PLC0415  3 MB that a live link does without

        with audio.open_source(name, sample_rate_hz) as file:
            mono = audio.mixed(file.chunks())
            blocks = audio.resampled(mono, file.sample_rate_hz, sample_rate_hz, channels=1)
            yield BlockSource((block_TC[:, 0] for block_TC in blocks), clock)


def open_sink(name: str, sample_rate_hz: int, *, fast: bool) -> Sink:
    """`speaker`, `-` or a WAV file.

    Raises:
        AudioError: it cannot be opened.
        ConfigError: a speaker cannot play faster than real time.
        ModuleNotFoundError: the speaker needs the extra `audio`.
    """
    if name == STANDARD:
        return PcmSink(sys.stdout.fileno(), may_wait=fast)
    if name != "speaker":
        return WavSink(Path(name), sample_rate_hz)
    if fast:
        raise ConfigError("a speaker plays in real time only: give --output FILE.wav")
    return Speaker(sample_rate_hz)


def make_report(name: str, clock: Clock, *, as_json: bool, shares_stdout: bool) -> Report:
    """A report to people on stderr, or in JSON on stdout; on stderr if stdout is taken."""
    machines = sys.stderr if shares_stdout else sys.stdout
    return Report(name, clock.now_s, sys.stderr, machines if as_json else None)
