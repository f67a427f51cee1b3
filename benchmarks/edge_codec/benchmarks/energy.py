"""Energy that a piece of work took, where the board has a meter: RAPL, INA3221, Pi 5's PMIC.

Counters (RAPL) are read before and after. Power sensors are read at every `sample` and their
mean is multiplied by the time: call it between repeats, it is never called inside a timed call.
"""

import re
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

Clock = Callable[[], float]
"""Seconds, never going back."""


class EnergyMeter:
    """Joules of the whole board or processor since `start`."""

    def __init__(self, root: Path = Path("/"), now_s: Clock = time.monotonic) -> None:
        """Find what this board has; without a meter `joules` gives None."""
        self._now_s = now_s
        self._counters = sorted(root.glob("sys/class/powercap/intel-rapl:[0-9]/energy_uj"))
        self._sensors = _ina_channels(root)
        self.start()

    @property
    def name(self) -> str:
        """What measures: rapl, ina, pmic, or nothing."""
        if self._read_counters() is not None:
            return "rapl"
        return "ina" if self._sensors else "pmic" if self._read_watts() is not None else ""

    def start(self) -> None:
        """Count from here."""
        self._start_s = self._now_s()
        self._start_uj = self._read_counters()
        self._watts: list[float] = []
        self.sample()

    def sample(self) -> None:
        """Read the power sensors once."""
        watts = self._read_watts() if self._start_uj is None else None
        if watts is not None:
            self._watts.append(watts)

    def joules(self) -> float | None:
        """Energy since `start`, joules."""
        now_uj, spans = self._read_counters(), self._read_spans()
        if self._start_uj is not None and now_uj is not None and spans is not None:
            pairs = zip(self._start_uj, now_uj, spans, strict=True)
            return sum((now - start) % (span + 1) for start, now, span in pairs) / 1e6
        self.sample()
        if not self._watts:
            return None
        return sum(self._watts) / len(self._watts) * (self._now_s() - self._start_s)

    def _read_counters(self) -> list[int] | None:
        return _read_numbers(self._counters)

    def _read_spans(self) -> list[int] | None:
        """Largest values of the counters, after which they begin anew."""
        return _read_numbers([path.parent / "max_energy_range_uj" for path in self._counters])

    def _read_watts(self) -> float | None:
        if not self._sensors:
            return _pmic_watts()
        volts, amperes = (_read_numbers(paths) for paths in zip(*self._sensors, strict=True))
        if volts is None or amperes is None:
            return None
        return sum(mv * ma for mv, ma in zip(volts, amperes, strict=True)) / 1e6


def _ina_channels(root: Path) -> list[tuple[Path, Path]]:
    """Voltage and current files of the Jetson's input rail, in mV and mA."""
    found = []
    for label in sorted(root.glob("sys/bus/i2c/drivers/ina3221*/*/hwmon/hwmon*/in*_label")):
        if label.read_text().strip() in ("VDD_IN", "POM_5V_IN"):
            channel = re.sub(r"\D", "", label.name)
            volts = label.with_name(f"in{channel}_input")
            found.append((volts, label.with_name(f"curr{channel}_input")))
    return found


def _read_numbers(paths: Sequence[Path]) -> list[int] | None:
    """None where there are none, one has gone, or only root may read them."""
    try:
        return [int(path.read_text()) for path in paths] or None
    except (OSError, ValueError):
        return None


def _pmic_watts() -> float | None:
    """Sum over the rails of a Raspberry Pi 5; older ones have no such meter."""
    try:
        command = ["vcgencmd", "pmic_read_adc"]
        shown = subprocess.run(command, capture_output=True, text=True, timeout=5, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return pmic_watts(shown.stdout)


def pmic_watts(text: str) -> float | None:
    """Watts in the answer of `vcgencmd pmic_read_adc`: each rail's current times its voltage.

    >>> pmic_watts("3V3_SYS_A current(1)=0.5A\\n3V3_SYS_V volt(9)=3.3V\\nEXT5V_V volt(24)=5.1V")
    1.65
    """
    amperes, volts = (
        {rail: float(value) for rail, value in re.findall(pattern, text)}
        for pattern in (r"(\w+)_A current\(\d+\)=([\d.]+)A", r"(\w+)_V volt\(\d+\)=([\d.]+)V")
    )
    rails = amperes.keys() & volts.keys()
    return sum(amperes[rail] * volts[rail] for rail in rails) if rails else None
