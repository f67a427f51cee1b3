import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, numpy_helper

from edge_codec.export import ptq
from edge_codec.export.parity import decode, encode
from edge_codec.runtime.codec import StreamDecoder, StreamEncoder
from edge_codec.runtime.errors import ParityError

BLOCKS = 3


def load(bundle, role, precision="int8"):
    return onnx.load(bundle.graph_path(role, precision))


@pytest.mark.parametrize(("role", "others"), [("encoder", BLOCKS), ("decoder", 3)])
def test_chosen_products_are_integer(bundle, role, others):
    """Of each block two; the encoder has one of them in two parts."""
    assert ptq.count_integer_products(load(bundle, role)) == 2 * BLOCKS + others
    assert ptq.count_integer_products(load(bundle, role, "fp32")) == 0


@pytest.mark.parametrize(("role", "floats"), [("encoder", 4 + 3), ("decoder", 2)])
def test_what_decides_accuracy_stays_float(bundle, role, floats):
    """Encoder: DFT, first and last layer, join of frames, K projections; decoder: both ends."""
    kinds = [node.op_type for node in load(bundle, role).graph.node]
    assert kinds.count("MatMul") == floats


def test_weights_are_rounded_by_column():
    rng = np.random.default_rng(0)
    weight = (rng.normal(size=(64, 5)) * [1, 10, 0.1, 1e-3, 0]).astype(np.float32)
    rounded, scale = ptq.round_weight(weight)
    assert rounded.dtype == np.uint8
    assert rounded.min() >= 1
    restored = (rounded.astype(np.float32) - ptq.ZERO_POINT) * scale
    assert (np.abs(restored - weight) <= scale / 2 + 1e-9).all()
    assert not restored[:, 4].any()


def test_a_product_in_two_parts_is_nearly_exact():
    """Even where one channel stands out, which takes all steps of a single part."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=(1, 4, 64)).astype(np.float32)
    x[..., 7] *= 50
    weight, scale = ptq.round_weight(rng.normal(size=(64, 8)).astype(np.float32))
    on_grid = (weight.astype(np.float32) - ptq.ZERO_POINT) * scale
    name = "/widen/MatMul"
    model = helper.make_model(
        helper.make_graph(
            [helper.make_node("MatMul", ["x", "w"], ["y"], name=name)],
            "one product",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, x.shape)],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, (1, 4, 8))],
            [numpy_helper.from_array(on_grid, "w")],
        ),
        opset_imports=[helper.make_opsetid("", 18)],
        ir_version=8,
    )

    def error(role):
        session = ort.InferenceSession(ptq.quantize(model, role).SerializeToString())
        return np.abs(session.run(None, {"x": x})[0] - x @ on_grid).max()

    assert error("encoder") < error("decoder") / 50


def test_products_that_do_not_fuse_are_an_error(bundle, monkeypatch):
    monkeypatch.setattr(ptq, "FUSED", "AnOperationOfTomorrow")
    with pytest.raises(ParityError, match="runs 0 of 9 int8 products as one operation"):
        ptq.quantize(load(bundle, "encoder", "fp32"), "encoder")


def test_a_graph_without_such_products_is_an_error(bundle):
    model = load(bundle, "encoder", "fp32")
    for node in model.graph.node:
        node.name = ""
    with pytest.raises(ParityError, match="0 of 0"):
        ptq.quantize(model, "encoder")


def test_quantizing_leaves_the_float_graph_alone(bundle):
    model = load(bundle, "decoder", "fp32")
    before = model.SerializeToString(deterministic=True)
    ptq.quantize(model, "decoder")
    assert model.SerializeToString(deterministic=True) == before


@pytest.mark.parametrize("chunk", [80, 81, 999, 4_000, 32_000])
def test_int8_codes_hardly_depend_on_the_chunks(bundle, codes, speech, chunk):
    chunk_codes = encode(StreamEncoder(bundle, precision="int8"), speech, chunk)
    assert (chunk_codes == codes).mean() >= 0.99


@pytest.mark.parametrize("frames", [1, 3, 25, 400])
def test_int8_samples_hardly_depend_on_the_chunks(bundle, codes, frames):
    samples = decode(StreamDecoder(bundle, precision="fp32"), codes, len(codes))
    int8_samples = decode(StreamDecoder(bundle, precision="int8"), codes, frames)
    noise, signal = np.square(int8_samples - samples).sum(), np.square(samples).sum()
    assert noise < 1e-3 * signal


def test_zero_point_is_one_scalar(bundle):
    (zero,) = (t for t in load(bundle, "encoder").graph.initializer if t.name == "zero_point")
    assert numpy_helper.to_array(zero) == ptq.ZERO_POINT
