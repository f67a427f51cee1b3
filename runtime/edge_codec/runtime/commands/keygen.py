"""`edge-codec keygen`: a key for secured links."""

import argparse
import os
import sys
from pathlib import Path

_EXAMPLES = """examples:
  edge-codec keygen voice.key
  scp voice.key other-board:        # by a way that nobody else reads
  edge-codec tx --port /dev/ttyUSB0 --callsign AB1CD --security auth --key voice.key
  edge-codec keygen voice.key --show
"""


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "keygen",
        help="make a key for secured links",
        description="Write 32 random bytes to a file that its owner alone can read, and print the"
        " key's fingerprint: two boards with the same fingerprint have the same key.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("file", metavar="FILE", type=Path, help="file to write")
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument("--force", action="store_true", help="replace a key; it is lost for good")
    choice.add_argument(
        "--show", action="store_true", help="print the fingerprint of a key that exists"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Make or show a key."""
    from edge_codec.firmware_bridge import fingerprint
    from edge_codec.runtime.key_file import load_key, write_key

    if args.show:
        secret = load_key(args.file)
    else:
        secret = os.urandom(32)
        write_key(args.file, secret, replaces=args.force)
        print(f"{args.file}: a new key; copy it to the other boards", file=sys.stderr)
    print(fingerprint(secret))
