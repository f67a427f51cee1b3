"""`edge-codec bench`: what a model costs and gives on this machine, beside other codecs."""

import argparse
import sys
from pathlib import Path

from edge_codec.runtime.errors import ConfigError

_EXAMPLES = """examples:
  edge-codec bench latency
  edge-codec bench ram --model voice-s
  edge-codec bench ram --no-peers --watch "baseline=python3 -c pass"
  edge-codec bench all --clips recordings/ --lyra-models lyra/ --report out/bench
  edge-codec bench thesis --folders speech/ music/
  edge-codec bench compare zero2w.json pi5.json
"""
_WHAT = {
    "latency": "time of every stage, over back ends, precisions, call lengths and threads",
    "ram": "memory after import, after loading, steady and at its peak",
    "quality": "six measures beside other codecs at every bitrate",
    "link": "overhead, delay, and speech after bit errors and losses, per mode",
    "thesis": "compression ratio, mel distance and ViSQOL beside Opus, on any folders",
    "all": "latency, ram, quality and link",
}
_FLAGS = {
    "latency": "--threads 2 --lyra-models lyra/",
    "ram": "--files 10 60 600 --no-peers",
    "quality": "--clips recordings/ --jobs 2",
    "link": "--clips recordings/",
    "thesis": "--folders speech/ music/",
    "all": "--clips recordings/ --report out/bench",
}
"""Bench -> flags of its example."""
_SECONDS = {"latency": 10.0, "all": 5.0}


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "bench",
        help="time, memory, quality and link of a model on this machine",
        description="Measure what a model costs on this machine and how good it sounds, beside"
        " other codecs where their libraries are installed, and whether this machine makes the"
        " codes that it should.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    benches = parser.add_subparsers(
        title="benches", metavar="BENCH", required=True, help="what to measure"
    )
    for name, what in _WHAT.items():
        bench = benches.add_parser(
            name,
            help=what,
            description=f"Measure {what}.",
            epilog=f"example:\n  edge-codec bench {name} {_FLAGS[name]}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        _add_flags(bench)
        bench.set_defaults(run=run, what=name)
    comparison = benches.add_parser(
        "compare",
        help="records side by side",
        description="Every figure of later records by that of the first, with its confidence.",
        epilog="example:\n  edge-codec bench compare zero2w.json pi5.json",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    comparison.add_argument("records", type=Path, nargs="+", metavar="RECORD", help="JSON files")
    comparison.set_defaults(run=run_compare)


def _add_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", default="voice-m", help="default: voice-m")
    parser.add_argument(
        "--backend", choices=["auto", "onnx", "tflite", "lyra"], default="auto",
        help="default: all the model has",
    )  # fmt: skip
    parser.add_argument("--precision", choices=["auto", "fp32", "int8"], default="auto")
    parser.add_argument("--threads", type=int, default=1, metavar="N", help="at most; default: 1")
    parser.add_argument(
        "--seconds", type=float, metavar="S", help="audio per configuration (default: 10; all: 5)"
    )
    parser.add_argument("--clips", type=Path, metavar="DIR", help="speech (default: packaged)")
    parser.add_argument(
        "--folders", type=Path, nargs="+", default=[], metavar="DIR", help="for thesis: any audio"
    )
    parser.add_argument(
        "--files", type=float, nargs="+", default=[], metavar="S",
        help="for ram: encode and decode stereo files of S seconds instead of a stream",
    )  # fmt: skip
    parser.add_argument(
        "--watch", nargs="+", default=[], metavar="NAME=COMMAND",
        help="for ram: other programs, watched from their start to their end",
    )  # fmt: skip
    parser.add_argument("--lyra-models", type=Path, metavar="DIR", help="Lyra v2's three graphs")
    parser.add_argument("--no-peers", action="store_true", help="this model alone")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="processes that score")
    parser.add_argument("--report", type=Path, metavar="DIR", help="write record and reports here")
    parser.add_argument("--json", action="store_true", help="print the record instead of tables")


def run(args: argparse.Namespace) -> None:
    """Measure, report and print.

    Raises:
        ConfigError: a flag is out of range.
        BundleError: the model is missing or damaged, or has no such graphs.
        ParityError: this machine does not make the codes that it should.
    """
    from edge_codec.benchmarks.benches import Plan, measure
    from edge_codec.benchmarks.report import render_markdown, write_report
    from edge_codec.benchmarks.schema import to_json

    seconds = _SECONDS.get(args.what, 10.0) if args.seconds is None else args.seconds
    if min([seconds, *args.files]) <= 0 or args.threads < 1 or args.jobs < 1:
        raise ConfigError("--seconds and --files must be above 0, --threads and --jobs 1 or more")
    plan = Plan(
        what=args.what,
        model=args.model,
        backend=args.backend,
        precision=args.precision,
        threads=args.threads,
        seconds=seconds,
        clips=args.clips,
        folders=tuple(args.folders),
        file_seconds=tuple(args.files),
        watched=tuple(args.watch),
        lyra_models=args.lyra_models,
        has_peers=not args.no_peers,
        jobs=args.jobs,
    )
    measured = measure(plan)
    if args.report is not None:
        _announce(write_report(args.report, measured))
    print(to_json(measured.record) if args.json else render_markdown(measured.record))


def run_compare(args: argparse.Namespace) -> None:
    """Print records side by side.

    Raises:
        ConfigError: one of them is not a record.
    """
    from edge_codec.benchmarks.comparison import render_comparison
    from edge_codec.benchmarks.record import load_record

    print(render_comparison([load_record(path) for path in args.records]))


def _announce(paths: list[Path]) -> None:
    for path in paths:
        print(f"bench: wrote {path}", file=sys.stderr)
