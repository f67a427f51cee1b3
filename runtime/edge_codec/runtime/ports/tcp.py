"""TCP connections to a program that listens, a software TNC for instance."""

import os
import socket

from edge_codec.runtime.errors import PortError
from edge_codec.runtime.ports.port import DescriptorPort

CONNECT_MAX_S = 2.0
"""A host that does not answer in this time is not there."""


def open_tcp(host: str, port: int) -> DescriptorPort:
    """Connect.

    Raises:
        PortError: nobody listens there.
    """
    name = f"{host}:{port}"
    try:
        connection = socket.create_connection((host, port), timeout=CONNECT_MAX_S)
    except (OSError, OverflowError) as error:
        raise PortError(f"cannot connect to {name}: {error}; is the TNC started?") from error
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.setblocking(False)
    descriptor = connection.detach()
    return DescriptorPort(name, descriptor, release=lambda: os.close(descriptor))
