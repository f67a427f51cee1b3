"""A bundle as one of the codecs: ours, or Lyra v2's graphs through the same runtime."""

from dataclasses import replace

import numpy as np

from edge_codec.benchmarks.coders.coder import FloatArray, Packet
from edge_codec.runtime.backends.selection import choose_backend
from edge_codec.runtime.bundle import Bundle
from edge_codec.runtime.codec import StreamDecoder, StreamEncoder
from edge_codec.runtime.errors import BundleError


class ModelCoder:
    """A model that sends so many layers, so many code frames a call."""

    def __init__(
        self,
        bundle: Bundle,
        layers: int,
        *,
        precision: str = "auto",
        call_frames: int = 1,
        threads: int = 1,
    ) -> None:
        """Load its graphs.

        Raises:
            BundleError: the bundle has no such graph.
            MissingExtraError: what runs it is not installed.
        """
        self.spec = spec = bundle.spec
        self.layers = layers
        self.call_frames = call_frames
        self.backend = choose_backend(bundle, precision=precision)
        auto = bundle.best_precision(self.backend)
        self.precision = auto if precision == "auto" else precision
        self.name = f"{bundle.name} {spec.bitrate_bps(layers) / 1000:g}k"
        self.rate_hz = spec.sample_rate_hz
        self.frame_samples = call_frames * spec.hop_samples
        self.unit_samples = spec.hop_samples
        self.delay_samples = spec.delay_samples
        self._frame_bits = layers * spec.bits_per_code
        bundle = bundle.on(self.backend)
        self._encoder = StreamEncoder(
            bundle, layers=layers, threads=threads, precision=self.precision
        )
        self._decoder = StreamDecoder(bundle, threads=threads, precision=self.precision)

    def reset(self) -> None:
        """Begin a new stream."""
        self._encoder.reset()
        self._decoder.reset()

    def encode(self, frame_T: FloatArray) -> Packet:
        """Encode one call's samples."""
        codes_FK = self._encoder.push(np.asarray(frame_T))
        return Packet(codes_FK, len(codes_FK) * self._frame_bits)

    def decode(self, packet: Packet) -> FloatArray:
        """[T] of one packet."""
        return self._decoder.push(packet.content)


def with_backend(bundle: Bundle, backend: str) -> Bundle:
    """The same bundle with the graphs of one back end only; `auto` leaves the choice to it.

    Raises:
        BundleError: it has none for that back end.
    """
    if backend == "auto":
        return bundle
    graphs = bundle.manifest["graphs"]
    if not graphs.get(backend):
        raise BundleError(
            f"{bundle.name} has no graphs for {backend}; it has {', '.join(sorted(graphs))}"
        )
    narrowed = replace(bundle, manifest=bundle.manifest | {"graphs": {backend: graphs[backend]}})
    return narrowed.on(backend)
