"""Datagrams: each write is one datagram, each read is one that arrived."""

import socket
from typing import Any

from edge_codec.runtime.errors import PortError
from edge_codec.runtime.ports.port import READ_MAX_BYTES


class UdpPort:
    """A UDP socket bound to a port, or aimed at a host."""

    is_finished = False

    def __init__(self, host: str, port: int, *, listens: bool) -> None:
        """Open the socket.

        Args:
            host: to send to, or to listen on (empty: all addresses).
            port: 0 to 65535; listening on 0 lets the system choose.
            listens: bind and receive, rather than send.

        Raises:
            PortError: the address is unknown, in use or not permitted.
        """
        self.name = f"udp://{host}:{port}"
        flags = socket.AI_PASSIVE if listens else 0
        try:
            family, kind, protocol, _, address = socket.getaddrinfo(
                host or None, port, type=socket.SOCK_DGRAM, flags=flags
            )[0]
            self._socket = socket.socket(family, kind, protocol)
            self._socket.setblocking(False)
            self._aim(address, listens=listens)
        except (OSError, OverflowError) as error:
            raise PortError(f"cannot open {self.name}: {error}; check host and port") from error

    def _aim(self, address: Any, *, listens: bool) -> None:
        try:
            if listens:
                self._socket.bind(address)
            else:
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
                self._socket.connect(address)
        except BaseException:
            self._socket.close()
            raise

    @property
    def local_port(self) -> int:
        """Port number the socket is bound to."""
        return int(self._socket.getsockname()[1])

    def fileno(self) -> int:
        """Descriptor to wait on."""
        return self._socket.fileno()

    def read(self) -> bytes:
        """Return one datagram that arrived; empty when there is none now."""
        try:
            return self._socket.recv(READ_MAX_BYTES)
        except OSError:  # none, or a router says that what was sent did not arrive
            return b""

    def write(self, data: bytes) -> int:
        """Send one datagram; a network that is down or full loses it, as the air would."""
        try:
            return self._socket.send(data)
        except OSError:
            return len(data)

    def unsent_bytes(self) -> int:
        """None: what a network does with datagrams is not known."""
        return 0

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()
