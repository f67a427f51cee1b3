"""Run TFLite graphs with LiteRT, or with tflite-runtime where a board has that. Knows no audio.

LiteRT compiles a graph for calls of one size, so a TFLite graph of a bundle takes one frame a call.
"""

from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_codec.runtime.errors import BundleError, MissingExtraError

FloatArray = npt.NDArray[np.float32]

_LIBRARIES = ("ai_edge_litert", "tflite_runtime")
"""Packages with the same `Interpreter`; the second is what the first was called."""


Tensors = dict[str, str]
"""Name -> type and shape, such as `float32 [1, 320]`."""


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
    try:
        interpreter = _interpreter_class()(model_path=str(path), num_threads=threads)
        interpreter.allocate_tensors()  # else the first call would, and print that it did
        signature = interpreter.get_signature_runner(name)
    except (ValueError, RuntimeError) as error:
        raise BundleError(
            f"LiteRT cannot load {path}: {' '.join(str(error).split()):.200}; get the bundle again"
        ) from error
    inputs, outputs = map(_tensors, (signature.get_input_details(), signature.get_output_details()))
    if inputs != takes or not gives.items() <= outputs.items():
        raise BundleError(
            f"{path} takes {inputs!s:.200} and gives {outputs!s:.200}, expected {takes} and "
            f"{gives}; get the bundle again"
        )
    return signature


class TfliteGraph:
    """One loaded graph: (x, state) in, (y, next state) out. Holds no state of its own."""

    def __init__(
        self, path: Path, *, takes: Tensors, gives: Tensors, state_size: int, threads: int = 1
    ) -> None:
        """Load the graph.

        Args:
            path: the .tflite file, its hash already checked.
            takes: what it takes beside the state: one frame, with the batch axis of one.
            gives: what it makes of that.
            state_size: floats of the state, as the manifest says.
            threads: threads one call may use.

        Raises:
            BundleError: LiteRT cannot load it, or it is not (x, state) -> (y, next state).
            MissingExtraError: LiteRT is not installed.
        """
        (self._x,), (self._y,) = takes, gives
        state = f"float32 [1, {state_size}]"
        self._call = open_signature(
            path,
            takes=takes | {"state": state},
            gives=gives | {"next_state": state},
            threads=threads,
        )
        details = self._call.get_input_details()[self._x]
        self._frame_size, self._dtype = details["shape"][1], details["dtype"]
        self.zero_state: FloatArray = np.zeros((1, state_size), np.float32)
        """State at the start of a stream, [1, S]."""

    def run(self, x: npt.NDArray[Any], state: FloatArray) -> tuple[npt.NDArray[Any], FloatArray]:
        """One call: `x` from the point in the stream that `state` stands for.

        Args:
            x: one or more whole frames of what the graph takes, batch of one.
            state: [1, S].

        Returns:
            What the graph gives, and the state after it.
        """
        frames = x.astype(self._dtype, copy=False)
        pieces = []
        for start in range(0, x.shape[1], self._frame_size):
            frame = frames[:, start : start + self._frame_size]
            result = self._call(**{self._x: frame, "state": state})
            pieces.append(result[self._y])
            state = result["next_state"]
        return np.concatenate(pieces, axis=1), state


def _tensors(details: dict[str, Any]) -> Tensors:
    return {
        name: f"{np.dtype(item['dtype']).name} {np.asarray(item['shape']).tolist()}"
        for name, item in details.items()
    }


def _interpreter_class() -> Any:
    for library in _LIBRARIES:
        try:
            return import_module(f"{library}.interpreter").Interpreter
        except ModuleNotFoundError as error:
            if error.name != library:
                raise
    raise MissingExtraError("this model needs LiteRT: pip install 'edge-codec[tflite]'")
