"""What a sender gives up when the line is late: layers first, then superframes, then the mode.

Knows ages, bytes and counts, no packets and no clock. How long a line took for what it was given
last tells how much it carries; from then on a superframe gets as many layers as fit, and a little
more each time, until the line is late again.
"""

from collections import deque

LATE_AFTER = 0.5
"""Age, in superframes, from which a line is too slow for what it was given."""
BASE_AFTER = 1.5
"""Age from which the base class alone is sent."""
DROP_AFTER = 2.0
"""Age beyond which a superframe is not sent: it would only delay the next ones."""
_SHARE = 0.9
"""Of what a late line was seen to carry, so that it catches up."""
_GROWTH = 1.02
"""Per superframe that was in time: twice as much after four to nine seconds."""
STEP_DROPS = 2
"""Superframes dropped within `STEP_WITHIN` that ask for a lower mode."""
STEP_WITHIN = 8
CLEAN_S = 10.0
"""A line must have been in time for this long before a higher mode is tried."""
CLEAN_MAX_S = 160.0
"""Most that this grows to: every step up that fails doubles it."""


class ByteBudget:
    """How many bytes a superframe may take, from how long the line took for earlier ones."""

    def __init__(self) -> None:
        self.rate_bytes_s: float | None = None
        """What the line carries, as far as known; None: all it was given so far."""
        self._taken_s: float | None = None
        self._taken_bytes = 0

    def note(self, n_bytes: int) -> None:
        """Note that the line took a packet."""
        self._taken_bytes += n_bytes

    def note_superframe(
        self, age: float, *, least_bytes_s: float, most_bytes_s: float, now_s: float
    ) -> None:
        """Note that the line is ready for the next superframe, which has waited for `age`.

        Args:
            age: in superframes.
            least_bytes_s: what base classes alone need; a line that stood still comes back to
                that at once.
            most_bytes_s: what whole superframes need.
            now_s: the time.
        """
        elapsed_s = 0.0 if self._taken_s is None else now_s - self._taken_s
        if age > LATE_AFTER and elapsed_s > 0:
            seen_bytes_s = _SHARE * self._taken_bytes / elapsed_s
            self.rate_bytes_s = min(seen_bytes_s, self.rate_bytes_s or seen_bytes_s)
            self.rate_bytes_s = max(self.rate_bytes_s, least_bytes_s)
        elif self.rate_bytes_s is not None:
            grown_bytes_s = self.rate_bytes_s * _GROWTH
            self.rate_bytes_s = grown_bytes_s if grown_bytes_s < most_bytes_s else None
        self._taken_s, self._taken_bytes = now_s, 0


class StepControl:
    """When to change to a lower or a higher mode."""

    def __init__(self) -> None:
        self._recent: deque[bool] = deque(maxlen=STEP_WITHIN)
        self._clean_s = CLEAN_S
        self._late_s: float | None = None
        self._stepped_up_s: float | None = None

    def note(self, *, was_dropped: bool, was_late: bool, now_s: float) -> None:
        """Note what became of one superframe."""
        self._recent.append(was_dropped)
        if was_dropped or was_late or self._late_s is None:
            self._late_s = now_s

    def should_step_down(self, now_s: float) -> bool:
        """Whether the line cannot carry even the base class; asking resets the count."""
        if sum(self._recent) < STEP_DROPS:
            return False
        if self._stepped_up_s is not None and now_s - self._stepped_up_s < self._clean_s:
            self._clean_s = min(2 * self._clean_s, CLEAN_MAX_S)
        self._restart(now_s)
        return True

    def should_step_up(self, now_s: float) -> bool:
        """Whether the line has been in time for long enough; asking resets the time."""
        if self._late_s is None or now_s - self._late_s < self._clean_s:
            return False
        self._restart(now_s)
        self._stepped_up_s = now_s
        return True

    def _restart(self, now_s: float) -> None:
        self._recent.clear()
        self._late_s = now_s
