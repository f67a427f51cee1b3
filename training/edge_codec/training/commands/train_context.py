"""`edge-codec train-context`: learn how likely the codes of a trained codec are."""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from edge_codec.runtime.errors import ConfigError

if TYPE_CHECKING:
    from edge_codec.training.codec import Codec
    from edge_codec.training.config import Recipe
    from edge_codec.training.context import CodeSet, ContextNet

EXAMPLES = """examples:
  edge-codec train-context runs/voice-m --data data/speech-16k
  edge-codec train-context runs/voice-m --data data/speech-16k --hours 1 --steps 500 --json
"""
HELD_OUT = 0.05
"""Share of the excerpts that the result is measured on."""
MODELLED_LAYERS = 5
"""First layers of the codec whose codes are modelled; those of others are near random."""


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the `train-context` subcommand."""
    parser = subparsers.add_parser(
        "train-context",
        help="learn how likely the codes of a trained codec are",
        description="Train the context model of a codec whose encoder is finished, and write it "
        "beside its weights (context.npz). With it links and files carry more layers in the "
        "same bits. A quarter of an hour of one core; export puts it into the bundle.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("checkpoint", type=Path, help="folder of a training")
    parser.add_argument("--data", type=Path, required=True, help="folder made by `prepare`")
    parser.add_argument(
        "--hours", type=float, default=12.0, help="speech to encode first (default: 12)"
    )
    parser.add_argument("--steps", type=int, default=5000, help="length of the training")
    parser.add_argument("--seed", type=int, default=1, help="decides every random draw")
    parser.add_argument("--threads", type=int, default=1, metavar="N", help="CPU threads")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Encode, train, measure, write.

    Raises:
        ConfigError: a flag is out of range, or the checkpoint is damaged.
        AudioError: the data cannot be read.
    """
    import torch

    from edge_codec.training.checkpoint import load_codec, save_context
    from edge_codec.training.context import UNIT_FRAMES, layer_bits

    if args.steps < 1 or args.threads < 1 or not 0 < args.hours < float("inf"):
        raise ConfigError("--hours, --steps and --threads must be more than 0")
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    codec, recipe, _ = load_codec(args.checkpoint)
    learnt, held_out = _encode(args, codec.eval(), recipe).split(HELD_OUT)
    net = _train(args, codec, learnt)
    save_context(args.checkpoint, net.arrays())
    bits = {frames: layer_bits(net, held_out.codes_BFL, frames) for frames in UNIT_FRAMES}
    print(json.dumps({"bits_by_layer": bits}) if args.json else _as_table(bits))


def _encode(args: argparse.Namespace, codec: "Codec", recipe: "Recipe") -> "CodeSet":
    from itertools import islice
    from math import ceil

    from tqdm import tqdm

    from edge_codec.training.context import EXCERPT_FRAMES, CodeSet, draw_codes
    from edge_codec.training.data import load_source

    source, config = load_source(args.data, "cpu"), recipe.data
    batch_s = config.batch * EXCERPT_FRAMES / codec.spec.frame_rate_hz
    batches = max(2, ceil(3600 * args.hours / batch_s))
    layers = min(MODELLED_LAYERS, codec.spec.layers)
    drawn = draw_codes(codec, source, config, layers=layers, seed=args.seed)
    return CodeSet.joined(list(tqdm(islice(drawn, batches), "encode", batches, disable=None)))


def _train(args: argparse.Namespace, codec: "Codec", learnt: "CodeSet") -> "ContextNet":
    import torch
    from tqdm import tqdm

    from edge_codec.training.context import ContextConfig, ContextNet, train_context

    layers = learnt.codes_BFL.shape[2]
    books_LNE = torch.stack([codec.quantizer.entries(layer) for layer in range(layers)]).detach()
    net = ContextNet(ContextConfig(layers=layers, steps=args.steps), books_LNE, learnt)
    generator = torch.Generator().manual_seed(args.seed)
    progress = tqdm(
        train_context(net, learnt.codes_BFL, generator), "train", args.steps, disable=None
    )
    for bits in progress:
        progress.set_postfix(bits=f"{bits:.2f}", refresh=False)
    return net


def _as_table(bits: dict[int, list[float]]) -> str:
    """Markdown: mean bits of a code, one line per length of unit."""
    layers = range(1, len(next(iter(bits.values()))) + 1)
    lines = ["| frames | " + " | ".join(f"layer {layer}" for layer in layers) + " |"]
    lines += ["| ---: " * (len(layers) + 1) + "|"]
    lines += [
        f"| {frames} | " + " | ".join(f"{value:.2f}" for value in values) + " |"
        for frames, values in bits.items()
    ]
    return "\n".join(lines)
