"""The committed records in `benchmarks/reports/<board>/`, newest first."""

import platform
from functools import cache
from pathlib import Path

from edge_codec.benchmarks.record import (
    Record,
    load_record,
    measured_part,
    record_name,
    write_record,
)
from edge_codec.runtime.errors import ConfigError

REPOSITORY = Path(__file__).parents[3]
REPORTS = REPOSITORY / "benchmarks" / "reports"


def latest_record(model: str, section: str, board: str = "") -> Record:
    """The newest record of a board that has this section.

    Args:
        model: its name.
        section: a field of `Record` that is a list.
        board: folder below `REPORTS`; default that of this architecture.

    Raises:
        ConfigError: there is none.
    """
    return load_record(latest_path(model, section, board))


def latest_path(model: str, section: str, board: str = "") -> Path:
    """The file of `latest_record`.

    Raises:
        ConfigError: there is none.
    """
    folder = REPORTS / (board or platform.machine())
    dated = sorted(folder.glob(f"*-{model}.json"), key=_day, reverse=True)
    for path in dated:
        if getattr(_load(path), section):
            return path
    raise ConfigError(f"{folder} has no record of {model} with {section}: run make bench-records")


def store(record: Record, folder: Path) -> Path:
    """Write a record, then delete what it replaces: an older one of the same model and part."""
    path = folder / record_name(record)
    write_record(path, record)
    for older in folder.glob(f"*-{measured_part(record)}-{record.model}.json"):
        if older != path and load_record(older).created <= record.created:
            older.unlink()
    return path


def board_names() -> list[str]:
    """Every board that has a record."""
    return sorted(path.name for path in REPORTS.iterdir() if path.is_dir())


def _day(path: Path) -> str:
    return path.name[:10]


@cache
def _load(path: Path) -> Record:
    return load_record(path)
