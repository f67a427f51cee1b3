"""Run TFLite graphs with LiteRT, or with tflite-runtime where a board has nothing newer.

Knows no audio.

LiteRT compiles a graph for calls of one size, so a TFLite file of a bundle has one function for
each length of call, in whole frames; all of them share weights and state. An encoder's may code the
first half of the layers alone; then another function goes on from the residual it leaves.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_codec.runtime.errors import BundleError, MissingExtraError

FloatArray = npt.NDArray[np.float32]

LIBRARIES = ("ai_edge_litert", "tflite_runtime")
"""Packages with the same `Interpreter`; the second is what the first was called."""
INT8_STORAGE = "int8_storage"
"""Precision of graphs with int8 weights and float products, for tflite-runtime: to its last release
(2.14) it takes the scale of the first output of an int8 product for all of them, which decodes
to near silence."""
NEEDS_LITERT = "this model needs LiteRT: pip install 'edge-codec[tflite]'"


Tensors = dict[str, str]
"""Name -> type and shape, such as `float32 [1, 320]`."""


def open_file(path: Path, *, threads: int = 1) -> Any:
    """Load a TFLite file.

    Args:
        path: the .tflite file.
        threads: threads one call may use.

    Raises:
        BundleError: LiteRT cannot load it.
        MissingExtraError: LiteRT is not installed.
    """
    try:
        interpreter = _interpreter_class()(model_path=str(path), num_threads=threads)
        interpreter.allocate_tensors()  # else the first call would, and print that it did
    except (ValueError, RuntimeError) as error:
        raise _cannot_load(path, error) from error
    return interpreter


def open_signature(
    path: Path, name: str | None = None, *, takes: Tensors, gives: Tensors, threads: int = 1
) -> Any:
    """Load one function of a TFLite file: call it with arrays by name to get a dict of arrays.

    What the graph keeps from call to call starts anew with each opening, and only so: LiteRT's
    `reset_all_variables` leaves resource variables as they are (tried with 2.3.0).

    Args:
        path: the .tflite file.
        name: which function; None if the file has only one.
        takes: its arguments.
        gives: results it must have; others are not looked at.
        threads: threads one call may use.

    Raises:
        BundleError: LiteRT cannot load it, or it has no such function.
        MissingExtraError: LiteRT is not installed.
    """
    return checked_signature(open_file(path, threads=threads), path, name, takes, gives)


def checked_signature(
    interpreter: Any, path: Path, name: str | None, takes: Tensors, gives: Tensors
) -> Any:
    """One function of a loaded file; see `open_signature`.

    Raises:
        BundleError: the file has no such function.
    """
    try:
        signature = interpreter.get_signature_runner(name)
    except (ValueError, RuntimeError) as error:
        raise _cannot_load(path, error) from error
    inputs, outputs = map(_tensors, (signature.get_input_details(), signature.get_output_details()))
    if inputs != takes or not gives.items() <= outputs.items():
        raise BundleError(
            f"{path} takes {inputs!s:.200} and gives {outputs!s:.200}, expected {takes} and "
            f"{gives}; get the bundle again"
        )
    return signature


def installed_library() -> str | None:
    """The package that would run graphs here."""
    return next((name for name in LIBRARIES if find_spec(name) is not None), None)


def precision_here(precision: str, has: Sequence[str]) -> str | None:
    """Which of a bundle's TFLite graphs to run where these are wanted; None if none can be.

    >>> precision_here("int8", ["int8", INT8_STORAGE]) in ("int8", INT8_STORAGE)
    True
    """
    if precision != "int8" or installed_library() != LIBRARIES[1]:
        return precision
    return INT8_STORAGE if INT8_STORAGE in has else None


@dataclass(frozen=True, kw_only=True, slots=True)
class Stream:
    """Audio or codes as a graph takes or gives them."""

    name: str
    """Name of the tensor."""
    dtype: str
    """Type of its values."""
    frame: tuple[int, ...]
    """Shape of one code frame; frames follow one another on its first axis."""

    def tensor(self, frames: int) -> Tensors:
        """What a call of so many frames takes or gives.

        >>> Stream(name="audio", dtype="float32", frame=(320,)).tensor(2)
        {'audio': 'float32 [1, 640]'}
        """
        first, *rest = self.frame
        return {self.name: f"{self.dtype} {[1, frames * first, *rest]}"}


@dataclass(frozen=True, slots=True)
class _Call:
    """The functions for calls of one length."""

    first: Any
    rest: Any = None
    """Residual of the first half of the layers -> codes of the others; None if none is wanted."""

    def run(self, gives: str, **arguments: Any) -> tuple[npt.NDArray[Any], Any]:
        """What the functions give, and the next state."""
        result = self.first(**arguments)
        y = result[gives]
        if self.rest is not None:
            more = self.rest(residual=result["residual"])[gives]
            y = np.concatenate([y, more], axis=-1)
        return y, result["next_state"]


class TfliteGraph:
    """One loaded graph: (x, state) in, (y, next state) out. Holds no state of its own."""

    def __init__(
        self,
        path: Path,
        *,
        takes: Stream,
        gives: Stream,
        state_size: int,
        threads: int = 1,
        layers: int | None = None,
    ) -> None:
        """Load the graph.

        Args:
            path: the .tflite file, its hash already checked.
            takes: what it takes beside the state.
            gives: what it makes of that.
            state_size: floats of the state, as the manifest says.
            threads: threads one call may use.
            layers: an encoder need give no more than these; None for all.

        Raises:
            BundleError: LiteRT cannot load it, or it is not (x, state) -> (y, next state) for
                one frame and maybe for more.
            MissingExtraError: LiteRT is not installed.
        """
        self._path, self._takes, self._gives, self._layers = path, takes, gives, layers
        interpreter = open_file(path, threads=threads)
        lengths = _call_lengths(interpreter, takes)
        self._calls = {
            frames: self._open_call(interpreter, name, frames, f"float32 [1, {state_size}]")
            for frames, name in sorted({1: None, **lengths}.items(), reverse=True)
        }
        self.zero_state: FloatArray = np.zeros((1, state_size), np.float32)
        """State at the start of a stream, [1, S]."""

    def _open_call(self, interpreter: Any, name: str | None, frames: int, state: str) -> _Call:
        takes = self._takes.tensor(frames) | {"state": state}
        gives, others, then = self._gives, f"rest_{frames}", {"next_state": state}
        if others not in interpreter.get_signature_list():
            found = gives.tensor(frames) | then
            return _Call(checked_signature(interpreter, self._path, name, takes, found))
        first, rest = _halves(gives)
        inputs = _tensors(interpreter.get_signature_runner(others).get_input_details())
        residual = {"residual": inputs.get("residual", "a tensor")}
        found = first.tensor(frames) | residual | then
        coarse = checked_signature(interpreter, self._path, name, takes, found)
        fine = checked_signature(interpreter, self._path, others, residual, rest.tensor(frames))
        is_wanted = self._layers is None or self._layers > first.frame[-1]
        return _Call(coarse, fine if is_wanted else None)

    def run(self, x: npt.NDArray[Any], state: FloatArray) -> tuple[npt.NDArray[Any], FloatArray]:
        """One call, or several where the file has no function for so many frames.

        Args:
            x: one or more whole frames of what the graph takes, batch of one.
            state: [1, S].

        Returns:
            What the graph gives, and the state after it.
        """
        x, pieces, start = x.astype(self._takes.dtype, copy=False), [], 0
        for frames, call in self._calls.items():
            size = frames * self._takes.frame[0]
            while start + size <= x.shape[1]:
                piece = x[:, start : start + size]
                arguments = {self._takes.name: piece, "state": state}
                y, state = call.run(self._gives.name, **arguments)
                pieces.append(y)
                start += size
        return pieces[0] if len(pieces) == 1 else np.concatenate(pieces, axis=1), state


def _halves(codes: Stream) -> tuple[Stream, Stream]:
    """Codes of the first half of the layers, the larger one, and of the others."""
    *shape, layers = codes.frame
    first, rest = (replace(codes, frame=(*shape, len(half))) for half in halves(layers))
    return first, rest


def halves(layers: int) -> tuple[range, range]:
    """Layers that `frames_N` and `rest_N` code.

    >>> halves(5)
    (range(0, 3), range(3, 5))
    """
    half = layers - layers // 2
    return range(half), range(half, layers)


def _call_lengths(interpreter: Any, takes: Stream) -> dict[int, str]:
    """Frames of a call -> the function for it; those of other shapes are not looked at."""
    lengths = {}
    for name in interpreter.get_signature_list():
        details = interpreter.get_signature_runner(name).get_input_details()
        if takes.name in details:
            frames = int(np.prod(details[takes.name]["shape"][1:2])) // takes.frame[0]
            if frames and takes.tensor(frames).items() <= _tensors(details).items():
                lengths[frames] = name
    return lengths


def _tensors(details: dict[str, Any]) -> Tensors:
    return {
        name: f"{np.dtype(item['dtype']).name} {np.asarray(item['shape']).tolist()}"
        for name, item in details.items()
    }


def _cannot_load(path: Path, error: Exception) -> BundleError:
    reason = " ".join(str(error).split())
    return BundleError(f"LiteRT cannot load {path}: {reason:.200}; get the bundle again")


def _interpreter_class() -> Any:
    for library in LIBRARIES:
        try:
            return import_module(f"{library}.interpreter").Interpreter
        except ModuleNotFoundError as error:
            if error.name != library:
                raise
    raise MissingExtraError(NEEDS_LITERT)
