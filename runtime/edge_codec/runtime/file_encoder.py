"""An audio file to an `.ecf` file. Streams from disk to disk: memory does not grow with length.

Shapes: T samples, F code frames, C channels, L layers.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge_codec.runtime.audio import (
    AudioSource,
    mixed,
    open_source,
    regrouped,
    resampled,
)
from edge_codec.runtime.bundle import Bundle
from edge_codec.runtime.codec import FRAMES_PER_CALL, StreamEncoder
from edge_codec.runtime.ecf import MAX_GAIN_DB, EcfHeader, EcfWriter
from edge_codec.runtime.errors import AudioError
from edge_codec.runtime.loudness import LoudnessMeter
from edge_codec.runtime.pcm import LevelMeter
from edge_codec.runtime.progress import with_progress
from edge_codec.runtime.streams import STANDARD, open_output, refuse_same_file

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]

_SHORT_S = 0.1
"""A file that ends sooner than this before its stated length is whole: MP3 states it roughly."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class EncodeReport:
    """What was encoded."""

    duration_s: float
    """Length of the recording."""
    source_rate_hz: int
    """Rate of the recording."""
    source_channels: int
    """Channels of the recording."""
    channels: int
    """Channels encoded."""
    layers: int
    """RVQ layers kept."""
    bitrate_bps: float
    """Codec bits per second, all channels together."""
    loudness_dbfs: float
    """RMS level of the recording, as mixed."""
    gain_db: float
    """What it was made louder by before it was encoded; decoding undoes it."""
    written_bytes: int
    """Size of the `.ecf` file."""


def encode_file(
    source: str,
    target: str,
    *,
    bundle: Bundle,
    layers: int | None = None,
    keep_channels: bool = False,
    precision: str = "auto",
    show_progress: bool = False,
) -> EncodeReport:
    """Encode an audio file.

    Args:
        source: WAV, FLAC, Ogg, MP3, ...; or "-": 16-bit mono PCM at the codec's rate.
        target: the `.ecf` file, or "-".
        bundle: the model.
        layers: RVQ layers to keep; default all.
        keep_channels: encode each channel by itself instead of their mean.
        precision: fp32, int8, or auto for the best one the bundle ships.
        show_progress: draw a bar on standard error if that is a terminal.

    Raises:
        AudioError: the source cannot be read or the target cannot be written.
        BundleError: the graph cannot be loaded.
        CodeRangeError: the codec has fewer layers.
        KeyboardInterrupt: stopped; the target is whole up to there.
    """
    layers = bundle.spec.layers if layers is None else layers
    bundle.spec.bitrate_bps(layers)  # raises if the codec has fewer
    refuse_same_file(source, target)
    with open_source(source, bundle.spec.sample_rate_hz) as audio, open_output(target) as file:
        channels = audio.channels if keep_channels else 1
        gain_db = find_gain_db(source, channels, bundle.loudness_lufs)
        packing = bundle.open_packing()
        needed = packing.needed_layers(layers)
        encoder = _ChannelsEncoder(bundle, channels, needed, precision)
        header = _make_header(bundle, audio, channels, layers)
        writer = EcfWriter(file, header, gain_db=gain_db, packing=packing)
        return _encode(audio, encoder, writer, gain_db, show_progress)


def find_gain_db(source: str, channels: int, wanted_lufs: float | None) -> float:
    """Gain that brings an audio file to a loudness; none for a pipe, for silence, or if not wanted.

    The file is read once more for it, in chunks.

    Raises:
        AudioError: it cannot be read.
    """
    if wanted_lufs is None or source == STANDARD:
        return 0.0
    with open_source(source, 0) as audio:
        meter = LoudnessMeter(audio.sample_rate_hz)
        for chunk in audio.chunks() if channels == audio.channels else mixed(audio.chunks()):
            meter.push(chunk)
    loudness_lufs = meter.lufs()
    if loudness_lufs is None:
        return 0.0
    return round(float(np.clip(wanted_lufs - loudness_lufs, -MAX_GAIN_DB, MAX_GAIN_DB)), 2)


class _ChannelsEncoder:
    """One encoder per channel, side by side: samples [T, C] to codes [F, C, L]."""

    def __init__(self, bundle: Bundle, channels: int, layers: int, precision: str) -> None:
        self.spec = bundle.spec
        first = StreamEncoder(bundle, layers=layers, precision=precision)
        self._encoders = [first, *(first.twin() for _ in range(channels - 1))]

    def push(self, samples_TC: FloatArray) -> IntArray:
        return np.stack([e.push(samples_TC[:, c]) for c, e in enumerate(self._encoders)], axis=1)

    def finish(self) -> IntArray:
        """Codes of what is left and of the silence that brings it out of the decoder's delay."""
        pushed = self.push(np.zeros((self.spec.delay_samples, len(self._encoders)), np.float32))
        flushed = np.stack([e.flush() for e in self._encoders], axis=1)
        return np.concatenate([pushed, flushed])


def _make_header(bundle: Bundle, audio: AudioSource, channels: int, layers: int) -> EcfHeader:
    return EcfHeader.for_codec(
        bundle.spec,
        channels=channels,
        layers=layers,
        model_name=bundle.name,
        model_hash=bundle.model_hash,
        source_rate_hz=audio.sample_rate_hz,
        source_channels=audio.channels,
    )


def _encode(
    audio: AudioSource,
    encoder: _ChannelsEncoder,
    writer: EcfWriter,
    gain_db: float,
    show_progress: bool,
) -> EncodeReport:
    meter, stop = LevelMeter(), None
    louder = np.float32(10 ** (gain_db / 20))
    # As long as one call of the graph: what a call goes over besides the new samples costs time.
    call_samples = FRAMES_PER_CALL * encoder.spec.hop_samples
    try:
        chunks = _at_codec_rate(audio, writer.header, show_progress)
        for samples_TC in regrouped(chunks, call_samples):
            meter.add(samples_TC)
            writer.write(encoder.push(samples_TC * louder))
        writer.write(encoder.finish())
    except KeyboardInterrupt as error:
        stop = error
    if not audio.read_samples:
        raise stop or AudioError(f"{audio.name} holds no audio; nothing was written")
    length_samples = audio.read_samples if not stop else _decodable_samples(encoder, writer)
    writer.finish(length_samples=length_samples, loudness_dbfs=meter.dbfs)
    if stop:
        raise stop
    _warn_if_short(audio)
    return EncodeReport(
        duration_s=audio.read_samples / audio.sample_rate_hz,
        source_rate_hz=audio.sample_rate_hz,
        source_channels=audio.channels,
        channels=writer.header.channels,
        layers=writer.header.layers,
        bitrate_bps=writer.header.bitrate_bps,
        loudness_dbfs=round(meter.dbfs, 2),
        gain_db=gain_db,
        written_bytes=writer.written_bytes,
    )


def _at_codec_rate(
    audio: AudioSource, header: EcfHeader, show_progress: bool
) -> Iterator[FloatArray]:
    chunks = audio.chunks()
    if show_progress:
        total = audio.length_samples
        total_s = None if total is None else total / audio.sample_rate_hz
        chunks = with_progress(chunks, audio.sample_rate_hz, total_s)
    if header.channels < audio.channels:
        chunks = mixed(chunks)
    return resampled(chunks, audio.sample_rate_hz, header.sample_rate_hz, header.channels)


def _decodable_samples(encoder: _ChannelsEncoder, writer: EcfWriter) -> int:
    """Length at the source's rate of what a stopped encoder has handed on."""
    decoded = writer.frames * encoder.spec.hop_samples - encoder.spec.delay_samples
    return max(0, decoded * writer.header.source_rate_hz // encoder.spec.sample_rate_hz)


def _warn_if_short(audio: AudioSource) -> None:
    missing_s = ((audio.length_samples or 0) - audio.read_samples) / audio.sample_rate_hz
    if missing_s > _SHORT_S:
        _log.warning(
            "%s is damaged or cut off: its last %.1f s could not be read", audio.name, missing_s
        )
