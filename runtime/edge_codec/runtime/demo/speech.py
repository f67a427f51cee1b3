"""Real speech for the demo: the packaged clips, one after the other, over and over."""

from contextlib import closing
from importlib.resources import as_file, files
from itertools import cycle
from pathlib import Path

from edge_codec.runtime import audio
from edge_codec.runtime.transceiver.sinks import WavSink


def write_speech(path: Path, sample_rate_hz: int, seconds: float) -> None:
    """Write a mono WAV file of exactly `seconds` of speech.

    Raises:
        AudioError: it cannot be written.
    """
    clips = files("edge_codec.runtime") / "clips"
    names = cycle(sorted(clip.name for clip in clips.iterdir() if clip.name.endswith(".flac")))
    missing = round(seconds * sample_rate_hz)
    with closing(WavSink(path, sample_rate_hz)) as sink:
        while missing > 0:
            with as_file(clips / next(names)) as clip:
                missing -= _copy(clip, sink, sample_rate_hz, missing)


def _copy(clip: Path, sink: WavSink, sample_rate_hz: int, limit_samples: int) -> int:
    copied = 0
    with audio.open_source(str(clip), sample_rate_hz) as source:
        mono = audio.mixed(source.chunks())
        for block_TC in audio.resampled(mono, source.sample_rate_hz, sample_rate_hz, 1):
            samples_T = block_TC[: limit_samples - copied, 0]
            sink.write(samples_T)
            copied += len(samples_T)
    return copied
