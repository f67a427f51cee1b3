"""One opener for every port URL."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Literal

from edge_codec.firmware_bridge.ax25 import Ax25Address
from edge_codec.firmware_bridge.envelope import (
    VOICE_ADDRESS,
    Ax25Envelope,
    Envelope,
    KissEnvelope,
    RtpEnvelope,
)
from edge_codec.runtime.errors import PortError
from edge_codec.runtime.ports import serial
from edge_codec.runtime.ports.enveloped import EnvelopedPort
from edge_codec.runtime.ports.local import open_file, open_loop, open_pty
from edge_codec.runtime.ports.pluggable import PluggablePort
from edge_codec.runtime.ports.port import Port
from edge_codec.runtime.ports.serial import open_serial
from edge_codec.runtime.ports.tcp import open_tcp
from edge_codec.runtime.ports.udp import UdpPort
from edge_codec.runtime.ports.url import PortUrl

Mode = Literal["r", "w"]
"""What the caller will do: a file is read or replaced, a UDP host is listened on or sent to."""
_TERMINALS = ("/dev/tty", "/dev/pts/")
_KISS_OPTIONS = ("ax25", "to", "port")
_PLUGGABLE = ("serial", "kiss", "kiss-tcp")


def open_port(url: str, baud: int, mode: Mode) -> Port:
    """Open the port that `url` names; the package docstring lists the forms.

    Args:
        url: port URL or path.
        baud: rate of a serial line; other ports ignore it.
        mode: what the caller will do with it.

    Raises:
        PortError: the URL is not one, or its device cannot be opened.
        LocalLinkError: an AX.25 address in it is none.
    """
    parsed = _parse(url)
    if parsed.scheme not in _OPENERS:
        raise PortError(f"unknown port {url}: give a /dev path, a file, or one of {_FORMS}")
    options, opener = _OPENERS[parsed.scheme]
    parsed.check_options(options)
    return opener(parsed, baud, mode)


def plugged_port(
    now_s: Callable[[], float], tell: Callable[[str, str], None]
) -> Callable[[str, int, Mode], Port]:
    """An `open_port` that waits for serial lines and TNCs that go away to come back.

    Args:
        now_s: the clock.
        tell: takes the name of an event and a sentence, when a line goes and comes.
    """

    def open_plugged(url: str, baud: int, mode: Mode) -> Port:
        if _parse(url).scheme not in _PLUGGABLE:
            return open_port(url, baud, mode)
        # A path that is a line now may be missing later: then it must not become a file.
        line = url if "://" in url else f"serial://{url}"
        return PluggablePort(partial(open_port, line, baud, mode), now_s, tell)

    return open_plugged


def is_line(url: str) -> bool:
    """Whether `url` names a serial line or pseudo terminal, whose pace is a baud rate."""
    return _parse(url).scheme in ("serial", "pty")


def is_datagram(url: str) -> bool:
    """Whether packets that go to `url` may overtake each other, and nothing sets their pace."""
    return _parse(url).scheme in ("udp", "rtp")


def is_transparent(url: str) -> bool:
    """Whether bytes come out as they went in; else the port takes packets alone."""
    return _parse(url).scheme not in ("rtp", "kiss", "kiss-tcp")


def is_two_way(url: str) -> bool:
    """Whether what others send arrives at the same port."""
    return _parse(url).scheme in ("serial", "pty", "loop", "kiss", "kiss-tcp")


def _parse(text: str) -> PortUrl:
    """Take a URL apart; a bare path becomes `serial` or `file`."""
    url = PortUrl.parse(text)
    if url.scheme:
        return url
    path = Path(url.place).resolve()
    is_serial = path.is_relative_to("/dev") and (
        not path.exists() or str(path).startswith(_TERMINALS)
    )
    return PortUrl(text, "serial" if is_serial else "file", url.place, url.options)


def _open_udp(url: PortUrl, baud: int, mode: Mode) -> UdpPort:
    host, port = url.host_and_port(needs_host=mode == "w")
    return UdpPort(host, port, listens=mode == "r")


def _open_rtp(url: PortUrl, baud: int, mode: Mode) -> EnvelopedPort:
    return EnvelopedPort(url.text, _open_udp(url, baud, mode), RtpEnvelope())


def _open_kiss(url: PortUrl, baud: int, mode: Mode) -> EnvelopedPort:
    envelope = _kiss_envelope(url)
    return EnvelopedPort(url.text, open_serial(url, baud), envelope)


def _open_kiss_tcp(url: PortUrl, baud: int, mode: Mode) -> EnvelopedPort:
    envelope = _kiss_envelope(url)
    return EnvelopedPort(url.text, open_tcp(*url.host_and_port(needs_host=True)), envelope)


def _kiss_envelope(url: PortUrl) -> Envelope:
    number = url.options.get("port", "0")
    if not (number.isdecimal() and int(number) < 16):
        raise PortError(f"{url.text}: port is the TNC's radio, 0 to 15, got {number}")
    if "ax25" not in url.options:
        return KissEnvelope(int(number))
    source = Ax25Address.parse(url.options["ax25"])
    destination = Ax25Address.parse(url.options.get("to", str(VOICE_ADDRESS)))
    return Ax25Envelope(source, destination, int(number))


_OPENERS: dict[str, tuple[tuple[str, ...], Callable[[PortUrl, int, Mode], Port]]] = {
    "serial": (serial.OPTIONS, lambda url, baud, mode: open_serial(url, baud)),
    "pty": ((), lambda url, baud, mode: open_pty(url.place)),
    "loop": ((), lambda url, baud, mode: open_loop()),
    "file": ((), lambda url, baud, mode: open_file(url.place, writes=mode == "w")),
    "udp": ((), _open_udp),
    "rtp": ((), _open_rtp),
    "kiss": ((*_KISS_OPTIONS, *serial.OPTIONS), _open_kiss),
    "kiss-tcp": (_KISS_OPTIONS, _open_kiss_tcp),
}
_FORMS = ", ".join(f"{scheme}://" for scheme in _OPENERS if scheme != "file")
