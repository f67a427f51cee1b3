"""tx and rx as one chain in made-up time: samples in, a paced wire, samples out."""

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from edge_codec.firmware_bridge import (
    Channel,
    ChannelModel,
    Hello,
    Line,
    StreamProfile,
    Transmitter,
    profile_for,
)
from edge_codec.runtime.bundle import Bundle, load_bundle
from edge_codec.runtime.codec import StreamDecoder, StreamEncoder
from edge_codec.runtime.errors import AudioError, CodeRangeError, ConfigError, PortError
from edge_codec.runtime.packing import pack_units, unpack_units
from edge_codec.runtime.ports import PluggablePort, Port
from edge_codec.runtime.transceiver import (
    Listener,
    Reception,
    Sender,
    StopSignal,
    Transmission,
    assembly,
)
from edge_codec.runtime.transceiver.sources import BlockSource, SampleClock
from support.fake_line import FakeClock, Journal, ListSink, ReplayPort, WirePort
from support.recordings import make_tones
from support.stub_bundle import STUB_BUNDLE
from support.stub_context import make_context_bundle

RATE_HZ = 16_000
LINE = "/dev/ttyUSB0"
Arrivals = list[tuple[float, bytes]]


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return load_bundle(STUB_BUNDLE)


@pytest.fixture(scope="module")
def context_bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """The same with a context model: packets carry messages in the place of codes."""
    return load_bundle(make_context_bundle(tmp_path_factory.mktemp("models") / "stub"))


def make_profile(bundle: Bundle, bitrate_bps: float = 6000) -> StreamProfile:
    return assembly.choose_mode(bundle.spec, bitrate_bps).profile


def make_sender(
    bundle: Bundle, wanted: str | float = 6000, baud: int | None = 9600, **options: Any
) -> Sender:
    mode = assembly.choose_mode(bundle.spec, wanted)
    line = Line(baud=baud) if baud else None
    talk = assembly.Talk(mode=mode, line=line, callsign="AB1CD", **options)
    return assembly.make_sender(bundle, talk)


def make_source(seconds: float, *, fast: bool = False) -> BlockSource:
    tones_T = make_tones(RATE_HZ, round(seconds * RATE_HZ))[:, 0]
    return BlockSource(iter(np.array_split(tones_T, 7)), SampleClock(RATE_HZ, fast=fast))


def transmit(
    bundle: Bundle,
    seconds: float,
    *,
    bitrate_bps: str | float = 6000,
    baud: int = 9600,
    **options: Any,
) -> Arrivals:
    """Send tones over a wire; returns what was written and when."""
    clock = FakeClock(options.get("stop"), options.get("stop_s", math.inf))
    port = WirePort(clock, baud)
    fast = options.get("fast", False)
    sender = make_sender(bundle, bitrate_bps, baud, is_live=not fast)
    source = make_source(seconds, fast=fast)
    transmission = Transmission(source, sender, port, Journal(clock).report, fast=fast)
    transmission.run(clock, options.get("stop") or StopSignal())
    return port.written


def over_wire(written: Arrivals, baud: int) -> Arrivals:
    """When the last byte of each packet has come through."""
    free_s, arrivals = 0.0, []
    for time_s, packet in written:
        free_s = max(free_s, time_s) + len(packet) * 10 / baud
        arrivals.append((free_s, packet))
    return arrivals


def receive(
    bundle: Bundle, arrivals: Arrivals, *, url: str = LINE, baud: int = 9600, **options: Any
) -> tuple[ListSink, Journal, Listener]:
    """Hear what arrives; stops behind the first stream, or 6 s after the last packet."""
    clock = FakeClock()
    journal, sink = Journal(clock), ListSink(clock)
    listener = assembly.make_listener(bundle, url, Line(baud=baud), fast=options.pop("fast", False))
    ends = options.pop("ends", False)
    reception = Reception(ReplayPort(clock, arrivals, ends=ends), listener, sink, journal.report)
    reception.run(clock, StopSignal(), **({"once": True, "timeout_s": 6.0} | options))
    reception.summarize()
    return sink, journal, listener


def through_codec(bundle: Bundle, seconds: float) -> np.ndarray[Any, Any]:
    """The tones encoded and decoded without a link, with two seconds of silence behind."""
    tones_T = make_tones(RATE_HZ, round(seconds * RATE_HZ))[:, 0]
    codes_FK = StreamEncoder(bundle).push(np.pad(tones_T, (0, 2 * RATE_HZ)))
    return StreamDecoder(bundle).push(codes_FK)


@pytest.mark.parametrize("bitrate_bps", [500, 1500, 3000, 6000])
def test_speech_comes_through_whole_with_the_latency_of_its_mode(
    bundle: Bundle, bitrate_bps: float
) -> None:
    written = transmit(bundle, 2.0, bitrate_bps=bitrate_bps)
    sink, journal, listener = receive(bundle, over_wire(written, 9600))
    assert listener.stats.voice_lost == listener.concealed_frames == listener.late_frames == 0
    assert len(sink.played_T) >= 2.0 * RATE_HZ + bundle.spec.delay_samples
    assert sink.first_s is not None
    mode_s = 2 * make_profile(bundle, bitrate_bps).superframe_s + 0.04
    assert mode_s - 0.02 < sink.first_s - 100.0 < mode_s + 0.02
    assert journal.names() == [
        *("listening", "stream_started", "hello", "playing", "stream_ended", "received")
    ]


def test_what_is_played_is_what_the_codec_alone_would_give(bundle: Bundle) -> None:
    sink, _, _ = receive(bundle, over_wire(transmit(bundle, 2.013), 9600))
    expected_T = through_codec(bundle, 2.013)[: len(sink.played_T)]
    np.testing.assert_allclose(sink.played_T, expected_T, atol=1e-6)


def carried(
    bundle: Bundle, profile: StreamProfile, seconds: float, frames: int
) -> np.ndarray[Any, Any]:
    """The tones through the codec, and what units of so many frames carry of their codes."""
    tones_T = make_tones(RATE_HZ, round(seconds * RATE_HZ))[:, 0]
    codes_FK = StreamEncoder(bundle).push(np.pad(tones_T, (0, 2 * RATE_HZ)))
    codes_FK = codes_FK[: len(codes_FK) // frames * frames]
    packing, layers = bundle.open_packing(), profile.layers
    numbers_FL = pack_units(packing, codes_FK, layers, frames)
    arrived = unpack_units(packing, numbers_FL, np.full(len(codes_FK), layers), frames)
    return StreamDecoder(bundle).push(*arrived)


@pytest.mark.parametrize(
    ("mode", "frames"),
    [("P500", 24), ("P1000", 24), ("P3000", 12), ("P6000", 6), ("R1000", 8), ("R1500", 4)],
)
def test_messages_are_carried_in_the_place_of_codes(
    context_bundle: Bundle, mode: str, frames: int
) -> None:
    written = transmit(context_bundle, 2.013, bitrate_bps=mode, fast=True)
    sink, _, listener = receive(context_bundle, over_wire(written, 9600), fast=True)
    profile = assembly.choose_mode(context_bundle.spec, mode).profile
    expected_T = carried(context_bundle, profile, 2.013, frames)
    assert listener.stats.voice_lost == listener.late_frames == 0
    assert len(sink.played_T) >= 2.013 * RATE_HZ
    np.testing.assert_allclose(sink.played_T, expected_T[: len(sink.played_T)], atol=1e-6)


def test_a_repeated_base_class_says_what_fits_into_it(context_bundle: Bundle) -> None:
    packing, frames = context_bundle.open_packing(), 12
    codes_FK = np.random.default_rng(0).integers(0, 1024, (frames, 12))
    numbers_FL = packing.pack(codes_FK, 6)
    valid_F = np.full(frames, 2)  # the base layers of P3000
    got_FK, layers_F = packing.unpack(np.where(np.arange(6) < 2, numbers_FL, 1024), valid_F)
    is_there = np.arange(12) < layers_F[:, None]
    np.testing.assert_array_equal(got_FK, np.where(is_there, codes_FK, 1024))
    assert layers_F.sum() >= 2 * frames - 2


def test_lost_packets_of_messages_are_concealed(context_bundle: Bundle) -> None:
    arrivals = over_wire(transmit(context_bundle, 3.0, bitrate_bps=3000), 9600)
    whole, _, _ = receive(context_bundle, arrivals)
    sink, _, listener = receive(context_bundle, arrivals[:5] + arrivals[7:])
    assert listener.stats.voice_lost == 2
    assert listener.concealed_frames == 24
    assert len(sink.played_T) == len(whole.played_T)


def test_line_is_never_given_more_than_it_carries(bundle: Bundle) -> None:
    written = transmit(bundle, 5.0, bitrate_bps=3000, baud=4800)
    allowed = 257.0
    for (before_s, packet), (after_s, _) in pairwise(written):
        allowed = min(257.0, allowed - len(packet) + (after_s - before_s) * 0.95 * 480)
        assert allowed >= -1e-6


@pytest.mark.parametrize(
    ("bitrate_bps", "baud"), [(500, 1200), (1500, 2400), (3000, 4800), (6000, 9600)]
)
def test_fullest_lines_are_played_without_a_gap(
    bundle: Bundle, bitrate_bps: float, baud: int
) -> None:
    """A HELLO takes up to 0.3 s of such a line every 2 or 5 s."""
    written = transmit(bundle, 16.0, bitrate_bps=bitrate_bps, baud=baud)
    sink, _, listener = receive(bundle, over_wire(written, baud), baud=baud)
    assert listener.stats.hello_received >= 4
    assert listener.concealed_frames == listener.late_frames == 0
    assert len(sink.played_T) >= 16 * RATE_HZ + bundle.spec.delay_samples
    codes_F = round(listener.played_s * bundle.spec.frame_rate_hz)
    assert codes_F % make_profile(bundle, bitrate_bps).frames_per_superframe == 0  # none skipped


def test_fast_file_takes_as_long_as_the_line_needs(bundle: Bundle) -> None:
    written = transmit(bundle, 5.0, bitrate_bps=3000, fast=True)
    size = sum(len(packet) for _, packet in written)
    assert written[-1][0] - 100.0 == pytest.approx((size - 257) / (0.95 * 960), rel=0.05)
    sink, _, _ = receive(bundle, over_wire(written, 9600), fast=True)
    assert len(sink.played_T) >= 5 * RATE_HZ


def test_stop_ends_the_transmission_with_end(bundle: Bundle) -> None:
    written = transmit(bundle, 60.0, stop=StopSignal(), stop_s=2.0)
    sink, journal, _ = receive(bundle, over_wire(written, 9600))
    ended = next(event for event in journal.events if event["event"] == "stream_ended")
    assert ended["reason"] == "end"
    assert 2.0 * RATE_HZ <= len(sink.played_T) <= 2.6 * RATE_HZ


def test_lost_packets_are_concealed_and_the_length_is_kept(bundle: Bundle) -> None:
    arrivals = over_wire(transmit(bundle, 3.0, bitrate_bps=3000), 9600)
    whole, _, _ = receive(bundle, arrivals)
    sink, _, listener = receive(bundle, arrivals[:5] + arrivals[7:])
    assert listener.stats.voice_lost == 2
    assert listener.concealed_frames == 24
    assert len(sink.played_T) == len(whole.played_T)


def test_sender_that_vanishes_is_noticed(bundle: Bundle) -> None:
    arrivals = over_wire(transmit(bundle, 3.0, bitrate_bps=3000), 9600)[:6]
    sink, journal, listener = receive(bundle, arrivals)
    ended = next(event for event in journal.events if event["event"] == "stream_ended")
    assert ended["reason"] == "timeout"
    assert listener.concealed_frames == 50
    assert len(sink.played_T) > 1.0 * RATE_HZ


def test_late_entry_plays_from_the_first_whole_packet(bundle: Bundle) -> None:
    arrivals = over_wire(transmit(bundle, 3.0, bitrate_bps=3000), 9600)[6:]
    sink, _, _ = receive(bundle, arrivals)
    assert 1.5 * RATE_HZ < len(sink.played_T) < 3.0 * RATE_HZ
    assert sink.first_s is not None
    assert sink.first_s - arrivals[0][0] < 0.25


def test_foreign_model_is_muted_and_named(bundle: Bundle) -> None:
    hello = Hello(
        source="", model_hash=b"\xaa\xbb\xcc\xdd", profile=make_profile(bundle), nonce=bytes(8)
    )
    transmitter = Transmitter(hello, stream_tag=1)
    packets = transmitter.send_frames(np.zeros((40, 12), np.int64), now_s=0.0)
    sink, journal, listener = receive(bundle, [(100.0, b"".join(packets))])
    muted = next(event for event in journal.events if event["event"] == "stream_muted")
    own = bundle.model_hash[:8]
    assert f"stream uses model aabbccdd, this board has {own}" in muted["message"]
    assert len(sink.played_T) == listener.played_frames == 0


def test_foreign_layout_is_muted(bundle: Bundle) -> None:
    hello = Hello(
        source="",
        model_hash=bytes.fromhex(bundle.model_hash)[:4],
        profile=profile_for(3, 8, 50.0),
        nonce=bytes(8),
    )
    packets = Transmitter(hello, stream_tag=1).send_frames(np.zeros((50, 3), np.int64), now_s=0.0)
    sink, journal, _ = receive(bundle, [(100.0, b"".join(packets))])
    assert "3 layers of 8 bits" in str(journal.events)
    assert len(sink.played_T) == 0


def test_quick_second_stream_follows_the_first_without_loss(bundle: Bundle) -> None:
    first = over_wire(transmit(bundle, 1.0), 9600)
    shift_s = first[-1][0] - 100.0
    second = [(time_s + shift_s, p) for time_s, p in over_wire(transmit(bundle, 1.0), 9600)]
    sink, journal, listener = receive(bundle, first + second, once=False, timeout_s=2.0)
    assert journal.names().count("stream_ended") == 2
    assert len(sink.played_T) >= 2 * (RATE_HZ + bundle.spec.delay_samples)
    assert listener.stats.voice_lost == 0


def test_second_talker_does_not_cut_in(bundle: Bundle) -> None:
    first = over_wire(transmit(bundle, 2.0, bitrate_bps=1500), 9600)
    second = [(time_s + 0.5, p) for time_s, p in over_wire(transmit(bundle, 1.0), 9600)]
    alone, _, _ = receive(bundle, first)
    both, _, _ = receive(bundle, sorted(first + second), once=False, timeout_s=2.0)
    assert np.array_equal(both.played_T, alone.played_T)


@pytest.mark.parametrize("url", [LINE, "udp://:5004"])
def test_bit_errors_never_stop_the_receiver(bundle: Bundle, url: str) -> None:
    channel = Channel(ChannelModel(bit_error_rate=1e-3, slip_rate=1e-3), seed=3)
    arrivals = [(t, channel.send(p)) for t, p in over_wire(transmit(bundle, 5.0), 9600)]
    sink, journal, listener = receive(bundle, arrivals, url=url)
    assert listener.stats.damaged_crc + listener.stats.damaged_framing > 0
    assert len(sink.played_T) > 3 * RATE_HZ
    assert journal.names()[-1] == "received"


def test_jitter_of_a_network_is_absorbed(bundle: Bundle) -> None:
    rng = np.random.default_rng(1)
    written = transmit(bundle, 8.0, bitrate_bps=3000)
    times_s = np.maximum.accumulate([t + rng.uniform(0, 0.06) for t, _ in written])
    arrivals = list(zip(times_s.tolist(), (packet for _, packet in written), strict=True))
    sink, _, listener = receive(bundle, arrivals, url="udp://:5004")
    assert listener.late_frames <= 12
    assert len(sink.played_T) >= 8.0 * RATE_HZ


def test_noise_gives_one_hint(bundle: Bundle) -> None:
    noise = np.random.default_rng(1).integers(0, 256, 5000, np.uint8).tobytes()
    arrivals = [(100.0 + n / 10, noise[n * 100 : n * 100 + 100]) for n in range(50)]
    _, journal, listener = receive(bundle, arrivals, timeout_s=8.0)
    assert journal.names().count("noise") == 1
    assert listener.played_frames == 0


def test_recording_of_packets_ends_where_the_file_ends(bundle: Bundle) -> None:
    packets = [(100.0, packet) for _, packet in transmit(bundle, 2.0)]
    whole, _, _ = receive(bundle, packets, fast=True, ends=True, once=False)
    cut, journal, _ = receive(bundle, packets[:-4], fast=True, ends=True, once=False)
    expected_T = through_codec(bundle, 2.0)[: len(whole.played_T)]
    np.testing.assert_allclose(whole.played_T, expected_T, atol=1e-6)
    assert 1.2 * RATE_HZ < len(cut.played_T) < len(whole.played_T)
    assert "stream_ended" in journal.names()


class Cable:
    """Opens a wire that is pulled out after 2 s and is back from 4 s on, unless it stays away."""

    def __init__(self, clock: FakeClock, *, comes_back: bool = True) -> None:
        self._clock = clock
        self._back_s = 104.0 if comes_back else math.inf
        self.wires: list[WirePort] = []
        self.tried_s: list[float] = []

    def open_line(self) -> Port:
        now_s = self._clock.now_s()
        self.tried_s.append(now_s)
        if self.wires and now_s < self._back_s:
            raise PortError("not there")
        self.wires.append(WirePort(self._clock, 9600, cut_s=math.inf if self.wires else 2.0))
        return self.wires[-1]


def listen_on(bundle: Bundle, port: Port, clock: FakeClock, journal: Journal) -> None:
    listener = assembly.make_listener(bundle, LINE, Line(baud=9600), fast=False)
    reception = Reception(port, listener, ListSink(clock), journal.report)
    reception.run(clock, StopSignal(), timeout_s=8.0)


def test_unplugged_port_is_waited_for(bundle: Bundle) -> None:
    clock = FakeClock()
    journal, cable = Journal(clock), Cable(clock)
    port = PluggablePort(cable.open_line, clock.now_s, journal.report.event)
    listen_on(bundle, port, clock, journal)
    assert journal.names() == ["listening", "port_lost", "port_back"]
    assert len(cable.tried_s) == 3  # lost after 2 s, tried after 3 s and 4 s


def test_a_loss_that_is_asked_for_all_night_takes_no_memory() -> None:
    clock = FakeClock()
    port = PluggablePort(Cable(clock, comes_back=False).open_line, clock.now_s, lambda *_: None)
    clock.wait([], 3.0)
    port.read()
    frames = []
    for _ in range(3):
        with pytest.raises(PortError, match="lost") as caught:
            port.unsent_bytes()
        frames.append(len(caught.traceback))
    assert frames[0] == frames[-1]


def test_unplugged_port_is_an_error_where_nobody_waits(bundle: Bundle) -> None:
    clock = FakeClock()
    with pytest.raises(PortError, match="lost"):
        listen_on(bundle, WirePort(clock, 9600, 2.0), clock, Journal(clock))


def send_over_cable(bundle: Bundle, cable: Cable, clock: FakeClock, journal: Journal) -> None:
    port = PluggablePort(cable.open_line, clock.now_s, journal.report.event)
    sender = make_sender(bundle)
    Transmission(make_source(9.0), sender, port, journal.report).run(clock, StopSignal())


def test_sender_goes_on_when_the_line_is_back(bundle: Bundle) -> None:
    clock = FakeClock()
    journal, cable = Journal(clock), Cable(clock)
    send_over_cable(bundle, cable, clock, journal)
    assert journal.names() == ["port_lost", "port_back"]
    written = cable.wires[1].written
    sink, heard, _ = receive(bundle, over_wire(written, 9600))
    assert "hello" in heard.names()
    assert len(sink.played_T) >= 4.5 * RATE_HZ


def test_line_that_stays_away_is_an_error_in_the_end(bundle: Bundle) -> None:
    clock = FakeClock()
    with pytest.raises(PortError, match="lost"):
        send_over_cable(bundle, Cable(clock, comes_back=False), clock, Journal(clock))
    assert clock.now_s() > 109.0


def test_port_that_takes_nothing_is_given_up(bundle: Bundle) -> None:
    clock = FakeClock()
    sender = make_sender(bundle, baud=None)
    stuck = ReplayPort(clock, [])
    transmission = Transmission(make_source(99.0), sender, stuck, Journal(clock).report)
    with pytest.raises(PortError, match="took no byte for 5 s"):
        transmission.run(clock, StopSignal())


def test_broken_source_is_reported_after_end(bundle: Bundle) -> None:
    def blocks():  # type: ignore[no-untyped-def]
        yield make_tones(RATE_HZ, RATE_HZ)[:, 0]
        raise AudioError("the file is damaged here")

    clock = FakeClock()
    port = WirePort(clock, 9600)
    sender = make_sender(bundle)
    source = BlockSource(blocks(), SampleClock(RATE_HZ, fast=False))
    with pytest.raises(AudioError, match="damaged here"):
        Transmission(source, sender, port, Journal(clock).report).run(clock, StopSignal())
    sink, journal, _ = receive(bundle, over_wire(port.written, 9600))
    assert len(sink.played_T) >= 0.9 * RATE_HZ
    assert '"reason": "end"' in str(journal.events).replace("'", '"')


def test_silent_input_is_mentioned_once(bundle: Bundle) -> None:
    clock = FakeClock()
    journal = Journal(clock)
    silence = iter([np.zeros(12 * RATE_HZ, np.float32)])
    sender = make_sender(bundle)
    source = BlockSource(silence, SampleClock(RATE_HZ, fast=False))
    Transmission(source, sender, WirePort(clock, 9600), journal.report).run(clock, StopSignal())
    assert journal.names() == ["silent"]


def test_late_superframes_are_cut_then_dropped(bundle: Bundle) -> None:
    sender = make_sender(bundle, 3000, None)
    sender.push(make_tones(RATE_HZ, 8 * 3840)[:, 0], now_s=0.0)
    whole, _, _ = (sender.take_packet(0.0) for _ in range(3))  # and HELLO twice
    assert sender.queue_s(0.4) == pytest.approx(0.4)
    cut = sender.take_packet(0.4)
    assert whole
    assert cut
    assert len(cut) < len(whole)
    assert (sender.stats.voice_cut, sender.stats.voice_dropped) == (1, 0)
    sender.take_packet(1.0)
    assert sender.stats.voice_dropped > 0


def test_bitrate_that_does_not_fit_is_refused_with_one_that_does(bundle: Bundle) -> None:
    with pytest.raises(ConfigError, match=r"P6000 needs \d+ bit/s, 4800 baud.* P3000 would"):
        assembly.choose_mode(bundle.spec, 6000, Line(baud=4800))
    with pytest.raises(CodeRangeError, match="below the lowest rate of this codec"):
        assembly.choose_mode(bundle.spec, 100)
    assert assembly.choose_mode(bundle.spec, 3200).name == "P3000"


def test_pace_is_that_of_the_port(bundle: Bundle) -> None:
    assert assembly.line_of(LINE, None, fast=True) == Line(baud=9600)
    assert assembly.line_of(LINE, 4800, fast=False) == Line(baud=4800)
    assert assembly.line_of("udp://host:1", None, fast=False) is None
    assert assembly.line_of("-", None, fast=True) is None
    with pytest.raises(ConfigError, match="give --baud with --fast"):
        assembly.line_of("udp://host:1", None, fast=True)


def test_sender_without_pace_sends_at_once(bundle: Bundle) -> None:
    sender = make_sender(bundle, baud=None)
    sender.open(0.0)
    assert sender.wait_s(0.0) == 0.0
    assert sender.take_packet(0.0)
    assert sender.is_idle
    assert sender.wait_s(0.0) is None
