"""`edge-codec ablate`: train recipes that differ in one thing, and compare them."""

import argparse
import json
from pathlib import Path

from edge_codec.runtime.errors import ConfigError

EXAMPLES = """examples:
  edge-codec ablate training/recipes/ablations --data data/speech-16k --clips dev/ --out runs/a
  edge-codec ablate training/recipes/ablations --data data/speech-16k --clips dev/ --out runs/a \\
    --steps 2000 --only base snake --json
"""


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the `ablate` subcommand."""
    parser = subparsers.add_parser(
        "ablate",
        help="train recipes that differ in one thing, and compare them",
        description="Train every recipe of a folder for as many steps on the same data, score "
        "each on the same clips and print a table. base.toml is a whole recipe, the other files "
        "say what they change. What is in --out already is not done again.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("recipes", type=Path, help="folder with base.toml and its variations")
    parser.add_argument("--data", type=Path, required=True, help="folder made by `prepare`")
    parser.add_argument("--clips", type=Path, required=True, help="folder of audio to score on")
    parser.add_argument("--out", type=Path, required=True, help="folder for weights and results")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="these recipes alone")
    parser.add_argument("--steps", type=int, help="length of each training instead of the recipe's")
    parser.add_argument(
        "--bitrate", type=float, nargs="+", default=[1500.0], metavar="BPS", help="and the highest"
    )
    parser.add_argument("--seed", type=int, default=1, help="decides every random draw")
    parser.add_argument("--device", default="cpu", help="cpu (default) or cuda")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Train, score, print.

    Raises:
        ConfigError: a recipe or flag is not valid.
        AudioError: data or clips cannot be read.
    """
    from dataclasses import asdict

    from tqdm import tqdm

    from edge_codec.training.ablation import format_results, load_ablations, run_ablations
    from edge_codec.training.cache import manifest_sha256
    from edge_codec.training.data import load_source
    from edge_codec.training.evaluation import clips_in
    from edge_codec.training.precision import check_device

    check_device(args.device)
    if args.steps is not None and args.steps < 1:
        raise ConfigError(f"--steps must be 1 or more, got {args.steps}")
    recipes = load_ablations(args.recipes)
    if unknown := set(args.only or []) - set(recipes):
        raise ConfigError(f"no recipe {min(unknown)!r}; there are: {', '.join(recipes)}")
    chosen = {name: recipes[name] for name in args.only or recipes}
    running = run_ablations(
        chosen,
        load_source(args.data, args.device),
        clips_in(args.clips, recipes["base"].model.sample_rate_hz),
        args.out,
        steps=args.steps,
        bitrates_bps=args.bitrate,
        seed=args.seed,
        data_sha256=manifest_sha256(args.data),
    )
    results = list(tqdm(running, "ablate", len(chosen), unit="recipe", disable=None))
    as_json = json.dumps([asdict(result) for result in results], indent=2)
    print(as_json if args.json else format_results(results))
