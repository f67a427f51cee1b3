"""What `tx` and `rx` ask for to secure a link."""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from edge_codec.runtime.errors import ConfigError

if TYPE_CHECKING:
    from edge_codec.firmware_bridge import Guard, Security


def add_security_options(parser: argparse.ArgumentParser) -> None:
    """Add them to a parser."""
    group = parser.add_argument_group("security")
    group.add_argument(
        "--security",
        choices=["none", "auth", "aead"],
        default="none",
        help="auth: packets are authenticated, anyone can listen; aead: encrypted, too",
    )
    group.add_argument(
        "--key",
        type=Path,
        metavar="FILE",
        help="made with `edge-codec keygen`, the same on all boards",
    )
    group.add_argument(
        "--tag-bytes", type=int, default=8, metavar="N", help="4 or 8; aead: 4 to 16 (default: 8)"
    )
    group.add_argument(
        "--amateur", action="store_true", help="by the rules of amateur radio: refuse encryption"
    )


def read_security(args: argparse.Namespace) -> "Security | None":
    """What is asked for, with the secret in the key file; None: nothing is secured.

    Raises:
        ConfigError: the options contradict each other, or the key cannot be used.
        LocalLinkError: no such tag length.
    """
    if args.security == "none":
        if args.key:
            raise ConfigError("--key secures nothing by itself: give --security auth or aead")
        return None
    if args.amateur and args.security == "aead":
        raise ConfigError("amateur radio must not hide its meaning: use --security auth")
    if args.key is None:
        raise ConfigError("--security needs --key FILE; `edge-codec keygen FILE` makes one")
    from edge_codec.firmware_bridge import Protection, Security
    from edge_codec.runtime.key_file import load_key

    return Security(
        secret=load_key(args.key),
        protection=Protection[args.security.upper()],
        tag_bytes=args.tag_bytes,
    )


@contextmanager
def open_guard(args: argparse.Namespace) -> "Iterator[Guard | None]":
    """What lets secured packets in, if that is asked for; remembers them next to the key.

    Raises:
        ConfigError: see `read_security`, or it could not remember.
    """
    security = read_security(args)
    if security is None:
        yield None
        return
    from edge_codec.firmware_bridge import Guard
    from edge_codec.runtime.key_file import HeardFile

    file = HeardFile(Path(f"{args.key}.heard"), security.secret)
    heard = file.load()
    file.save(heard)
    guard = Guard(security, heard, keep=file.keep)
    try:
        yield guard
    finally:
        file.keep(guard.heard)
