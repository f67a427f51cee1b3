"""`edge-codec link-budget`: what fits on a line, and how well."""

import argparse
import json
import sys
from dataclasses import replace

from edge_codec.runtime.commands.talk_options import add_sync_option

_EXAMPLES = """examples:
  edge-codec link-budget --baud 9600
  edge-codec link-budget --baud 4800 --sync --mode R1500
  edge-codec link-budget --baud 2400 --red --json
  edge-codec link-budget --baud 2400 --tag-bytes 8      # of tx --security
"""


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "link-budget",
        help="what fits on a line, with what delay, and what bit errors it survives",
        description="Tell for every mode, or one, how much of a line it takes.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--baud", type=int, required=True, metavar="N", help="rate of the line")
    add_sync_option(parser)
    parser.add_argument("--mode", metavar="MODE", help="this mode only, as R3000")
    parser.add_argument(
        "--red", action="store_true", help="packets that repeat the base layers of the one before"
    )
    parser.add_argument(
        "--tag-bytes",
        type=int,
        default=0,
        choices=[0, 4, 6, 8, 10, 12, 14, 16],
        metavar="N",
        help="packets that are secured; `tx --security` has tags of 8 (default: 0, not secured)",
    )
    parser.add_argument(
        "--model", default="voice-m", help="name or directory of the bundle (default: voice-m)"
    )
    parser.add_argument("--json", action="store_true", help="the budget as JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the budget; 1 if the mode that was asked for does not fit."""
    from edge_codec.firmware_bridge import Line, find_mode, refusal
    from edge_codec.runtime.bundle import load_bundle
    from edge_codec.runtime.link_budget import BUDGET_COLUMNS, all_modes, budget, table

    spec = load_bundle(args.model).spec
    line = Line(baud=args.baud, is_synchronous=args.sync)
    codec = (spec.layers, spec.bits_per_code, spec.frame_rate_hz)
    chosen = [find_mode(args.mode, *codec)] if args.mode else all_modes(spec)
    chosen = [replace(mode, tag_bytes=args.tag_bytes) for mode in chosen]
    rows = [budget(mode, line, red=args.red) for mode in chosen]
    fitting = [row for row in rows if row["fits"]]
    if args.json:
        line_facts = {
            "baud": line.baud,
            "synchronous": line.is_synchronous,
            "carries_bps": line.rate_bps,
            "usable_bps": line.usable_bps,
        }
        sys.stdout.write(json.dumps({"line": line_facts, "modes": rows}, indent=1) + "\n")
    else:
        sys.stdout.write(
            f"{line} carries {line.rate_bps:.0f} bit/s, {line.usable_bps:.0f} are used;"
            f" {len(fitting)} of {len(rows)} modes fit\n"
        )
        if fitting:
            sys.stdout.write(table(fitting, BUDGET_COLUMNS))
        elif args.mode:
            sys.stdout.write(f"{refusal(chosen[0], line, red=args.red)}\n")
    return 0 if fitting else 1
