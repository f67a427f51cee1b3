"""`edge-codec sdp`: say in SDP what `tx --port rtp://...` sends."""

import argparse
import ipaddress

_EXAMPLES = """examples:
  edge-codec sdp rtp://192.168.1.20:5004 > stream.sdp
  edge-codec sdp rtp://[ff15::5]:5004 --model voice-s
"""


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "sdp",
        help="describe an RTP stream for other programs",
        description="Print the session description (SDP, RFC 8866) of an rtp:// port.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("port", metavar="rtp://HOST:PORT", help="where the stream goes")
    parser.add_argument(
        "--model", default="voice-m", help="name or directory of the bundle (default: voice-m)"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the description."""
    from edge_codec.runtime.bundle import load_bundle
    from edge_codec.runtime.errors import PortError
    from edge_codec.runtime.ports.url import PortUrl

    url = PortUrl.parse(args.port)
    if url.scheme != "rtp":
        raise PortError(f"{args.port} is not RTP: give rtp://HOST:PORT")
    host, port = url.host_and_port(needs_host=True)
    print(describe(host, port, load_bundle(args.model).model_hash), end="")
    return 0


def describe(host: str, port: int, model_hash: str) -> str:
    """The session description, lines ended as SDP wants them."""
    from edge_codec.firmware_bridge.rtp import CLOCK_HZ, PAYLOAD_TYPE

    where = f"IN {_address_type(host)} {host}"
    lines = [
        "v=0",
        f"o=- 0 0 {where}",
        "s=edge-codec",
        f"c={where}",
        "t=0 0",
        f"m=audio {port} RTP/AVP {PAYLOAD_TYPE}",
        f"a=rtpmap:{PAYLOAD_TYPE} edge-codec/{CLOCK_HZ}",
        f"a=fmtp:{PAYLOAD_TYPE} model={model_hash[:8]}",
    ]
    return "".join(f"{line}\r\n" for line in lines)


def _address_type(host: str) -> str:
    try:
        return f"IP{ipaddress.ip_address(host).version}"
    except ValueError:
        return "IP4"
