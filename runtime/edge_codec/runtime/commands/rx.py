"""`edge-codec rx`: hear a radio."""

import argparse
import math
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from edge_codec.runtime.commands.security_options import add_security_options, open_guard
from edge_codec.runtime.commands.talk_options import group_address
from edge_codec.runtime.commands.tx import add_port_options
from edge_codec.runtime.errors import PortError

if TYPE_CHECKING:
    from edge_codec.firmware_bridge import Guard
    from edge_codec.runtime.transceiver.listener import Audience

_EXAMPLES = """examples:
  edge-codec rx --port /dev/ttyUSB0 --baud 9600 --output speaker
  edge-codec rx --port udp://:5004 --output heard.wav --once
  edge-codec rx --port /dev/ttyUSB0 --callsign AB1CD --group NET1
  edge-codec rx --port /dev/ttyUSB0 --output - | aplay -t raw -f S16_LE -r 16000
  edge-codec rx --port /dev/ttyUSB0 --security auth --key voice.key
"""


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "rx",
        help="play or record speech from a serial line, a pty or UDP",
        description="Receive speech and play or record it, in real time, until Ctrl-C.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_port_options(parser)
    parser.add_argument(
        "--output",
        default="speaker",
        metavar="speaker|FILE|-",
        help="speaker, WAV file, or raw 16-bit mono PCM at the codec's rate (default: speaker)",
    )
    parser.add_argument(
        "--mode",
        default="auto",
        metavar="MODE",
        help="auto: find out; P: packets alone; R3000 ...: raw frames of this mode alone"
        " (default: auto)",
    )
    parser.add_argument(
        "--callsign",
        default="",
        metavar="CALL",
        help="of this station: play only what is for it, its groups or everybody",
    )
    parser.add_argument(
        "--group",
        action="append",
        default=[],
        metavar="NAME",
        help="play only what is for this group or everybody; may be given again",
    )
    parser.add_argument("--once", action="store_true", help="stop when the first stream is over")
    parser.add_argument(
        "--timeout",
        type=_duration_s,
        default=math.inf,
        metavar="S",
        help="stop when no packet came for S seconds (default: never)",
    )
    parser.add_argument(
        "--fast",
        action="store_true",
        help="decode as bytes come, without a playout clock; always so when the port is a file",
    )
    add_security_options(parser)
    parser.set_defaults(run=run)


def _duration_s(text: str) -> float:
    seconds = float(text)
    if not seconds > 0:
        raise argparse.ArgumentTypeError(f"{text} is not more than 0 seconds")
    return seconds


def run(args: argparse.Namespace) -> int:
    """Receive until told to stop, or until what was asked for is over."""
    with open_guard(args) as guard:
        return _receive(args, guard)


def _receive(args: argparse.Namespace, guard: "Guard | None") -> int:
    from edge_codec.firmware_bridge import Line
    from edge_codec.runtime.bundle import load_bundle
    from edge_codec.runtime.ports import open_port, plugged_port
    from edge_codec.runtime.transceiver import Reception, StopSignal, SystemClock, assembly

    clock, bundle = SystemClock(), load_bundle(args.model).on(args.backend)
    baud = assembly.DEFAULT_BAUD if args.baud is None else args.baud
    fast = args.fast or Path(args.port).is_file()
    listener = assembly.make_listener(
        bundle,
        args.port,
        Line(baud=baud),
        fast=fast,
        receiver=assembly.make_receiver(bundle.spec, args.mode, guard),
        audience=_audience(args),
    )
    report = assembly.make_report("rx", clock, as_json=args.json, shares_stdout=args.output == "-")
    # Who waits for one stream wants to know that it will not come.
    open_line = open_port if args.once else plugged_port(clock.now_s, report.event)
    with (
        closing(assembly.open_sink(args.output, bundle.spec.sample_rate_hz, fast=fast)) as sink,
        closing(open_line(args.port, baud, "r")) as port,
        StopSignal() as stop,
    ):
        reception = Reception(port, listener, sink, report)
        try:
            reception.run(clock, stop, once=args.once, timeout_s=args.timeout)
        finally:
            reception.summarize()
    if not (listener.played_frames or stop.received):
        raise PortError(f"nothing was heard on {args.port}; see docs/troubleshooting.md")
    return stop.exit_code


def _audience(args: argparse.Namespace) -> "Audience | None":
    """Who listens here; None: whoever it is for."""
    if not (args.callsign or args.group):
        return None
    from edge_codec.runtime.transceiver.listener import Audience

    groups = tuple(group_address(name) for name in args.group)
    return Audience(callsign=args.callsign, groups=groups)
