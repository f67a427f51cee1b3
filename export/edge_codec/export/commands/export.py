"""`edge-codec export`: make a checkpoint into a bundle."""

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edge_codec.export.cost import Cost
    from edge_codec.export.parity import Parity
    from edge_codec.runtime.bundle import Bundle

EXAMPLES = """examples:
  edge-codec export runs/voice-m --out models/voice-m
  edge-codec evaluate models/voice-m speech/ --json > scores.json
  edge-codec export runs/voice-m --out models/voice-m --metrics scores.json
  edge-codec export runs/voice-m --out /tmp/voice-m --precision fp32 --clip me.wav --json
"""


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the `export` subcommand."""
    parser = subparsers.add_parser(
        "export",
        help="make a trained checkpoint into a model bundle",
        description="Write the streaming ONNX graphs, golden clip and manifest of a checkpoint, "
        "and compare them with it: in float and int8, in calls of any length. Unless every "
        "limit is kept, nothing is written.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("checkpoint", type=Path, help="folder of a training")
    parser.add_argument(
        "--out", type=Path, required=True, help="folder to write; a bundle there is replaced"
    )
    parser.add_argument(
        "--clip",
        type=Path,
        metavar="FILE",
        help="speech to compare on, its start the golden clip (default: the clips that ship)",
    )
    parser.add_argument(
        "--metrics", type=Path, metavar="FILE", help="scores printed by `evaluate --json`"
    )
    parser.add_argument(
        "--precision",
        nargs="+",
        choices=["fp32", "int8"],
        default=["fp32", "int8"],
        help="graphs to write (default: both)",
    )
    parser.add_argument("--licence", metavar="TEXT", help="licence of the weights")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Write the bundle and print what was compared.

    Raises:
        EdgeCodecError: the checkpoint or a file cannot be read, or a limit is not kept.
    """
    from edge_codec.export.bundle_writer import LICENCE, Request, export_bundle
    from edge_codec.export.cost import measure_cost

    request = Request(
        checkpoint=args.checkpoint,
        out=args.out,
        clip=args.clip,
        metrics=args.metrics,
        precisions=args.precision,
        licence=args.licence or LICENCE,
    )
    bundle, parity = export_bundle(request)
    costs = {precision: measure_cost(bundle, precision) for precision in bundle.precisions()}
    print(_as_json(bundle, parity, costs) if args.json else _as_table(bundle, parity, costs))


def _as_json(bundle: "Bundle", parity: "Parity", costs: dict[str, "Cost"]) -> str:
    facts = {
        "model": bundle.name,
        "path": str(bundle.path),
        "model_hash": bundle.model_hash,
        "parity": asdict(parity),
        "cost": {precision: asdict(cost) for precision, cost in costs.items()},
    }
    return json.dumps(facts, indent=2)


def _as_table(bundle: "Bundle", parity: "Parity", costs: dict[str, "Cost"]) -> str:
    from edge_codec.export.parity import LIMITS

    lines = [f"{bundle.name} {bundle.model_hash[:8]} in {bundle.path}", ""]
    lines += ["| compared | value | limit |", "| --- | ---: | ---: |"]
    lines += [f"| {name} | {v:g} | {LIMITS[name]:g} |" for name, v in parity.to_dict().items()]
    if parity.int8 is not None:
        shares = " ".join(f"{share:.3f}" for share in parity.int8.equal_by_layer)
        lines += ["", f"int8 codes equal by layer: {shares}"]
    lines += ["", "| precision | MB | encoder ms | decoder ms | real-time factor |"]
    lines += ["| --- | ---: | ---: | ---: | ---: |"]
    for precision, cost in costs.items():
        times = f"{cost.encoder_ms:.2f} | {cost.decoder_ms:.2f} | {cost.real_time_factor:.3f}"
        lines.append(f"| {precision} | {cost.graph_bytes / 1e6:.2f} | {times} |")
    return "\n".join(lines)
