"""A codec as two TFLite files: samples -> codes and codes -> samples, one packed state each.

A file has one function for each length of call, `frames_1` for a call of one code frame, and all
of them share their weights. An encoder's codes the first half of the layers, `rest_1` the others:
layers that are not sent cost no time. Needs an environment of its own (`make export-env`):
litert-torch and what comes with it are 2 GB. Knows nothing of bundles.

Shapes: T samples, F code frames, K layers, S state numbers.
"""

import copy
import logging
import warnings
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from edge_codec.export.rounding import INT8_LAYERS, int8_layers
from edge_codec.export.split import INNER_LAYER, split_encoder
from edge_codec.export.tflite_file import count_int8_products, count_int8_weights, without_names
from edge_codec.export.two_stage import TwoStageAnalysis, TwoStageSynthesis
from edge_codec.runtime.backends.tflite import halves
from edge_codec.runtime.errors import MissingExtraError, ParityError
from edge_codec.training.codec import FrameCodec

INT8_NAMES = {"encoder": (INNER_LAYER,), "decoder": INT8_LAYERS["decoder"]}
"""Role -> last names of the layers with int8 weights, as a file tells them."""

Functions = dict[str, tuple[nn.Module, dict[str, Tensor]]]
"""Name -> what a function computes, and arguments of the shapes it takes."""


class TfliteEncoder(nn.Module):
    """What is converted to the encoder's file, first half of the layers."""

    def __init__(self, codec: FrameCodec) -> None:
        super().__init__()
        self.codec = codec
        self.layers, _ = halves(codec.spec.layers)

    def forward(self, audio: Tensor, state: Tensor) -> dict[str, Tensor]:
        """[1, T] and [1, S] -> codes [1, F, K / 2], residual [1, F, D] and the next state."""
        latent, next_state = self.codec.encoder.step(audio, state)
        codes, residual = self.codec.quantizer.encode_layers(latent, self.layers)
        return {"codes": codes.to(torch.int32), "residual": residual, "next_state": next_state}


class TfliteRest(nn.Module):
    """What is converted to the encoder's file, other half of the layers."""

    def __init__(self, codec: FrameCodec) -> None:
        super().__init__()
        self.quantizer = codec.quantizer
        _, self.layers = halves(codec.spec.layers)

    def forward(self, residual: Tensor) -> dict[str, Tensor]:
        """[1, F, D] -> codes [1, F, K / 2]."""
        codes, _ = self.quantizer.encode_layers(residual, self.layers)
        return {"codes": codes.to(torch.int32)}


class TfliteDecoder(nn.Module):
    """What is converted to the decoder's file."""

    def __init__(self, codec: FrameCodec) -> None:
        super().__init__()
        self.codec = codec

    def forward(self, codes: Tensor, state: Tensor) -> dict[str, Tensor]:
        """[1, F, K] and [1, S] -> audio [1, T] and the next state.

        The decoder's own step without its autocast, behind which names of layers are lost.
        """
        decoder = self.codec.decoder
        hidden, rendered = torch.split(state, decoder.sizes, dim=1)
        y, hidden = decoder.body.step(self.codec.quantizer.decode(codes), hidden)
        audio, rendered = decoder.render(y, rendered)
        return {"audio": audio, "next_state": torch.cat([hidden, rendered], dim=1)}


def write_tflite(folded: FrameCodec, frames: Sequence[int], *, precision: str) -> dict[str, bytes]:
    """The `encoder` and `decoder` files of a codec.

    Args:
        folded: what to convert, from `fold_codec`; for int8 weights from `round_codec`.
        frames: code frames of a call, one function each.
        precision: fp32; int8 for integer products; int8_storage for float ones of int8 weights.

    Raises:
        MissingExtraError: the converter is not installed.
        ParityError: not every layer that should be int8 is.
    """
    codec = shorten_transforms(folded)
    products = {"encoder": 0, "decoder": 0}
    if precision != "fp32":
        products = {
            "encoder": split_encoder(codec.encoder),
            "decoder": len(int8_layers(codec, "decoder")),
        }
    files = {
        "encoder": _convert(_encoder_functions(codec, frames)),
        "decoder": _convert(_decoder_functions(codec, frames)),
    }
    if precision == "fp32":
        return files
    in_products = precision == "int8"
    count = count_int8_products if in_products else count_int8_weights
    for role, file in files.items():
        files[role] = _quantize(file, INT8_NAMES[role], in_products=in_products)
        wanted = len(frames) * products[role]
        if (found := count(files[role])) != wanted:
            raise ParityError(f"the {role} has {found} layers in {precision}, expected {wanted}")
    return files


def shorten_transforms(folded: FrameCodec) -> FrameCodec:
    """A copy of a codec whose transforms have few weights."""
    shortened = copy.deepcopy(folded)
    shortened.encoder.analysis = TwoStageAnalysis(folded.encoder.analysis)
    shortened.decoder.synthesis = TwoStageSynthesis(folded.decoder.synthesis)
    return shortened


def converter() -> Any:
    """The module that makes TFLite graphs of torch modules; 2 GB, so loaded only when used.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import litert_torch  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            "TFLite graphs need an environment of their own: run `make export-env`, then "
            "`.venv/export-env/bin/edge-codec export`; or leave --target out for ONNX alone"
        ) from error
    logging.getLogger("litert_torch").setLevel(logging.ERROR)
    return litert_torch


def _encoder_functions(codec: FrameCodec, frames: Sequence[int]) -> Functions:
    spec, state = codec.spec, codec.encoder.zero_state()
    encoder, rest = TfliteEncoder(codec), TfliteRest(codec)
    functions: Functions = {}
    for count in frames:
        audio = torch.zeros(1, count * spec.hop_samples)
        residual = torch.zeros(1, count, codec.config.latent)
        functions[f"frames_{count}"] = encoder, {"audio": audio, "state": state}
        if rest.layers:
            functions[f"rest_{count}"] = rest, {"residual": residual}
    return functions


def _decoder_functions(codec: FrameCodec, frames: Sequence[int]) -> Functions:
    decoder, state = TfliteDecoder(codec), codec.decoder.zero_state()
    codes = {count: torch.zeros(1, count, codec.spec.layers, dtype=torch.int32) for count in frames}
    return {f"frames_{n}": (decoder, {"codes": codes[n], "state": state}) for n in frames}


def _convert(functions: Functions) -> bytes:
    """One float file of them all."""
    file = converter()
    for name, (module, arguments) in functions.items():
        file = file.signature(name, module.eval(), sample_kwargs=arguments)
    return bytes(file.convert().model_content())


def _quantize(file: bytes, names: Sequence[str], *, in_products: bool) -> bytes:
    """A file with int8 weights, one scale an output, in the layers of these last names.

    Their products are integer too if `in_products`, else of floats that the weights become.
    """
    from ai_edge_quantizer import qtyping, quantizer  # noqa: PLC0415  comes with litert-torch

    weights = qtyping.TensorQuantizationConfig(
        num_bits=8, symmetric=True, granularity=qtyping.QuantGranularity.CHANNELWISE
    )
    precision = qtyping.ComputePrecision
    recipe = quantizer.Quantizer(bytearray(file))
    recipe.update_quantization_recipe(
        regex=f".*Linear_({'|'.join(names)}).*",
        operation_name=qtyping.TFLOperationName.FULLY_CONNECTED,
        op_config=qtyping.OpQuantizationConfig(
            weight_tensor_config=weights,
            compute_precision=precision.INTEGER if in_products else precision.FLOAT,
            explicit_dequantize=not in_products,
        ),
    )
    return without_names(bytes(recipe.quantize().quantized_model))
