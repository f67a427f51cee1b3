"""An `.ecf` file to an audio file, at its first rate and exact length, however damaged.

Streams from disk to disk: memory does not grow with length.

Shapes: T samples, F code frames, C channels, L layers.
"""

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from io import BufferedIOBase
from math import ceil

import numpy as np
import numpy.typing as npt

from edge_codec.runtime.audio import audio_format, open_sink, resampled
from edge_codec.runtime.bundle import Bundle, load_bundle_by_hash
from edge_codec.runtime.codec import StreamDecoder
from edge_codec.runtime.ecf import MAX_RATE_HZ, MIN_RATE_HZ, Block, EcfHeader, EcfReader
from edge_codec.runtime.errors import AudioError, BundleError
from edge_codec.runtime.progress import with_progress
from edge_codec.runtime.spec import CodecSpec
from edge_codec.runtime.streams import STANDARD, open_input, refuse_same_file

FloatArray = npt.NDArray[np.float32]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class DecodeReport:
    """What was decoded."""

    duration_s: float
    """Length of the audio written."""
    sample_rate_hz: int
    """Rate of the audio written."""
    channels: int
    """Channels of the audio written."""
    layers: int
    """RVQ layers used."""
    lost_s: float
    """Audio that was damaged or missing in the file, and filled in."""
    is_complete: bool
    """Whether the file has its end."""

    @property
    def is_damaged(self) -> bool:
        """Whether anything is missing."""
        return self.lost_s > 0 or not self.is_complete


def decode_file(
    source: str,
    target: str,
    *,
    bundle: Bundle | None = None,
    layers: int | None = None,
    bitrate_bps: float | None = None,
    sample_rate_hz: int | None = None,
    precision: str = "auto",
    backend: str = "auto",
    show_progress: bool = False,
) -> DecodeReport:
    """Decode an `.ecf` file; damaged parts are filled in.

    Args:
        source: the `.ecf` file, or "-".
        target: a .wav or .flac file, or "-": 16-bit PCM at the codec's rate.
        bundle: the model; default the installed one that the file asks for.
        layers: use at most so many RVQ layers; default all there are.
        bitrate_bps: use the layers that fit in so many bits per second and channel.
        sample_rate_hz: rate to write; default that of the recording before it was encoded.
        precision: fp32, int8, or auto for the best one the bundle ships.
        backend: onnx, tflite, lyra, or auto for the fastest one.
        show_progress: draw a bar on standard error if that is a terminal.

    Raises:
        AudioError: the source is not an `.ecf` file, the target cannot be written, or the rate
            is out of range.
        BundleError: the model is not installed, not the right one, or cannot be loaded.
        CodeRangeError: the codec does not have `layers`, or none fits in `bitrate_bps`.
        KeyboardInterrupt: stopped; the target is whole up to there.
    """
    if target != STANDARD:
        audio_format(target)  # raises before anything is done
    refuse_same_file(source, target)
    if sample_rate_hz is not None and not MIN_RATE_HZ <= sample_rate_hz <= MAX_RATE_HZ:
        raise AudioError(
            f"{sample_rate_hz} Hz cannot be written; {MIN_RATE_HZ} to {MAX_RATE_HZ} can"
        )
    with open_input(source) as file:
        reader = _open_reader(file, source)
        bundle = _matching_bundle(bundle, reader.header, source).on(backend)
        layers = _usable_layers(bundle.spec, reader.header, layers, bitrate_bps)
        decoder = _ChannelsDecoder(bundle, reader.header.channels, layers, precision)
        rate_hz = sample_rate_hz or _natural_rate_hz(reader.header, target)
        report = _decode(reader, decoder, target, rate_hz, show_progress)
    _warn_if_damaged(report, source)
    return report


class _ChannelsDecoder:
    """One decoder per channel, side by side: blocks [F, C, L] to samples [T, C]."""

    def __init__(self, bundle: Bundle, channels: int, layers: int, precision: str) -> None:
        self.spec, self.layers = bundle.spec, layers
        self._packing = bundle.open_packing()
        first = StreamDecoder(bundle, precision=precision)
        self._decoders = [first, *(first.twin() for _ in range(channels - 1))]

    def push(self, block: Block) -> FloatArray:
        numbers_FCL = block.codes[:, :, : self.layers]
        valid_F = np.full(len(numbers_FCL), 0 if block.is_lost else self.layers)
        unpacked = [
            self._packing.unpack(numbers_FCL[:, c], valid_F) for c in range(len(self._decoders))
        ]
        pushed = [d.push(*codes) for d, codes in zip(self._decoders, unpacked, strict=True)]
        return np.stack(pushed, axis=1)


def _open_reader(file: BufferedIOBase, source: str) -> EcfReader:
    try:
        return EcfReader(file)
    except AudioError as error:
        raise AudioError(f"{source}: {error}") from error


def _matching_bundle(bundle: Bundle | None, header: EcfHeader, source: str) -> Bundle:
    if bundle is None:
        bundle = load_bundle_by_hash(header.model_hash, header.model_name)
    if bundle.model_hash != header.model_hash:
        raise BundleError(
            f"{source} was encoded with model {header.model_name!r} ({header.model_hash[:8]}), "
            f"not with {bundle.path} ({bundle.model_hash[:8]}); give the model it was encoded with"
        )
    spec = bundle.spec
    stated = (header.sample_rate_hz, header.hop_samples, header.bits_per_code)
    if stated != (spec.sample_rate_hz, spec.hop_samples, spec.bits_per_code):
        raise AudioError(f"{source} contradicts its model {header.model_name!r}; encode it again")
    return bundle


def _usable_layers(
    spec: CodecSpec, header: EcfHeader, layers: int | None, bitrate_bps: float | None
) -> int:
    wanted = header.layers if layers is None else layers
    if bitrate_bps is not None:
        wanted = min(wanted, spec.layers_for(bitrate_bps))
    spec.bitrate_bps(wanted)  # raises if the codec has fewer
    return min(wanted, header.layers)


def _natural_rate_hz(header: EcfHeader, target: str) -> int:
    return header.sample_rate_hz if target == STANDARD else header.source_rate_hz


def _decode(
    reader: EcfReader,
    decoder: _ChannelsDecoder,
    target: str,
    sample_rate_hz: int,
    show_progress: bool,
) -> DecodeReport:
    channels, written_samples = reader.header.channels, 0
    with open_sink(target, sample_rate_hz, channels) as write:
        for samples_TC in _audio(reader, decoder, sample_rate_hz, show_progress):
            write(samples_TC)
            written_samples += len(samples_TC)
    return DecodeReport(
        duration_s=written_samples / sample_rate_hz,
        sample_rate_hz=sample_rate_hz,
        channels=channels,
        layers=decoder.layers,
        lost_s=reader.lost_frames / reader.header.frame_rate_hz,
        is_complete=reader.is_complete,
    )


def _warn_if_damaged(report: DecodeReport, source: str) -> None:
    damage = [f"{report.lost_s:.1f} s lost and filled in"] if report.lost_s else []
    damage += [] if report.is_complete else ["its end is missing"]
    if damage:
        _log.warning("%s is damaged: %s", source, ", ".join(damage))


def _audio(
    reader: EcfReader, decoder: _ChannelsDecoder, sample_rate_hz: int, show_progress: bool
) -> Iterator[FloatArray]:
    """The recording at its place and length: without the codec's delay and padding, [T, C]."""
    header = reader.header
    chunks: Iterable[FloatArray] = _at_own_level(reader, decoder)
    if show_progress:
        frames = reader.total_frames
        total_s = None if frames is None else frames / header.frame_rate_hz
        chunks = with_progress(chunks, header.sample_rate_hz, total_s)
    chunks = _without_start(chunks, decoder.spec.delay_samples)
    chunks = resampled(chunks, header.sample_rate_hz, sample_rate_hz, header.channels)
    return _with_exact_end(chunks, reader, sample_rate_hz)


def _at_own_level(reader: EcfReader, decoder: _ChannelsDecoder) -> Iterator[FloatArray]:
    for block in reader.blocks():
        yield decoder.push(block) * np.float32(10 ** (-reader.gain_db / 20))


def _without_start(chunks: Iterable[FloatArray], samples: int) -> Iterator[FloatArray]:
    for chunk in chunks:
        yield chunk[samples:]
        samples = max(0, samples - len(chunk))


def _with_exact_end(
    chunks: Iterable[FloatArray], reader: EcfReader, sample_rate_hz: int
) -> Iterator[FloatArray]:
    """Cut or fill the end to the stated length.

    The length may come with the last bytes of the file. The codec adds less than one frame, so
    keeping back that much until the end is enough.
    """
    header = reader.header
    kept_samples = ceil((header.hop_samples + 2) * sample_rate_hz / header.sample_rate_hz)
    kept_TC, done_samples = np.zeros((0, header.channels), np.float32), 0
    for chunk in chunks:
        joined_TC = np.concatenate([kept_TC, chunk])
        ready = max(0, len(joined_TC) - kept_samples)
        kept_TC = joined_TC[ready:]
        done_samples += ready
        yield joined_TC[:ready]
    length = reader.header.length_samples
    if length is None or not reader.is_complete:
        yield kept_TC
        return
    missing = round(length * sample_rate_hz / header.source_rate_hz) - done_samples
    padding_TC = np.zeros((kept_samples, header.channels), np.float32)
    yield np.concatenate([kept_TC, padding_TC])[: max(0, missing)]
