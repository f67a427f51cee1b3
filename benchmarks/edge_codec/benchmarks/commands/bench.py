"""`edge-codec bench`: what a model costs on this machine."""

import argparse
import json
from pathlib import Path
from typing import Any

from edge_codec.runtime.errors import ConfigError

_EXAMPLES = """examples:
  edge-codec bench
  edge-codec bench voice-s --seconds 60 --precision int8 --record zero2w.json
"""


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "bench",
        help="time and memory of a model on this machine",
        description="Stream speech through a model, one frame a call, and report the time of each"
        " stage, the memory, and whether this machine makes the codes that it should.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("model", nargs="?", default="voice-m", help="default: voice-m")
    parser.add_argument("--seconds", type=float, default=20, metavar="S", help="default: 20")
    parser.add_argument("--threads", type=int, default=1, metavar="N", help="default: 1")
    parser.add_argument("--precision", choices=["auto", "fp32", "int8"], default="auto")
    parser.add_argument("--record", type=Path, metavar="FILE", help="also write all as JSON")
    parser.add_argument("--json", action="store_true", help="print the record instead")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Measure, record and print.

    Raises:
        ConfigError: a flag is out of range.
        BundleError: the model is missing or damaged.
        ParityError: this machine does not make the codes that it should.
    """
    from edge_codec.benchmarks.record import write_record

    if args.seconds <= 0 or args.threads < 1:
        raise ConfigError("--seconds must be above 0 and --threads 1 or more")
    record = _measure(args)
    if args.record is not None:
        write_record(args.record, record)
    print(json.dumps(record) if args.json else _render(record))


def _measure(args: argparse.Namespace) -> dict[str, Any]:
    from edge_codec.benchmarks.latency import WARM_UP_FRAMES, measure_latency
    from edge_codec.benchmarks.record import make_record, rss_bytes
    from edge_codec.runtime.bundle import load_bundle
    from edge_codec.runtime.inspection import describe_model
    from edge_codec.runtime.meter import peak_rss_bytes

    after_import = rss_bytes()
    bundle = load_bundle(args.model)
    precision = bundle.best_precision() if args.precision == "auto" else args.precision
    times = measure_latency(bundle, seconds=args.seconds, threads=args.threads, precision=precision)
    memory = {"after_import": after_import, "running": rss_bytes(), "peak": peak_rss_bytes()}
    agreement = describe_model(args.model, check=True)["golden_codes_equal_percent"][precision]
    facts = {
        "model": bundle.name,
        "model_hash": bundle.model_hash,
        "backend": bundle.backend,
        "precision": precision,
        "threads": args.threads,
        "warm_up_frames": WARM_UP_FRAMES,
        "rss_bytes": memory,
        "golden_codes_equal_percent": agreement,
        "warnings": times.warnings(),
        "encode_ns": times.encode_ns.tolist(),
        "decode_ns": times.decode_ns.tolist(),
    }
    return make_record("bench", facts | times.summary())


def _render(record: dict[str, Any]) -> str:
    machine, memory = record["machine"], record["rss_bytes"]
    lines = [
        f"{record['model']} {record['precision']}, {record['threads']} thread on {machine['cpu']}",
        "",
        "| ms per frame | median | p95 | p99 | max | real-time factor |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name, stage in record["stages"].items():
        times = " | ".join(f"{stage[f'{key}_ms']:.2f}" for key in ("median", "p95", "p99", "max"))
        lines.append(f"| {name} | {times} | {stage['real_time_factor']:.3f} |")
    megabytes = ", ".join(f"{value / 1e6:.0f} MB {name}" for name, value in memory.items())
    lines += [
        "",
        f"{record['frames']} frames, {record['missed_deadlines']} missed their deadline",
        f"memory: {megabytes.replace('_', ' ')}",
        f"codes as they should be: {record['golden_codes_equal_percent']:.2f} %",
        *(f"warning: {warning}" for warning in record["warnings"]),
    ]
    return "\n".join(lines)
