"""Where the parts of the repository are, for the contract tests."""

import tomllib
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parents[2]
PARTS = ("training", "export", "runtime", "firmware_bridge", "benchmarks")
PACKAGES = {part: REPOSITORY / part / "edge_codec" / part for part in PARTS}


def read_project() -> dict[str, Any]:
    """The content of pyproject.toml."""
    return tomllib.loads((REPOSITORY / "pyproject.toml").read_text())


def modules() -> list[Path]:
    """Every Python module that ships."""
    return sorted(path for package in PACKAGES.values() for path in package.rglob("*.py"))
