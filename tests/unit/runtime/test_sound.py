"""Sources, sinks and the sound card: pace, pipes, files that survive a kill, full disks."""

import os
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile

from edge_codec.runtime.errors import AudioError, ConfigError
from edge_codec.runtime.transceiver import assembly, sinks
from edge_codec.runtime.transceiver.sinks import PcmSink, WavSink
from edge_codec.runtime.transceiver.sound_card import Microphone, Speaker
from edge_codec.runtime.transceiver.sources import BlockSource, PcmSource, SampleClock
from support.recordings import make_recording

RATE_HZ = 16_000


def ramp(samples: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.arange(samples, dtype=np.float32) / 32768


def test_file_is_played_at_its_own_speed() -> None:
    source = BlockSource(iter([ramp(RATE_HZ)]), SampleClock(RATE_HZ, fast=False))
    assert len(source.read(5.0)) == 0
    assert len(source.read(5.019)) == 0
    taken = [len(source.read(5.02 + step * 0.007)) for step in range(10)]
    assert sum(taken) in range(RATE_HZ * 60 // 1000, RATE_HZ * 84 // 1000)
    assert all(count == 0 or count >= 320 for count in taken)
    while not source.is_finished:
        taken.append(len(source.read(5.2 + len(taken) * 0.02)))
    assert sum(taken) == RATE_HZ


def test_process_that_slept_catches_up_half_a_second_at_most() -> None:
    source = BlockSource(iter([ramp(10 * RATE_HZ)]), SampleClock(RATE_HZ, fast=False))
    source.read(0.0)
    assert len(source.read(60.0)) == RATE_HZ // 2


def test_fast_file_knows_no_clock() -> None:
    source = BlockSource(iter([ramp(500)]), SampleClock(RATE_HZ, fast=True))
    assert [len(source.read(0.0)) for _ in range(3)] == [320, 180, 0]
    assert source.is_finished


@pytest.mark.parametrize("piece_bytes", [1, 3, 320, 5000])
def test_pipe_may_be_cut_anywhere(piece_bytes: int) -> None:
    read_end, write_end = os.pipe()
    source = PcmSource(read_end, SampleClock(RATE_HZ, fast=True))
    data = sinks.to_pcm(ramp(1000))
    received = [source.read(0.0)]
    for start in range(0, len(data), piece_bytes):
        os.write(write_end, data[start : start + piece_bytes])
        received += [source.read(0.0) for _ in range(10)]
    assert not source.is_finished
    os.close(write_end)
    received.append(source.read(0.0))
    assert source.is_finished
    np.testing.assert_array_equal(np.concatenate(received), ramp(1000))
    os.close(read_end)


def test_pipe_is_not_read_ahead_of_time() -> None:
    read_end, write_end = os.pipe()
    source = PcmSource(read_end, SampleClock(RATE_HZ, fast=False))
    os.write(write_end, bytes(2 * RATE_HZ))
    source.read(0.0)
    assert len(source.read(0.1)) == RATE_HZ // 10
    os.close(write_end)
    os.close(read_end)


def test_recording_is_a_whole_file_after_every_write(tmp_path: Path) -> None:
    path = tmp_path / "heard.wav"
    path.write_text("an older recording")
    sink = WavSink(path, RATE_HZ)
    sink.write(ramp(0))
    assert path.read_text() == "an older recording"  # until there is something to replace it
    for count in (320, 640):
        sink.write(ramp(320))
        samples, rate_hz = soundfile.read(path, dtype="float32")
        assert (len(samples), rate_hz) == (count, RATE_HZ)
    np.testing.assert_array_equal(samples[320:], ramp(320))
    sink.close()


def test_recording_clips_what_is_too_loud(tmp_path: Path) -> None:
    sink = WavSink(tmp_path / "loud.wav", RATE_HZ)
    sink.write(np.float32([2.0, -2.0]))
    sink.close()
    assert soundfile.read(tmp_path / "loud.wav", dtype="int16")[0].tolist() == [32767, -32768]


def test_full_disk_keeps_what_fitted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "heard.wav"
    sink = WavSink(path, RATE_HZ)
    sink.write(ramp(RATE_HZ))
    whole_write = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda fd, data, at: whole_write(fd, data[:101], at))
    with pytest.raises(AudioError, match=r"disk is full; 1\.0 s are kept"):
        sink.write(ramp(320))
    sink.close()
    assert soundfile.info(path).frames == RATE_HZ + 50


def test_recording_that_would_outgrow_its_header_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sinks, "WAV_MAX_BYTES", 1000)
    sink = WavSink(tmp_path / "long.wav", RATE_HZ)
    sink.write(ramp(500))
    with pytest.raises(AudioError, match="4 GiB"):
        sink.write(ramp(1))


@pytest.mark.parametrize(
    ("name", "message"), [("heard.mp3", "name it .wav"), ("no/such/folder.wav", "check the name")]
)
def test_recording_that_cannot_be_made_is_one_clear_line(
    tmp_path: Path, name: str, message: str
) -> None:
    with pytest.raises(AudioError, match=message):
        WavSink(tmp_path / name, RATE_HZ)


def test_slow_reader_misses_samples_and_never_stops_us() -> None:
    read_end, write_end = os.pipe()
    sink = PcmSink(write_end, may_wait=False)
    for _ in range(400):
        sink.write(ramp(320))
    assert sink.dropped_samples > 0
    assert os.read(read_end, 640) == sinks.to_pcm(ramp(320))
    os.close(read_end)
    with pytest.raises(BrokenPipeError):
        PcmSink(write_end, may_wait=True).write(ramp(320))
    os.close(write_end)


def test_sources_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make_recording(tmp_path / "talk.wav", 44_100, 44_100, channels=2)
    with assembly.open_source(str(path), RATE_HZ, fast=True) as source:
        pieces = []
        while not source.is_finished:
            pieces.append(source.read(0.0))
        assert len(np.concatenate(pieces)) == RATE_HZ
    with pytest.raises(AudioError, match="No such file"), assembly.open_source("x", 1, fast=True):
        pass
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(fileno=lambda: 0))
    with assembly.open_source("-", RATE_HZ, fast=True) as source:
        assert isinstance(source, PcmSource)


def test_sinks_by_name(tmp_path: Path) -> None:
    sink = assembly.open_sink(str(tmp_path / "a.wav"), RATE_HZ, fast=False)
    assert isinstance(sink, WavSink)
    with pytest.raises(ConfigError, match="real time only"):
        assembly.open_sink("speaker", RATE_HZ, fast=True)


class FakeStream:
    """A PortAudio stream whose callback the test calls."""

    def __init__(self, samplerate: int, callback: Any, **settings: Any) -> None:
        self.samplerate, self.callback, self.active = samplerate, callback, False

    def start(self) -> None:
        self.active = True

    def stop(self) -> None:
        self.active = False

    def close(self) -> None:
        self.active = False

    def play(self, frames: int) -> list[float]:
        out = np.ones((frames, 1), np.float32)
        self.callback(out, frames, None, None)
        return out[:, 0].tolist()

    def record(self, samples_T: Any) -> None:
        self.callback(samples_T[:, None], len(samples_T), None, None)


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A sound card that takes 16 kHz and 48 kHz; `streams` are those that were opened."""
    module: Any = ModuleType("sounddevice")
    module.PortAudioError = type("PortAudioError", (Exception,), {})
    module.streams = []

    def make(**settings: Any) -> FakeStream:
        module.streams.append(FakeStream(**settings))
        return module.streams[-1]

    def check(samplerate: int, **settings: Any) -> None:
        if samplerate not in (16_000, 48_000):
            raise module.PortAudioError("invalid sample rate")

    module.InputStream = module.OutputStream = make
    module.check_input_settings = module.check_output_settings = check
    module.query_devices = lambda kind: {"default_samplerate": 48_000.0}
    module.sleep = lambda milliseconds: None
    monkeypatch.setitem(sys.modules, "sounddevice", module)
    return module


def test_microphone_gives_what_was_recorded(card: Any) -> None:
    microphone = Microphone(RATE_HZ)
    assert len(microphone.read(0.0)) == 0
    card.streams[0].record(ramp(160))
    card.streams[0].record(ramp(160))
    np.testing.assert_array_equal(microphone.read(0.0), np.tile(ramp(160), 2))
    for _ in range(200):
        card.streams[0].record(ramp(160))
    assert len(microphone.read(0.0)) == 16_000
    assert microphone.dropped_samples == 16_000
    microphone.close()
    with pytest.raises(AudioError, match="microphone is gone"):
        microphone.read(0.0)


def test_device_with_another_rate_is_resampled(card: Any) -> None:
    microphone, speaker = Microphone(24_000), Speaker(24_000)
    assert [stream.samplerate for stream in card.streams] == [48_000, 48_000]
    card.streams[0].record(np.zeros(48_000, np.float32))
    assert len(microphone.read(0.0)) == pytest.approx(24_000, abs=1000)
    speaker.write(np.zeros(2400, np.float32))
    speaker.close()


def test_speaker_waits_for_a_little_stock_and_plays_in_order(card: Any) -> None:
    speaker = Speaker(RATE_HZ)
    speaker.write(ramp(320))
    assert card.streams[0].play(160) == [0.0] * 160
    speaker.write(ramp(320))
    played = [value for _ in range(3) for value in card.streams[0].play(200)]
    assert played == [*ramp(320).tolist(), *ramp(320).tolist()][:600]
    assert card.streams[0].play(200) == [*ramp(320).tolist()[280:], *[0.0] * 160]
    assert card.streams[0].play(10) == [0.0] * 10


def test_speaker_that_is_too_slow_drops(card: Any) -> None:
    speaker = Speaker(RATE_HZ)
    for _ in range(20):
        speaker.write(ramp(320))
    assert speaker.dropped_samples == 10 * 320


def test_no_card_is_one_clear_line(card: Any) -> None:
    def query(kind: str) -> None:
        raise card.PortAudioError("Error querying device -1")

    card.query_devices = query
    with pytest.raises(AudioError, match="no microphone can be used"):
        Microphone(RATE_HZ)
    with pytest.raises(AudioError, match="no speaker can be used"):
        Speaker(RATE_HZ)


def test_missing_library_names_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        def find_spec(self, name: str, *args: object) -> None:
            if name == "sounddevice":
                raise OSError("PortAudio library not found")

    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Broken(), *sys.meta_path])
    with pytest.raises(AudioError, match="apt install libportaudio2"):
        Microphone(RATE_HZ)
