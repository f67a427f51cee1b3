"""The caller's side of every receiver: events, timeouts and counters. No framing."""

from abc import ABC, abstractmethod

from edge_codec.firmware_bridge.events import DamageReason, Event, EventQueue, PacketDamaged
from edge_codec.firmware_bridge.session import Session
from edge_codec.firmware_bridge.stats import LinkStats

_FRAMING_DAMAGE = (DamageReason.STUFFING, DamageReason.SHORT, DamageReason.OVERSIZE)


class EventFeed(ABC):
    """What a receiver has to tell.

    ::

        receiver.receive_data(chunk, now_s=t)
        while (event := receiver.next_event()) is not None: ...
        deadline_s = receiver.next_timeout_s()  # then receiver.handle_timeout(now_s=t)
    """

    def __init__(self, *, hold_superframes: int, waits_for_red: bool = False) -> None:
        """Nothing heard yet."""
        self.stats = LinkStats()
        self._events = EventQueue(self.stats)
        self._session = Session(
            hold_superframes=hold_superframes,
            waits_for_red=waits_for_red,
            events=self._events,
            stats=self.stats,
        )

    @abstractmethod
    def receive_data(self, chunk: bytes, *, now_s: float) -> None:
        """Take bytes as they came from the port, any number of them."""

    def next_event(self) -> Event | None:
        """The oldest event not fetched yet; None: need more data."""
        return self._events.pop()

    def next_timeout_s(self) -> float | None:
        """When to call `handle_timeout` if nothing comes before; None: no need."""
        return self._session.next_timeout_s()

    def handle_timeout(self, *, now_s: float) -> None:
        """Give up what has been waited for long enough; harmless if called early."""
        self._session.handle_timeout(now_s=now_s)

    def _report(self, reason: DamageReason) -> None:
        if reason in _FRAMING_DAMAGE:
            self.stats.damaged_framing += 1
        elif reason in (DamageReason.CRC, DamageReason.TAG):
            self.stats.damaged_crc += 1
        else:
            self.stats.refused += 1
        self._events.put(PacketDamaged(reason))
