"""`edge-codec train`: run a recipe on prepared audio."""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from edge_codec.runtime.errors import ConfigError

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

    from edge_codec.training.trainer import Trainer

EXAMPLES = """examples:
  edge-codec prepare data/speech-16k recordings/ speech.tar --rate 16000
  edge-codec train training/recipes/voice-m.toml --data data/speech-16k --out runs/voice-m
  edge-codec train training/recipes/voice-m.toml --data data/speech-16k --out runs/voice-m --resume
"""
SAVE_EVERY = 500
"""Steps between checkpoints: a kill costs at most these."""
LOG_EVERY = 20
"""Steps averaged into one point of the loss curves."""
AVERAGED_FOLDER = "averaged"
"""Folder below the output with the finished weights alone."""


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the `train` subcommand."""
    parser = subparsers.add_parser(
        "train",
        help="train a codec from a recipe",
        description="Train a codec. Checkpoints (safetensors and JSON) and TensorBoard curves go "
        "to the output folder, the finished weights alone to `averaged` below it. Ctrl-C or "
        "SIGTERM saves before it stops.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("recipe", type=Path, help="TOML file that decides the training")
    parser.add_argument("--data", type=Path, required=True, help="folder made by `prepare`")
    parser.add_argument("--out", type=Path, required=True, help="folder for checkpoint and curves")
    start = parser.add_mutually_exclusive_group()
    start.add_argument("--resume", action="store_true", help="continue the training in --out")
    start.add_argument(
        "--start-from", type=Path, metavar="CHECKPOINT", help="begin the recipe at these weights"
    )
    parser.add_argument(
        "--teacher", type=Path, metavar="CHECKPOINT", help="codec to learn from (distillation)"
    )
    parser.add_argument("--seed", type=int, default=1, help="decides every random draw")
    parser.add_argument("--steps", type=int, help="length of the training instead of the recipe's")
    parser.add_argument("--device", default="cpu", help="cpu (default) or cuda")
    parser.add_argument("--threads", type=int, default=1, metavar="N", help="CPU threads")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Train to the end of the recipe.

    Raises:
        ConfigError: recipe, data or checkpoint cannot be used.
    """
    import signal

    from tqdm import tqdm

    trainer = _open_trainer(args)
    for stop in (signal.SIGINT, signal.SIGTERM):
        signal.signal(stop, signal.default_int_handler)
    writer = _open_writer(args.out)
    sums: dict[str, float] = {}
    total = trainer.recipe.steps
    try:
        with tqdm(total=total, initial=trainer.schedule_step, desc=args.recipe.stem) as progress:
            for losses in trainer.run():
                progress.update()
                sums = {name: sums.get(name, 0.0) + value for name, value in losses.items()}
                if trainer.step % LOG_EVERY == 0:
                    progress.set_postfix(_log(writer, sums, trainer.step))
                    sums = {}
                if trainer.step % SAVE_EVERY == 0:
                    trainer.save(args.out)
        trainer.save_averaged(args.out / AVERAGED_FOLDER)
    finally:
        trainer.save(args.out)
        writer.close()


def _open_trainer(args: argparse.Namespace) -> "Trainer":
    from dataclasses import replace

    import torch

    from edge_codec.training.cache import manifest_sha256
    from edge_codec.training.checkpoint import FACTS_FILE, load_codec
    from edge_codec.training.config import load_recipe
    from edge_codec.training.data import load_source
    from edge_codec.training.trainer import Trainer

    if args.device != "cpu" and not torch.cuda.is_available():
        raise ConfigError(f"no device {args.device!r} here; leave --device out to train on the CPU")
    if not args.resume and (args.out / FACTS_FILE).exists():
        raise ConfigError(f"{args.out} holds a training; add --resume or name another --out")
    torch.set_num_threads(args.threads)
    recipe = load_recipe(args.recipe)
    if args.steps is not None:
        recipe = replace(recipe, steps=args.steps)
    source = load_source(args.data, args.device)
    data_sha256 = manifest_sha256(args.data)
    teacher = None if args.teacher is None else load_codec(args.teacher)[0].to(args.device)
    trainer = Trainer(recipe, source, seed=args.seed, data_sha256=data_sha256, teacher=teacher)
    if args.resume:
        trainer.resume(args.out)
    elif args.start_from is not None:
        trainer.resume(args.start_from, restart_schedule=True)
    return trainer


def _open_writer(folder: Path) -> "SummaryWriter":
    from torch.utils.tensorboard import SummaryWriter

    return SummaryWriter(folder)


def _log(writer: "SummaryWriter", sums: Mapping[str, float], step: int) -> dict[str, str]:
    means = {name: value / LOG_EVERY for name, value in sums.items()}
    for name, value in means.items():
        writer.add_scalar(f"loss/{name}", value, step)
    return {name: f"{value:.3f}" for name, value in means.items()}
