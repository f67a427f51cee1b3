"""What is counted in TFLite files, and what they lose."""

import numpy as np
import pytest

from edge_codec.export.tflite_file import count_int8_products, without_names
from support.repository import REPOSITORY
from support.tflite_stubs import TFLITE_STUBS

SHIPPED = REPOSITORY / "models/voice-s/encoder.int8.tflite"


@pytest.fixture(scope="module", autouse=True)
def litert():
    """LiteRT's interpreter and its description of the format, where this machine has them."""
    return pytest.importorskip("ai_edge_litert.interpreter")


def test_only_products_that_take_int8_weights_are_counted():
    from support.make_tflite_stubs import Graph, Model, schema

    model = Model()
    graph = Graph(model, "frames_1")
    x = graph.takes("x", [1, 4])
    as_float, packed, unpacked = (graph.tensor([2, 4], "float32", bytes(32)) for _ in range(3))
    for index in (packed, unpacked):
        graph.graph.tensors[index].type = schema.TensorType.INT8
    weights = graph.do("DEQUANTIZE", [unpacked], [2, 4])
    for taken in (as_float, packed, weights):
        y = graph.do("FULLY_CONNECTED", [x, taken], [1, 2])
    graph.gives(y=y)
    assert count_int8_products(model.packed(graph)) == 1


def outputs(litert, file):
    """What every function of a file gives for the same arguments."""
    interpreter = litert.Interpreter(model_content=file, num_threads=1)
    interpreter.allocate_tensors()
    rng, found = np.random.default_rng(0), []
    for name in sorted(interpreter.get_signature_list()):
        runner = interpreter.get_signature_runner(name)
        inputs = sorted(runner.get_input_details().items())
        arguments = {
            key: rng.standard_normal(item["shape"]).astype(item["dtype"]) for key, item in inputs
        }
        found += sorted(runner(**arguments).items())
    return found


def named(file):
    """The same with names as a converter gives them; its data lies inside its tables."""
    from support.make_tflite_stubs import flatbuffers, schema

    model = schema.ModelT.InitFromPackedBuf(file, 0)
    for graph in model.subgraphs:
        for number, tensor in enumerate(graph.tensors):
            tensor.name = f"edge_codec.export.Decoder/Chain_body/Linear_widen/product_{number}"
    builder = flatbuffers.Builder()
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


@pytest.mark.parametrize("name", ["encoder", "halves", "decoder"])
def test_graphs_without_names_give_the_same(litert, name):
    file = named((TFLITE_STUBS / f"{name}.tflite").read_bytes())
    lean = without_names(file)
    assert len(lean) < len(file)
    assert b"Linear_widen" not in lean
    assert_equal(outputs(litert, lean), outputs(litert, file))


def test_data_behind_the_tables_is_found_again(litert):
    file = SHIPPED.read_bytes()
    lean = without_names(without_names(file))
    assert count_int8_products(lean) == count_int8_products(file) > 0
    assert_equal(outputs(litert, lean), outputs(litert, file))


def assert_equal(found, expected):
    assert [name for name, _ in found] == [name for name, _ in expected]
    for (_, array), (_, same) in zip(found, expected, strict=True):
        assert np.array_equal(array, same)
