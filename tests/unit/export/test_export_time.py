"""A time-domain codec as a bundle: folded, in large files of their own, int8 in storage alone."""

import numpy as np
import onnx
import pytest
import torch

from edge_codec.export import bundle_writer
from edge_codec.export.bundle_writer import Request, export_bundle
from edge_codec.export.fold import fold_codec
from edge_codec.export.weight_only import round_weight
from edge_codec.runtime.bundle import load_bundle
from edge_codec.runtime.codec import StreamDecoder, StreamEncoder
from edge_codec.runtime.errors import BundleError
from edge_codec.training.checkpoint import AVERAGED, Facts, save_checkpoint
from edge_codec.training.config import Recipe
from edge_codec.training.time_codec import TimeCodec
from edge_codec.training.time_config import TimeModelConfig
from support.repository import REPOSITORY

CLIP = REPOSITORY / "runtime/edge_codec/runtime/clips/librispeech_3005.flac"
SMALL = TimeModelConfig(
    name="small-time",
    sample_rate_hz=16_000,
    encoder_channels=8,
    decoder_channels=64,
    strides=(2, 4, 8),
    latent=16,
    layers=3,
    bits_per_code=4,
    code_dim=4,
)


@pytest.fixture(scope="module")
def codec():
    torch.manual_seed(0)
    codec = TimeCodec(SMALL).requires_grad_(False).eval()
    for name, weight in codec.named_parameters():
        if name.endswith("original0"):
            torch.nn.init.constant_(weight, 0.5)
    return codec


@pytest.fixture(scope="module")
def exported(codec, tmp_path_factory):
    folder = tmp_path_factory.mktemp("time")
    recipe = Recipe(model=SMALL, steps=1)
    facts = Facts(step=0, schedule_step=0, seed=0, data="d" * 64, commit="c" * 40)
    weights = {AVERAGED + name: tensor for name, tensor in codec.state_dict().items()}
    save_checkpoint(folder / "run", weights, recipe, facts)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bundle_writer, "LARGE_BYTES", 10_000)
        return export_bundle(Request(checkpoint=folder / "run", out=folder / "out", clip=CLIP))


def test_no_norm_and_no_transposed_convolution_are_left(exported):
    bundle, _ = exported
    for role in ("encoder", "decoder"):
        model = onnx.load(bundle.graph_path(role))
        assert model.opset_import[0].version == 18
        kinds = {node.op_type for node in model.graph.node}
        assert not kinds & {"ReduceL2", "ReduceSum", "Sqrt", "Pow", "ConvTranspose", "Shape"}
        assert "Conv" in kinds


def test_the_bundle_does_what_the_codec_does(exported):
    _, parity = exported
    floats = parity.graphs["onnx_fp32"]
    assert floats.codes_equal == 1
    assert floats.samples_difference < 1e-5
    assert floats.chunked_codes_equal == 1
    assert floats.chunked_samples_difference < 1e-5
    assert parity.graphs["onnx_int8"].snr_db > 30


def test_folding_leaves_the_codec_as_it_was(codec):
    audio = torch.randn(1, 64 * 20)
    before = codec(audio)
    folded = fold_codec(codec)
    torch.testing.assert_close(codec(audio), before, atol=0, rtol=0)
    latent = torch.randn(1, 6, SMALL.latent)
    state = codec.decoder.zero_state()
    torch.testing.assert_close(
        folded.decoder.step(latent, state)[0],
        codec.decoder.step(latent, state)[0],
        atol=1e-5,
        rtol=0,
    )


def test_weights_are_a_file_of_their_own_that_is_checked(exported, tmp_path):
    bundle, _ = exported
    entry = bundle.manifest["graphs"]["onnx"]["int8"]["decoder"]
    weights = bundle.path / entry["weights"]["file"]
    assert weights.stat().st_size > 10_000
    content = weights.read_bytes()
    weights.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(BundleError, match="damaged"):
        load_bundle(bundle.path)
    weights.write_bytes(content)
    assert load_bundle(bundle.path).graphs_bytes("int8") < bundle.graphs_bytes("fp32") / 2


def test_int8_is_storage_alone(exported):
    bundle, _ = exported
    kinds = [node.op_type for node in onnx.load(bundle.graph_path("decoder", "int8")).graph.node]
    assert kinds.count("DequantizeLinear") > 10
    assert not {"MatMulInteger", "ConvInteger", "QLinearConv"} & set(kinds)


@pytest.mark.parametrize("axis", [0, 1])
def test_rounding_has_a_scale_for_each_channel(axis):
    weight = np.random.default_rng(0).normal(size=(6, 5, 4)).astype(np.float32)
    rounded, scale = round_weight(weight, axis)
    restored = rounded * np.expand_dims(scale, [i for i in range(3) if i != axis])
    assert len(scale) == weight.shape[axis]
    assert np.abs(restored - weight).max() <= scale.max() / 2 + 1e-6
    assert np.abs(rounded).max() == 127


def test_streams_of_any_call_length_join(exported):
    bundle, _ = exported
    rng = np.random.default_rng(0)
    audio = rng.normal(0, 0.1, 64 * 60).astype(np.float32)
    encoder, decoder = (end(bundle, precision="fp32") for end in (StreamEncoder, StreamDecoder))
    codes = encoder.push(audio)
    samples = decoder.push(codes)
    for cut in (64 * 7, 1000):
        encoder.reset()
        decoder.reset()
        pieces = [encoder.push(audio[at : at + cut]) for at in range(0, len(audio), cut)]
        np.testing.assert_array_equal(np.concatenate(pieces), codes)
        joined = np.concatenate([decoder.push(piece) for piece in pieces])
        np.testing.assert_allclose(joined, samples, atol=1e-6)
