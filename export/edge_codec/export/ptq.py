"""int8 by dynamic quantization: weights rounded once, activations scaled anew in each call.

One scale serves all that a product is given, so where single channels stand out, what rounding
leaves goes through the same product once more (as `split` does for TFLite, frame by frame).
Weights are unsigned around 128, one scale per output channel: signed ones run two times slower
than float on x86 without VNNI. Transforms, the layers next to the encoder's samples and latent,
and the RVQ decide accuracy and stay in float. Works on ONNX graphs alone.
"""

import re

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime as ort
from onnx import NodeProto, TensorProto, helper, numpy_helper

from edge_codec.export.onnx_writer import finish, optimise
from edge_codec.runtime.errors import ParityError

QUANTIZED = {
    "encoder": re.compile(r"/(widen|narrow)(_\d+)?/MatMul"),
    "decoder": re.compile(r"/(widen|narrow|linear|head)(_\d+)?/MatMul"),
}
"""Role -> names of the products that become integer. In the encoder a product over the residual
stream itself costs more agreement of codes than all products inside the blocks together; the
decoder's output is the same to 39 dB with all of them."""
SPLIT = {"encoder": re.compile(r"/widen(_\d+)?/MatMul")}
"""Role -> names of those that take their input in two parts: what comes from a LayerNorm."""
ZERO_POINT = 128
FUSED = "DynamicQuantizeMatMul"
"""What ONNX Runtime must make of each of them; anything else is slower than float."""


def quantize(model: onnx.ModelProto, role: str) -> onnx.ModelProto:
    """A copy of the `encoder` or `decoder` graph with integer products.

    Raises:
        ParityError: ONNX Runtime does not run every one of them as a single integer operation.
    """
    quantized = onnx.ModelProto()
    quantized.CopyFrom(model)
    graph = quantized.graph
    weights = {tensor.name: tensor for tensor in graph.initializer}
    nodes: list[NodeProto] = []
    for node in graph.node:
        if node.op_type == "MatMul" and QUANTIZED[role].fullmatch(node.name):
            _add_weight(graph, node.name, numpy_helper.to_array(weights[node.input[1]]))
            is_split = role in SPLIT and SPLIT[role].fullmatch(node.name)
            nodes += (_split_product if is_split else _integer_product)(
                node.name, node.input[0], node.output[0]
            )
        else:
            nodes.append(node)
    graph.initializer.append(numpy_helper.from_array(np.array(ZERO_POINT, np.uint8), "zero_point"))
    del graph.node[:]
    graph.node.extend(nodes)
    finish(quantized)
    _check_fused(quantized)
    return quantized


def count_integer_products(model: onnx.ModelProto) -> int:
    """Products of `model` with integer weights."""
    return sum(node.op_type == "MatMulInteger" for node in model.graph.node)


def round_weight(
    weight_IO: npt.NDArray[np.float32],
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32]]:
    """Rounded weights and the scale of each output channel: `(rounded - 128) * scale`."""
    scale_O = np.maximum(np.abs(weight_IO).max(axis=0), np.finfo(np.float32).tiny) / 127
    rounded_IO = np.round(weight_IO / scale_O) + ZERO_POINT
    return rounded_IO.astype(np.uint8), scale_O.astype(np.float32)


def _add_weight(graph: onnx.GraphProto, name: str, weight_IO: npt.NDArray[np.float32]) -> None:
    rounded_IO, scale_O = round_weight(weight_IO)
    graph.initializer.append(numpy_helper.from_array(rounded_IO, f"{name}/weight"))
    graph.initializer.append(numpy_helper.from_array(scale_O, f"{name}/scale"))


def _integer_product(name: str, x: str, y: str, part: str = "") -> list[NodeProto]:
    """Nodes from `x` to `y` in the pattern that ONNX Runtime fuses to one operation."""
    own = f"{name}{part}"
    rounded_x = [f"{own}/x", f"{own}/x_scale", f"{own}/x_zero_point"]
    factors = [rounded_x[0], f"{name}/weight", rounded_x[2], "zero_point"]
    integers, floats, scales = f"{own}/integers", f"{own}/floats", f"{own}/scales"
    return [
        helper.make_node("DynamicQuantizeLinear", [x], rounded_x),
        helper.make_node("MatMulInteger", factors, [integers]),
        helper.make_node("Cast", [integers], [floats], to=TensorProto.FLOAT),
        helper.make_node("Mul", [rounded_x[1], f"{name}/scale"], [scales]),
        helper.make_node("Mul", [floats, scales], [y]),
    ]


def _split_product(name: str, x: str, y: str) -> list[NodeProto]:
    """The sum of two such products: of `x` rounded, and of what the rounding leaves."""
    rounded = [f"{name}/rounded", f"{name}/rounded_scale", f"{name}/rounded_zero_point"]
    coarse, fine = f"{name}/coarse", f"{name}/fine"
    return [
        helper.make_node("DynamicQuantizeLinear", [x], rounded),
        helper.make_node("DequantizeLinear", rounded, [coarse]),
        helper.make_node("Sub", [x, coarse], [fine]),
        *_integer_product(name, coarse, f"{coarse}/y", "/coarse"),
        *_integer_product(name, fine, f"{fine}/y", "/fine"),
        helper.make_node("Add", [f"{coarse}/y", f"{fine}/y"], [y]),
    ]


def _check_fused(model: onnx.ModelProto) -> None:
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    fused = sum(node.op_type == FUSED for node in optimise(model, options).graph.node)
    wanted = count_integer_products(model)
    if fused != wanted or not wanted:
        raise ParityError(
            f"onnxruntime {ort.__version__} runs {fused} of {wanted} int8 products as one "
            "operation each; leave int8 out with --precision fp32"
        )
