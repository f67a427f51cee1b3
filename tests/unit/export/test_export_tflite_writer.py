"""What is handed to the TFLite converter, and what is counted in what it gives.

The converter itself needs `make export-env`; a stand-in notes what it is asked for.
"""

import sys
from ast import literal_eval
from dataclasses import dataclass, field, replace
from types import ModuleType, SimpleNamespace

import pytest
import torch

from edge_codec.export import bundle_writer, tflite_writer
from edge_codec.export.fold import fold_codec
from edge_codec.export.rounding import int8_layers
from edge_codec.export.split import split_encoder
from edge_codec.export.targets import Target
from edge_codec.export.tflite_writer import (
    TfliteDecoder,
    TfliteEncoder,
    TfliteRest,
    shorten_transforms,
    write_tflite,
)
from edge_codec.runtime.errors import MissingExtraError, ParityError
from edge_codec.training.codec import FrameCodec
from support.tiny_codec import TINY


@pytest.fixture
def folded(codec):
    return fold_codec(codec)


@dataclass
class Converter:
    """Stands for `litert_torch`: a file is the names of its functions."""

    asked: dict = field(default_factory=dict)

    def signature(self, name, module, sample_kwargs):
        with torch.no_grad():
            module(**sample_kwargs)
        shapes = {key: list(value.shape) for key, value in sample_kwargs.items()}
        return Converter(self.asked | {name: shapes})

    def convert(self):
        return SimpleNamespace(model_content=lambda: repr(self.asked).encode())


@pytest.fixture
def converter(monkeypatch):
    module = ModuleType("litert_torch")
    module.signature = Converter().signature
    monkeypatch.setitem(sys.modules, "litert_torch", module)


@torch.no_grad()
def test_what_is_converted_does_what_the_codec_does(folded, speech):
    encoder, rest, decoder = TfliteEncoder(folded), TfliteRest(folded), TfliteDecoder(folded)
    states = [folded.encoder.zero_state(), folded.decoder.zero_state()]
    expected_states = list(states)
    for audio in torch.from_numpy(speech[: 40 * folded.spec.hop_samples])[None].split(
        10 * folded.spec.hop_samples, dim=1
    ):
        found = encoder(audio, states[0])
        codes, expected_states[0] = folded.encode_step(audio, expected_states[0])
        more = rest(found["residual"])
        found_codes = torch.cat([found["codes"], more["codes"]], dim=2)
        assert found_codes.dtype == torch.int32
        torch.testing.assert_close(found_codes.long(), codes.long())
        heard = decoder(found_codes, states[1])
        expected, expected_states[1] = folded.decode_step(codes, expected_states[1])
        torch.testing.assert_close(heard["audio"], expected, atol=1e-5, rtol=1e-4)
        states = [found["next_state"], heard["next_state"]]
        torch.testing.assert_close(states, expected_states, atol=1e-5, rtol=1e-4)


@torch.no_grad()
def test_shorter_transforms_change_no_codes_and_leave_the_codec_alone(folded, speech):
    audio, state = torch.from_numpy(speech)[None], folded.encoder.zero_state()
    before = sum(value.numel() for value in folded.encoder.analysis.buffers())
    shortened = shorten_transforms(folded)
    codes, _ = folded.encode_step(audio, state)
    assert (shortened.encode_step(audio, state)[0] == codes).float().mean() > 0.995
    assert sum(value.numel() for value in shortened.encoder.analysis.buffers()) < before / 2
    assert sum(value.numel() for value in folded.encoder.analysis.buffers()) == before


def test_every_length_of_call_is_a_function(converter, folded):
    files = write_tflite(folded, [1, 4], precision="fp32")
    hop, layers = folded.spec.hop_samples, folded.spec.layers
    inputs = {"encoder": ("audio", [hop]), "decoder": ("codes", [1, layers])}
    for role, (name, (first, *rest)) in inputs.items():
        state = [1, getattr(folded, role).state_size]
        expected = {
            f"frames_{count}": {name: [1, count * first, *rest], "state": state} for count in (1, 4)
        }
        if role == "encoder":
            latent = folded.config.latent
            expected |= {f"rest_{count}": {"residual": [1, count, latent]} for count in (1, 4)}
        assert literal_eval(files[role].decode()) == expected


def test_a_single_layer_has_no_other_half(converter):
    codec = FrameCodec(replace(TINY, layers=1))
    files = write_tflite(fold_codec(codec), [1], precision="fp32")
    assert list(literal_eval(files["encoder"].decode())) == ["frames_1"]


def test_without_the_converter_the_next_step_is_named(monkeypatch, folded):
    monkeypatch.setitem(sys.modules, "litert_torch", None)
    with pytest.raises(MissingExtraError, match="make export-env"):
        write_tflite(folded, [1], precision="fp32")


@pytest.mark.parametrize("missing", [0, 1])
@pytest.mark.parametrize("precision", ["int8", "int8_storage"])
def test_a_layer_that_stayed_float_is_an_error(converter, monkeypatch, folded, missing, precision):
    products = {
        "encoder": split_encoder(shorten_transforms(folded).encoder),
        "decoder": len(int8_layers(folded, "decoder")),
    }

    def count(file):
        role, form = file.decode().split()
        assert form == precision
        return 2 * products[role] - missing * (role == "decoder")

    def quantize(file, names, *, in_products):
        role = next(role for role, known in tflite_writer.INT8_NAMES.items() if known == names)
        return f"{role} {'int8' if in_products else 'int8_storage'}".encode()

    monkeypatch.setattr(tflite_writer, "_quantize", quantize)
    name = "count_int8_products" if precision == "int8" else "count_int8_weights"
    monkeypatch.setattr(tflite_writer, name, count)
    if missing:
        wanted = 2 * products["decoder"]
        message = f"the decoder has {wanted - 1} layers in {precision}, expected {wanted}"
        with pytest.raises(ParityError, match=message):
            write_tflite(folded, [1, 4], precision=precision)
    else:
        files = write_tflite(folded, [1, 4], precision=precision)
        assert set(files) == {"encoder", "decoder"}


def test_a_missing_converter_is_said_before_any_work(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "litert_torch", None)
    with pytest.raises(MissingExtraError, match="make export-env"):
        bundle_writer.write_graphs(tmp_path, None, None, Target(tflite=("int8",)))
