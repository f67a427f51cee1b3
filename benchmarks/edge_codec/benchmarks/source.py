"""Which source is running: its commit, and whether others can find that commit.

Outside a checkout there is no git to ask and nothing to doubt: an install is of a release.
"""

import subprocess
from pathlib import Path

_ROOT = Path(__file__).parents[3]
_MEASURED = ("training", "export", "runtime", "firmware_bridge", "benchmarks", "models")
_WRITTEN = ":(exclude)benchmarks/reports"
"""Records are written while the next part is measured."""


def commit(root: Path = _ROOT) -> str:
    """Revision of the running source, or `unknown` outside a checkout."""
    return _git(root, "rev-parse", "HEAD") if _is_checkout(root) else "unknown"


def source_doubts(root: Path = _ROOT) -> list[str]:
    """Why the commit alone does not say what is measured; empty if it does."""
    doubts: list[str] = []
    if not _is_checkout(root):
        return doubts
    if _git(root, "status", "--porcelain", "--untracked-files=no", "--", *_MEASURED, _WRITTEN):
        doubts.append("the source has changes that no commit holds")
    has_main = _git(root, "rev-parse", "--verify", "--quiet", "main")
    if has_main and _git(root, "log", "-1", "main.."):
        doubts.append(f"commit {commit(root)[:7]} is not on main")
    return doubts


def _is_checkout(root: Path) -> bool:
    """Not so when an install lies in an environment inside somebody else's repository."""
    return _git(root, "rev-parse", "--show-toplevel") == str(root.resolve())


def _git(root: Path, *words: str) -> str:
    """What git prints; nothing if it fails or is not there."""
    command = ["git", "-C", str(root), *words]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""
