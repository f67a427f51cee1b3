"""A bundle as one of the codecs: ours, or Lyra v2's graphs through the same runtime."""

from dataclasses import replace
from functools import cached_property

import numpy as np

from edge_codec.benchmarks.coders.coder import FloatArray, Packet
from edge_codec.firmware_bridge import profile_for
from edge_codec.firmware_bridge.profile import MAX_LAYERS
from edge_codec.runtime.backends.selection import choose_backend
from edge_codec.runtime.bundle import Bundle
from edge_codec.runtime.codec import StreamDecoder, StreamEncoder
from edge_codec.runtime.errors import BundleError
from edge_codec.runtime.packing import Packing


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
        self._bundle = bundle.on(self.backend)
        self._encoder = StreamEncoder(
            self._bundle, layers=layers, threads=threads, precision=self.precision
        )
        self._decoder = StreamDecoder(self._bundle, threads=threads, precision=self.precision)

    @cached_property
    def packing(self) -> Packing:
        """How the link packs superframes of its codes."""
        return self._bundle.open_packing()

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


class SuperframeCoder(ModelCoder):
    """A model that packs each call as the link packs a superframe, once it is whole."""

    def __init__(self, bundle: Bundle, layers: int, *, precision: str = "auto") -> None:
        """As long calls as the superframes of this bitrate's packets.

        Raises:
            BundleError, MissingExtraError: as `ModelCoder`.
        """
        spec, packing = bundle.spec, bundle.open_packing()
        profile = profile_for(min(layers, MAX_LAYERS), spec.bits_per_code, spec.frame_rate_hz)
        super().__init__(
            bundle,
            packing.needed_layers(layers),
            precision=precision,
            call_frames=profile.frames_per_superframe,
        )
        self.packing = packing
        self.layers = layers
        self.name = f"{bundle.name} {spec.bitrate_bps(layers) / 1000:g}k"
        self._frame_bits = layers * spec.bits_per_code

    def encode(self, frame_T: FloatArray) -> Packet:
        """Encode and pack one call's samples."""
        packet = super().encode(frame_T)
        return Packet(self.packing.pack(packet.content, self.layers), packet.bits)

    def decode(self, packet: Packet) -> FloatArray:
        """[T] of one superframe."""
        numbers_FL = packet.content
        codes = self.packing.unpack(numbers_FL, np.full(len(numbers_FL), self.layers))
        return self._decoder.push(*codes)


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
