"""`edge-codec borrow`: train on a machine that is lent for a while and reached by files alone."""

import argparse
from pathlib import Path

from edge_codec.runtime.errors import ConfigError

EXAMPLES = """examples:
  edge-codec borrow pack job/ training/recipes/voice-m.toml --data speech/ --run runs/voice-m
  (move job/ there; run: sh job/start.sh result/; move result/ back)
  edge-codec borrow collect result/ --run runs/voice-m
  (pack again to go on)
"""


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the `borrow` subcommand."""
    parser = subparsers.add_parser(
        "borrow",
        help="train on a borrowed machine, a stretch at a time",
        description="Pack everything a stretch of training needs into files of at most 64 MiB, "
        "and collect its result, files of at most 16 MiB, from which the next stretch goes on. Any "
        "file transfer will do. The machine needs Python with the packages of the extra `train`, "
        "or gets them as wheels.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    pack = actions.add_parser("pack", help="make the folder to send")
    pack.add_argument("job", type=Path, help="folder to make")
    pack.add_argument("recipe", type=Path, help="TOML file that decides the training")
    pack.add_argument(
        "--data", type=Path, required=True, help="prepared cache, or folder of audio or tars"
    )
    pack.add_argument(
        "--run",
        dest="training",
        type=Path,
        required=True,
        help="the training so far, or a new name",
    )
    pack.add_argument("--minutes", type=float, default=28.0, help="from start to result")
    pack.add_argument("--device", default="cuda", help="cuda (default) or cpu")
    pack.add_argument("--seed", type=int, help="of a new training, decides every random draw")
    pack.add_argument("--wheels", type=Path, help="folder of packages to install there")
    pack.set_defaults(act=run_pack)
    collect = actions.add_parser("collect", help="add what came back to the training")
    collect.add_argument("result", type=Path, help="folder that start.sh wrote")
    collect.add_argument(
        "--run", dest="training", type=Path, required=True, help="the training it goes on"
    )
    collect.set_defaults(act=run_collect)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Pack or collect.

    Raises:
        ConfigError: something is missing, damaged or in the way.
    """
    args.act(args)


def run_pack(args: argparse.Namespace) -> None:
    """Make the job's folder and say what to do with it."""
    from edge_codec.training.borrowed import Job, pack_job

    if args.minutes < 0:
        raise ConfigError(f"--minutes must not be negative, got {args.minutes:g}")
    job = Job(minutes=args.minutes, device=args.device, seed=args.seed)
    written = pack_job(
        args.job, job, recipe=args.recipe, data=args.data, run=args.training, wheels=args.wheels
    )
    size = sum(path.stat().st_size for path in written)
    print(f"{args.job}: {len(written) - 1} parts, {size / 2**20:.0f} MiB")
    print(f"send it, then there: sh {args.job.name}/start.sh result")


def run_collect(args: argparse.Namespace) -> None:
    """Add a result to its training."""
    from edge_codec.training.borrowed import collect_result

    step = collect_result(args.result, args.training)
    print(f"{args.training} is at step {step}")
