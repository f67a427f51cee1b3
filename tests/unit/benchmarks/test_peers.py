"""The comparison with other codecs: framing and delay, missing libraries, records and pages."""

import ctypes
import json

import numpy as np
import pytest
import soundfile

from edge_codec.benchmarks import peer_codecs, peers
from edge_codec.benchmarks.peer_codecs import Codec2, Coded, Lyra, Opus
from edge_codec.runtime.errors import MissingExtraError
from edge_codec.runtime.quality import Score

SPEECH = np.random.default_rng(0).standard_normal(8_123).astype(np.float32) * 0.1


def is_installed(library):
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def test_frames_are_joined_and_the_delay_is_cut():
    delayed = np.zeros(50, np.int16)

    def code_frame(frame):
        nonlocal delayed
        queue = np.concatenate([delayed, frame])
        delayed = queue[160:]
        return queue[:160], 64

    coded = peer_codecs._code_frames(SPEECH, 160, 50, code_frame)
    np.testing.assert_allclose(coded.samples, SPEECH, atol=1 / 32_768)
    assert coded.bits == 64 * -(-(8_123 + 50) // 160)


@pytest.mark.skipif(not is_installed("libopus.so.0"), reason="libopus is not installed")
def test_opus_keeps_its_bitrate_and_the_waveform():
    time_s = np.arange(32_000) / 16_000
    tone = (0.3 * np.sin(2 * np.pi * 300 * time_s)).astype(np.float32)
    coded = Opus(12_000).code(tone)
    assert coded.bits == pytest.approx(12_000 * 2, rel=0.02)
    assert np.corrcoef(coded.samples[8_000:], tone[8_000:])[0, 1] > 0.9


@pytest.mark.skipif(not is_installed("libcodec2.so.1.0"), reason="libcodec2 is not installed")
@pytest.mark.parametrize("bitrate_bps", [700, 1200, 3200])
def test_codec2_keeps_its_bitrate_and_the_length(bitrate_bps):
    coded = Codec2(bitrate_bps).code(np.tile(SPEECH, 4))
    assert len(coded.samples) == 4 * len(SPEECH)
    assert coded.bits == pytest.approx(bitrate_bps * len(coded.samples) / 16_000, rel=0.05)


def test_a_missing_graph_is_named(tmp_path):
    with pytest.raises(MissingExtraError, match=r"soundstream_encoder\.tflite is missing"):
        Lyra(tmp_path, 3200)


def test_a_missing_library_says_what_to_install(monkeypatch):
    def no_library(name):
        raise OSError(f"{name}: cannot open shared object file")

    monkeypatch.setattr(ctypes, "CDLL", no_library)
    with pytest.raises(MissingExtraError, match="apt install libcodec2"):
        Codec2(3200)
    with pytest.raises(MissingExtraError, match="apt install libopus0"):
        Opus(6000)


class Echo:
    """A perfect codec of 8 kbit/s."""

    name = "Echo"

    def code(self, audio_T):
        return Coded(samples=audio_T, bits=len(audio_T) // 2)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    def missing():
        raise MissingExtraError("no such library")

    def score(reference_T, decoded_T):
        np.testing.assert_array_equal(reference_T, decoded_T)
        return Score(visqol=4.5, pesq_wb=4.64, stoi=1, estoi=1, mel=0, si_sdr_db=100)

    monkeypatch.setattr(peers, "score_clip", score)
    monkeypatch.setattr(peers, "_makers", lambda models: {"Echo": Echo, "Absent": missing})
    (tmp_path / "speech").mkdir()
    for name, rate_hz in (("b.wav", 16_000), ("a.flac", 48_000)):
        soundfile.write(tmp_path / "speech" / name, np.tile(SPEECH, 2), rate_hz)
    return tmp_path / "speech"


def test_the_record_holds_every_score_and_what_was_skipped(folder, tmp_path, capsys):
    path = tmp_path / "benchmarks" / "reports" / "peers.json"
    page = tmp_path / "peers.md"
    argv = [str(folder), "--record", str(path), "--page", str(page)]
    assert peers.main(argv) == 0
    record = json.loads(path.read_text())
    assert record["kind"] == "peers"
    assert record["machine"]["cores"] >= 1
    assert record["skipped"] == {"Absent": "no such library"}
    (codec,) = record["codecs"]
    assert codec["bitrate_bps"] == 8000
    assert list(codec["scores"]) == ["a.flac", "b.wav"]
    assert codec["means"]["visqol"] == {"mean": 4.5, "half_width_95": 0}
    assert "skipped Absent: no such library" in capsys.readouterr().err
    shown = page.read_text()
    assert "| Echo | 8.0 | 4.50 ± 0.00 | 4.64 ± 0.00 | 1.000 ± 0.000 |" in shown
    assert "Not measured: no such library." in shown
    assert "(../benchmarks/reports/peers.json)" in shown


def test_a_folder_without_speech_is_one_line(tmp_path, capsys):
    assert peers.main([str(tmp_path), "--record", str(tmp_path / "x.json")]) == 1
    assert (
        capsys.readouterr().err == f"peers: no audio in {tmp_path}: expected a folder of speech\n"
    )
    with pytest.raises(SystemExit) as stop:
        peers.main(["--record", "x.json"])
    assert stop.value.code == 2
