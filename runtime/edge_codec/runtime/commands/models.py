"""`edge-codec models`: the models that are installed, and how to get more."""

import argparse
import json
from pathlib import Path
from typing import Any

from edge_codec.runtime.commands import info

_EXAMPLES = """examples:
  edge-codec models list
  edge-codec models info voice-m
  edge-codec models verify voice-m
  edge-codec models import lyra Downloads/model_coeffs --out lyra-v2
"""


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command and what it can do."""
    parser = subparsers.add_parser(
        "models",
        help="list, describe, verify and import models",
        description="List, describe and verify the models found, and import those of others.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = parser.add_subparsers(
        title="actions", metavar="ACTION", required=True, help="list, info, verify or import"
    )
    action = actions.add_parser("list", help="the models that can be named without a path")
    action.add_argument("--json", action="store_true", help="print JSON")
    action.set_defaults(run=run_list)
    action = actions.add_parser("info", help="describe one")
    action.add_argument("subject", metavar="MODEL", help="name or directory")
    info.add_options(action)
    action.set_defaults(run=info.run)
    action = actions.add_parser(
        "verify", help="check the hash of every file, and that this machine makes the right codes"
    )
    action.add_argument("model", metavar="MODEL", help="name or directory")
    action.add_argument("--json", action="store_true", help="print JSON")
    action.set_defaults(run=run_verify)
    _register_import(actions)


def _register_import(actions: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    action = actions.add_parser(
        "import",
        help="make a bundle of a model by others",
        description="Make a bundle of Lyra v2 from the files soundstream_encoder.tflite,"
        " quantizer.tflite and lyragan.tflite of its release 1.3.2.",
    )
    action.add_argument("kind", choices=["lyra"], help="what it is")
    action.add_argument("folder", type=Path, metavar="DIR", help="where its files are")
    action.add_argument(
        "--out", type=Path, help="default: lyra-v2, in $EDGE_CODEC_MODELS if that is set"
    )
    action.set_defaults(run=run_import)


def run_list(args: argparse.Namespace) -> None:
    """Print one line for each model."""
    from edge_codec.runtime.inspection import list_models

    facts = list_models()
    print(json.dumps(facts) if args.json else "\n".join(info.table_of_models(facts)))


def run_verify(args: argparse.Namespace) -> None:
    """Print what was checked; whatever is wrong is an error."""
    from edge_codec.runtime.inspection import verify_model

    facts: dict[str, Any] = verify_model(args.model)
    print(json.dumps(facts) if args.json else "\n".join(info.lines_of(facts)))


def run_import(args: argparse.Namespace) -> None:
    """Write the bundle and say where it is."""
    from edge_codec.runtime.lyra_bundle import default_folder, import_lyra

    bundle = import_lyra(args.folder, args.out or default_folder())
    print(
        f"{bundle.path}: {bundle.name} ({bundle.model_hash[:8]}), use it with --model {bundle.path}"
    )
