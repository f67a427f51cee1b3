"""`edge-codec channel`: a bad radio channel between two programs."""

import argparse
import json
import sys
from contextlib import closing
from dataclasses import asdict
from typing import TYPE_CHECKING

from edge_codec.runtime.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge_codec.firmware_bridge import ChannelModel, ChannelStats
    from edge_codec.runtime.ports.modem import VirtualModem
    from edge_codec.runtime.ports.proxy import Filter, UdpProxy
    from edge_codec.runtime.transceiver.clock import Readable

TICK_S = 0.005
_EXAMPLES = """examples:
  edge-codec channel --ber 1e-3 --slips 1e-4 < packets.bin > damaged.bin
  edge-codec channel --pty /tmp/a /tmp/b --baud 9600 --ber 1e-4
  edge-codec channel --udp 5005 127.0.0.1:5004 --drop 0.1 --jitter 60 --json
  edge-codec tx --port - --input talk.wav | edge-codec channel --drop 0.05 | edge-codec rx --port -
"""
_RATES = {
    "ber": ("bit_error_rate", "share of bits flipped"),
    "burst-share": ("burst_share", "share of bits in bursts (Gilbert-Elliott)"),
    "burst-ber": ("burst_error_rate", "share of bits flipped in a burst (default: 0.5)"),
    "slips": ("slip_rate", "share of bytes lost or added"),
    "drop": ("drop_rate", "share of pieces that vanish"),
    "duplicate": ("duplicate_rate", "share of pieces that come twice"),
    "reorder": ("reorder_rate", "share of pieces that the next one overtakes"),
}


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "channel",
        help="a bad radio channel between two programs",
        description="Flip, lose, double, delay and throttle what passes: between standard input and"
        " output, two virtual serial ports, or two UDP programs. The same seed does the same.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    ends = parser.add_mutually_exclusive_group()
    ends.add_argument(
        "--pty", nargs=2, metavar="LINK", help="make two serial ports, joined by the channel"
    )
    ends.add_argument(
        "--udp",
        nargs=2,
        metavar=("PORT", "HOST:PORT"),
        help="listen on a port, send on to a host, and its answers back",
    )
    for option, (_, text) in _RATES.items():
        parser.add_argument(f"--{option}", type=float, metavar="P", help=text)
    parser.add_argument("--burst-bits", type=float, metavar="N", help="mean length (default: 80)")
    parser.add_argument("--delay", type=float, default=0, metavar="MS", help="of everything")
    parser.add_argument(
        "--jitter", type=float, default=0, metavar="MS", help="more delay, at most; random"
    )
    parser.add_argument("--baud", type=float, default=0, metavar="N", help="pace, 10 bits a byte")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="default: 1")
    parser.add_argument(
        "--piece",
        type=int,
        default=0,
        metavar="N",
        help="bytes of a piece from standard input (default: up to a zero byte, as packets end)",
    )
    parser.add_argument(
        "--json",
        action="store_true",
        help="statistics as JSON at the end, on stdout, or on stderr if that is taken",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Carry until the input ends or Ctrl-C, then say what was done."""
    from edge_codec.runtime.transceiver import StopSignal, SystemClock

    if args.seed < 0 or args.piece < 0:
        raise ConfigError("--seed and --piece must not be negative")
    clock = SystemClock()
    with closing(_open(args, _model(args))) as proxy, StopSignal() as stop:
        _announce(args)
        while not (stop.received or proxy.is_finished):
            now_s = clock.now_s()
            proxy.step(now_s)
            times_s = [t for route in proxy.routes if (t := route.next_timeout_s()) is not None]
            due_s = min(times_s, default=now_s + 1)
            sources: Sequence[Readable] = proxy.readable
            clock.wait(sources, min(max(due_s - now_s, 0.0), _wait_s(args)))
        _summarize(args, [route.stats for route in proxy.routes])
    return 0 if args.pty or args.udp else stop.exit_code


def _wait_s(args: argparse.Namespace) -> float:
    """A full line cannot be waited on, so that is looked at this often."""
    return TICK_S if args.baud or args.pty else 1.0


def _model(args: argparse.Namespace) -> "ChannelModel":
    from edge_codec.firmware_bridge import ChannelModel

    given = {name: getattr(args, option.replace("-", "_")) for option, (name, _) in _RATES.items()}
    given["burst_bits"] = args.burst_bits
    return ChannelModel(
        **{name: value for name, value in given.items() if value is not None},
        delay_s=args.delay / 1000,
        jitter_s=args.jitter / 1000,
        baud=args.baud,
    )


def _open(args: argparse.Namespace, model: "ChannelModel") -> "VirtualModem | UdpProxy | Filter":
    from edge_codec.runtime.ports.modem import VirtualModem
    from edge_codec.runtime.ports.proxy import Filter, UdpProxy
    from edge_codec.runtime.ports.url import PortUrl

    if args.pty:
        return VirtualModem(model, seed=args.seed, links=(args.pty[0], args.pty[1]))
    if args.udp:
        _, listen = PortUrl.parse(f"udp://:{args.udp[0]}").host_and_port(needs_host=False)
        target = PortUrl.parse(f"udp://{args.udp[1]}").host_and_port(needs_host=True)
        return UdpProxy(model, seed=args.seed, listen=listen, target=target)
    if sys.stdin.isatty():
        raise ConfigError("standard input is a terminal: pipe something in, or give --pty or --udp")
    return Filter(model, seed=args.seed, piece_bytes=args.piece)


def _announce(args: argparse.Namespace) -> None:
    where = f"{args.pty[0]} <-> {args.pty[1]}" if args.pty else ""
    where = f"UDP port {args.udp[0]} <-> {args.udp[1]}" if args.udp else where
    if where:
        print(f"channel: {where}, until Ctrl-C", file=sys.stderr, flush=True)


def _summarize(args: argparse.Namespace, stats: "list[ChannelStats]") -> None:
    names = ("there", "back")[: len(stats)]
    if args.json:
        record = {name: asdict(each) for name, each in zip(names, stats, strict=True)}
        print(json.dumps(record), file=sys.stdout if args.pty or args.udp else sys.stderr)
        return
    for name, each in zip(names, stats, strict=True):
        print(
            f"channel: {name}: {each.pieces_in} pieces, {each.bytes_in} bytes in; {each.dropped}"
            f" dropped, {each.duplicated} doubled, {each.flipped_bits} bits flipped,"
            f" {each.lost_bytes + each.stray_bytes} slips; {each.bytes_out} bytes out",
            file=sys.stderr,
        )
