"""A codec as two ONNX graphs: samples -> codes and codes -> samples, one packed state each.

The steps of the layers never compute with the number of frames, so they are traced with fixed
shapes and the time axis is named afterwards: a graph without one operation of shape arithmetic,
for calls of any length. Knows nothing of bundles.

Shapes: T samples, F code frames, K layers, S state numbers.
"""

import io
import tempfile
import warnings
from pathlib import Path

import onnx
import onnxruntime as ort
import torch
from torch import Tensor, nn

from edge_codec.export.depthwise import spread_depthwise
from edge_codec.export.transforms import shrink_transforms
from edge_codec.training.codec import Codec, FrameCodec

OPSET = 18
"""First with `LayerNormalization` and axes as inputs everywhere; read by ONNX Runtime 1.14 on."""
TRACED_FRAMES = 3
TIME_AXES = {"audio": "T", "codes": "F"}
"""Tensor of a graph -> name of its second axis."""


class EncoderGraph(nn.Module):
    """What is traced to the encoder graph."""

    def __init__(self, codec: Codec) -> None:
        super().__init__()
        self.codec = codec

    def forward(self, audio: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """[1, T] and [1, S] -> codes [1, F, K] and the next state."""
        return self.codec.encode_step(audio, state)


class DecoderGraph(nn.Module):
    """What is traced to the decoder graph."""

    def __init__(self, codec: Codec) -> None:
        super().__init__()
        self.codec = codec

    def forward(self, codes: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """[1, F, K] and [1, S] -> audio [1, T] and the next state."""
        return self.codec.decode_step(codes, state)


def make_graphs(folded: Codec) -> dict[str, onnx.ModelProto]:
    """The `encoder` and `decoder` of a codec from `fold_codec` or `round_codec`."""
    spec = folded.spec
    audio = torch.zeros(1, TRACED_FRAMES * spec.hop_samples)
    codes = torch.zeros(1, TRACED_FRAMES, spec.layers, dtype=torch.int64)
    encoder_state, decoder_state = folded.encoder.zero_state(), folded.decoder.zero_state()
    encoder = trace(EncoderGraph(folded), (audio, encoder_state), ("audio", "codes"))
    decoder = trace(DecoderGraph(folded), (codes, decoder_state), ("codes", "audio"))
    if not isinstance(folded, FrameCodec):
        return {"encoder": complete(encoder), "decoder": complete(decoder)}
    encoder, decoder = (complete(spread_depthwise(model)) for model in (encoder, decoder))
    return {
        "encoder": shrink_transforms(encoder, folded.encoder.analysis.dft.numpy()),
        "decoder": shrink_transforms(decoder, folded.decoder.synthesis.inverse_dft.numpy()),
    }


def complete(model: onnx.ModelProto) -> onnx.ModelProto:
    """A traced graph for calls of any length, simplified and checked."""
    free_time_axes(model)
    model = simplify(model)
    finish(model)
    return model


def trace(
    module: nn.Module, inputs: tuple[Tensor, Tensor], names: tuple[str, str]
) -> onnx.ModelProto:
    """The graph for inputs of exactly these shapes, as torch writes it."""
    file = io.BytesIO()
    with warnings.catch_warnings():
        # The newer exporter takes ten times as long for the same graph, and needs onnxscript.
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        torch.onnx.export(
            module,
            inputs,
            file,  # type: ignore[arg-type]
            dynamo=False,
            opset_version=OPSET,
            input_names=[names[0], "state"],
            output_names=[names[1], "next_state"],
        )
    return onnx.load_from_string(file.getvalue())


def free_time_axes(model: onnx.ModelProto) -> None:
    """Let a graph traced for one length take any."""
    del model.graph.value_info[:]
    for value in [*model.graph.input, *model.graph.output]:
        if value.name in TIME_AXES:
            value.type.tensor_type.shape.dim[1].dim_param = TIME_AXES[value.name]


def simplify(model: onnx.ModelProto) -> onnx.ModelProto:
    """Fold constants and drop what does nothing, by ONNX Runtime's portable optimisations."""
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
    return optimise(model, options)


def optimise(model: onnx.ModelProto, options: ort.SessionOptions) -> onnx.ModelProto:
    """What ONNX Runtime makes of `model` when it loads it with `options`."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "optimised.onnx")
        options.optimized_model_filepath = str(path)
        options.log_severity_level = 3  # it warns that optimised files are for one machine
        ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        return onnx.load(path)


def finish(model: onnx.ModelProto) -> None:
    """Drop initial values nobody reads and operator sets nobody uses, and check the whole."""
    graph = model.graph
    used = {name for node in graph.node for name in node.input}
    kept = [tensor for tensor in graph.initializer if tensor.name in used]
    del graph.initializer[:]
    graph.initializer.extend(kept)
    del model.opset_import[:]
    model.opset_import.append(onnx.helper.make_opsetid("", OPSET))
    onnx.checker.check_model(model, full_check=True)
