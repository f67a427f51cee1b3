"""From what a user asked for to parts that fit together: profile, pacing, source, sink, playout.

Knows every part of a transceiver, and no command line.
"""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from edge_codec.firmware_bridge import (
    Guard,
    Hello,
    Security,
    StreamProfile,
    TokenBucket,
    Transmitter,
    ordered_nonce,
    profile_for,
    refusal,
)
from edge_codec.firmware_bridge.profile import framed_bytes
from edge_codec.runtime import audio
from edge_codec.runtime.bundle import Bundle
from edge_codec.runtime.codec import StreamDecoder, StreamEncoder
from edge_codec.runtime.errors import ConfigError
from edge_codec.runtime.jitter import AdaptiveDelay, JitterBuffer, Passage, serial_delay
from edge_codec.runtime.meter import Report
from edge_codec.runtime.ports import is_datagram, is_line
from edge_codec.runtime.ports.modem import BITS_PER_BYTE
from edge_codec.runtime.spec import CodecSpec
from edge_codec.runtime.streams import STANDARD
from edge_codec.runtime.transceiver.clock import Clock
from edge_codec.runtime.transceiver.listener import Listener, Playout
from edge_codec.runtime.transceiver.sender import Sender
from edge_codec.runtime.transceiver.sinks import PcmSink, Sink, WavSink
from edge_codec.runtime.transceiver.sound_card import Microphone, Speaker
from edge_codec.runtime.transceiver.sources import BlockSource, PcmSource, SampleClock, Source

DEFAULT_BAUD = 9600
"""What most serial radio modules come set to."""


def pace_of(url: str, baud: int | None, *, fast: bool) -> int | None:
    """The baud rate that paces what is sent: as asked for, 9600 for a line, else None.

    Raises:
        ConfigError: neither a rate nor the audio would keep datagrams from flooding a network.
    """
    if fast and baud is None and is_datagram(url):
        raise ConfigError(f"{url} has no pace of its own: give --baud with --fast")
    return DEFAULT_BAUD if baud is None and is_line(url) else baud


def choose_profile(spec: CodecSpec, bitrate_bps: float, baud: int | None) -> StreamProfile:
    """The profile of the highest bitrate up to `bitrate_bps`.

    Raises:
        CodeRangeError: the codec has no bitrate so low.
        ConfigError: the line cannot carry it; the message says what would fit.
    """
    layers = spec.layers_for(bitrate_bps)
    profile = profile_for(layers, spec.bits_per_code, spec.frame_rate_hz)
    if baud is not None and (sentence := refusal(profile, baud)) is not None:
        raise ConfigError(sentence)
    return profile


def make_sender(
    bundle: Bundle,
    profile: StreamProfile,
    callsign: str,
    baud: int | None,
    *,
    security: Security | None = None,
    epoch: int = 0,
) -> Sender:
    """A sender for one talk spurt, with fresh tag and nonce.

    Raises:
        ConfigError: what is secured needs a callsign.
        LocalLinkError: the callsign or the epoch is not valid.
    """
    if security is not None and not callsign:
        raise ConfigError("--security needs --callsign: each station has a key of its own by it")
    hello = Hello(
        source=callsign,
        model_hash=bytes.fromhex(bundle.model_hash)[:4],
        profile=profile,
        nonce=ordered_nonce(time.time_ns() // 1_000_000, os.urandom(2)),
        epoch=epoch,
    )
    transmitter = Transmitter(hello, stream_tag=os.urandom(1)[0], security=security)
    bucket = None if baud is None else TokenBucket.for_line(baud)
    return Sender(StreamEncoder(bundle), transmitter, profile, bucket)


def make_listener(
    bundle: Bundle, url: str, baud: int, *, fast: bool, guard: Guard | None = None
) -> Listener:
    """A listener whose playout suits the port: a line, a network, or no clock with `fast`."""
    frame_s = bundle.spec.hop_samples / bundle.spec.sample_rate_hz

    def make_playout(profile: StreamProfile) -> Playout:
        if fast:
            return Passage(frame_s)
        if not is_line(url):
            return JitterBuffer(frame_s, AdaptiveDelay(profile.superframe_s))
        airtime_s = framed_bytes(profile.packet_bytes()) * BITS_PER_BYTE / baud
        return JitterBuffer(frame_s, serial_delay(profile.superframe_s, airtime_s))

    return Listener(StreamDecoder(bundle), bytes.fromhex(bundle.model_hash), make_playout, guard)


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
