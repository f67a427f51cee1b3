"""int8 storage: weights rounded once, made float again one at a time while the graph runs.

For nets whose weights are most of their memory and whose convolutions gain nothing from integer
arithmetic. Works on ONNX graphs alone.
"""

import numpy as np
import numpy.typing as npt
import onnx
from onnx import NodeProto, helper, numpy_helper

from edge_codec.export.onnx_writer import finish

OUTPUT_AXES = {"Conv": 0, "ConvTranspose": 1}
"""Operation -> axis of its weight that counts output channels; each gets a scale of its own."""
LEAST_NUMBERS = 4096
"""Weights with fewer numbers stay float: they save nothing."""


def round_weights(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy of `model` with its convolutions' weights as int8."""
    rounded = onnx.ModelProto()
    rounded.CopyFrom(model)
    graph = rounded.graph
    weights = {tensor.name: tensor for tensor in graph.initializer}
    nodes: list[NodeProto] = []
    for node in graph.node:
        axis = OUTPUT_AXES.get(node.op_type)
        if axis is not None and np.prod(weights[node.input[1]].dims) >= LEAST_NUMBERS:
            nodes.append(_restoring(graph, node, weights[node.input[1]], axis))
        nodes.append(node)
    del graph.node[:]
    graph.node.extend(nodes)
    finish(rounded)
    return rounded


def round_weight(
    weight: npt.NDArray[np.float32], axis: int
) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.float32]]:
    """Rounded weight and the scale of each of its channels along `axis`."""
    others = tuple(other for other in range(weight.ndim) if other != axis)
    largest = np.abs(weight).max(axis=others, keepdims=True)
    scale = np.maximum(largest, np.finfo(np.float32).tiny) / 127
    return np.round(weight / scale).astype(np.int8), scale.astype(np.float32).reshape(-1)


def _restoring(
    graph: onnx.GraphProto, conv: NodeProto, tensor: onnx.TensorProto, axis: int
) -> NodeProto:
    """The operation that makes the weight of `conv` from its rounded form."""
    name = f"{tensor.name}/restored"
    rounded, scale = round_weight(numpy_helper.to_array(tensor), axis)
    graph.initializer.append(numpy_helper.from_array(rounded, f"{name}/weight"))
    graph.initializer.append(numpy_helper.from_array(scale, f"{name}/scale"))
    conv.input[1] = name
    inputs = [f"{name}/weight", f"{name}/scale"]
    return helper.make_node("DequantizeLinear", inputs, [name], name=name, axis=axis)
