"""One opener for every port URL."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from edge_codec.runtime.errors import PortError
from edge_codec.runtime.ports.local import open_file, open_loop, open_pty
from edge_codec.runtime.ports.pluggable import PluggablePort
from edge_codec.runtime.ports.port import Port
from edge_codec.runtime.ports.serial import open_serial
from edge_codec.runtime.ports.udp import UdpPort

Mode = Literal["r", "w"]
"""What the caller will do: a file is read or replaced, a UDP host is listened on or sent to."""
_TERMINALS = ("/dev/tty", "/dev/pts/")


def open_port(url: str, baud: int, mode: Mode) -> Port:
    """Open the port that `url` names; the package docstring lists the forms.

    Args:
        url: port URL or path.
        baud: rate of a serial line; other ports ignore it.
        mode: what the caller will do with it.

    Raises:
        PortError: the URL is not one, or its device cannot be opened.
    """
    scheme, separator, rest = url.partition("://")
    if not separator:
        return open_serial(url, baud) if is_line(url) else open_file(url, writes=mode == "w")
    if scheme == "serial":
        return open_serial(rest, baud)
    if scheme == "pty":
        return open_pty(rest)
    if scheme == "loop":
        return open_loop()
    if scheme == "udp":
        return _open_udp(url, mode)
    raise PortError(f"unknown port {url}: give a /dev path, serial://, udp://, pty:// or a file")


def plugged_port(
    now_s: Callable[[], float], tell: Callable[[str, str], None]
) -> Callable[[str, int, Mode], Port]:
    """An `open_port` whose serial lines are waited for when they are pulled out.

    Args:
        now_s: the clock.
        tell: takes the name of an event and a sentence, when a line goes and comes.
    """

    def open_plugged(url: str, baud: int, mode: Mode) -> Port:
        if not is_line(url) or url.startswith("pty://"):
            return open_port(url, baud, mode)
        # A path that is a line now may be missing later: then it must not become a file.
        line = url if "://" in url else f"serial://{url}"
        return PluggablePort(partial(open_port, line, baud, mode), now_s, tell)

    return open_plugged


def is_line(url: str) -> bool:
    """Whether `url` names a serial line or pseudo terminal, whose pace is a baud rate."""
    if "://" in url:
        return url.startswith(("serial://", "pty://"))
    path = Path(url).resolve()
    return path.is_relative_to("/dev") and (not path.exists() or str(path).startswith(_TERMINALS))


def _open_udp(url: str, mode: Mode) -> UdpPort:
    parts = urlsplit(url)
    try:
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise PortError(f"{url}: {error}; write udp://HOST:PORT") from error
    if port is None or (mode == "w" and not host):
        raise PortError(f"{url} has no {'host' if port else 'port'}: write udp://HOST:PORT")
    return UdpPort(host, port, listens=mode == "r")
