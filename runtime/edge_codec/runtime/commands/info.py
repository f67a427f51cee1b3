"""`edge-codec info`: what a model or an `.ecf` file is."""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_EXAMPLES = """examples:
  edge-codec info
  edge-codec info voice-m --check
  edge-codec info speech.ecf --json
"""


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "info",
        help="describe a model or an .ecf file",
        description="Describe a model or an .ecf file. Without either, list the models found.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("subject", nargs="?", metavar="MODEL|FILE.ecf", help="name or path")
    parser.add_argument(
        "--check", action="store_true", help="also run the model on its golden clip on this machine"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Print the description."""
    from edge_codec.runtime import inspection

    if args.subject is None:
        facts = inspection.list_models()
    elif Path(args.subject).is_file():
        facts = inspection.describe_file(args.subject)
    else:
        facts = inspection.describe_model(args.subject, check=args.check)
    print(json.dumps(facts) if args.json else "\n".join(_lines(facts)))


def _lines(facts: dict[str, Any], indent: str = "") -> Iterator[str]:
    for key, value in facts.items():
        label = indent + key
        if not isinstance(value, dict):
            yield f"{label}: {value}"
        elif all(isinstance(item, int | float) for item in value.values()):
            row = ", ".join(f"{name} {item}" for name, item in value.items())
            yield f"{label}: {row or 'none'}"
        else:
            yield f"{label}:"
            yield from _lines(value, indent + "  ")
