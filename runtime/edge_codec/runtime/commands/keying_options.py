"""What `tx` is asked for about keying a radio: PTT, its times, busy lock-out, VOX."""

import argparse
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from edge_codec.runtime.commands.security_options import open_guard

if TYPE_CHECKING:
    from edge_codec.runtime.bundle import Bundle
    from edge_codec.runtime.meter import Report
    from edge_codec.runtime.ports import Port
    from edge_codec.runtime.transceiver.keyer import Channel, Keyer
    from edge_codec.runtime.transceiver.sources import Source
    from edge_codec.runtime.transceiver.vox import VoxSource

TX_DELAY_MS, TAIL_MS, TIME_OUT_S = 250.0, 50.0, 180.0
"""Usual for a radio that is keyed from outside."""


def add_keying_options(parser: argparse.ArgumentParser) -> None:
    """Add them to a parser."""
    parser.add_argument(
        "--ptt",
        default="none",
        metavar="WAY",
        help="how to key the radio: none, rts, dtr (rts:/dev/ttyUSB1 on another adapter),"
        " gpio:/dev/gpiochip0:17, ctrl (a message to the modem), exec:COMMAND, called with 1 or 0"
        " behind it (default: none)",
    )
    parser.add_argument(
        "--tx-delay-ms",
        type=float,
        metavar="MS",
        help=f"from key down to the first byte (default: {TX_DELAY_MS:g} with --ptt, else 0)",
    )
    parser.add_argument(
        "--tail-ms",
        type=float,
        metavar="MS",
        help=f"from the last byte to key up (default: {TAIL_MS:g} with --ptt, else 0)",
    )
    parser.add_argument(
        "--time-out-s",
        type=float,
        metavar="S",
        help=f"longest transmission, 0: no limit (default: {TIME_OUT_S:g} with --ptt, else 0)",
    )
    parser.add_argument(
        "--busy-lockout", action="store_true", help="wait until nobody else is on the channel"
    )
    parser.add_argument(
        "--vox", action="store_true", help="send while somebody speaks, until Ctrl-C"
    )
    parser.add_argument(
        "--output",
        metavar="speaker|FILE|-",
        help="with --vox: play what others send at the same port, except while sending",
    )
    parser.add_argument(
        "--vox-dbfs",
        type=float,
        default=-40,
        metavar="DBFS",
        help="level from which on it is speech (default: -40)",
    )
    parser.add_argument(
        "--vox-hang-s",
        type=float,
        default=1,
        metavar="S",
        help="silence that ends a talk spurt (default: 1)",
    )


def keyed_url(args: argparse.Namespace) -> str:
    """The port's URL, such that opening it does not key the radio.

    Raises:
        ConfigError: the port and the way to key do not go together.
    """
    from edge_codec.runtime.errors import ConfigError
    from edge_codec.runtime.ports import is_line, is_two_way

    url: str = args.port
    if args.busy_lockout and not is_two_way(url):
        raise ConfigError(f"--busy-lockout cannot listen to {url}: it needs a serial line or a TNC")
    if args.output and not (args.vox and is_two_way(url)):
        raise ConfigError("--output needs --vox, and a serial line or a TNC as --port")
    if args.ptt not in ("rts", "dtr", "ctrl"):
        return url
    if not is_line(url):
        raise ConfigError(f"--ptt {args.ptt} needs a serial line as --port, not {url}")
    if args.ptt == "rts" and "rtscts" in url:
        raise ConfigError("RTS cannot both key the radio and control the flow: give --ptt dtr")
    if args.ptt == "ctrl" or url.startswith("pty://"):
        return url
    line = url if "://" in url else f"serial://{url}"
    return f"{line}{'&' if '?' in line else '?'}{args.ptt}=0"


@contextmanager
def open_channel(
    args: argparse.Namespace, bundle: "Bundle", port: "Port", report: "Report"
) -> "Iterator[Channel | None]":
    """What listens at the port between transmissions, if anybody wants to know.

    Raises:
        AudioError: the output cannot be opened.
        ConfigError: the key file cannot be used.
        ModuleNotFoundError: the speaker needs the extra `audio`.
    """
    from edge_codec.firmware_bridge import Line
    from edge_codec.runtime.ports import is_transparent
    from edge_codec.runtime.transceiver import HalfDuplex, Reception, assembly
    from edge_codec.runtime.transceiver.keyer import Carrier, Unheard

    if args.output is None and args.busy_lockout:
        yield Carrier(port, assembly.make_receiver(bundle.spec))
        return
    if args.output is None:
        yield None if is_transparent(args.port) else Unheard(port)
        return
    rate_hz, line = bundle.spec.sample_rate_hz, Line(baud=args.baud or assembly.DEFAULT_BAUD)
    with (
        open_guard(args) as guard,
        closing(assembly.open_sink(args.output, rate_hz, fast=False)) as sink,
    ):
        receiver = assembly.make_receiver(bundle.spec, "auto", guard)
        listener = assembly.make_listener(bundle, args.port, line, fast=False, receiver=receiver)
        reception = Reception(port, listener, sink, report)
        try:
            yield HalfDuplex(reception, listener)
        finally:
            reception.summarize()


@contextmanager
def open_keyer(
    args: argparse.Namespace, port: "Port", report: "Report", channel: "Channel | None"
) -> "Iterator[Keyer]":
    """What keys the radio; the transmitter is off when this is left, whatever happened.

    Raises:
        ConfigError: an option is not valid.
        LocalLinkError: a time is below zero.
        PortError: the way to key does not work.
    """
    from edge_codec.firmware_bridge.keying import KeyTimes
    from edge_codec.runtime.transceiver.keyer import Keyer
    from edge_codec.runtime.transceiver.ptt import open_ptt

    has_ptt = args.ptt != "none"
    times = KeyTimes(
        tx_delay_s=_given(args.tx_delay_ms, TX_DELAY_MS * has_ptt) / 1000,
        tail_s=_given(args.tail_ms, TAIL_MS * has_ptt) / 1000,
        time_out_s=_given(args.time_out_s, TIME_OUT_S * has_ptt),
        has_busy_lockout=args.busy_lockout,
    )
    with closing(Keyer(times, open_ptt(args.ptt, port), report, channel)) as keyer:
        yield keyer


def make_vox(args: argparse.Namespace, source: "Source", sample_rate_hz: int) -> "VoxSource | None":
    """The source cut into talk spurts, if that is asked for.

    Raises:
        ConfigError: threshold or hang time is out of range.
    """
    if not args.vox:
        return None
    from edge_codec.runtime.transceiver.vox import Vox, VoxSource

    vox = Vox(sample_rate_hz, threshold_dbfs=args.vox_dbfs, hang_s=args.vox_hang_s)
    return VoxSource(source, sample_rate_hz, vox)


def _given(value: float | None, default: float) -> float:
    return default if value is None else value
