"""`edge-codec tx`: speak into a radio."""

import argparse
from contextlib import closing
from typing import TYPE_CHECKING

from edge_codec.runtime.commands.encode import add_backend_option
from edge_codec.runtime.commands.keying_options import (
    add_keying_options,
    keyed_url,
    make_vox,
    open_channel,
    open_keyer,
)
from edge_codec.runtime.commands.security_options import add_security_options
from edge_codec.runtime.commands.talk_options import add_talk_options, read_talk
from edge_codec.runtime.configuration import add_config_option

if TYPE_CHECKING:
    from edge_codec.runtime.bundle import Bundle
    from edge_codec.runtime.meter import Report
    from edge_codec.runtime.transceiver.assembly import Talk

_EXAMPLES = """examples:
  edge-codec tx --port /dev/ttyUSB0 --baud 9600 --mode R3000 --input mic
  edge-codec tx --port udp://192.168.1.20:5004 --input talk.flac --callsign AB1CD --group NET1
  arecord -t raw -f S16_LE -r 16000 | edge-codec tx --port /dev/ttyUSB0 --input -
  edge-codec tx --port /dev/ttyUSB0 --callsign AB1CD --security auth --key voice.key
  edge-codec tx --port /dev/ttyUSB0 --ptt rts --tx-delay-ms 300 --busy-lockout --vox
  edge-codec tx --port /dev/ttyUSB0 --vox --output speaker   # both ways, in turn
"""


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "tx",
        help="send speech over a serial line, a pty or UDP",
        description="Encode speech and send it, in real time, until it ends or Ctrl-C.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_port_options(parser)
    parser.add_argument(
        "--input",
        default="mic",
        metavar="mic|FILE|-",
        help="microphone, audio file, or raw 16-bit mono PCM at the codec's rate (default: mic)",
    )
    add_talk_options(parser)
    add_keying_options(parser)
    parser.add_argument(
        "--fast", action="store_true", help="send a file as fast as the line takes it"
    )
    add_security_options(parser)
    parser.add_argument(
        "--epoch",
        type=int,
        default=0,
        metavar="N",
        help="key epoch, 0 to 255: raise it if the clock of this board went back (default: 0)",
    )
    parser.set_defaults(run=run)


def add_port_options(parser: argparse.ArgumentParser) -> None:
    """Add what `tx` and `rx` have in common."""
    add_config_option(parser)
    parser.add_argument(
        "--port",
        required=True,
        metavar="URL",
        help="/dev/tty... or serial:///dev/... (?rtscts), udp://HOST:PORT or rtp://HOST:PORT"
        " (rx: without HOST), kiss-tcp://HOST:PORT or kiss:///dev/tty... (?ax25=AB1CD-5),"
        " pty://[LINK], loop://, a file, or - for standard input or output",
    )
    parser.add_argument(
        "--baud", type=int, metavar="N", help="rate of the line (default: 9600 on serial and pty)"
    )
    parser.add_argument(
        "--model", default="voice-m", help="name or directory of the bundle (default: voice-m)"
    )
    add_backend_option(parser)
    parser.add_argument(
        "--json",
        action="store_true",
        help="events as JSON, one a line, on stdout, or on stderr if that is taken",
    )


def run(args: argparse.Namespace) -> int:
    """Send until the input ends or a stop is asked for."""
    from edge_codec.runtime.bundle import load_bundle
    from edge_codec.runtime.ports import plugged_port
    from edge_codec.runtime.transceiver import StopSignal, SystemClock, Talker, assembly

    clock, bundle = SystemClock(), load_bundle(args.model).on(args.backend)
    talk, rate_hz = read_talk(args, bundle), bundle.spec.sample_rate_hz
    make_sender = assembly.sender_maker(bundle, talk)
    report = assembly.make_report(
        "tx", clock, as_json=args.json, shares_stdout="-" in (args.port, args.output)
    )
    open_line = plugged_port(clock.now_s, report.event)
    with (
        assembly.open_source(args.input, rate_hz, fast=args.fast) as source,
        closing(open_line(keyed_url(args), args.baud or assembly.DEFAULT_BAUD, "w")) as port,
        open_channel(args, bundle, port, report) as channel,
        open_keyer(args, port, report, channel) as keyer,
        StopSignal() as stop,
    ):
        talker = Talker(make_sender, port, keyer, report, fast=args.fast)
        vox = make_vox(args, source, rate_hz)
        _announce(report, port.name, bundle, talk)
        if vox:
            talker.talk_by_voice(vox, clock, stop)
        else:
            talker.talk(source, clock, stop)
    return stop.exit_code


def _announce(report: "Report", port: str, bundle: "Bundle", talk: "Talk") -> None:
    mode, profile = talk.mode, talk.mode.profile
    line_bps = mode.needed_bps(red=talk.red > 0)
    report.event(
        "sending",
        f"sending to {port} with {bundle.name} ({bundle.model_hash[:8]}): {mode.name},"
        f" {line_bps:.0f} bit/s on the line, superframes of {profile.superframe_ms} ms",
        port=port,
        model=bundle.name,
        model_hash=bundle.model_hash,
        mode=mode.name,
        bitrate_bps=profile.codec_bitrate_bps,
        line_bps=line_bps,
        superframe_ms=profile.superframe_ms,
        red=talk.red,
        destination=talk.destination,
    )
