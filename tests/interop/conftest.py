"""Other people's programs as peers: skipped where they are missing, figures at the end.

`make test-interop` runs these; nothing else does.
"""

import shutil
from collections.abc import Callable, Iterator

import pytest

Note = Callable[[str], None]

_NOTES: list[str] = []


@pytest.fixture
def note() -> Note:
    """Takes a figure to be shown when all is done."""
    return _NOTES.append


@pytest.fixture(autouse=True)
def program(request: pytest.FixtureRequest) -> Iterator[None]:
    """Skips a module whose `PROGRAM` is not installed."""
    name, package = getattr(request.module, "PROGRAM", ("", ""))
    if name and shutil.which(name) is None:
        pytest.skip(f"{name} is not installed: sudo apt install {package}")
    yield


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if _NOTES:
        terminalreporter.section("measured with real peers")
        for line in _NOTES:
            terminalreporter.line(line)
