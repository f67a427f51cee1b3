"""Graph operations of our own, written as text in terms of ONNX's and dissolved into a graph."""

import onnx
from onnx import NodeProto, helper, inliner, parser

DOMAIN = "edge_codec"
"""Of the operations while they stand in a graph; the texts name it too."""


def call(operation: str, inputs: list[str], output: str) -> NodeProto:
    """A node that applies one of our operations."""
    return helper.make_node(operation, inputs, [output], name=output, domain=DOMAIN)


def inline(model: onnx.ModelProto, *operations: str) -> onnx.ModelProto:
    """`model` with every call replaced by what the text of its operation says."""
    model.functions.extend(parser.parse_function(text) for text in operations)
    model.opset_import.append(helper.make_opsetid(DOMAIN, 1))
    inlined = inliner.inline_local_functions(model)
    (own,) = (entry for entry in inlined.opset_import if entry.domain == DOMAIN)
    inlined.opset_import.remove(own)
    return inlined
