"""`edge-codec modes`: the table of modes of a model."""

import argparse
import json
import sys

_EXAMPLES = """examples:
  edge-codec modes
  edge-codec modes --model voice-s --json
"""


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "modes",
        help="list the modes of a model: bit rates, delay, what they survive",
        description="List every mode of a model: P for packets, R for raw frames on noisy lines.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--model", default="voice-m", help="name or directory of the bundle (default: voice-m)"
    )
    parser.add_argument("--json", action="store_true", help="the table as JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the table."""
    from edge_codec.runtime.bundle import load_bundle
    from edge_codec.runtime.link_budget import COLUMNS, all_modes, describe, table

    spec = load_bundle(args.model).spec
    rows = [describe(mode) for mode in all_modes(spec)]
    sys.stdout.write(json.dumps(rows, indent=1) + "\n" if args.json else table(rows, COLUMNS))
    return 0
