"""What `tx` is asked for about a transmission: mode, addresses, repetition, airtime."""

import argparse
from typing import TYPE_CHECKING

from edge_codec.runtime.commands.security_options import read_security

if TYPE_CHECKING:
    from edge_codec.runtime.bundle import Bundle
    from edge_codec.runtime.transceiver.assembly import Talk

DEFAULT_BITRATE_BPS = 3000.0


def add_talk_options(parser: argparse.ArgumentParser) -> None:
    """Add them to a parser."""
    rate = parser.add_mutually_exclusive_group()
    rate.add_argument(
        "--mode",
        metavar="MODE",
        help="P3000: packets of 3000 bit/s; R3000: raw frames for noisy lines; `edge-codec modes`"
        " lists all (default: P3000)",
    )
    rate.add_argument(
        "--bitrate", type=float, metavar="B", help="codec bit/s, as packets (default: 3000)"
    )
    parser.add_argument(
        "--callsign", default="", metavar="CALL", help="who speaks: up to nine of A-Z 0-9 - / ."
    )
    to = parser.add_mutually_exclusive_group()
    to.add_argument("--to", metavar="CALL", help="speak to one station (default: everybody)")
    to.add_argument("--group", metavar="NAME", help="speak to a group, up to eight of the same")
    parser.add_argument(
        "--red",
        choices=["0", "1", "2", "auto"],
        default="auto",
        help="repeat the base layers in the packet 1 or 2 later: costs a superframe of delay each;"
        " auto: 1 on networks, 0 on lines, however much is lost (default: auto)",
    )
    parser.add_argument(
        "--duty-cycle",
        type=float,
        default=100,
        metavar="PERCENT",
        help="most of each hour to be on the air (default: 100)",
    )
    add_sync_option(parser)


def add_sync_option(parser: argparse.ArgumentParser) -> None:
    """Add the choice between the two kinds of line."""
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument(
        "--sync", action="store_true", help="the line has no start and stop bits: every bit counts"
    )
    kind.add_argument(
        "--8n1",
        dest="sync",
        action="store_false",
        help="one start and one stop bit around each byte (default)",
    )


def group_address(name: str) -> str:
    """The address of a group, whose `#` a shell would take for a comment."""
    return "#" + name.removeprefix("#")


def read_talk(args: argparse.Namespace, bundle: "Bundle") -> "Talk":
    """What is asked for, once it is known to fit.

    Raises:
        ConfigError: it does not, or options contradict each other.
        CodeRangeError: the codec has no bitrate so low.
        LocalLinkError: no such mode, callsign or group.
    """
    from edge_codec.firmware_bridge import BROADCAST
    from edge_codec.runtime.transceiver import assembly

    security = read_security(args)
    line = assembly.line_of(args.port, args.baud, fast=args.fast, synchronous=args.sync)
    bitrate_bps = DEFAULT_BITRATE_BPS if args.bitrate is None else args.bitrate
    wanted = args.mode or bitrate_bps
    tag_bytes = 0 if security is None else security.tag_bytes
    mode = assembly.choose_mode(bundle.spec, wanted, line, tag_bytes=tag_bytes)
    assembly.check_port(mode, args.port)
    red = assembly.choose_red(args.red, args.port, line, mode)
    return assembly.Talk(
        mode=assembly.choose_mode(bundle.spec, wanted, line, red=red, tag_bytes=tag_bytes),
        line=line,
        callsign=args.callsign,
        destination=group_address(args.group) if args.group else args.to or BROADCAST,
        red=red,
        duty_cycle=args.duty_cycle / 100,
        security=security,
        epoch=args.epoch,
        is_live=not args.fast,
    )
