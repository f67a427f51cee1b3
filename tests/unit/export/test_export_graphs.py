"""The graphs by themselves: what is in them, and that they do what torch does."""

from collections import Counter

import numpy as np
import onnx
import pytest
import torch
from onnx import helper
from onnx.reference import ReferenceEvaluator

from edge_codec.export.depthwise import spread_depthwise
from edge_codec.export.parity import (
    decode,
    encode,
    torch_samples,
    with_holes,
)
from edge_codec.export.transforms import shrink_transforms
from edge_codec.runtime.backends.onnx import OnnxGraph
from edge_codec.runtime.codec import StreamDecoder, StreamEncoder

CHUNKS_SAMPLES = [1, 7, 79, 80, 81, 160, 999, 4_000, 32_000]
CHUNKS_FRAMES = [1, 2, 3, 24, 25, 26, 400]
JUNK = {"If", "Loop", "Scan", "Identity", "Constant", "Conv", "Cast", "ReduceL2", "Sqrt", "Pow"}


def load(bundle, role, precision="fp32"):
    return onnx.load(bundle.graph_path(role, precision))


def count(bundle, role):
    return Counter(node.op_type for node in load(bundle, role).graph.node)


@pytest.mark.parametrize("role", ["encoder", "decoder"])
def test_graphs_are_lean(bundle, role):
    counted = count(bundle, role)
    blocks = 3
    assert not JUNK & counted.keys()
    assert counted["Shape"] == 2, "one for each rate's numbering of windows"
    energies = 2 if role == "decoder" else 0
    assert counted["ReduceSum"] == blocks + energies
    assert counted["Erf"] == blocks
    assert counted.total() < 160


def test_codes_cost_five_operations_a_layer(bundle):
    counted = count(bundle, "encoder")
    assert counted["ArgMax"] == 3
    assert counted["Gemm"] == 2 * 3 - 1, "nobody asks for the last layer's residual"


def test_code_table_is_one_lookup_and_one_product(bundle, codec):
    graph = load(bundle, "decoder").graph
    shapes = {tensor.name: list(tensor.dims) for tensor in graph.initializer}
    table = list(codec.quantizer.decode_table().shape)
    (lookup,) = (n for n in graph.node if shapes.get(n.input[0]) == table)
    assert lookup.op_type == "Gather"
    (shaping,) = (n for n in graph.node if lookup.output[0] in n.input)
    (product,) = (n for n in graph.node if shaping.output[0] in n.input)
    assert (shaping.op_type, product.op_type) == ("Reshape", "MatMul")


@pytest.mark.parametrize("role", ["encoder", "decoder"])
def test_interface_is_the_contract(bundle, role):
    model = load(bundle, role)
    assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", 18)]
    names = [value.name for value in [*model.graph.input, *model.graph.output]]
    audio_and_codes = {"encoder": ["audio", "codes"], "decoder": ["codes", "audio"]}[role]
    assert names == [audio_and_codes[0], "state", audio_and_codes[1], "next_state"]


@pytest.mark.parametrize("chunk", CHUNKS_SAMPLES)
def test_encoder_gives_torchs_codes_in_any_chunks(bundle, codes, speech, chunk):
    chunk_codes = encode(StreamEncoder(bundle, precision="fp32"), speech, chunk)
    assert (chunk_codes == codes).mean() >= 0.999


@pytest.mark.parametrize("frames", CHUNKS_FRAMES)
def test_decoder_gives_torchs_samples_in_any_chunks(bundle, codec, codes, frames):
    holed = with_holes(codes, codec.spec.codebook_size, lost=True)
    samples = decode(StreamDecoder(bundle, precision="fp32"), holed, frames)
    np.testing.assert_allclose(samples, torch_samples(codec, holed), atol=1e-5)


def test_torch_itself_does_not_depend_on_the_chunks(codec, codes, speech):
    state = codec.encoder.zero_state()
    pieces = []
    with torch.no_grad():
        for start in range(0, len(speech), 240):
            audio = torch.from_numpy(speech[start : start + 240])[None]
            piece, state = codec.encode_step(audio, state)
            pieces.append(piece[0].numpy())
    assert (np.concatenate(pieces) == codes).mean() >= 0.999


def test_lost_frames_are_filled_in_by_the_graph_as_by_torch(bundle, codec):
    lost = np.full((9, codec.spec.layers), codec.spec.codebook_size)
    graph = OnnxGraph(bundle.graph_path("decoder"), state_size=bundle.state_size("decoder"))
    samples, _ = graph.run(lost[None], graph.zero_state)
    np.testing.assert_allclose(samples[0], torch_samples(codec, lost), atol=1e-5)
    one_layer = lost.copy()
    one_layer[:, 0] = 0
    assert np.abs(samples[0] - torch_samples(codec, one_layer)).max() > 1e-3


@pytest.mark.parametrize("is_inverse", [False, True])
def test_transforms_become_formulas_of_the_same_numbers(codec, is_inverse):
    synthesis, analysis = codec.decoder.synthesis, codec.encoder.analysis
    matrix = (synthesis.inverse_dft if is_inverse else analysis.dft).numpy()
    value = [helper.make_tensor_value_info(name, 1, None) for name in "xy"]
    product = helper.make_node("MatMul", ["x", "matrix"], ["y"])
    weights = [onnx.numpy_helper.from_array(matrix, "matrix")]
    graph = helper.make_graph([product], "transform", value[:1], value[1:], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    shrunk = shrink_transforms(model, matrix)
    assert shrunk.ByteSize() < matrix.nbytes / 4
    (restored,) = run(shrunk, {"x": np.eye(len(matrix), dtype=np.float32)})
    np.testing.assert_allclose(restored, matrix, rtol=1e-6, atol=1e-8)


def test_windows_give_what_the_convolution_gave():
    model = make_depthwise(rates=(5, 5, 9), taps=4)
    rng = np.random.default_rng(0)
    inputs = {
        f"x{i}": rng.normal(size=(1, rate + 3, 6)).astype(np.float32)
        for i, rate in enumerate((5, 5, 9))
    }
    expected = run(model, inputs)
    spread = spread_depthwise(model)
    for y, wanted in zip(run(spread, inputs), expected, strict=True):
        np.testing.assert_allclose(y, wanted, atol=1e-6)
    counted = Counter(node.op_type for node in spread.graph.node)
    assert counted["Range"] == 2 * 2, "windows of one length are numbered once"
    assert not {"Conv", "windows"} & counted.keys()


def make_depthwise(rates, taps):
    """One Transpose, Conv, Transpose for each of `rates` frames."""
    rng = np.random.default_rng(1)
    nodes, inputs, outputs, weights = [], [], [], []
    for i, frames in enumerate(rates):
        kernel = rng.normal(size=(6, 1, taps)).astype(np.float32)
        weights += [
            onnx.numpy_helper.from_array(kernel, f"w{i}"),
            onnx.numpy_helper.from_array(rng.normal(size=6).astype(np.float32), f"b{i}"),
        ]
        nodes += [
            helper.make_node("Transpose", [f"x{i}"], [f"t{i}"], perm=[0, 2, 1]),
            helper.make_node("Conv", [f"t{i}", f"w{i}", f"b{i}"], [f"c{i}"], group=6),
            helper.make_node("Transpose", [f"c{i}"], [f"y{i}"], perm=[0, 2, 1]),
        ]
        inputs.append(helper.make_tensor_value_info(f"x{i}", 1, [1, frames + taps - 1, 6]))
        outputs.append(helper.make_tensor_value_info(f"y{i}", 1, [1, frames, 6]))
    graph = helper.make_graph(nodes, "depthwise", inputs, outputs, weights)
    opset = helper.make_opsetid("", 18)
    return helper.make_model(graph, opset_imports=[opset], ir_version=8)


def run(model, inputs):
    return ReferenceEvaluator(model).run(None, inputs)
