"""What a stream or a file carries in the place of codes: themselves, or messages of them.

Links and files take numbers of a code's length as they are, so both look the same to them. A
message is of code frames that arrive or get lost together, a unit.
Shapes: F code frames, K layers of the codec, L layers of the bitrate.
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
        """[F, layers] numbers in the place of one unit's codes."""

    def unpack(self, numbers_FL: IntArray, valid_F: IntArray) -> tuple[IntArray, IntArray]:
        """Codes and valid layers [F] of one unit, from what arrived of its numbers."""


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


def pack_units(packing: Packing, codes_FK: IntArray, layers: int, frames: int) -> IntArray:
    """[F, layers] numbers of frames that arrive or get lost `frames` at a time."""
    parts = (codes_FK[start : start + frames] for start in range(0, len(codes_FK), frames))
    return np.concatenate([packing.pack(part, layers) for part in parts])


def unpack_units(
    packing: Packing, numbers_FL: IntArray, valid_F: IntArray, frames: int
) -> tuple[IntArray, IntArray]:
    """Codes and valid layers [F] of what `pack_units` made, as far as it arrived."""
    parts = [slice(start, start + frames) for start in range(0, len(numbers_FL), frames)]
    unpacked = [packing.unpack(numbers_FL[part], valid_F[part]) for part in parts]
    codes, valid = zip(*unpacked, strict=True)
    return np.concatenate(codes), np.concatenate(valid)
