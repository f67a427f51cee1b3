"""Groups, stations, late entry, several streams, repetition: what a listener plays, and when."""

from operator import itemgetter
from typing import Any

import numpy as np
import pytest

from edge_codec.firmware_bridge import (
    PROFILES,
    Channel,
    ChannelModel,
    EndReason,
    Line,
    LocalLinkError,
    StreamEnded,
    Transmitter,
)
from edge_codec.firmware_bridge.framing import stuff
from edge_codec.firmware_bridge.packet import Packet, PacketType, pack_packet
from edge_codec.firmware_bridge.voice import pack_voice
from edge_codec.runtime.bundle import Bundle, load_bundle
from edge_codec.runtime.errors import ConfigError
from edge_codec.runtime.spec import CodecSpec
from edge_codec.runtime.transceiver import Listener, StreamMuted, assembly
from edge_codec.runtime.transceiver.listener import Audience
from support.link_pair import make_codes, make_hello
from support.stub_bundle import STUB_BUNDLE

UDP, SERIAL = "udp://:5004", "/dev/ttyUSB0"
PROFILE = PROFILES[6]
Timed = list[tuple[float, bytes]]


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return load_bundle(STUB_BUNDLE)


def spurt(
    bundle: Bundle, superframes: int, *, tag: int = 7, start_s: float = 0.0, red: int = 0, **to: Any
) -> Timed:
    """A talk spurt in real time."""
    model_hash = bytes.fromhex(bundle.model_hash)[:4]
    hello = make_hello(PROFILE, **({"model_hash": model_hash} | to))
    transmitter = Transmitter(hello, stream_tag=tag, red=red)
    codes_FK, size = make_codes(PROFILE, superframes), PROFILE.frames_per_superframe
    timed = []
    for n in range(superframes):
        now_s = start_s + (n + 1) * PROFILE.superframe_s
        packets = transmitter.send_frames(codes_FK[n * size : (n + 1) * size], now_s=now_s)
        timed += [(now_s, packet) for packet in packets]
    return timed + [(now_s, packet) for packet in transmitter.finish(now_s=now_s)]


def make_listener(bundle: Bundle, url: str = SERIAL, audience: Audience | None = None) -> Listener:
    return assembly.make_listener(bundle, url, Line(baud=9600), fast=False, audience=audience)


def listen(listener: Listener, timed: Timed, until_s: float) -> tuple[list[Any], list[float]]:
    """Notices, and the times at which samples came out."""
    timed, notices, played_s = sorted(timed, key=itemgetter(0)), [], []
    for step in range(round(until_s * 200)):
        now_s = step / 200
        while timed and timed[0][0] <= now_s:
            notices += listener.receive_data(timed.pop(0)[1], now_s)
        notices += listener.handle_timeout(now_s)
        played_s += [now_s] * bool(len(listener.pull(now_s)))
    return notices, played_s


@pytest.mark.parametrize(
    ("audience", "hears"),
    [
        (None, {1, 2, 3}),
        (Audience(groups=("#NET1",)), {1, 2}),
        (Audience(callsign="W1AW"), {1, 3}),
        (Audience(callsign="W1AW", groups=("#NET1", "#NET2")), {1, 2, 3}),
        (Audience(callsign="N0CALL"), {1}),
    ],
)
def test_groups_and_stations_hear_what_is_for_them(
    bundle: Bundle, audience: Audience | None, hears: set[int]
) -> None:
    for tag, destination in {1: "@ALL", 2: "#NET1", 3: "W1AW"}.items():
        timed = spurt(bundle, 3, tag=tag, destination=destination)
        notices, played_s = listen(make_listener(bundle, audience=audience), timed, 2.0)
        assert bool(played_s) == (tag in hears)
        muted = [notice for notice in notices if isinstance(notice, StreamMuted)]
        messages = [notice.message for notice in muted]
        assert messages == ([] if tag in hears else [f"stream is for {destination}"])


@pytest.mark.parametrize("names", [{"callsign": "ab1cd"}, {"groups": ("#TOO-LONG-A-NAME",)}])
def test_a_name_that_nobody_can_send_to_is_refused(names: dict[str, Any]) -> None:
    with pytest.raises(LocalLinkError, match="is not valid"):
        Audience(**names)


def test_jumping_numbers_hide_no_end(bundle: Bundle) -> None:
    """Each packet of a hostile chunk claims that 126 before it were lost."""
    *opening, (_, end) = spurt(bundle, 3)
    content = pack_voice(make_codes(PROFILES[1], 1), PROFILES[1], 1)
    voices = (
        Packet(type=PacketType.VOICE, stream_tag=9, sequence=n * 127, profile_id=1, content=content)
        for n in range(100)
    )
    jumps = b"".join(stuff(pack_packet(voice)) for voice in voices)
    listener = make_listener(bundle)
    notices, _ = listen(listener, [*opening, (1.0, end + jumps)], 2.0)
    assert listener.stats.events_dropped == 0
    assert StreamEnded(7, EndReason.END) in notices


def test_late_entry_plays_within_two_superframes_unless_it_may_be_for_others(
    bundle: Bundle,
) -> None:
    timed = [(time_s, packet) for time_s, packet in spurt(bundle, 14) if time_s > 1.0]
    _, played_s = listen(make_listener(bundle), timed, 4.0)
    assert played_s[0] < 1.0 + 2 * PROFILE.superframe_s
    # Nothing tells for whom it is before HELLO, which comes every 2 s.
    _, played_s = listen(make_listener(bundle, audience=Audience(groups=("#N",))), timed, 4.0)
    assert 2.0 < played_s[0] < 3.0


def test_another_model_is_named_and_not_played(bundle: Bundle) -> None:
    timed = spurt(bundle, 3, model_hash=b"\x1a\x2b\x3c\x4d")
    notices, played_s = listen(make_listener(bundle), timed, 2.0)
    board = bundle.model_hash[:8]
    assert StreamMuted(7, f"stream uses model 1a2b3c4d, this board has {board}") in notices
    assert not played_s


def test_of_four_streams_one_plays_and_the_next_when_it_is_free(bundle: Bundle) -> None:
    lengths = {1: 8, 2: 16, 3: 24, 4: 32}
    timed = [
        packet
        for tag, superframes in lengths.items()
        for packet in spurt(bundle, superframes, tag=tag, start_s=tag * 0.05)
    ]
    listener = make_listener(bundle)
    notices, played_s = listen(listener, timed, 9.0)
    assert sum(isinstance(notice, StreamEnded) for notice in notices) == 4
    assert listener.stats.streams_started == 4
    assert listener.stats.voice_lost == 0
    # The first one, then what is left of the longest ones, without a break.
    assert 7.4 < listener.played_s < 8.7
    assert max(np.diff(played_s)) < 0.3


@pytest.mark.parametrize("url", [UDP, SERIAL])
@pytest.mark.parametrize("red", [1, 2])
def test_repetition_fills_the_gaps_of_ten_percent_loss(bundle: Bundle, url: str, red: int) -> None:
    """In time to be played: what is concealed is what was lost twice."""
    channel = Channel(ChannelModel(drop_rate=0.1), seed=4)
    timed = [(time_s, channel.send(packet)) for time_s, packet in spurt(bundle, 400, red=red)]
    listener = make_listener(bundle, url)
    listen(listener, timed, 98.0)
    stats = listener.stats
    assert stats.voice_recovered > 25
    assert stats.voice_lost / 400 <= 0.015
    assert listener.late_frames == 0
    assert listener.concealed_frames / listener.played_frames <= 0.02


def test_a_network_is_learned_once(bundle: Bundle) -> None:
    """95 % of packets come within 60 ms: hardly any comes too late, from the first spurt on."""
    rng = np.random.default_rng(2)
    listener = make_listener(bundle, UDP)

    def jittered(timed: Timed) -> Timed:
        *voice, (end_s, end) = timed
        late = [(time_s + float(rng.exponential(0.02)), packet) for time_s, packet in voice]
        return [*late, (end_s + 0.3, end)]

    first = jittered(spurt(bundle, 100, tag=1))
    second = jittered(spurt(bundle, 100, tag=2, start_s=26.0))
    listen(listener, [*first, *second], 52.0)
    frames = 200 * PROFILE.frames_per_superframe
    assert (listener.late_frames + listener.concealed_frames) / frames <= 0.005


def test_red_is_for_packets_on_networks(bundle: Bundle) -> None:
    line, p3000 = Line(baud=4800), assembly.choose_mode(bundle.spec, "P3000")
    r3000 = assembly.choose_mode(bundle.spec, "R3000")
    assert assembly.choose_red("auto", UDP, None, p3000) == 1
    assert assembly.choose_red("auto", SERIAL, line, p3000) == 0
    assert assembly.choose_red("auto", UDP, line, p3000) == 0  # would not fit
    assert assembly.choose_red("auto", UDP, None, r3000) == 0
    assert assembly.choose_red("2", SERIAL, line, p3000) == 2
    with pytest.raises(ConfigError, match="rtp://h:1 carries packets, R3000 sends raw frames"):
        assembly.check_port(r3000, "rtp://h:1")
    with pytest.raises(ConfigError, match="R3000 frames protect themselves"):
        assembly.choose_mode(bundle.spec, "R3000", red=1)
    with pytest.raises(ConfigError, match="4800 baud 8N1 carries 3648; P2000 would fit"):
        assembly.choose_mode(bundle.spec, "P3000", line, red=1)


def test_tags_of_a_secured_link_must_fit_too(bundle: Bundle) -> None:
    line = Line(baud=2400)
    assert assembly.choose_mode(bundle.spec, 1500.0, line, tag_bytes=8).tag_bytes == 8
    with pytest.raises(ConfigError, match="with tags"):
        assembly.choose_mode(bundle.spec, 1500.0, line, tag_bytes=16)


def test_the_link_carries_the_first_32_layers_of_a_model_with_more():
    lyra = CodecSpec(
        sample_rate_hz=16_000, strides=(320,), layers=46, bits_per_code=4, delay_samples=0
    )
    assert assembly.choose_mode(lyra, 3200.0).profile.layers == 16
    assert assembly.choose_mode(lyra, 6400.0).profile.layers == 32
    message = r"9200 bit/s are 46 layers .* carries 32: give --bitrate 6400 or less, or a file"
    with pytest.raises(ConfigError, match=message):
        assembly.choose_mode(lyra, 9200.0)
