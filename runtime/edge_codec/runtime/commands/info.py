"""`edge-codec info`: what a model or an `.ecf` file is."""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edge_codec.runtime.commands.encode import add_backend_option

_EXAMPLES = """examples:
  edge-codec info
  edge-codec info voice-m --check
  edge-codec info speech.ecf --json
"""


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "info",
        help="describe a model, an .ecf file or this install",
        description="Describe a model or an .ecf file. Without either: the models found,\n"
        "and whether the radio link runs in C or in numpy.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("subject", nargs="?", metavar="MODEL|FILE.ecf", help="name or path")
    add_options(parser)
    parser.set_defaults(run=run)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what `info` and `models info` have in common."""
    parser.add_argument(
        "--check", action="store_true", help="also run the model on its golden clip on this machine"
    )
    add_backend_option(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> None:
    """Print the description."""
    from edge_codec.firmware_bridge import describe_link
    from edge_codec.runtime import inspection

    if args.subject is None:
        facts = inspection.list_models() | {"link": describe_link()}
    elif Path(args.subject).is_file():
        facts = inspection.describe_file(args.subject)
    else:
        facts = inspection.describe_model(args.subject, check=args.check, backend=args.backend)
    lines_for = _lines_of_install if args.subject is None else lines_of
    print(json.dumps(facts) if args.json else "\n".join(lines_for(facts)))


def _lines_of_install(facts: dict[str, Any]) -> Iterator[str]:
    yield from table_of_models(facts)
    yield f"link: {facts['link']}"


def table_of_models(facts: dict[str, Any]) -> Iterator[str]:
    """One line for each model of `inspection.list_models`, for people."""
    models = facts["models"]
    width = max((len(name) for name in models), default=0)
    for name, model in models.items():
        yield f"{name:{width}}  {_summary(model)}"
    if not models:
        yield "no models found; `edge-codec models import --help` says how to get one"


def _summary(model: dict[str, Any]) -> str:
    if "problem" in model:
        return f"unusable: {model['problem']}"
    rates = model["bitrates_bps"]
    return (
        f"{model['model_hash'][:8]}  {model['sample_rate_hz']} Hz"
        f"  {rates['lowest']:g} to {rates['highest']:g} bit/s"
        f"  {model['size_bytes'] / 1e6:.1f} MB  {model['path']}"
    )


def lines_of(facts: dict[str, Any], indent: str = "") -> Iterator[str]:
    """Facts as indented lines, for people."""
    for key, value in facts.items():
        label = indent + key
        if not isinstance(value, dict):
            yield f"{label}: {value}"
        elif all(isinstance(item, int | float) for item in value.values()):
            row = ", ".join(f"{name} {item}" for name, item in value.items())
            yield f"{label}: {row or 'none'}"
        else:
            yield f"{label}:"
            yield from lines_of(value, indent + "  ")
