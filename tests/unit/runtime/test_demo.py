"""The demo's measurements, on made-up processes."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from edge_codec.runtime import quality
from edge_codec.runtime.demo.report import find_lag, make_record, write_report
from edge_codec.runtime.demo.speech import write_speech
from edge_codec.runtime.errors import AudioError, MissingExtraError

RATE_HZ = 16_000
Event = dict[str, Any]


@pytest.fixture(autouse=True)
def bare_board(monkeypatch: pytest.MonkeyPatch) -> None:
    """No package but those of the base install; the others take seconds to load."""

    def miss(package: str) -> None:
        raise MissingExtraError(package)

    quality._visqol_api.cache_clear()
    monkeypatch.setattr(quality, "_import_extra", miss)


@pytest.mark.parametrize("lag", [-3840, -1, 0, 320, 9000])
def test_lag_is_found_either_way(lag: int) -> None:
    noise_T = np.random.default_rng(1).normal(size=40_000).astype(np.float32)
    sent_T, heard_T = noise_T[10_000:30_000], noise_T[10_000 - lag : 30_000 - lag]
    assert find_lag(sent_T, heard_T) == lag


def test_speech_has_the_length_asked_for(tmp_path: Path) -> None:
    write_speech(tmp_path / "sent.wav", 24_000, 21.5)
    samples, rate_hz = soundfile.read(tmp_path / "sent.wav")
    assert (rate_hz, len(samples)) == (24_000, 21.5 * 24_000)
    assert np.abs(samples[-24_000 * 2 :]).max() > 0.02  # the clips are repeated, not padded


def make_events(heard_s: float) -> tuple[list[Event], list[Event]]:
    tx = [
        {"event": "sending", "t_s": 100.0, "model": "stub", "model_hash": "ab" * 32}
        | {"bitrate_bps": 3000.0, "line_bps": 3411.0},
        {"event": "sent", "audio_s": 3.0, "voice_sent": 13, "peak_rss_bytes": 80_000_000},
    ]
    rx = [
        {"event": "playing", "t_s": 100.0 + heard_s},
        {"event": "playing", "t_s": 999.0},
        {"event": "received", "audio_s": 3.02, "peak_rss_bytes": 75_000_000, "damaged": 2}
        | {"voice_delivered": 12, "voice_lost": 1, "concealed_frames": 12, "played_frames": 151},
    ]
    return tx, rx


def test_report_says_what_was_measured(tmp_path: Path) -> None:
    write_speech(tmp_path / "sent.wav", RATE_HZ, 3.0)
    sent_T = soundfile.read(tmp_path / "sent.wav", dtype="float32")[0]
    heard_T = np.pad(sent_T, (320, 0))
    soundfile.write(tmp_path / "received.wav", heard_T, RATE_HZ, "PCM_16")
    record = make_record(tmp_path / "sent.wav", tmp_path / "received.wav", *make_events(0.52))
    text = write_report(tmp_path, record | {"baud": 9600, "bit_error_rate": 0.0})
    assert record["mouth_to_ear_ms"] == pytest.approx(540)
    assert set(record["quality"]) == {"mel", "si_sdr_db"}
    assert record["quality"]["mel"] < 0.05
    assert record["quality"]["si_sdr_db"] > 40
    assert json.loads((tmp_path / "report.json").read_text())["packets_lost"] == 1
    assert (tmp_path / "report.md").read_text() == text
    assert "| mouth to ear | 540 ms |" in text


def test_report_that_cannot_be_written_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match="cannot write the report"):
        write_report(tmp_path / "gone", {"quality": {}} | dict.fromkeys(_fields(), 0.0))


def _fields() -> list[str]:
    names = "model model_hash bitrate_bps line_bps baud bit_error_rate sent_s played_s"
    more = "mouth_to_ear_ms tx_peak_mb rx_peak_mb packets_sent packets_delivered packets_lost"
    return f"{names} {more} pieces_damaged frames_concealed frames_played".split()
