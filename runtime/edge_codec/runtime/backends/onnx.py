"""Run one graph of a bundle with ONNX Runtime. Knows nothing of audio or codes.

Set up for small boards: one thread that does not spin, and no memory kept from call to call. For
the voice models that saves only 3 MB and costs 3 % of the time; for a model of 76 M parameters it
saves 300 MB.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime as ort
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors

from edge_codec.runtime.errors import BundleError

FloatArray = npt.NDArray[np.float32]

ERRORS_ONLY = 3
_PROVIDERS = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
}
_LOAD_ERRORS = (
    ort_errors.Fail,
    ort_errors.InvalidArgument,
    ort_errors.InvalidGraph,
    ort_errors.InvalidProtobuf,
    ort_errors.NotImplemented,
)


class OnnxGraph:
    """One loaded graph: (x, state) in, (y, next state) out. Holds no state of its own."""

    def __init__(
        self,
        path: Path,
        *,
        state_size: int,
        threads: int = 1,
        providers: Sequence[str] = ("cpu",),
    ) -> None:
        """Load the graph.

        Args:
            path: the .onnx file, its hash already checked.
            state_size: floats of the state, as the manifest says.
            threads: threads one call may use.
            providers: where to compute, best first; those that are not there are passed over.

        Raises:
            BundleError: ONNX Runtime cannot load it, or it is not (x, state) -> (y, next state).
        """
        try:
            self._session = ort.InferenceSession(
                path, _options(threads), providers=_available(providers)
            )
        except _LOAD_ERRORS as error:
            raise BundleError(
                f"onnxruntime {ort.__version__} cannot load {path}: {_first_line(error)}; "
                "update onnxruntime or get the bundle again"
            ) from error
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        shapes = [item[1].shape for item in (inputs, outputs) if len(item) == 2]
        if shapes != [[1, state_size]] * 2:
            raise BundleError(
                f"{path} is not a graph (x, state) -> (y, next state), state [1, {state_size}]; "
                "get the bundle again"
            )
        self._inputs = [item.name for item in inputs]
        self.zero_state: FloatArray = np.zeros((1, state_size), np.float32)
        """State at the start of a stream, [1, S]."""

    def run(self, x: npt.NDArray[Any], state: FloatArray) -> tuple[npt.NDArray[Any], FloatArray]:
        """One call: `x` from the point in the stream that `state` stands for.

        Args:
            x: what the graph takes, batch of one.
            state: [1, S].

        Returns:
            What the graph gives, and the state after it.
        """
        y, next_state = self._session.run(None, dict(zip(self._inputs, (x, state), strict=True)))
        return y, next_state


def _available(providers: Sequence[str]) -> list[str]:
    """ONNX Runtime's names of the providers that it was built with; the processor always last."""
    wanted = [_PROVIDERS[name] for name in providers]
    found = [name for name in wanted if name in ort.get_available_providers()]
    return list(dict.fromkeys([*found, _PROVIDERS["cpu"]]))


def _options(threads: int) -> ort.SessionOptions:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = ERRORS_ONLY
    options.enable_cpu_mem_arena = False
    options.enable_mem_pattern = False
    # One level more would copy the weights of convolutions to another layout.
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    # In the graph's own order; by default all weights stored as int8 are made float first.
    options.execution_order = ort.ExecutionOrder.PRIORITY_BASED
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
