"""Context coding: as many codes as fit into a message, the most useful first.

The first layer of all frames comes first, frame after frame. From it both ends know how loud each
frame is; the upper layers follow in the order of what they add, so loud frames get more of them
than soft ones. Each code takes as many bits as it is unlikely, given those before it. A message
that is cut anywhere still says the codes before the cut. docs/context-coding.md is the authority.

Shapes: F code frames of one unit, K layers of the codec, L layers of the bitrate.
"""

from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter

import numpy as np
import numpy.typing as npt

from edge_codec.runtime.context_model import ContextModel
from edge_codec.runtime.errors import CodeRangeError
from edge_codec.runtime.interval import IntervalReader, IntervalWriter

IntArray = npt.NDArray[np.int64]
Place = tuple[int, int]
"""Frame and layer of a code."""


class ContextCoder:
    """Packs units of one codec, each for itself; a `Packing`."""

    def __init__(self, model: ContextModel, layers: int) -> None:
        """`layers` are those of the codec; all of them may come to be sent."""
        self._model = model
        self._layers = layers
        self._size = model.codebook_size
        self._bits_per_code = (self._size - 1).bit_length()

    def needed_layers(self, layers: int) -> int:
        """All of the codec's: which of them are sent is decided here."""
        del layers
        return self._layers

    def pack(self, codes_FK: IntArray, layers: int) -> IntArray:
        """What goes in the place of the first `layers` codes of each frame.

        Args:
            codes_FK: [F, K], all layers of one unit.
            layers: of the bitrate.

        Returns:
            [F, layers]: the message in numbers as long as codes, layer after layer.

        Raises:
            CodeRangeError: not all layers, or a value that is no code.
        """
        self._check(codes_FK)
        count = len(codes_FK) * layers
        fitted, message = self._write(codes_FK, self._model.layers, count)
        if fitted < count:  # sounds that the model does not know
            plainly, plain_message = self._write(codes_FK, 0, count)
            message = plain_message if plainly > fitted else message
        return self._numbers(message, count).reshape(layers, len(codes_FK)).T

    def unpack(self, numbers_FL: IntArray, valid_F: IntArray) -> tuple[IntArray, IntArray]:
        """The codes that a message says, as far as it came.

        Args:
            numbers_FL: [F, up to K], as `pack` gave them.
            valid_F: [F], how many of each frame arrived; what counts is the least.

        Returns:
            codes [F, K], the codebook's size where there is none, and valid layers [F].

        Raises:
            CodeRangeError: a number that is longer than a code.
        """
        reader = self._reader(numbers_FL[:, : int(valid_F.min())])
        codes_FK = np.zeros((len(numbers_FL), self._layers), np.int64)
        valid_F = self._read(reader, codes_FK)
        codes_FK[np.arange(self._layers) >= valid_F[:, None]] = self._size
        return codes_FK, valid_F

    def _write(self, codes_FK: IntArray, modelled: int, count: int) -> tuple[int, int]:
        """How many codes so many numbers say, and the message of them."""
        steps_FK = self._all_steps(codes_FK)
        shares: dict[int, list[tuple[int, int, int]]] = {}
        writer = IntervalWriter(count * self._bits_per_code)
        writer.put(int(modelled > 0), 1, 2)
        order = np.argsort(steps_FK, axis=None, kind="stable")
        for frame, layer in zip(*divmod(order, self._layers), strict=True):
            if layer < modelled:
                if layer not in shares:
                    shares[layer] = self._shares(codes_FK, steps_FK, layer)
                has_room = writer.put(*shares[layer][frame])
            else:
                has_room = writer.put(int(codes_FK[frame, layer]), 1, self._size)
            if not has_room:
                break
        return writer.said() - 1, writer.message()

    def _read(self, reader: IntervalReader, codes_FK: IntArray) -> IntArray:
        """Fill in the codes as far as the message goes; how many of each frame, [F]."""
        is_modelled = reader.position(2)
        reader.take(is_modelled, 1, 2)
        modelled = is_modelled * self._model.layers
        valid_F = np.zeros(len(codes_FK), np.int64)
        for places, steps_FK in self._groups(codes_FK):
            ends = self._ends(codes_FK, steps_FK, places, modelled)
            for frame, layer in places:
                code = self._take(reader, ends.get(frame))
                if code is None:
                    return valid_F
                codes_FK[frame, layer] = code
                valid_F[frame] = layer + 1
        return valid_F

    def _groups(self, codes_FK: IntArray) -> Iterator[tuple[list[Place], IntArray]]:
        """Frame and layer of each code of each step, and all steps known by then."""
        frames, layers = codes_FK.shape
        steps_FK = _first_steps(frames, layers)
        for frame in range(frames):
            yield [(frame, 0)], steps_FK
        steps_FK = self._all_steps(codes_FK)
        order = np.argsort(steps_FK, axis=None, kind="stable")[frames:]
        sorted_steps = steps_FK.flat[order].tolist()
        places = [divmod(at, layers) for at in order.tolist()]
        for _, step in groupby(zip(sorted_steps, places, strict=True), key=itemgetter(0)):
            yield [place for _, place in step], steps_FK

    def _all_steps(self, codes_FK: IntArray) -> IntArray:
        """[F, K] the step in which each code comes, once the first layer is known.

        The first layer takes a step for each frame. Then come waves: the loudest frames get their
        second layer, those softer by `layer_db` theirs with the others' third. Of each wave the
        even frames come first, so that the odd ones have neighbours to go by.
        """
        frames, layers = codes_FK.shape
        steps_FK = _first_steps(frames, layers)
        levels_F = self._model.levels_N[codes_FK[:, 0]]
        waves_F1 = ((levels_F.max() - levels_F) // self._model.layer_db)[:, None]
        odd_F1 = (np.arange(frames) % 2)[:, None]
        steps_FK[:, 1:] = 2 * (waves_F1 + np.arange(1, layers)) + odd_F1
        return steps_FK

    def _shares(
        self, codes_FK: IntArray, steps_FK: IntArray, layer: int
    ) -> list[tuple[int, int, int]]:
        """For each frame where the share of its code begins, its size, and all odds."""
        frames_F = np.arange(len(codes_FK))
        ends_FN = self._model.cumulative_odds(codes_FK, steps_FK, frames_F, layer)
        return [
            _share(ends_N, code) for ends_N, code in zip(ends_FN, codes_FK[:, layer], strict=True)
        ]

    def _ends(
        self, codes_FK: IntArray, steps_FK: IntArray, places: list[Place], modelled: int
    ) -> dict[int, IntArray]:
        """Frame -> where the shares of its next code's values end, [N]; modelled layers only."""
        frames_by_layer: dict[int, list[int]] = {}
        for frame, layer in places:
            if layer < modelled:
                frames_by_layer.setdefault(layer, []).append(frame)
        ends: dict[int, IntArray] = {}
        for layer, frames in frames_by_layer.items():
            ends_nN = self._model.cumulative_odds(codes_FK, steps_FK, np.array(frames), layer)
            ends |= zip(frames, ends_nN, strict=True)
        return ends

    def _take(self, reader: IntervalReader, ends_N: IntArray | None) -> int | None:
        """The next code, all being equally likely without `ends_N`; None if there is none."""
        if ends_N is None:
            code = reader.position(self._size)
            share = (code, 1, self._size)
        else:
            code = int(ends_N.searchsorted(reader.position(int(ends_N[-1])), side="right"))
            share = _share(ends_N, code)
        return code if reader.take(*share) else None

    def _numbers(self, message: int, count: int) -> IntArray:
        """A message in numbers of as many bits as a code, most significant first."""
        bits, last = self._bits_per_code, self._size - 1
        return np.array([message >> bits * at & last for at in range(count - 1, -1, -1)], np.int64)

    def _reader(self, numbers_FL: IntArray) -> IntervalReader:
        message, bits = 0, self._bits_per_code
        for number in numbers_FL.T.flat:
            if not 0 <= number < self._size:
                raise CodeRangeError(f"{number} does not fit into {bits} bits")
            message = message << bits | int(number)
        return IntervalReader(message, numbers_FL.size * bits)

    def _check(self, codes_FK: IntArray) -> None:
        size = self._size
        if codes_FK.ndim != 2 or codes_FK.shape[1] != self._layers or not len(codes_FK):
            raise CodeRangeError(
                f"a unit needs codes [F, {self._layers}], got {list(codes_FK.shape)}"
            )
        if not 0 <= codes_FK.min() <= codes_FK.max() < size:
            raise CodeRangeError(f"codes span {codes_FK.min()} to {codes_FK.max()} of {size}")


def _share(ends_N: IntArray, code: int) -> tuple[int, int, int]:
    start = int(ends_N[code - 1]) if code else 0
    return start, int(ends_N[code]) - start, int(ends_N[-1])


def _first_steps(frames: int, layers: int) -> IntArray:
    """[F, K] steps while the first layer alone is known: one for each frame, before all others."""
    steps_FK = np.full((frames, layers), frames * layers, np.int64)
    steps_FK[:, 0] = np.arange(frames) - frames
    return steps_FK
