"""`edge-codec train`: run a recipe on prepared audio."""

import argparse
import hashlib
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path
from signal import SIGINT, SIGTERM, signal
from threading import Event
from typing import TYPE_CHECKING

from edge_codec.runtime.errors import ConfigError

if TYPE_CHECKING:
    from edge_codec.training.data import ExcerptSource
    from edge_codec.training.distributed import Crew
    from edge_codec.training.shards import ShardedSource
    from edge_codec.training.trainer import Trainer

EXAMPLES = """examples:
  edge-codec prepare data/speech-16k recordings/ speech.tar --rate 16000
  edge-codec train training/recipes/voice-m.toml --data data/speech-16k --out runs/voice-m
  edge-codec train training/recipes/voice-m.toml --data data/speech-16k --out runs/voice-m --resume
  torchrun --nproc-per-node 4 $(which edge-codec) train training/recipes/voice-m.toml \\
    --data data/speech-16k --out runs/voice-m --device cuda
"""
SAVE_EVERY = 500
"""Steps between checkpoints unless asked otherwise: a kill costs at most these."""
SHOW_EVERY = 1000
"""Steps between sounds and pictures in TensorBoard."""
AVERAGED_FOLDER = "averaged"
"""Folder below the output with the finished weights alone."""


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the `train` subcommand."""
    parser = subparsers.add_parser(
        "train",
        help="train a codec from a recipe",
        description="Train a codec. Checkpoints (safetensors and JSON), TensorBoard curves, "
        "decoded excerpts and spectrograms go to the output folder, the finished weights alone "
        "to `averaged` below it. Ctrl-C or SIGTERM saves after the step at hand and stops; after a "
        "kill, --resume goes on from the last checkpoint. Under torchrun all processes share each "
        "batch.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("recipe", type=Path, help="TOML file that decides the training")
    parser.add_argument(
        "--data", type=Path, required=True, help="folder made by `prepare`, or a list of such"
    )
    parser.add_argument(
        "--store", type=Path, default=Path("shards"), help="folder for shards that a list fetches"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for checkpoint and curves")
    start = parser.add_mutually_exclusive_group()
    start.add_argument("--resume", action="store_true", help="continue the training in --out")
    start.add_argument(
        "--start-from", type=Path, metavar="CHECKPOINT", help="begin the recipe at these weights"
    )
    parser.add_argument(
        "--teacher", type=Path, metavar="CHECKPOINT", help="codec to learn from (distillation)"
    )
    parser.add_argument(
        "--seed", type=int, help="decides every random draw (default: 1; with --resume, the same)"
    )
    parser.add_argument("--steps", type=int, help="length of the training instead of the recipe's")
    parser.add_argument("--minutes", type=float, help="save and stop after so long")
    parser.add_argument(
        "--save-every", type=int, default=SAVE_EVERY, metavar="STEPS", help="between checkpoints"
    )
    parser.add_argument("--device", default="cpu", help="cpu (default) or cuda")
    parser.add_argument("--threads", type=int, default=1, metavar="N", help="CPU threads")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Train to the end of the recipe.

    Raises:
        ConfigError: recipe, data or checkpoint cannot be used.
        KeyboardInterrupt: it was asked to stop; everything is saved.
    """
    if args.save_every < 1 or args.threads < 1:
        raise ConfigError("--save-every and --threads must be 1 or more")
    trainer = _open_trainer(args)
    with _stop_signals() as stop:
        _train(args, trainer, stop)
    if trainer.crew.rank == 0:
        trainer.save(args.out)
        if trainer.is_finished:
            trainer.save_averaged(args.out / AVERAGED_FOLDER)
    if stop.is_set() and not trainer.is_finished:
        raise KeyboardInterrupt


def _train(args: argparse.Namespace, trainer: "Trainer", stop: Event) -> None:
    from tqdm import tqdm

    from edge_codec.training.monitor import Monitor

    end_s = float("inf") if args.minutes is None else time.monotonic() + 60 * args.minutes
    is_first = trainer.crew.rank == 0
    total, done = trainer.recipe.steps, trainer.schedule_step
    with (
        closing(Monitor(args.out, trainer)) if is_first else nullcontext() as monitor,
        tqdm(
            total=total,
            initial=done,
            desc=args.recipe.stem,
            disable=not is_first,
            mininterval=1 if sys.stderr.isatty() else 30,
        ) as progress,
    ):
        for losses in trainer.run():
            progress.update()
            if monitor is not None:
                progress.set_postfix(monitor.add(losses) or {}, refresh=False)
                if trainer.step % args.save_every == 0:
                    trainer.save(args.out)
                if trainer.step % SHOW_EVERY == 0 or trainer.is_finished:
                    monitor.show_samples()
            if trainer.crew.wants_stop(stop.is_set() or time.monotonic() > end_s):
                return


@contextmanager
def _stop_signals() -> Iterator[Event]:
    """An event that Ctrl-C and SIGTERM set; a second one stops at once."""
    stop = Event()

    def ask(number: int, frame: object) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    before = {number: signal(number, ask) for number in (SIGINT, SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal(number, handler)


def _open_trainer(args: argparse.Namespace) -> "Trainer":
    from dataclasses import replace

    import torch

    from edge_codec.training.checkpoint import FACTS_FILE, load_codec, load_record
    from edge_codec.training.config import load_recipe
    from edge_codec.training.distributed import join_crew
    from edge_codec.training.precision import check_device
    from edge_codec.training.trainer import Trainer

    check_device(args.device)
    if not args.resume and (args.out / FACTS_FILE).exists():
        raise ConfigError(f"{args.out} holds a training; add --resume or name another --out")
    torch.set_num_threads(args.threads)
    recipe = load_recipe(args.recipe)
    if args.steps is not None:
        recipe = replace(recipe, steps=args.steps)
    if args.seed is None:
        args.seed = load_record(args.out)[1].seed if args.resume else 1
    data_sha256 = _hash_data(args.data)
    crew, device = join_crew(args.device)
    if args.resume and crew.rank == 0 and load_record(args.out)[1].data != data_sha256:
        print(
            f"edge-codec: {args.out} was trained on other data than {args.data} so far",
            file=sys.stderr,
        )
    teacher = None if args.teacher is None else load_codec(args.teacher)[0].to(device)
    trainer = Trainer(
        recipe,
        _open_data(args, device, crew),
        seed=args.seed,
        data_sha256=data_sha256,
        teacher=teacher,
        crew=crew,
    )
    if args.resume:
        trainer.resume(args.out)
    elif args.start_from is not None:
        trainer.resume(args.start_from, restart_schedule=True)
    return trainer


def _open_data(
    args: argparse.Namespace, device: str, crew: "Crew"
) -> "ExcerptSource | ShardedSource":
    import torch

    from edge_codec.training.data import load_source
    from edge_codec.training.shards import ShardedSource, read_list

    if not args.data.is_file():
        return load_source(args.data, device)
    return ShardedSource(read_list(args.data), args.store, torch.device(device), args.seed, crew)


def _hash_data(data: Path) -> str:
    """Names the data: of a list of shards it is the list that counts."""
    from edge_codec.training.cache import manifest_sha256

    if data.is_file():
        return hashlib.sha256(data.read_bytes()).hexdigest()
    return manifest_sha256(data)
