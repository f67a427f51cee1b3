"""Write the DFT matrices of a graph as formulas, which ONNX Runtime works out when it loads it.

They are half of what an int8 graph keeps in float: 0.8 MB of a bundle for one period of a sine.
Works on ONNX graphs alone.

Shapes: N window length, Q = N / 2 + 1 bins, W = 2 Q real parts, then imaginary parts.
"""

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper

from edge_codec.export.inline import call, inline

SPECTRUM = """
<domain: "edge_codec", opset_import: ["": 18]>
spectrum (n_N1, q_1Q, length, real_N, imaginary_N, window_N1, weight_1W) => (matrix_NW) {
    products_NQ = Mul (n_N1, q_1Q)
    phases_NQ = Mod (products_NQ, length)
    real_NQ = Gather (real_N, phases_NQ)
    imaginary_NQ = Gather (imaginary_N, phases_NQ)
    dft_NW = Concat <axis = 1> (real_NQ, imaginary_NQ)
    windowed_NW = Mul (dft_NW, window_N1)
    matrix_NW = Mul (windowed_NW, weight_1W)
}
"""


def shrink_transforms(model: onnx.ModelProto, matrix: npt.NDArray[np.float32]) -> onnx.ModelProto:
    """`model` with a formula in place of the constant `matrix`, a windowed DFT or its inverse."""
    graph = model.graph
    (constant,) = (t for t in graph.initializer if np.array_equal(numpy_helper.to_array(t), matrix))
    graph.initializer.remove(constant)
    name, is_inverse = constant.name, matrix.shape[0] > matrix.shape[1]
    factors = _factors(matrix.T if is_inverse else matrix)
    for key, value in factors.items():
        graph.initializer.append(numpy_helper.from_array(value, f"{name}/{key}"))
    inputs = [f"{name}/{key}" for key in factors]
    output = f"{name}/forward" if is_inverse else name
    nodes = [call("spectrum", inputs, output)]
    if is_inverse:
        nodes.append(helper.make_node("Transpose", [output], [name], name=name, perm=[1, 0]))
    nodes.extend(graph.node)
    del graph.node[:]
    graph.node.extend(nodes)
    return inline(model, SPECTRUM)


def _factors(forward_NW: npt.NDArray[np.float32]) -> dict[str, npt.NDArray[np.generic]]:
    """The inputs of `SPECTRUM` that give this matrix."""
    length, bins = forward_NW.shape[0], forward_NW.shape[1] // 2
    phases_N = 2 * np.pi * np.arange(length) / length
    weight_Q = forward_NW[0, :bins] / forward_NW[0, 0]  # in the first row all cosines are one
    return {
        "n": np.arange(length)[:, None],
        "q": np.arange(bins)[None],
        "length": np.array(length),
        "real": np.cos(phases_N).astype(np.float32),
        "imaginary": -np.sin(phases_N).astype(np.float32),
        "window": np.ascontiguousarray(forward_NW[:, :1]),
        "weight": np.tile(weight_Q, 2)[None],
    }
