"""What this board is and how it is doing, without anything that names its owner.

Reads what Linux tells under `/proc` and `/sys`, below a root that tests replace. No serial
numbers, host names, addresses or paths are read.
"""

import os
import platform
import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path("/")
EMULATED_VARIABLE = "EDGE_CODEC_EMULATED"
"""Set by the board emulation: what runs below it cannot tell by itself."""

_FEATURES = frozenset(
    {"asimd", "asimddp", "asimdhp", "avx2", "avx512_vnni", "avx512f", "avx_vnni"}
    | {"bf16", "fma", "i8mm", "neon", "sse4_2", "sve"}
)
"""Processor features that decide how fast a codec runs."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Board:
    """Facts that make two records comparable."""

    model: str
    """Name of the board, as the device tree or the firmware gives it; empty if neither does."""
    soc: str
    """System on chip, as the device tree gives it; empty without one."""
    cpu: str
    """Name of the processor."""
    cpu_features: list[str]
    """Those of its instruction sets that matter here."""
    architecture: str
    """As `uname -m` says."""
    cores: int
    """Processors online."""
    memory_mb: int
    """RAM, in units of 1e6 bytes."""
    os: str
    """Name and version of the distribution."""
    kernel: str
    """Release of the kernel."""
    governor: str
    """Frequency governor of the first core; empty if there is none."""
    emulated: bool
    """Whether an emulator runs it: then times say nothing, instruction counts do."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Conditions:
    """The state of the board at one moment."""

    temperature_c: float | None
    """Hottest thermal zone, degrees Celsius."""
    throttled: bool | None
    """Whether the board runs slower than it could, for heat or power; None if it cannot tell."""
    load_1_min: float
    """Processes that wanted to run, mean over a minute."""


def read_board(root: Path = ROOT) -> Board:
    """The board below `root`."""
    cpuinfo = _pairs(root / "proc/cpuinfo")
    features = (cpuinfo.get("flags") or cpuinfo.get("Features") or "").split()
    emulated = os.environ.get(EMULATED_VARIABLE, "")
    return Board(
        model=emulated or _model(root),
        soc=_text(root / "proc/device-tree/compatible").split("\0")[-1],
        cpu=_cpu_name(cpuinfo),
        cpu_features=sorted(_FEATURES.intersection(features)),
        architecture=platform.machine(),
        cores=os.cpu_count() or 1,
        memory_mb=int(_pairs(root / "proc/meminfo").get("MemTotal", "0").split()[0])
        * 1024
        // 10**6,
        os=_pairs(root / "etc/os-release", "=").get("PRETTY_NAME", "").strip('"'),
        kernel=platform.release(),
        governor=_text(root / "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        emulated=bool(emulated),
    )


def read_conditions(root: Path = ROOT) -> Conditions:
    """Heat, throttling and load now."""
    zones = (_number(path) for path in root.glob("sys/class/thermal/thermal_zone*/temp"))
    return Conditions(
        temperature_c=max((zone / 1000 for zone in zones if zone is not None), default=None),
        throttled=_is_throttled(root),
        load_1_min=round(os.getloadavg()[0], 2),
    )


def _is_throttled(root: Path) -> bool | None:
    """Raspberry Pi: the firmware's word; elsewhere: a processor clocked below its maximum."""
    flags = _text(root / "sys/devices/platform/soc/soc:firmware/get_throttled")
    if re.fullmatch(r"(0x)?[0-9a-f]+", flags):
        return int(flags, 16) & 0xF != 0
    policy = root / "sys/devices/system/cpu/cpu0/cpufreq"
    allowed_khz, most_khz = (
        _number(policy / f"{name}_max_freq") for name in ("scaling", "cpuinfo")
    )
    return None if allowed_khz is None or most_khz is None else allowed_khz < most_khz


def _model(root: Path) -> str:
    tree = _text(root / "proc/device-tree/model")
    dmi = root / "sys/class/dmi/id"
    return tree or " ".join(filter(None, (_text(dmi / "sys_vendor"), _text(dmi / "product_name"))))


# Part numbers of ARM Ltd. (implementer 0x41) in MIDR_EL1; the kernel prints no name.
_ARM_PARTS = {
    "0xd03": "Cortex-A53", "0xd07": "Cortex-A57", "0xd08": "Cortex-A72", "0xd0b": "Cortex-A76",
    "0xd42": "Cortex-A78AE", "0xd05": "Cortex-A55", "0xd04": "Cortex-A35",
}  # fmt: skip


def _cpu_name(cpuinfo: dict[str, str]) -> str:
    part = cpuinfo.get("CPU part", "").lower()
    return cpuinfo.get("model name") or _ARM_PARTS.get(part) or part or platform.machine()


def _pairs(path: Path, separator: str = ":") -> dict[str, str]:
    """Lines `key: value` of a file; the first value of a key counts."""
    found: dict[str, str] = {}
    for line in _text(path).splitlines():
        key, _, value = line.partition(separator)
        found.setdefault(key.strip(), value.strip())
    return found


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip("\0\n ")
    except OSError:
        return ""


def _number(path: Path) -> float | None:
    try:
        return float(_text(path))
    except ValueError:
        return None
