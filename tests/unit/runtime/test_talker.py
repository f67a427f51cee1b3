"""Keyed transmissions and VOX in made-up time: what is written when, and the key down around it."""

from pathlib import Path

import numpy as np
import pytest

from edge_codec.firmware_bridge import PROFILES, AutoReceiver, Line
from edge_codec.firmware_bridge.keying import KeyTimes
from edge_codec.runtime.bundle import Bundle, load_bundle
from edge_codec.runtime.cli import main
from edge_codec.runtime.errors import PortError
from edge_codec.runtime.transceiver import HalfDuplex, Reception, StopSignal, Talker, assembly
from edge_codec.runtime.transceiver.keyer import HOLD_S, Carrier, Channel, Keyer
from edge_codec.runtime.transceiver.ptt import NoPtt
from edge_codec.runtime.transceiver.sources import BlockSource, SampleClock
from edge_codec.runtime.transceiver.vox import Vox, VoxSource
from support.fake_line import FakeClock, Journal, ListSink, ReplayPort, WirePort
from support.link_pair import send_spurt
from support.recordings import make_recording, make_tones
from support.stub_bundle import STUB_BUNDLE

RATE_HZ = 16_000
RADIO = {"tx_delay_s": 0.25, "tail_s": 0.1}


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return load_bundle(STUB_BUNDLE)


class TimedPtt(NoPtt):
    """Notes when it is told what."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self.told: list[tuple[float, bool]] = []

    def key(self, is_on: bool) -> None:
        self.told.append((self._clock.now_s(), is_on))

    def close(self) -> None:
        self.key(False)


class Station:
    """A talker on a wire, with what it was told and what it wrote."""

    def __init__(self, bundle: Bundle, *, stop_s: float = np.inf, **times: float) -> None:
        self.stop = StopSignal()
        self.clock = FakeClock(self.stop, stop_s)
        self.port = WirePort(self.clock, 9600)
        self.ptt, self.journal = TimedPtt(self.clock), Journal(self.clock)
        self._bundle, self._times = bundle, times

    def talker(self, channel: Channel | None = None) -> Talker:
        spec = self._bundle.spec
        mode = assembly.choose_mode(spec, 3000.0, None)
        times = KeyTimes(**self._times, has_busy_lockout=channel is not None)  # type: ignore[arg-type]
        return Talker(
            assembly.sender_maker(self._bundle, assembly.Talk(mode=mode, callsign="AB1CD")),
            self.port,
            Keyer(times, self.ptt, self.journal.report, channel),
            self.journal.report,
        )

    def talk(self, seconds: float, carrier: Carrier | None = None) -> None:
        self.talker(carrier).talk(make_source(seconds), self.clock, self.stop)

    @property
    def written_s(self) -> list[float]:
        return [time_s - 100.0 for time_s, _ in self.port.written]

    @property
    def keyed_s(self) -> list[tuple[float, float]]:
        """When the transmitter was on, from and to."""
        assert [is_on for _, is_on in self.ptt.told] == [True, False] * (len(self.ptt.told) // 2)
        times = [time_s - 100.0 for time_s, _ in self.ptt.told]
        return list(zip(times[::2], times[1::2], strict=True))


def tones(seconds: float) -> np.ndarray:
    return make_tones(RATE_HZ, round(seconds * RATE_HZ))[:, 0]


def make_source(*pieces: float) -> BlockSource:
    """Tones and silences in turn, of these lengths."""
    blocks = [tones(abs(p)) * (1 if n % 2 == 0 else 0) for n, p in enumerate(pieces)]
    return BlockSource(iter(blocks), SampleClock(RATE_HZ, fast=False))


def test_transmitter_is_on_around_everything_that_is_written(bundle: Bundle) -> None:
    station = Station(bundle, **RADIO)
    station.talk(2.0)
    ((down_s, up_s),) = station.keyed_s
    assert station.written_s[0] - down_s == pytest.approx(0.25, abs=0.02)
    assert up_s - station.written_s[-1] == pytest.approx(0.1, abs=0.04)
    receiver = AutoReceiver()
    for time_s, packet in station.port.written:
        receiver.receive_data(packet, now_s=time_s)
    assert (receiver.stats.voice_lost, receiver.stats.end_received) == (0, 1)
    assert receiver.stats.voice_received * PROFILES[6].superframe_s >= 2.0


def test_stop_lets_the_transmitter_go(bundle: Bundle) -> None:
    station = Station(bundle, stop_s=1.0, **RADIO)
    station.talk(60.0)
    ((_, up_s),) = station.keyed_s
    assert 1.0 < up_s < 1.6


def test_time_out_timer_ends_the_transmission(bundle: Bundle) -> None:
    station = Station(bundle, time_out_s=5.0, **RADIO)
    with pytest.raises(PortError, match="time-out timer"):
        station.talk(60.0)
    ((_, up_s),) = station.keyed_s
    assert 5.0 < up_s < 5.7
    assert station.journal.names() == ["timed_out", "sent"]


def busy_channel(station: Station, seconds: float) -> Carrier:
    """Somebody speaks for so long."""
    superframes = round(seconds / PROFILES[6].superframe_s)
    arrivals = [(100.0 + time_s, data) for time_s, data in send_spurt(PROFILES[6], superframes)]
    return Carrier(ReplayPort(station.clock, arrivals), AutoReceiver())


def test_busy_channel_is_waited_for(bundle: Bundle) -> None:
    station = Station(bundle, **RADIO)
    station.talk(1.0, busy_channel(station, 3.0))
    ((down_s, _),) = station.keyed_s
    assert 2.4 < down_s < 3.0 + HOLD_S
    assert station.journal.names()[0] == "busy"


def test_stop_on_a_busy_channel_sends_nothing(bundle: Bundle) -> None:
    station = Station(bundle, stop_s=1.0, **RADIO)
    station.talk(1.0, busy_channel(station, 30.0))
    assert station.keyed_s == []
    assert station.port.written == []


def listen(source: BlockSource) -> VoxSource:
    return VoxSource(source, RATE_HZ, Vox(RATE_HZ, threshold_dbfs=-40.0, hang_s=0.5))


def test_every_talk_spurt_is_a_stream_of_its_own(bundle: Bundle) -> None:
    station = Station(bundle, **RADIO)
    source = make_source(1.0, 2.0, 1.0, 2.0)
    station.talker().talk_by_voice(listen(source), station.clock, station.stop)
    (first_down_s, first_up_s), (second_down_s, _) = station.keyed_s
    assert first_down_s < 0.2
    assert 1.5 < first_up_s < 2.6
    assert 3.0 < second_down_s < 3.2
    receiver = AutoReceiver()
    for time_s, packet in station.port.written:
        receiver.receive_data(packet, now_s=time_s)
    assert (receiver.stats.streams_started, receiver.stats.end_received) == (2, 2)


def test_time_out_with_vox_waits_for_a_pause(bundle: Bundle) -> None:
    station = Station(bundle, time_out_s=3.0, **RADIO)
    source = make_source(8.0, 2.0, 1.0, 1.0)
    station.talker().talk_by_voice(listen(source), station.clock, station.stop)
    (_, first_up_s), (second_down_s, _) = station.keyed_s
    assert 3.0 < first_up_s < 3.7
    assert 10.0 < second_down_s < 10.2


def test_transmitter_is_off_when_the_line_is_lost(bundle: Bundle) -> None:
    station = Station(bundle, **RADIO)
    station.port = WirePort(station.clock, 9600, cut_s=1.0)
    keyer = Keyer(KeyTimes(**RADIO), station.ptt)
    sender = assembly.sender_maker(
        bundle, assembly.Talk(mode=assembly.choose_mode(bundle.spec, 3000.0, None))
    )
    talker = Talker(sender, station.port, keyer, station.journal.report)
    with pytest.raises(PortError, match="lost"):
        talker.talk(make_source(5.0), station.clock, station.stop)
    keyer.close()
    assert [is_on for _, is_on in station.ptt.told] == [True, False]


def spoken(bundle: Bundle, seconds: float) -> list[tuple[float, bytes]]:
    """What another station sends."""
    other = Station(bundle)
    other.talk(seconds)
    return other.port.written


def test_half_duplex_station_hears_between_its_transmissions_only(bundle: Bundle) -> None:
    """Somebody speaks for 2 s before and 2 s after we do, and for 1 s while we do."""
    others = [(0.0, 2.0), (3.2, 1.0), (6.0, 2.0)]
    arrivals = [
        (start_s + time_s, data)
        for start_s, seconds in others
        for time_s, data in spoken(bundle, seconds)
    ]
    station = Station(bundle, **RADIO)
    sink = ListSink(station.clock)
    listener = assembly.make_listener(bundle, "/dev/ttyUSB0", Line(baud=9600), fast=False)
    port = ReplayPort(station.clock, arrivals)
    reception = Reception(port, listener, sink, station.journal.report)
    source = make_source(0.0, 3.0, 1.0, 6.0)
    talker = station.talker(HalfDuplex(reception, listener))
    talker.talk_by_voice(listen(source), station.clock, station.stop)
    ((down_s, up_s),) = station.keyed_s
    assert 2.9 < down_s < 3.2
    assert up_s < 6.0
    assert station.journal.names().count("stream_started") == 2
    assert len(sink.played_T) / RATE_HZ == pytest.approx(2.0 + 2.0, abs=0.6)
    assert listener.stats.voice_lost == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--port", "udp://127.0.0.1:1", "--ptt", "rts"], "needs a serial line"),
        (["--port", "/dev/ttyUSB99?rtscts", "--ptt", "rts"], "--ptt dtr"),
        (["--port", "udp://127.0.0.1:1", "--busy-lockout"], "cannot listen"),
        (["--port", "loop://", "--vox", "--vox-dbfs", "3"], "VOX needs a threshold"),
        (["--port", "loop://", "--tail-ms", "-3"], "tail_s must be 0 or more"),
        (["--port", "loop://", "--output", "heard.wav"], "--output needs --vox"),
    ],
)
def test_options_that_contradict_each_other_are_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    talk = make_recording(tmp_path / "talk.wav", RATE_HZ, RATE_HZ)
    assert main(["tx", *words, "--input", str(talk), "--model", str(STUB_BUNDLE)]) == 1
    errors = capsys.readouterr().err
    assert message in errors
    assert errors.count("\n") == 1
