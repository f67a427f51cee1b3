"""What runs a graph: one module per inference library, imported only when a codec is made."""

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]


class Graph(Protocol):
    """One loaded graph of a bundle; the caller keeps the state."""

    zero_state: FloatArray
    """State at the start of a stream, [1, S]."""

    def run(self, x: npt.NDArray[Any], state: FloatArray) -> tuple[npt.NDArray[Any], FloatArray]:
        """Audio or codes with a batch axis of one, and the state, to the result and next state."""
        ...
