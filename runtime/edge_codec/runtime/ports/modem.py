"""A virtual serial cable: two pseudo terminals joined by wires as slow and noisy as asked.

`os.openpty` moves bytes at once and whole; a radio modem does not. Time is passed in.
"""

from collections import deque
from collections.abc import Callable

from edge_codec.runtime.ports.local import open_pty
from edge_codec.runtime.ports.port import READ_MAX_BYTES, DescriptorPort

BITS_PER_BYTE = 10
"""8N1: start bit, 8 data bits, stop bit."""
QUEUE_MAX_BYTES = 2 * READ_MAX_BYTES
"""A wire holds this much; then its sender has to wait, as with hardware flow control."""


class Wire:
    """One direction of a serial cable: what is pushed comes out byte by byte at the baud rate."""

    def __init__(self, baud: int, damage: Callable[[bytes], bytes] = bytes) -> None:
        """Lay an idle wire.

        Args:
            baud: line rate, bits per second, 10 bits a byte.
            damage: what the line does to a piece of the stream; may lose or add bytes.
        """
        self._byte_s = BITS_PER_BYTE / baud
        self._damage = damage
        self._queue: deque[int] = deque()
        self._busy_from_s = 0.0

    @property
    def free_bytes(self) -> int:
        """How much more can be pushed now."""
        return QUEUE_MAX_BYTES - len(self._queue)

    def push(self, data: bytes, now_s: float) -> None:
        """Queue bytes to send; the first leaves when all earlier ones have."""
        if not self._queue:
            self._busy_from_s = max(self._busy_from_s, now_s)
        self._queue.extend(data)

    def pull(self, now_s: float) -> bytes:
        """Bytes whose last bit has arrived by `now_s`, damaged by the line."""
        count = min(len(self._queue), int((now_s - self._busy_from_s) / self._byte_s + 1e-9))
        if count <= 0:
            return b""
        self._busy_from_s += count * self._byte_s
        return self._damage(bytes(self._queue.popleft() for _ in range(count)))


class VirtualModem:
    """Two pseudo terminals joined by a wire each way; open `names` as serial ports."""

    def __init__(self, baud: int, damage: Callable[[bytes], bytes] = bytes) -> None:
        """Create the terminals; `damage` strikes both directions."""
        self._ends = (open_pty(), open_pty())
        self._wires = (Wire(baud, damage), Wire(baud, damage))

    @property
    def names(self) -> tuple[str, str]:
        """Paths of the two ends."""
        return self._ends[0].name, self._ends[1].name

    def step(self, now_s: float) -> None:
        """Move what is due; call every few milliseconds."""
        for sender, receiver, wire in zip(
            self._ends, reversed(self._ends), self._wires, strict=True
        ):
            self._carry(sender, receiver, wire, now_s)

    def close(self) -> None:
        """Unplug both ends."""
        for end in self._ends:
            end.close()

    def _carry(
        self, sender: DescriptorPort, receiver: DescriptorPort, wire: Wire, now_s: float
    ) -> None:
        if wire.free_bytes >= READ_MAX_BYTES:
            wire.push(sender.read(), now_s)
        # An end that nobody reads fills up: later bytes are lost, as on a real line.
        receiver.write(wire.pull(now_s))
