"""The receiving end of a link: bytes in, events out. No I/O, no clock.

Any bytes are welcome, in any pieces: what is no packet becomes `PacketDamaged` and a counter.
"""

from edge_codec.firmware_bridge.events import Event
from edge_codec.firmware_bridge.stats import LinkStats

MAX_STREAMS = 4
"""Streams followed at once; a fifth takes the place of the one silent for longest."""
MAX_EVENTS = 4096
"""Events kept for the caller; beyond that the oldest go, counted as `events_dropped`."""
STREAM_TIMEOUT_S = 3.0
"""Silence after which a stream has ended."""


class Receiver:
    """Follows up to four streams on one link.

    ::

        receiver.receive_data(chunk, now_s=t)
        while (event := receiver.next_event()) is not None: ...
        deadline_s = receiver.next_timeout_s()  # then receiver.handle_timeout(now_s=t)
    """

    def __init__(self, *, hold_superframes: int = 0) -> None:
        """Nothing heard yet.

        Args:
            hold_superframes: 0 to 8, how long a missing superframe is waited for when later
                ones have come. 0 for a serial line, which keeps the order; 1 or 2 for UDP.

        Raises:
            LocalLinkError: out of range.
        """
        self.stats = LinkStats()
        raise NotImplementedError(hold_superframes)

    def receive_data(self, chunk: bytes, *, now_s: float) -> None:
        """Take bytes as they came from the port, any number of them."""
        raise NotImplementedError

    def next_event(self) -> Event | None:
        """The oldest event not fetched yet; None: need more data."""
        raise NotImplementedError

    def next_timeout_s(self) -> float | None:
        """When to call `handle_timeout` if nothing comes before; None: no need."""
        raise NotImplementedError

    def handle_timeout(self, *, now_s: float) -> None:
        """Give up what has been waited for long enough; harmless if called early."""
        raise NotImplementedError
