"""Write tests/golden/tflite: TFLite graphs of a few hundred bytes that count what they are given.

    PYTHONPATH=tests python tests/support/make_tflite_stubs.py

`encoder`, `halves` and `decoder` have the shape of our graphs, state in and out, and fit the codec
of the stub bundle. The others have the shape of Lyra v2's, state in a variable, and none of its
weights. Needs LiteRT, for its description of the file format.
"""

import ai_edge_litert.schema_py_generated as schema
import flatbuffers
import numpy as np

from support.tflite_stubs import TFLITE_STUBS

_TYPES = {"float32": schema.TensorType.FLOAT32, "int32": schema.TensorType.INT32}
_VARIABLE = "count"


class Graph:
    """One function of a TFLite file while it is put together."""

    def __init__(self, model: "Model", name: str) -> None:
        self.model = model
        self.graph = schema.SubGraphT()
        self.graph.name = name
        self.graph.tensors, self.graph.operators = [], []
        self.graph.inputs, self.graph.outputs = [], []
        self.signature = schema.SignatureDefT()
        self.signature.signatureKey = name
        self.signature.inputs, self.signature.outputs = [], []
        self.signature.subgraphIndex = len(model.model.subgraphs)
        model.model.subgraphs.append(self.graph)

    def tensor(self, shape: list[int], kind: str, data: bytes = b"") -> int:
        """Add a tensor, a constant one if it has data."""
        tensor = schema.TensorT()
        tensor.shape, tensor.name = shape, f"t{len(self.graph.tensors)}"
        tensor.type = schema.TensorType.RESOURCE if kind == "resource" else _TYPES[kind]
        tensor.buffer = self.model.buffer(data) if data else 0
        self.graph.tensors.append(tensor)
        return len(self.graph.tensors) - 1

    def constant(self, value: object, kind: str) -> int:
        """Add a constant."""
        array = np.asarray(value, kind)
        return self.tensor(list(array.shape), kind, array.tobytes())

    def takes(self, name: str, shape: list[int], kind: str = "float32") -> int:
        """Add an argument."""
        index = self.tensor(shape, kind)
        self.graph.inputs.append(index)
        self.signature.inputs.append(_named(name, index))
        return index

    def gives(self, **results: int) -> None:
        """Say what the function gives."""
        for name, index in results.items():
            self.graph.outputs.append(index)
            self.signature.outputs.append(_named(name, index))

    def do(
        self,
        name: str,
        inputs: list[int],
        shape: list[int] | None,
        kind: str = "float32",
        **options,
    ) -> int:
        """Add an operation with one result, or none if `shape` is None; returns the result."""
        operator = schema.OperatorT()
        operator.opcodeIndex = self.model.opcode(name)
        operator.inputs = inputs
        operator.outputs = [] if shape is None else [self.tensor(shape, kind)]
        title = "".join(word.title() for word in name.split("_"))
        if hasattr(schema, f"{title}OptionsT"):
            operator.builtinOptions = getattr(schema, f"{title}OptionsT")()
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, f"{title}Options")
            for key, value in options.items():
                setattr(operator.builtinOptions, key, value)
        self.graph.operators.append(operator)
        return operator.outputs[0] if operator.outputs else -1

    def first(self, source: int, shape: list[int]) -> int:
        """The first values of a tensor, [1, N] or [1, 1, N] to `shape` of that rank."""
        begin, size = self.constant([0] * len(shape), "int32"), self.constant(shape, "int32")
        return self.do("SLICE", [source, begin, size], shape)

    def padded(self, source: int, sizes: list[int], more: int) -> int:
        """A float tensor of shape `sizes` with `more` zeros on its last axis."""
        pads = self.constant([[0, 0]] * (len(sizes) - 1) + [[0, more]], "int32")
        return self.do("PAD", [source, pads], [*sizes[:-1], sizes[-1] + more])

    def reshaped(self, source: int, shape: list[int], kind: str = "float32") -> int:
        """The same values in another shape."""
        return self.do("RESHAPE", [source, self.constant(shape, "int32")], shape, kind)

    def cast(self, source: int, shape: list[int], kind: str) -> int:
        """The same values in another type."""
        other = {"int32": "float32", "float32": "int32"}[kind]
        types = {"inDataType": _TYPES[other], "outDataType": _TYPES[kind]}
        return self.do("CAST", [source], shape, kind, **types)

    def counted(self, source: int, shape: list[int]) -> int:
        """The sum of `source` over all calls, kept in a variable that starts at zero."""
        start = Graph(self.model, f"start_{self.graph.name}")
        zeros = start.constant(np.zeros(shape), "float32")
        start.do("ASSIGN_VARIABLE", [start.variable(), zeros], None)
        self.do("CALL_ONCE", [], None, initSubgraphIndex=start.signature.subgraphIndex)
        variable = self.variable()
        total = self.do("ADD", [self.do("READ_VARIABLE", [variable], shape), source], shape)
        self.do("ASSIGN_VARIABLE", [variable, total], None)
        return total

    def variable(self) -> int:
        """The one variable of a file."""
        return self.do("VAR_HANDLE", [], [], "resource", sharedName=_VARIABLE, container="")


class Model:
    """One TFLite file while it is put together."""

    def __init__(self) -> None:
        self.model = schema.ModelT()
        self.model.version = 3
        self.model.description = "a stub for tests"
        self.model.buffers = [schema.BufferT()]
        self.model.subgraphs, self.model.operatorCodes, self.names = [], [], []

    def buffer(self, data: bytes) -> int:
        """Add the data of a constant."""
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(data, np.uint8)
        self.model.buffers.append(buffer)
        return len(self.model.buffers) - 1

    def opcode(self, name: str) -> int:
        """The index of an operation, added at its first use."""
        if name not in self.names:
            code = schema.OperatorCodeT()
            code.builtinCode = getattr(schema.BuiltinOperator, name)
            code.deprecatedBuiltinCode = min(code.builtinCode, 127)
            code.version = 1
            self.names.append(name)
            self.model.operatorCodes.append(code)
        return self.names.index(name)

    def save(self, name: str, *graphs: Graph) -> None:
        """Write the file with these functions to be called."""
        (TFLITE_STUBS / name).write_bytes(self.packed(*graphs))

    def packed(self, *graphs: Graph) -> bytes:
        """The file with these functions to be called."""
        self.model.signatureDefs = [graph.signature for graph in graphs]
        builder = flatbuffers.Builder()
        builder.Finish(self.model.Pack(builder), b"TFL3")
        return bytes(builder.Output())


def _named(name: str, index: int) -> schema.TensorMapT:
    entry = schema.TensorMapT()
    entry.name, entry.tensorIndex = name, index
    return entry


def write_encoder() -> None:
    """Codes: the first 12 samples added up over all frames. State: that sum, of all samples."""
    graph = Graph(Model(), "serving_default")
    audio, state = graph.takes("audio", [1, 320]), graph.takes("state", [1, 320])
    total = graph.do("ADD", [state, audio], [1, 320])
    codes = graph.cast(graph.first(total, [1, 12]), [1, 12], "int32")
    graph.gives(codes=graph.reshaped(codes, [1, 1, 12], "int32"), next_state=total)
    graph.model.save("encoder.tflite", graph)


def write_halves() -> None:
    """The same encoder in two functions: `rest_1` gives the first 6 sums once more, plus 100."""
    model = Model()
    first = Graph(model, "frames_1")
    audio, state = first.takes("audio", [1, 320]), first.takes("state", [1, 320])
    total = first.do("ADD", [state, audio], [1, 320])
    sums = first.reshaped(first.first(total, [1, 6]), [1, 1, 6])
    codes = first.cast(sums, [1, 1, 6], "int32")
    first.gives(codes=codes, residual=sums, next_state=total)
    rest = Graph(model, "rest_1")
    residual = rest.takes("residual", [1, 1, 6])
    more = rest.do("ADD", [residual, rest.constant([100.0], "float32")], [1, 1, 6])
    rest.gives(codes=rest.cast(more, [1, 1, 6], "int32"))
    model.save("halves.tflite", first, rest)


def write_decoder() -> None:
    """Audio: the codes, added up over all frames, then zeros. State: half of that."""
    graph = Graph(Model(), "serving_default")
    codes, state = graph.takes("codes", [1, 1, 12], "int32"), graph.takes("state", [1, 320])
    values = graph.cast(graph.reshaped(codes, [1, 12], "int32"), [1, 12], "float32")
    audio = graph.do("ADD", [state, graph.padded(values, [1, 12], 308)], [1, 320])
    half = graph.do("MUL", [audio, graph.constant([0.5], "float32")], [1, 320])
    graph.gives(audio=audio, next_state=half)
    graph.model.save("decoder.tflite", graph)


def write_soundstream_encoder() -> None:
    """Features: the first 64 samples, added up over all frames."""
    graph = Graph(Model(), "serving_default")
    audio = graph.takes("input_audio", [1, 320])
    features = graph.reshaped(graph.first(audio, [1, 64]), [1, 1, 64])
    graph.gives(output_0=graph.counted(features, [1, 1, 64]))
    graph.model.save("soundstream_encoder.tflite", graph)


def write_quantizer() -> None:
    """Codes: the first 46 features. Features: the codes, -1 where not sent, then zeros."""
    model = Model()
    encode = Graph(model, "encode")
    features = encode.takes("input_frames", [1, 1, 64])
    encode.takes("num_quantizers", [], "int32")
    codes = encode.cast(encode.first(features, [1, 1, 46]), [1, 1, 46], "int32")
    encode.gives(output_0=encode.reshaped(codes, [46, 1, 1], "int32"))
    decode = Graph(model, "decode")
    codes = decode.takes("encoding_indices", [46, 1, 1], "int32")
    values = decode.cast(decode.reshaped(codes, [1, 1, 46], "int32"), [1, 1, 46], "float32")
    decode.gives(output_0=decode.padded(values, [1, 1, 46], 18))
    model.save("quantizer.tflite", encode, decode)


def write_lyragan() -> None:
    """Audio: the features added up over all frames, then zeros."""
    graph = Graph(Model(), "serving_default")
    features = graph.reshaped(graph.takes("input_audio", [1, 1, 64]), [1, 64])
    graph.gives(output_0=graph.padded(graph.counted(features, [1, 64]), [1, 64], 256))
    graph.model.save("lyragan.tflite", graph)


def main() -> None:
    """Write every file."""
    TFLITE_STUBS.mkdir(exist_ok=True)
    write_encoder()
    write_halves()
    write_decoder()
    write_soundstream_encoder()
    write_quantizer()
    write_lyragan()


if __name__ == "__main__":
    main()
