"""What a sender gives up when the line is late: layers first, then superframes, then the mode.

Knows ages and counts, no packets and no clock. How many layers are sent follows from the age of
the superframe alone, so a line that is too slow by any factor settles where the layers just fit,
and all of them are back as soon as it recovers.
"""

from collections import deque

CUT_AFTER = 0.5
"""Age, in superframes, up to which all layers are sent."""
BASE_AFTER = 1.5
"""Age from which the base class alone is sent; in between in proportion."""
DROP_AFTER = 2.0
"""Age beyond which a superframe is not sent: it would only delay the next ones."""
STEP_DROPS = 2
"""Superframes dropped within `STEP_WITHIN` that ask for a lower mode."""
STEP_WITHIN = 8
CLEAN_S = 10.0
"""A line must have been in time for this long before a higher mode is tried."""
CLEAN_MAX_S = 160.0
"""Most that this grows to: every step up that fails doubles it."""


def layers_in_time(age: float, least: int, most: int) -> int:
    """How many layers to send of a superframe that has waited for `age` superframes.

    >>> [layers_in_time(age, 2, 6) for age in (0.4, 0.6, 1.0, 1.4, 1.6)]
    [6, 5, 4, 2, 2]
    """
    share = (BASE_AFTER - age) / (BASE_AFTER - CUT_AFTER)
    return least + int((most - least) * min(max(share, 0.0), 1.0))


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
