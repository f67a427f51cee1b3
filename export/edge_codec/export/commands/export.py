"""`edge-codec export`: make a checkpoint into a bundle."""

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edge_codec.export.parity import Parity
    from edge_codec.export.targets import Target
    from edge_codec.runtime.backends.probe import Cost
    from edge_codec.runtime.bundle import Bundle

EXAMPLES = """examples:
  edge-codec export runs/voice-m --out models/voice-m
  edge-codec evaluate models/voice-m speech/ --json > scores.json
  edge-codec export runs/voice-m --out models/voice-m --metrics scores.json
  edge-codec export runs/voice-m --out /tmp/voice-m --precision fp32 --clip me.wav --json
  edge-codec export runs/voice-m --out models/voice-m --target generic --clips speech/
"""


REPORT_NAME = "export.json"
"""What was measured, beside the bundle; no part of it."""


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the `export` subcommand."""
    parser = subparsers.add_parser(
        "export",
        help="make a trained checkpoint into a model bundle",
        description="Write the streaming graphs, golden clip and manifest of a checkpoint, "
        "and compare them with it: in float and int8, in calls of any length. Unless every "
        "limit is kept, nothing is written. Targets with TFLite graphs need an environment of "
        "their own: `make export-env`, then `.venv/export-env/bin/edge-codec export`.",
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
        "--clips",
        type=Path,
        metavar="DIR",
        help="speech to score int8 graphs on, ViSQOL and PESQ; takes a minute or two",
    )
    graphs = parser.add_mutually_exclusive_group()
    graphs.add_argument(
        "--target",
        metavar="NAME|FILE.toml",
        help="board: generic, pi-zero2, pi4, pi5, jetson (default: ONNX graphs, for any)",
    )
    graphs.add_argument(
        "--precision", nargs="+", choices=["fp32", "int8"], help="ONNX graphs to write instead"
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
    from edge_codec.runtime.backends.probe import probe

    request = Request(
        checkpoint=args.checkpoint,
        out=args.out,
        clip=args.clip,
        clips=args.clips,
        metrics=args.metrics,
        target=_target(args),
        licence=args.licence or LICENCE,
    )
    bundle, parity = export_bundle(request)
    costs = {
        f"{backend}_{precision}": probe(bundle, backend, precision)
        for backend in bundle.backends
        for precision in bundle.precisions(backend)
    }
    report = _as_json(bundle, parity, costs)
    (bundle.path / REPORT_NAME).write_text(report + "\n", encoding="utf-8")
    print(report if args.json else _as_table(bundle, parity, costs))


def _target(args: argparse.Namespace) -> "Target":
    from edge_codec.export.bundle_writer import ANY_MACHINE
    from edge_codec.export.targets import Target, load_target

    if args.target is not None:
        return load_target(args.target)
    return Target(onnx=tuple(args.precision)) if args.precision else ANY_MACHINE


def _as_json(bundle: "Bundle", parity: "Parity", costs: dict[str, "Cost"]) -> str:
    facts = {
        "model": bundle.name,
        "model_hash": bundle.model_hash,
        "manifest_hash": bundle.manifest_hash,
        "target": bundle.target,
        "parity": {name: asdict(graphs) for name, graphs in parity.graphs.items()},
        "cost": {
            name: asdict(cost) | {"graph_bytes": _graph_bytes(bundle, name)}
            for name, cost in costs.items()
        },
    }
    return json.dumps(facts, indent=2)


def _how_it_runs(target: dict[str, Any]) -> str:
    """What a board is told.

    >>> _how_it_runs({"name": "pi5", "backend": "auto", "threads": 1, "providers": ["cpu"]})
    'For pi5: back end auto, 1 thread, ONNX Runtime on cpu.'
    """
    threads = f"{target['threads']} thread" + "s" * (target["threads"] > 1)
    computes = ", then ".join(target["providers"])
    runs = f"back end {target['backend']}, {threads}, ONNX Runtime on {computes}"
    return f"For {target['name']}: {runs}."


def _graph_bytes(bundle: "Bundle", name: str) -> int:
    backend, _, precision = name.partition("_")
    return bundle.graphs_bytes(precision, backend)


def _as_table(bundle: "Bundle", parity: "Parity", costs: dict[str, "Cost"]) -> str:
    from edge_codec.export.parity import LIMITS

    lines = [f"{bundle.name} {bundle.model_hash[:8]}, files {bundle.manifest_hash[:8]}, in"]
    lines += [str(bundle.path), "", _how_it_runs(bundle.target), ""]
    lines += ["| graphs | compared | value | limit |"]
    lines += ["| --- | --- | ---: | ---: |"]
    for graphs, facts in parity.graphs.items():
        for name, value in facts.to_dict().items():
            limit = LIMITS[graphs].get(name)
            shown = "" if limit is None else f"{limit:g}"
            lines.append(f"| {graphs} | {name} | {value:.3g} | {shown} |")
        by_layer = asdict(facts).get("equal_by_layer", [])
        if by_layer:
            shares = " ".join(f"{share:.3f}" for share in by_layer)
            lines.append(f"| {graphs} | codes equal by layer | {shares} | |")
    lines += ["", "| graphs | MB | encoder ms | decoder ms | process, MB |"]
    lines += ["| --- | ---: | ---: | ---: | ---: |"]
    for name, cost in costs.items():
        times = f"{cost.encoder_ms:.2f} | {cost.decoder_ms:.2f} | {cost.peak_rss_bytes / 1e6:.0f}"
        lines.append(f"| {name} | {_graph_bytes(bundle, name) / 1e6:.2f} | {times} |")
    return "\n".join(lines)
