"""How long a sender has been on the air, and how long it still may be. No clock.

Knows seconds only. Some bands limit the share of each hour that a station may send.
"""

from collections import deque

from edge_codec.firmware_bridge.errors import LocalLinkError

WINDOW_S = 3600.0
"""The time over which a duty cycle counts."""
_BIN_S = 10.0


class DutyCycle:
    """Seconds on the air within the last hour; never above the share that is allowed."""

    def __init__(self, share: float = 1.0) -> None:
        """Nothing was sent in the last hour.

        Raises:
            LocalLinkError: the share is not above 0 and at most 1.
        """
        if not 0 < share <= 1:
            raise LocalLinkError(f"a duty cycle is above 0 and at most 100 %, got {share:.0%}")
        self._allowed_s = share * WINDOW_S
        self._bins: deque[tuple[float, float]] = deque()
        self._used_s = 0.0
        self.total_s = 0.0
        """Seconds on the air so far."""

    @property
    def is_limited(self) -> bool:
        """Whether any silence is asked for."""
        return self._allowed_s < WINDOW_S

    def allows(self, airtime_s: float, *, now_s: float) -> bool:
        """Whether this much may be sent now."""
        self._forget(now_s)
        return not self.is_limited or self._used_s + airtime_s <= self._allowed_s

    def use(self, airtime_s: float, *, now_s: float) -> None:
        """Note that this much is sent now."""
        self.total_s += airtime_s
        self._used_s += airtime_s
        start_s = now_s // _BIN_S * _BIN_S
        if self._bins and self._bins[-1][0] == start_s:
            airtime_s += self._bins.pop()[1]
        self._bins.append((start_s, airtime_s))

    def _forget(self, now_s: float) -> None:
        """Drop what lies an hour back; bins are dropped whole, so never too early."""
        while self._bins and self._bins[0][0] + _BIN_S + WINDOW_S <= now_s:
            self._used_s -= self._bins.popleft()[1]
