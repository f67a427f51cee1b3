"""What a stream or a file carries in the place of a superframe's codes: themselves, or a message.

Links and files take numbers of a code's length as they are, so both look the same to them.
Shapes: F code frames of one superframe, K layers of the codec, L layers of the bitrate.
"""

from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from edge_codec.runtime.context_coding import ContextCoder
from edge_codec.runtime.context_model import load_context_model
from edge_codec.runtime.errors import BundleError
from edge_codec.runtime.spec import CodecSpec

IntArray = npt.NDArray[np.int64]


class Packing(Protocol):
    """Codes to numbers that are carried, and back."""

    def needed_layers(self, layers: int) -> int:
        """Layers of codes that `pack` wants, for a bitrate of `layers` layers."""

    def pack(self, codes_FK: IntArray, layers: int) -> IntArray:
        """[F, layers] numbers in the place of one superframe's codes."""

    def unpack(self, numbers_FL: IntArray, valid_F: IntArray) -> tuple[IntArray, IntArray]:
        """Codes and valid layers [F] of one superframe, from what arrived of its numbers."""


class PlainPacking:
    """The codes as they are."""

    def needed_layers(self, layers: int) -> int:
        """No more than are sent."""
        return layers

    def pack(self, codes_FK: IntArray, layers: int) -> IntArray:
        """The first layers."""
        return codes_FK[:, :layers]

    def unpack(self, numbers_FL: IntArray, valid_F: IntArray) -> tuple[IntArray, IntArray]:
        """As they came."""
        return numbers_FL, valid_F


def open_packing(context: Path | None, spec: CodecSpec) -> Packing:
    """The packing of a codec, by its context model if it has one.

    Args:
        context: file of the context model; None: there is none.
        spec: of the codec.

    Raises:
        BundleError: the file holds no context model, or that of another codec.
    """
    if context is None:
        return PlainPacking()
    model = load_context_model(context)
    if model.codebook_size != spec.codebook_size or model.layers > spec.layers:
        raise BundleError(f"{context} is the context model of another codec")
    return ContextCoder(model, spec.layers)


def packed_and_back(
    packing: Packing, codes_FK: IntArray, spec: CodecSpec, layers: int, frames: int
) -> IntArray:
    """What arrives of a whole recording at a bitrate, if nothing is lost on the way.

    Args:
        packing: of the model.
        codes_FK: all layers.
        spec: of the codec.
        layers: of the bitrate.
        frames: of one superframe; the last one may be shorter.

    Returns:
        [F, K], the codebook's size in the place of codes that are not carried.
    """
    arrived_FK = np.full_like(codes_FK, spec.codebook_size)
    for start in range(0, len(codes_FK), frames):
        part = slice(start, start + frames)
        numbers_FL = packing.pack(codes_FK[part], layers)
        unpacked_FL, _ = packing.unpack(numbers_FL, np.full(len(numbers_FL), layers))
        arrived_FK[part, : unpacked_FL.shape[1]] = unpacked_FL
    return arrived_FK
