"""TFLite files as they are stored: count what is in them, drop what no board needs.

A file is a FlatBuffer of tables; the data of its tensors may follow it, found by place and size.
"""

from typing import Any

DATA_ALIGNMENT = 16
"""Bytes that LiteRT asks of where a tensor's data begins."""


def count_int8_products(file: bytes) -> int:
    """Products of a TFLite file whose weights are int8."""
    schema, model = _read(file)
    codes = [code.builtinCode for code in model.operatorCodes]
    return sum(
        graph.tensors[operator.inputs[1]].type == schema.TensorType.INT8
        for graph in model.subgraphs
        for operator in graph.operators
        if codes[operator.opcodeIndex] == schema.BuiltinOperator.FULLY_CONNECTED
    )


def count_int8_weights(file: bytes) -> int:
    """Products of a TFLite file whose weights are made of stored int8 ones."""
    schema, model = _read(file)
    codes = [code.builtinCode for code in model.operatorCodes]
    count = 0
    for graph in model.subgraphs:
        stored = {
            operator.outputs[0]
            for operator in graph.operators
            if codes[operator.opcodeIndex] == schema.BuiltinOperator.DEQUANTIZE
            and graph.tensors[operator.inputs[0]].type == schema.TensorType.INT8
        }
        count += sum(
            operator.inputs[1] in stored
            for operator in graph.operators
            if codes[operator.opcodeIndex] == schema.BuiltinOperator.FULLY_CONNECTED
        )
    return count


def without_names(file: bytes) -> bytes:
    """The same graphs without names of their tensors; names of arguments and results stay.

    A name is the path of a layer in the source: a hundred bytes for each of hundreds of tensors.
    """
    _, model = _read(file)
    for graph in model.subgraphs:
        for tensor in graph.tensors:
            tensor.name = None
    contents = [_content(file, buffer) for buffer in model.buffers]
    # Tables are as long with any place but 0, so their length is known before the places are.
    for buffer, content in zip(model.buffers, contents, strict=True):
        buffer.data, buffer.offset, buffer.size = None, int(bool(content)), len(content)
    place, pieces = len(_packed(model)), []
    for buffer, content in zip(model.buffers, contents, strict=True):
        if content:
            padding = bytes(-place % DATA_ALIGNMENT)
            buffer.offset = place + len(padding)
            place = buffer.offset + len(content)
            pieces += [padding, content]
    return b"".join([_packed(model), *pieces])


def _read(file: bytes) -> tuple[Any, Any]:
    """LiteRT's description of the format, and a file's tables as objects."""
    import ai_edge_litert.schema_py_generated as schema  # noqa: PLC0415  not in every environment

    return schema, schema.ModelT.InitFromPackedBuf(file, 0)


def _content(file: bytes, buffer: Any) -> bytes:
    if buffer.data is not None:
        return bytes(buffer.data)
    return file[buffer.offset : buffer.offset + buffer.size]


def _packed(model: Any) -> bytes:
    import flatbuffers  # noqa: PLC0415  comes with LiteRT

    builder = flatbuffers.Builder()
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())
