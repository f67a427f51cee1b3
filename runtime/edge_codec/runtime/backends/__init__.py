"""What runs a graph: one module per inference library, imported only when a codec is made."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import numpy.typing as npt

_STDERR = 2


class Graph(Protocol):
    """One loaded graph of a bundle; the caller keeps the state.

    What a state is, is the graph's own business: a packed tensor [1, S] for our graphs. It is good
    for one call, which may change it; go on with the one that the call gives.
    """

    @property
    def zero_state(self) -> Any:
        """State at the start of a stream, one of its own for each time it is asked for."""

    def run(self, x: npt.NDArray[Any], state: Any) -> tuple[npt.NDArray[Any], Any]:
        """Audio or codes with a batch axis of one, and the state, to the result and next state."""
        ...


@contextmanager
def silenced_stderr() -> Iterator[None]:
    """Send nowhere what native code prints on standard error; Python errors pass.

    On every Raspberry Pi, loading ONNX Runtime prints a warning about a missing GPU that no
    setting turns off. Source: microsoft/onnxruntime#26300, #27092.
    """
    saved, nowhere = os.dup(_STDERR), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, _STDERR)
        yield
    finally:
        os.dup2(saved, _STDERR)
        os.close(saved)
        os.close(nowhere)
