"""The stub bundle and changed copies of it, for tests."""

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

STUB_BUNDLE = Path(__file__).parents[1] / "golden" / "stub_bundle"
"""A committed model in 70 kB; made by support/make_stub_bundle.py, which says what it does."""


def make_bundle_copy(
    path: Path,
    edit: Callable[[dict[str, Any]], object] = lambda manifest: None,
    files: dict[str, bytes] | None = None,
) -> Path:
    """Copy the stub bundle to `path`, write `files`, let `edit` change the manifest.

    Files the edited manifest names with an empty hash get the hash of their content.

    Returns:
        `path`.
    """
    shutil.copytree(STUB_BUNDLE, path)
    for name, data in (files or {}).items():
        (path / name).write_bytes(data)
    manifest = json.loads((path / "manifest.json").read_text())
    edit(manifest)
    _fill_hashes(manifest, path)
    (path / "manifest.json").write_text(json.dumps(manifest))
    return path


def _fill_hashes(value: object, path: Path) -> None:
    if not isinstance(value, dict):
        return
    if value.get("sha256") == "":
        value["sha256"] = hashlib.sha256((path / value["file"]).read_bytes()).hexdigest()
    for item in value.values():
        _fill_hashes(item, path)
