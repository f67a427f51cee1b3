"""A bad channel between two programs: a UDP proxy, and a filter between two pipes.

The third form, between two serial programs, is `modem.VirtualModem`. All have `routes`, `step` to
move what is due, and `readable` to wait on. Time is passed in.
"""

import os
import select
import socket
from collections.abc import Iterator

from edge_codec.firmware_bridge import ChannelModel, Route
from edge_codec.runtime.errors import PortError
from edge_codec.runtime.ports.port import READ_MAX_BYTES
from edge_codec.runtime.ports.udp import UdpPort

_DATAGRAMS_A_STEP = 100
"""A sender that never stops must not keep the others waiting."""


class UdpProxy:
    """Datagrams to a local port go on to a target; its answers go back to who sent last."""

    def __init__(self, model: ChannelModel, *, seed: int, listen: int, target: tuple[str, int]):
        """Open both sockets.

        Raises:
            PortError: the port is taken, or the target is unknown.
        """
        self._back = UdpPort(*target, listens=False)
        self._front = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._front.setblocking(False)
        self._client: tuple[str, int] | None = None
        self.routes = tuple(Route(model, seed=seed + n) for n in (0, 1))
        try:
            self._front.bind(("", listen))
        except (OSError, OverflowError) as error:
            self.close()
            raise PortError(f"cannot listen on UDP port {listen}: {error}") from error

    @property
    def readable(self) -> "list[socket.socket | UdpPort]":
        """What to wait on."""
        return [self._front, self._back]

    @property
    def is_finished(self) -> bool:
        """Never: datagrams have no end."""
        return False

    @property
    def local_port(self) -> int:
        """Port number that is listened on."""
        return int(self._front.getsockname()[1])

    def step(self, now_s: float) -> None:
        """Move what is due."""
        there, back = self.routes
        for data in self._iter_received():
            there.push(data, now_s)
        for _ in range(_DATAGRAMS_A_STEP):
            if not (data := self._back.read()):
                break
            back.push(data, now_s)
        for data in there.pull(now_s):
            self._back.write(data)
        for data in back.pull(now_s):
            self._answer(data)

    def close(self) -> None:
        """Close both sockets."""
        self._front.close()
        self._back.close()

    def _iter_received(self) -> Iterator[bytes]:
        for _ in range(_DATAGRAMS_A_STEP):
            try:
                data, self._client = self._front.recvfrom(READ_MAX_BYTES)
            except OSError:  # none, or a client that is gone
                return
            yield data

    def _answer(self, data: bytes) -> None:
        if self._client:
            try:
                self._front.sendto(data, self._client)
            except OSError:
                return  # a network that is down loses it


class Filter:
    """Standard input to standard output, cut into pieces at each zero byte or by length."""

    def __init__(
        self,
        model: ChannelModel,
        *,
        seed: int,
        piece_bytes: int = 0,
        ends: tuple[int, int] = (0, 1),
    ) -> None:
        """Nothing is read yet.

        Args:
            model: what the channel does.
            seed: decides all damage.
            piece_bytes: length of a piece; 0: up to and with a zero byte, as packets end.
            ends: descriptors to read and to write.
        """
        self.routes = (Route(model, seed=seed),)
        self._piece_bytes = piece_bytes
        self._input, self._output = ends
        self._rest = b""
        self._has_ended = False

    @property
    def readable(self) -> list["Filter"]:
        """What to wait on."""
        return [] if self._has_ended or not self.routes[0].free_bytes else [self]

    def fileno(self) -> int:
        """Descriptor that is read."""
        return self._input

    @property
    def is_finished(self) -> bool:
        """All was read and written."""
        return self._has_ended and not self._rest and self.routes[0].is_idle

    def step(self, now_s: float) -> None:
        """Move what is due.

        Raises:
            BrokenPipeError: the reader of standard output has left.
        """
        (route,) = self.routes
        if not (self._has_ended or len(self._rest) >= READ_MAX_BYTES) and _is_readable(self._input):
            data = os.read(self._input, READ_MAX_BYTES)
            self._has_ended = not data
            self._rest += data
        while (piece := self._next_piece()) and len(piece) <= route.free_bytes:
            self._rest = self._rest[len(piece) :]
            route.push(piece, now_s)
        for data in route.pull(now_s):
            _write_all(self._output, data)

    def close(self) -> None:
        """Standard streams belong to the process."""

    def _next_piece(self) -> bytes:
        """Empty: need more data."""
        length = self._piece_bytes or self._rest.find(b"\0") + 1 or READ_MAX_BYTES
        if length > len(self._rest) and not self._has_ended:
            return b""
        return self._rest[:length]


def _is_readable(descriptor: int) -> bool:
    return bool(select.select([descriptor], [], [], 0)[0])


def _write_all(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]
