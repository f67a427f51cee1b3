"""`edge-codec demo`: hear the whole chain without a radio."""

import argparse
import json
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from edge_codec.runtime.errors import AudioError

if TYPE_CHECKING:
    from edge_codec.firmware_bridge import ChannelModel
    from edge_codec.runtime.demo.report import Record

MIN_S, MAX_S = 1.0, 3600.0
_EXAMPLES = """examples:
  edge-codec demo
  edge-codec demo --seconds 20 --bitrate 1500 --ber 1e-4 --out demo
"""


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "demo",
        help="speech through two processes and a virtual serial modem",
        description="Send real speech with `tx` to `rx`, two processes joined by a virtual serial"
        " modem, in real time; leaves sent.wav, received.wav, report.json and report.md.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--seconds", type=_length, default=10, metavar="S", help="of speech (default: 10)"
    )
    parser.add_argument(
        "--out", type=Path, default=Path("edge-codec-demo"), help="default: edge-codec-demo"
    )
    parser.add_argument("--bitrate", type=float, default=3000, metavar="B", help="default: 3000")
    parser.add_argument("--baud", type=int, default=9600, metavar="N", help="default: 9600")
    parser.add_argument(
        "--ber", type=float, default=0, metavar="P", help="share of bits flipped (default: 0)"
    )
    parser.add_argument("--model", default="voice-m", help="name or directory (default: voice-m)")
    parser.add_argument("--json", action="store_true", help="report as JSON on standard output")
    parser.set_defaults(run=run)


def _length(text: str) -> float:
    seconds = float(text)
    if not MIN_S <= seconds <= MAX_S:
        raise argparse.ArgumentTypeError(f"{text} is not {MIN_S:g} to {MAX_S:g}")
    return seconds


def run(args: argparse.Namespace) -> int:
    """Play, then report."""
    from edge_codec.firmware_bridge import ChannelModel
    from edge_codec.runtime.demo.report import write_report

    channel = ChannelModel(bit_error_rate=args.ber, baud=args.baud)
    _make_folder(args.out)
    record = _perform(args, channel)
    record |= {"baud": args.baud, "bit_error_rate": args.ber}
    text = write_report(args.out, record)
    sys.stdout.write(json.dumps(record) + "\n" if args.json else text)
    return 0


def _perform(args: argparse.Namespace, channel: "ChannelModel") -> "Record":
    from edge_codec.firmware_bridge import Line
    from edge_codec.runtime.bundle import load_bundle
    from edge_codec.runtime.demo.report import make_record
    from edge_codec.runtime.demo.speech import write_speech
    from edge_codec.runtime.demo.stage import Stage
    from edge_codec.runtime.meter import Report
    from edge_codec.runtime.ports.modem import VirtualModem
    from edge_codec.runtime.transceiver import StopSignal, SystemClock
    from edge_codec.runtime.transceiver.assembly import choose_mode

    clock, spec = SystemClock(), load_bundle(args.model).spec
    line = Line(baud=args.baud)
    choose_mode(spec, args.bitrate, line)  # says what would fit before anything starts
    sent, heard = args.out / "sent.wav", args.out / "received.wav"
    write_speech(sent, spec.sample_rate_hz, args.seconds)
    tx_options = ["--model", args.model, "--input", str(sent), "--bitrate", str(args.bitrate)]
    rx_options = ["--model", args.model, "--output", str(heard), "--once", "--timeout", "10"]
    report = Report("demo", clock.now_s, sys.stderr)
    with closing(VirtualModem(channel, seed=1)) as modem, StopSignal() as stop:
        stage = Stage(modem, args.baud, args.out, report)
        tx, rx = stage.perform(tx_options, rx_options, args.seconds, clock, stop)
    report.event("done", f"received speech is in {heard}")
    return make_record(sent, heard, tx.events, rx.events)


def _make_folder(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise AudioError(f"cannot make {out}: {error.strerror}; give another --out") from error
