"""What `tx` and `rx` tell while they run: events, and a live line that shows the level.

Events go to people as lines on stderr, or to machines as JSON, one object a line. The clock is
passed in.
"""

import errno
import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

_BAR_WIDTH = 12
_BAR_FLOOR_DBFS = -60.0
_ERASE_LINE = "\r\x1b[2K"


class Report:
    """Where events and the meter go."""

    METER_INTERVAL_S = 0.2
    """How often the live line changes."""
    JSON_INTERVAL_S = 0.5
    """How often a machine gets the same."""

    def __init__(
        self,
        name: str,
        now_s: Callable[[], float],
        people: TextIO,
        machines: TextIO | None = None,
    ) -> None:
        """Nothing is said yet.

        Args:
            name: of the command, put before each line.
            now_s: the clock; every JSON object carries its time as `t_s`.
            people: gets lines, and the live line if it is a terminal; unused with `machines`.
            machines: gets JSON instead.
        """
        self._name = name
        self._now_s = now_s
        self._people = people
        self._machines = machines
        self._has_line = machines is None and people.isatty()
        self._interval_s = self.JSON_INTERVAL_S if machines else self.METER_INTERVAL_S
        self._next_s = -math.inf

    def event(self, event: str, message: str, **fields: Any) -> None:
        """Tell what happened: `message` to people, the fields to machines."""
        if self._machines:
            self._write_json(event, {"message": message, **fields})
        else:
            self._write_text(f"{_ERASE_LINE if self._has_line else ''}{self._name}: {message}\n")

    def is_due(self) -> bool:
        """Whether it is time for `meter`; true once per interval."""
        now_s = self._now_s()
        if now_s < self._next_s or not (self._machines or self._has_line):
            return False
        self._next_s = now_s + self._interval_s
        return True

    def meter(self, level_dbfs: float, text: str, **fields: Any) -> None:
        """Show the live line: a level bar and `text`; machines get the fields."""
        if self._machines:
            self._write_json("meter", {"level_dbfs": round(level_dbfs, 1), **fields})
        elif self._has_line:
            line = f"{self._name} {_bar(level_dbfs)} {level_dbfs:5.1f} dBFS  {text}"
            self._write_text(_ERASE_LINE + line[: shutil.get_terminal_size().columns - 1])

    def _write_text(self, text: str) -> None:
        try:
            self._people.write(text)
            self._people.flush()
        except OSError as error:
            if error.errno != errno.EIO:  # a closed terminal; SIGHUP ends the rest
                raise

    def _write_json(self, event: str, fields: dict[str, Any]) -> None:
        if self._machines:
            record = {"event": event, "t_s": round(self._now_s(), 4), **fields}
            self._machines.write(json.dumps(record) + "\n")
            self._machines.flush()


def peak_rss_bytes() -> int:
    """Most memory this process has used so far: VmHWM, which unlike rusage is its own alone."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0


def _bar(level_dbfs: float) -> str:
    filled = round(_BAR_WIDTH * (1 - max(level_dbfs, _BAR_FLOOR_DBFS) / _BAR_FLOOR_DBFS))
    return ("#" * min(filled, _BAR_WIDTH)).ljust(_BAR_WIDTH, ".")
