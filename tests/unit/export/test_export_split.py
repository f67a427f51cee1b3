"""Factors of int8 products in two parts."""

import copy

import torch
from torch import nn

from edge_codec.export.rounding import LARGEST, int8_layers, round_codec
from edge_codec.export.split import SplitInput, SplitWeights, rounded_input, split_encoder


def on_grid(linear):
    step_O1 = linear.weight.abs().amax(dim=1, keepdim=True) / LARGEST
    linear.weight.data = (linear.weight / step_O1).round() * step_O1
    return linear


def as_int8_product(linear):
    """Let a layer round its weights, and its input frame by frame as LiteRT does."""

    def round_input(_, inputs):
        (x,) = inputs
        low, high = x.amin(-1, keepdim=True).clamp(max=0), x.amax(-1, keepdim=True).clamp(min=0)
        step = (high - low) / 255
        zero = (-128 - low / step).round()
        return (((x / step).round() + zero).clamp(-128, 127) - zero) * step

    on_grid(linear).register_forward_pre_hook(round_input)
    return linear


def products(module):
    return [part for name, part in module.named_modules() if name.endswith("product")]


def error(module, linear, x):
    expected = linear(x)
    return ((module(x) - expected).norm() / expected.norm()).item()


def make_layer():
    torch.manual_seed(0)
    return nn.Linear(32, 16), torch.randn(1, 3, 32) * torch.logspace(-2, 1, 32)


def test_an_input_in_two_parts_loses_next_to_nothing():
    linear, x = make_layer()
    on_grid(linear)
    split = SplitInput(linear)
    torch.testing.assert_close(split(x), linear(x))
    for layer in products(split):
        as_int8_product(layer)
    assert error(as_int8_product(copy.deepcopy(linear)), linear, x) > 1e-3
    assert error(split, linear, x) < 5e-5


def test_weights_in_two_parts_lose_next_to_nothing():
    linear, x = make_layer()
    split = SplitWeights(linear)
    for layer in products(split):
        as_int8_product(layer)
    assert error(on_grid(copy.deepcopy(linear)), linear, x) > 1e-3
    assert error(split, linear, x) < 1e-4


def test_input_without_any_range_stays_what_it_is():
    x = torch.stack([torch.zeros(8), torch.full((8,), 3.0), torch.full((8,), -1e-30)])[None]
    torch.testing.assert_close(rounded_input(x), x)


def test_an_encoder_does_the_same_with_all_its_products_split(codec, speech):
    audio = torch.from_numpy(speech)[None]
    rounded = round_codec(codec, audio)
    expected, plain = rounded.encoder(audio), len(int8_layers(rounded, "encoder"))
    assert split_encoder(rounded.encoder) == plain + 2 == len(products(rounded.encoder))
    torch.testing.assert_close(rounded.encoder(audio), expected, atol=1e-4, rtol=1e-4)
