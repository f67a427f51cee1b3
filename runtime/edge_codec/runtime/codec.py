"""The codec as two streams: samples in, codes out; codes in, samples out.

Keeps the state that the graphs carry from call to call, so that any cutting of a stream into
chunks gives the same result. No files, no clock, no link.

Shapes: T samples, F code frames, K codebooks (spec.layers).
"""

import copy
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_codec.runtime.backends.opening import open_graph
from edge_codec.runtime.bundle import Bundle
from edge_codec.runtime.concealment import HoldConcealment
from edge_codec.runtime.errors import AudioError, CodeRangeError

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float32]

FRAMES_PER_CALL = 16
"""Longest piece a graph is run on: what a call needs in RAM grows with it."""


class StreamEncoder:
    """Turn samples at the codec's rate into codes, keeping what does not fill a frame yet."""

    def __init__(
        self,
        bundle: Bundle,
        *,
        layers: int | None = None,
        threads: int | None = None,
        precision: str = "auto",
        backend: str = "auto",
    ) -> None:
        """Load the encoder graph; see `open_graph` for the other arguments.

        Args:
            bundle: where from.
            layers: how many to give; what is not wanted need not be computed. None for all.
            threads, precision, backend: as for `open_graph`.

        Raises:
            BundleError: the bundle has no such graph, or it cannot be loaded.
            CodeRangeError: the codec has fewer layers.
        """
        self.spec = bundle.spec
        self.layers = bundle.spec.layers if layers is None else layers
        """Layers of the codes that come out."""
        self.spec.bitrate_bps(self.layers)  # raises if the codec has fewer
        self._graph = open_graph(
            bundle,
            "encoder",
            layers=layers,
            threads=threads,
            precision=precision,
            backend=backend,
        )
        self.reset()

    def reset(self) -> None:
        """Start a new stream: forget the state and the samples kept."""
        self._state = self._graph.zero_state
        self._kept_T: FloatArray = np.zeros(0, np.float32)

    def twin(self) -> "StreamEncoder":
        """One more stream through the same graph, which is not loaded again."""
        other = copy.copy(self)
        other.reset()
        return other

    def push(self, samples_T: FloatArray) -> IntArray:
        """Encode samples that follow those of the last call.

        Args:
            samples_T: [T], any T, float32, full scale is 1.

        Returns:
            [F, layers]: the code frames now complete, maybe none.

        Raises:
            AudioError: another shape or type, or a value that is not finite; nothing is changed.
        """
        if samples_T.ndim != 1 or samples_T.dtype != np.float32:
            raise AudioError(
                f"the encoder takes float32 samples [T], got {samples_T.dtype} of shape "
                f"{list(samples_T.shape)}"
            )
        if not np.isfinite(samples_T).all():
            raise AudioError("the encoder got NaN or infinite samples; check what makes them")
        if len(self._kept_T):
            samples_T = np.concatenate([self._kept_T, samples_T])
        whole = len(samples_T) - len(samples_T) % self.spec.hop_samples
        self._kept_T = samples_T[whole:].copy()
        return self._encode(samples_T[:whole])

    def flush(self) -> IntArray:
        """End the stream: the frame of what is kept, filled up with zeros.

        Returns:
            [F, layers] with F 0 or 1.
        """
        missing = -len(self._kept_T) % self.spec.hop_samples
        return self.push(np.zeros(missing, np.float32))

    def _encode(self, samples_T: FloatArray) -> IntArray:
        step = FRAMES_PER_CALL * self.spec.hop_samples
        pieces = []
        for start in range(0, len(samples_T), step):
            piece_1T = samples_T[None, start : start + step]
            codes_1FK, self._state = self._graph.run(piece_1T, self._state)
            pieces.append(codes_1FK[0, :, : self.layers].astype(np.int64, copy=False))
        return _joined(pieces, np.zeros((0, self.layers), np.int64))


class StreamDecoder:
    """Turn codes into samples at the codec's rate, filling in what did not arrive."""

    def __init__(
        self,
        bundle: Bundle,
        *,
        threads: int | None = None,
        precision: str = "auto",
        backend: str = "auto",
    ) -> None:
        """Load the decoder graph; see `open_graph` for the arguments.

        Raises:
            BundleError: the bundle has no such graph, or it cannot be loaded.
        """
        self.spec = bundle.spec
        self._conceals_loss = bundle.conceals_loss
        self._graph = open_graph(
            bundle, "decoder", threads=threads, precision=precision, backend=backend
        )
        self.reset()

    def reset(self) -> None:
        """Start a new stream: forget the state."""
        self._state = self._graph.zero_state
        self._concealment = HoldConcealment(self.spec.layers, self.spec.codebook_size)

    def twin(self) -> "StreamDecoder":
        """One more stream through the same graph, which is not loaded again."""
        other = copy.copy(self)
        other.reset()
        return other

    def push(
        self, codes_FK: npt.NDArray[Any], valid_layers_F: npt.NDArray[Any] | None = None
    ) -> FloatArray:
        """Decode code frames that follow those of the last call.

        Args:
            codes_FK: [F, up to K] whole numbers; layers not given count as not sent, as does
                the value `codebook_size`.
            valid_layers_F: [F], how many layers of each frame arrived; 0 = none, fill it in.
                Codes beyond them are not looked at. Default: all that are given.

        Returns:
            [F * hop_samples], float32.

        Raises:
            CodeRangeError: another shape or type, or a value the codec does not have; nothing
                is changed.
        """
        codes_FK = self._checked(codes_FK, valid_layers_F)
        if self._conceals_loss:
            return self._decode(codes_FK)
        lost_F = (codes_FK == self.spec.codebook_size).all(axis=1)
        samples_T = self._decode(self._concealment.fill(codes_FK, lost_F))
        return self._concealment.fade(samples_T, lost_F)

    def _checked(
        self, given_FL: npt.NDArray[Any], valid_layers_F: npt.NDArray[Any] | None
    ) -> IntArray:
        layers, not_sent = self.spec.layers, self.spec.codebook_size
        if given_FL.ndim != 2 or given_FL.shape[1] > layers or not _is_whole(given_FL):
            raise CodeRangeError(
                f"the decoder takes whole numbers [F, up to {layers}], got {given_FL.dtype} "
                f"{list(given_FL.shape)}"
            )
        codes_FK = np.empty((len(given_FL), layers), np.int64)
        codes_FK.fill(not_sent)
        codes_FK[:, : given_FL.shape[1]] = given_FL
        if valid_layers_F is not None:
            self._check_valid_layers(valid_layers_F, len(codes_FK))
            codes_FK[np.arange(layers) >= valid_layers_F[:, None]] = not_sent
        # Seen as unsigned, a negative number is too large.
        if codes_FK.size and np.maximum.reduce(codes_FK.view(np.uint64), axis=None) > not_sent:
            raise CodeRangeError(
                f"codes span {codes_FK.min()} to {codes_FK.max()}, outside 0 to {not_sent}"
            )
        return codes_FK

    def _check_valid_layers(self, valid_layers_F: npt.NDArray[Any], frames: int) -> None:
        if valid_layers_F.shape != (frames,) or not _is_whole(valid_layers_F):
            raise CodeRangeError(
                f"valid layers must be {frames} whole numbers, got {valid_layers_F.dtype} "
                f"{list(valid_layers_F.shape)}"
            )
        if frames and not 0 <= valid_layers_F.min() <= valid_layers_F.max() <= self.spec.layers:
            raise CodeRangeError(f"valid layers must be 0 to {self.spec.layers}")

    def _decode(self, codes_FK: IntArray) -> FloatArray:
        pieces = []
        for start in range(0, len(codes_FK), FRAMES_PER_CALL):
            piece_1FK = codes_FK[None, start : start + FRAMES_PER_CALL]
            samples_1T, self._state = self._graph.run(piece_1FK, self._state)
            pieces.append(samples_1T[0])
        return _joined(pieces, np.zeros(0, np.float32))


def _joined(pieces: list[npt.NDArray[Any]], nothing: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """One array of all pieces; most calls of a stream have one, which is not copied."""
    return pieces[0] if len(pieces) == 1 else np.concatenate([nothing, *pieces])


def _is_whole(values: npt.NDArray[Any]) -> bool:
    return values.dtype.kind in "iu"
