"""The receiving half of a station that also sends: what it hears while it does not."""

import math

from edge_codec.runtime.transceiver.keyer import HOLD_S
from edge_codec.runtime.transceiver.listener import Listener
from edge_codec.runtime.transceiver.reception import Reception


class HalfDuplex:
    """A channel that is listened to between transmissions, and muted during them."""

    def __init__(self, reception: Reception, listener: Listener) -> None:
        """Join a reception with its listener; nothing is heard yet."""
        self._reception = reception
        self._listener = listener
        self._heard_s = -math.inf

    def is_busy(self, now_s: float) -> bool:
        """Play what is heard; returns whether somebody speaks."""
        if self._reception.step(now_s):
            self._heard_s = now_s
        return self._listener.is_playing or now_s - self._heard_s < HOLD_S

    def ignore(self, now_s: float) -> None:
        """Throw away what arrives: it is our own transmitter, or noise."""
        self._reception.step(now_s, is_muted=True)
