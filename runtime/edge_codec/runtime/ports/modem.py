"""A virtual serial cable: two pseudo terminals joined by routes as slow and noisy as asked.

`os.openpty` moves bytes at once and whole; a radio modem does not. Time is passed in.
"""

from edge_codec.firmware_bridge import ChannelModel, Route
from edge_codec.runtime.ports.local import open_pty
from edge_codec.runtime.ports.port import READ_MAX_BYTES, DescriptorPort


class VirtualModem:
    """Two pseudo terminals joined by a route each way; open `names` as serial ports."""

    def __init__(
        self, model: ChannelModel, *, seed: int, links: tuple[str, str] = ("", "")
    ) -> None:
        """Create the terminals; both directions are as bad as `model`.

        Args:
            model: of the line between them.
            seed: decides all damage.
            links: symlinks to make to the terminals; empty: none.

        Raises:
            PortError: a terminal or symlink cannot be made.
        """
        first = open_pty(links[0])
        try:
            self._ends = (first, open_pty(links[1]))
        except BaseException:
            first.close()
            raise
        self.routes = tuple(Route(model, seed=seed + n, is_stream=True) for n in (0, 1))

    @property
    def names(self) -> tuple[str, str]:
        """Paths of the two ends."""
        return self._ends[0].name, self._ends[1].name

    @property
    def readable(self) -> list[DescriptorPort]:
        """What to wait on: nothing, it is looked at every few milliseconds."""
        return []

    @property
    def is_finished(self) -> bool:
        """Never: programs come and go."""
        return False

    def step(self, now_s: float) -> None:
        """Move what is due; call every few milliseconds."""
        for sender, receiver, route in zip(
            self._ends, reversed(self._ends), self.routes, strict=True
        ):
            self._carry(sender, receiver, route, now_s)

    def close(self) -> None:
        """Unplug both ends."""
        for end in self._ends:
            end.close()

    def _carry(
        self, sender: DescriptorPort, receiver: DescriptorPort, route: Route, now_s: float
    ) -> None:
        if route.free_bytes >= READ_MAX_BYTES:
            route.push(sender.read(), now_s)
        # An end that nobody reads fills up: later bytes are lost, as on a real line.
        for data in route.pull(now_s):
            receiver.write(data)
