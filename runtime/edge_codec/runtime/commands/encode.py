"""`edge-codec encode`: an audio file to an `.ecf` file."""

import argparse
import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

from edge_codec.runtime.errors import ConfigError

if TYPE_CHECKING:
    from edge_codec.runtime.file_encoder import EncodeReport

_EXAMPLES = """examples:
  edge-codec encode speech.wav speech.ecf
  edge-codec encode talk.mp3 talk.ecf --model voice-s --bitrate 1500
  arecord -t raw -f S16_LE -r 16000 | edge-codec encode - speech.ecf
"""


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "encode",
        help="audio file to .ecf file",
        description="Encode an audio file of any rate, length and channel count.\n"
        "Channels are mixed to one unless --keep-channels is given. Decoding gives back the level.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "source", metavar="IN", help="WAV, FLAC, Ogg or MP3; -: raw 16-bit mono PCM at codec rate"
    )
    parser.add_argument("target", metavar="OUT.ecf", help="file to write; -: standard output")
    add_codec_options(parser)
    parser.add_argument("--model", default="voice-m", help="name or directory (default: voice-m)")
    rate = parser.add_mutually_exclusive_group()
    rate.add_argument(
        "--bitrate",
        type=float,
        default=3000,
        metavar="B",
        help="bit/s of each channel, rounded down to whole layers (default: 3000)",
    )
    rate.add_argument("--layers", type=int, metavar="N", help="the same as a number of layers")
    parser.add_argument(
        "--keep-channels", action="store_true", help="encode every channel by itself"
    )
    parser.set_defaults(run=run)


def add_codec_options(parser: argparse.ArgumentParser) -> None:
    """Add what `encode` and `decode` have in common."""
    add_backend_option(parser)
    parser.add_argument(
        "--precision",
        choices=["auto", "fp32", "int8"],
        default="auto",
        help="graphs to run (default: auto, int8 where the model has it)",
    )
    parser.add_argument("--json", action="store_true", help="report as JSON on standard output")


def add_backend_option(parser: argparse.ArgumentParser) -> None:
    """Add the choice of what runs a model's graphs."""
    parser.add_argument(
        "--backend",
        choices=["auto", "onnx", "tflite", "lyra"],
        default="auto",
        help="what runs the model (default: auto, the faster one, measured once on this machine)",
    )


def check_json(args: argparse.Namespace) -> None:
    """Raise if report and result would both go to standard output.

    Raises:
        ConfigError: they would.
    """
    if args.json and args.target == "-":
        raise ConfigError("--json and OUT - both need standard output; give a file name for OUT")


def run(args: argparse.Namespace) -> None:
    """Encode and say what was done."""
    from edge_codec.runtime.bundle import load_bundle
    from edge_codec.runtime.file_encoder import encode_file

    check_json(args)
    bundle = load_bundle(args.model).on(args.backend)
    report = encode_file(
        args.source,
        args.target,
        bundle=bundle,
        layers=args.layers if args.layers is not None else bundle.spec.layers_for(args.bitrate),
        keep_channels=args.keep_channels,
        precision=args.precision,
        show_progress=True,
    )
    if args.json:
        print(json.dumps(asdict(report)))
    else:
        print(_summary(args.source, args.target, report), file=sys.stderr)


def _summary(source: str, target: str, report: "EncodeReport") -> str:
    mixing = f", {report.source_channels} channels mixed to one"
    return (
        f"{source}: {report.duration_s:.2f} s at {report.source_rate_hz} Hz"
        f"{mixing if report.channels < report.source_channels else ''}"
        f" -> {target}: {report.bitrate_bps:.0f} bit/s, {report.written_bytes} bytes"
    )
