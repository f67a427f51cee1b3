"""What the demo found out: latency, memory, losses and quality, as JSON and as Markdown.

Shapes: T samples.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_codec.runtime import audio, quality
from edge_codec.runtime.errors import AudioError, MissingExtraError

FloatArray = npt.NDArray[np.float32]
Event = dict[str, Any]
Record = dict[str, Any]

MEASURES: dict[str, Callable[[FloatArray, FloatArray], float]] = {
    "mel": quality.mel_distance,
    "si_sdr_db": quality.si_sdr_db,
    "pesq_wb": quality.pesq_wb,
    "estoi": lambda sent_T, heard_T: quality.stoi(sent_T, heard_T, extended=True),
    "visqol": quality.visqol,
}
"""The first two need numpy alone; the others are left out when their package is missing."""

_ROWS = (
    ("model", "{model} ({model_hash:.8})"),
    ("codec bitrate", "{bitrate_bps:.0f} bit/s"),
    ("on the line", "{line_bps:.0f} bit/s of {baud} baud"),
    ("bit error rate", "{bit_error_rate:g}"),
    ("speech sent / played", "{sent_s:.2f} / {played_s:.2f} s"),
    ("mouth to ear", "{mouth_to_ear_ms:.0f} ms"),
    ("peak memory tx / rx", "{tx_peak_mb:.1f} / {rx_peak_mb:.1f} MB"),
    ("packets sent / delivered / lost", "{packets_sent} / {packets_delivered} / {packets_lost}"),
    ("pieces damaged", "{pieces_damaged}"),
    ("frames filled in", "{frames_concealed} of {frames_played}"),
)


def find_lag(sent_T: FloatArray, heard_T: FloatArray) -> int:
    """Samples by which `heard_T` lags behind `sent_T`: the peak of their cross-correlation."""
    size = 1 << (len(sent_T) + len(heard_T) - 1).bit_length()
    spectrum = np.fft.rfft(heard_T, size) * np.conj(np.fft.rfft(sent_T, size))
    correlation = np.fft.irfft(spectrum, size)
    peak = int(np.argmax(np.abs(correlation)))
    return peak - size if peak > size // 2 else peak


def make_record(sent: Path, heard: Path, tx_events: list[Event], rx_events: list[Event]) -> Record:
    """Everything the demo measured.

    Args:
        sent: WAV file that was sent.
        heard: WAV file that was received.
        tx_events: what `edge-codec tx --json` reported.
        rx_events: what `edge-codec rx --json` reported.

    Raises:
        AudioError: a file cannot be read.
    """
    sent_T, rate_hz = _read_wav(sent)
    heard_T, _ = _read_wav(heard)
    tx, rx = _latest(tx_events), _latest(rx_events)
    lag = find_lag(sent_T, heard_T)
    delay_s = rx["playing"]["t_s"] - tx["sending"]["t_s"]
    return {
        "model": tx["sending"]["model"],
        "model_hash": tx["sending"]["model_hash"],
        "bitrate_bps": tx["sending"]["bitrate_bps"],
        "line_bps": tx["sending"]["line_bps"],
        "sent_s": tx["sent"]["audio_s"],
        "played_s": rx["received"]["audio_s"],
        "mouth_to_ear_ms": round(1000 * (delay_s + lag / rate_hz), 1),
        "tx_peak_mb": tx["sent"]["peak_rss_bytes"] / 1e6,
        "rx_peak_mb": rx["received"]["peak_rss_bytes"] / 1e6,
        "packets_sent": tx["sent"]["voice_sent"],
        "packets_delivered": rx["received"]["voice_delivered"],
        "packets_lost": rx["received"]["voice_lost"],
        "pieces_damaged": rx["received"]["damaged"],
        "frames_concealed": rx["received"]["concealed_frames"],
        "frames_played": rx["received"]["played_frames"],
        "quality": _score(sent_T, heard_T, lag, rate_hz),
    }


def write_report(out: Path, record: Record) -> str:
    """Write report.json and report.md; returns the Markdown.

    Raises:
        AudioError: they cannot be written.
    """
    text = _format_markdown(record)
    try:
        (out / "report.json").write_text(json.dumps(record, indent=1) + "\n")
        (out / "report.md").write_text(text)
    except OSError as error:
        raise AudioError(f"cannot write the report to {out}: {error.strerror}") from error
    return text


def _latest(events: list[Event]) -> dict[str, Event]:
    """The last event of each name, but the first "playing"."""
    first_playing = [event for event in events if event["event"] == "playing"][:1]
    return {event["event"]: event for event in [*events, *first_playing]}


def _score(sent_T: FloatArray, heard_T: FloatArray, lag: int, rate_hz: int) -> dict[str, float]:
    heard_T = quality.align(np.pad(heard_T, (max(-lag, 0), 0)), max(lag, 0), len(sent_T))
    pair = [_at_scored_rate(samples_T, rate_hz) for samples_T in (sent_T, heard_T)]
    scores = {}
    for name, measure in MEASURES.items():
        try:
            scores[name] = round(measure(*pair), 3)
        except (MissingExtraError, AudioError):
            continue  # not installed, or too little speech to tell
    return scores


def _at_scored_rate(samples_T: FloatArray, rate_hz: int) -> FloatArray:
    blocks = audio.resampled([samples_T[:, None]], rate_hz, quality.SCORED_RATE_HZ, 1)
    return np.concatenate(list(blocks))[:, 0]


def _read_wav(path: Path) -> tuple[FloatArray, int]:
    with audio.open_source(str(path), 0) as source:
        blocks = [np.zeros((0, 1), np.float32), *source.chunks()]
        return np.concatenate(blocks)[:, 0], source.sample_rate_hz


def _format_markdown(record: Record) -> str:
    rows = [f"| {name} | {form.format(**record)} |" for name, form in _ROWS]
    rows += [f"| {name} | {score:g} |" for name, score in record["quality"].items()]
    return "\n".join(["# edge-codec demo", "", "| what | value |", "| --- | --- |", *rows, ""])
