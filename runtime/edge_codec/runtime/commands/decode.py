"""`edge-codec decode`: an `.ecf` file to an audio file."""

import argparse
import json
import sys
from dataclasses import asdict

from edge_codec.runtime.commands.encode import add_codec_options, check_json

_EXAMPLES = """examples:
  edge-codec decode speech.ecf speech.wav
  edge-codec decode speech.ecf speech.flac --rate 48000 --bitrate 1500
  edge-codec decode speech.ecf - | aplay -t raw -f S16_LE -r 16000
"""


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "decode",
        help=".ecf file to audio file",
        description="Decode an .ecf file to a recording of the first rate and exact length.\n"
        "Damaged parts are filled in and reported.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("source", metavar="IN.ecf", help="file to read; -: standard input")
    parser.add_argument(
        "target", metavar="OUT", help=".wav or .flac file; -: raw 16-bit PCM at codec rate"
    )
    add_codec_options(parser)
    parser.add_argument("--model", help="name or directory (default: the one the file asks for)")
    parser.add_argument("--rate", type=int, metavar="HZ", help="sample rate to write")
    parser.add_argument(
        "--bitrate", type=float, metavar="B", help="use only the layers that fit in B bit/s"
    )
    parser.add_argument("--layers", type=int, metavar="N", help="use only N layers")
    parser.add_argument("--strict", action="store_true", help="exit code 1 if a part was damaged")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Decode and say what was done, and what was damaged."""
    from edge_codec.runtime.bundle import load_bundle
    from edge_codec.runtime.file_decoder import decode_file

    check_json(args)
    report = decode_file(
        args.source,
        args.target,
        bundle=load_bundle(args.model) if args.model else None,
        layers=args.layers,
        bitrate_bps=args.bitrate,
        sample_rate_hz=args.rate,
        precision=args.precision,
        backend=args.backend,
        show_progress=True,
    )
    if args.json:
        print(json.dumps(asdict(report)))
    else:
        print(
            f"{args.source} -> {args.target}: {report.duration_s:.2f} s at "
            f"{report.sample_rate_hz} Hz, {report.layers} layers",
            file=sys.stderr,
        )
    return int(args.strict and report.is_damaged)
