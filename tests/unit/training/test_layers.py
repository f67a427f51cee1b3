"""Streaming layers: any cutting of the input gives the same output as the whole."""

import pytest
import torch

from edge_codec.training.layers import (
    ACTIVATIONS,
    CausalConv,
    Chain,
    ConvNeXtBlock,
    DepthwiseTaps,
    Downsample,
    Snake,
    StreamLayer,
    Upsample,
)
from support.tiny_codec import make_codec

CHUNKS = [(1,) * 24, (2,) * 12, (3,) * 8, (5, 7, 1, 11), (23, 1), (24,)]
LAYERS = {
    "conv": lambda: CausalConv(6, 5, kernel=3),
    "upsample": lambda: Upsample(6, 4, factor=2),
    "block": lambda: ConvNeXtBlock(6, "gelu"),
    "snake-block": lambda: ConvNeXtBlock(6, "snake"),
    "chain": lambda: Chain(
        ConvNeXtBlock(6, "gelu"), torch.nn.LayerNorm(6), CausalConv(6, 3, kernel=2)
    ),
}


def run_in_chunks(layer: StreamLayer, x: torch.Tensor, sizes: tuple[int, ...]) -> torch.Tensor:
    state = layer.zero_state(x.shape[0])
    outputs = []
    for chunk in x.split(list(sizes), dim=1):
        y, state = layer.step(chunk, state)
        outputs.append(y)
    assert state.shape == (x.shape[0], layer.state_size)
    return torch.cat(outputs, dim=1)


@pytest.mark.parametrize("sizes", CHUNKS)
@pytest.mark.parametrize("name", LAYERS)
def test_chunks_equal_the_whole(name: str, sizes: tuple[int, ...]) -> None:
    torch.manual_seed(1)
    layer = LAYERS[name]().eval()
    x = torch.randn(2, 24, 6)
    torch.testing.assert_close(run_in_chunks(layer, x, sizes), layer(x), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("sizes", CHUNKS)
def test_codec_chunks_equal_the_whole(sizes: tuple[int, ...]) -> None:
    codec = make_codec()
    hop = codec.spec.hop_samples
    audio = 0.1 * torch.randn(1, 24 * hop)
    samples = tuple(size * hop for size in sizes)
    latent = run_in_chunks(codec.encoder, audio, samples)
    torch.testing.assert_close(latent, codec.encoder(audio), atol=1e-4, rtol=1e-4)
    codes = codec.quantizer.encode(latent)
    decoded = run_in_chunks(codec.decoder, codec.quantizer.decode(codes), sizes)
    whole, _ = codec.decode_step(codes, codec.decoder.zero_state())
    torch.testing.assert_close(decoded, whole, atol=1e-4, rtol=1e-4)


def test_outputs_do_not_see_the_future() -> None:
    layer = ConvNeXtBlock(6, "gelu").eval()
    x = torch.randn(1, 20, 6)
    changed = x.clone()
    changed[:, 12:] += 1.0
    torch.testing.assert_close(layer(x)[:, :12], layer(changed)[:, :12])


def test_downsample_joins_frames() -> None:
    layer = Downsample(3, 3, factor=2)
    x = torch.randn(1, 4, 3)
    expected = torch.nn.functional.linear(x[0, 2:4].flatten(), layer.linear.weight)
    torch.testing.assert_close(layer(x)[0, 1], expected + layer.linear.bias)


def test_upsample_is_a_causal_transposed_convolution() -> None:
    layer = Upsample(3, 4, factor=2)
    x = torch.randn(1, 5, 3)
    weight = layer.conv.linear.weight.reshape(2, 4, 2, 3)  # phase, out, tap (past, now), in
    kernel = torch.cat([weight[:, :, 1], weight[:, :, 0]]).permute(2, 1, 0)
    reference = torch.nn.functional.conv_transpose1d(x.transpose(1, 2), kernel, stride=2)
    reference = reference.transpose(1, 2)[:, :10] + layer.conv.linear.bias.reshape(2, 4).repeat(
        5, 1
    )
    torch.testing.assert_close(layer(x), reference)


def test_taps_equal_torchs_depthwise_convolution() -> None:
    joined = torch.randn(2, 13, 4, dtype=torch.float64, requires_grad=True)
    taps = torch.randn(7, 4, dtype=torch.float64, requires_grad=True)
    reference = torch.nn.functional.conv1d(joined.transpose(1, 2), taps.T[:, None], groups=4)
    torch.testing.assert_close(DepthwiseTaps.apply(joined, taps), reference.transpose(1, 2))
    assert torch.autograd.gradcheck(DepthwiseTaps.apply, (joined, taps))


def test_training_and_evaluation_agree() -> None:
    layer = ConvNeXtBlock(6, "gelu")
    x = torch.randn(2, 9, 6)
    torch.testing.assert_close(layer.train()(x), layer.eval()(x))


def test_snake_is_the_published_formula() -> None:
    snake = ACTIVATIONS["snake"](3)
    assert isinstance(snake, Snake)
    torch.nn.init.constant_(snake.alpha, 0.5)
    x = torch.linspace(-3, 3, 12).reshape(4, 3)
    torch.testing.assert_close(snake(x), x + 2.0 * torch.sin(0.5 * x) ** 2)


def test_snake_variance_at_unit_normal_input() -> None:
    x = torch.randn(400_000, 1, generator=torch.Generator().manual_seed(0))
    for a in (0.3, 0.56, 1.0):
        snake = Snake(1)
        torch.nn.init.constant_(snake.alpha, a)
        a2 = torch.tensor(a * a)
        expected = 1 + (1 + torch.exp(-8 * a2) - 2 * torch.exp(-4 * a2)) / (8 * a2)
        assert abs(snake(x).var().item() - expected.item()) < 0.02
