"""Find and open a model bundle: nothing in it is trusted before it is checked.

May read files under a bundle directory; never runs a graph and never unpickles. What a manifest
may say is in `manifest`.
"""

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_codec.runtime.errors import BundleError, ConfigError
from edge_codec.runtime.manifest import (
    AUTO,
    BACKENDS,
    MANIFEST_NAME,
    MAX_MANIFEST_BYTES,
    Manifest,
    iter_files,
    manifest_hash,
    model_hash,
    parse_manifest,
)
from edge_codec.runtime.packing import Packing, open_packing
from edge_codec.runtime.spec import CodecSpec

MODELS_VARIABLE = "EDGE_CODEC_MODELS"
"""Environment variable with a directory of bundles, searched before the shipped ones."""

MAX_FILE_BYTES = 1 << 30
"""A graph of the largest preset is 0.4 GB; anything above this is not read."""


ANY_TARGET = {"name": "any", "backend": AUTO, "threads": 1, "providers": ["cpu"]}


@dataclass(frozen=True, kw_only=True, slots=True)
class Bundle:
    """A checked model: every file is there and has the content the manifest promises."""

    path: Path
    """Directory of the bundle."""
    name: str
    """Name of the model, such as voice-m."""
    spec: CodecSpec
    """Rates and sizes of the codec."""
    model_hash: str
    """What files and streams name the model by, hex; the same for all boards' bundles of it."""
    conceals_loss: bool
    """Whether the decoder graph was trained to fill in lost frames."""
    manifest: Manifest
    """All of the manifest; treat as read-only."""
    runs_on: str = AUTO
    """Back end asked for, or auto: that of the board it was exported for, or else the fastest."""

    def on(self, backend: str) -> "Bundle":
        """The same bundle, to be run with this back end."""
        return replace(self, runs_on=backend)

    @property
    def loudness_lufs(self) -> float | None:
        """Loudness that files are brought to before they are encoded; None: as they are."""
        return self.manifest.get("loudness_lufs")

    @property
    def manifest_hash(self) -> str:
        """SHA-256 of the canonical manifest, hex: stands for every byte of the bundle."""
        return manifest_hash(self.manifest)

    @property
    def backends(self) -> list[str]:
        """What its graphs can be run with, of `BACKENDS` and in their order."""
        return [name for name in BACKENDS if self.manifest["graphs"].get(name)]

    @property
    def backend(self) -> str:
        """The first of `backends`."""
        return self.backends[0]

    @property
    def target(self) -> dict[str, Any]:
        """What the board it was exported for should run it with."""
        return dict(self.manifest.get("target", ANY_TARGET))

    def precisions(self, backend: str | None = None) -> list[str]:
        """Numeric precisions there are graphs for, such as fp32 and int8."""
        return sorted(self.manifest["graphs"].get(backend or self.backend, {}))

    def best_precision(self, backend: str | None = None) -> str:
        """The precision to use unless told otherwise: int8 where the bundle ships it."""
        return "int8" if "int8" in self.precisions(backend) else "fp32"

    def graph_path(self, role: str, precision: str = "fp32", backend: str | None = None) -> Path:
        """File of the `encoder` or `decoder` graph, or of another role the back end has.

        Raises:
            BundleError: the bundle has no such graph.
        """
        return self.path / str(self._graph(role, precision, backend)["file"])

    def state_size(self, role: str, precision: str = "fp32", backend: str | None = None) -> int:
        """Floats of state that graph carries from call to call; 0 if it keeps its state itself.

        Raises:
            BundleError: the bundle has no such graph.
        """
        return int(self._graph(role, precision, backend).get("state_size", 0))

    def graphs_bytes(self, precision: str, backend: str | None = None) -> int:
        """Size of all its graphs of one precision, together."""
        graphs = self.manifest["graphs"][backend or self.backend][precision]
        files = [*graphs.values(), *(g["weights"] for g in graphs.values() if "weights" in g)]
        return sum((self.path / file["file"]).stat().st_size for file in files)

    def open_packing(self) -> Packing:
        """How links and files carry the codes of this model.

        Raises:
            BundleError: its context model is none, or is for another codec.
        """
        entry = self.manifest.get("context")
        return open_packing(self.path / entry["file"] if entry else None, self.spec)

    def golden_path(self) -> Path:
        """Audio file of the golden clip: 16-bit mono at the codec's rate."""
        return self.path / str(self.manifest["golden"]["audio"]["file"])

    def load_golden_codes(self) -> npt.NDArray[np.uint16]:
        """Codes [F, K] that the golden clip must encode to.

        Raises:
            BundleError: the array has another shape or type.
        """
        path = self.path / str(self.manifest["golden"]["codes"]["file"])
        try:
            codes = np.load(path, allow_pickle=False)
        except (ValueError, OSError, EOFError) as error:
            raise BundleError(f"cannot read {path}: {error}; get the bundle again") from error
        if codes.dtype != np.uint16 or codes.ndim != 2 or codes.shape[1] != self.spec.layers:
            raise BundleError(
                f"{path} holds {codes.dtype} {list(codes.shape)}, "
                f"expected uint16 [F, {self.spec.layers}]; get the bundle again"
            )
        return np.asarray(codes)

    def _graph(self, role: str, precision: str, backend: str | None) -> dict[str, Any]:
        backend = backend or self.backend
        graphs = self.manifest["graphs"].get(backend, {})
        if precision not in graphs:
            have = ", ".join(self.precisions(backend)) or "none"
            raise BundleError(f"{self.name} has no {precision} graphs for {backend}; it has {have}")
        return dict(graphs[precision][role])


def load_bundle(name_or_path: str | os.PathLike[str]) -> Bundle:
    """Open a model by its name or by the path of its directory, and check all of it.

    Raises:
        BundleError: not found, damaged, or not what its manifest says.
        BundleVersionError: made for another release.
    """
    path = _find(os.fspath(name_or_path))
    manifest = read_manifest(path)
    for entry in iter_files(manifest):
        _check_content(path / entry["file"], entry["sha256"])
    try:
        spec = CodecSpec.from_dict(manifest["codec"])
    except ConfigError as error:
        raise BundleError(f"{path}: {error}") from error
    return Bundle(
        path=path,
        name=manifest["name"],
        spec=spec,
        model_hash=model_hash(manifest),
        conceals_loss=manifest["conceals_loss"],
        manifest=manifest,
    )


def load_bundle_by_hash(wanted: str, name: str) -> Bundle:
    """Open the installed model with this hash.

    Args:
        wanted: the model hash, hex.
        name: what the model was called where it was used; for the message only.

    Raises:
        BundleError: none has it.
    """
    for path in iter_bundle_paths():
        if _hash_of(path) == wanted:
            return load_bundle(path)
    raise BundleError(
        f"model {name!r} ({wanted[:8]}) is not installed; found: {_found()}. "
        f"Give its bundle directory with --model, or put it in ${MODELS_VARIABLE}"
    )


def iter_bundle_paths() -> Iterator[Path]:
    """Directories of the bundles that can be named without a path."""
    for root in _model_roots():
        found = sorted(manifest.parent for manifest in root.glob(f"*/{MANIFEST_NAME}"))
        yield from (path for path in found if not path.name.startswith("."))  # half-written ones


def read_manifest(path: Path) -> Manifest:
    """The checked manifest of the bundle in directory `path`; its other files are not looked at.

    Raises:
        BundleError: missing, too large or not valid.
    """
    data = _read_limited(path / MANIFEST_NAME, MAX_MANIFEST_BYTES)
    try:
        return parse_manifest(data)
    except BundleError as error:
        raise type(error)(f"{path}: {error}") from error


def _model_roots() -> list[Path]:
    here = Path(__file__).resolve().parent
    shipped = [here / "models", here.parents[2] / "models"]  # in a wheel; in a checkout
    named = os.environ.get(MODELS_VARIABLE)
    return [Path(named), *shipped] if named else shipped


def _find(name: str) -> Path:
    for path in [Path(name), *(root / name for root in _model_roots())]:
        if (path / MANIFEST_NAME).is_file():
            return path
    if Path(name).exists():
        raise BundleError(f"{name} is not a bundle: it holds no {MANIFEST_NAME}")
    raise BundleError(
        f"no model named {name!r}; found: {_found()}. Give one of these or a bundle directory"
    )


def _hash_of(path: Path) -> str:
    try:
        return model_hash(read_manifest(path))
    except BundleError:  # a broken neighbour must not hide the model that is looked for
        return ""


def _found() -> str:
    return ", ".join(dict.fromkeys(path.name for path in iter_bundle_paths())) or "none"


def _read_limited(path: Path, limit_bytes: int) -> bytes:
    _check_size(path, limit_bytes)
    try:
        return path.read_bytes()
    except OSError as error:
        raise BundleError(f"cannot read {path}: {error.strerror}") from error


def _check_size(path: Path, limit_bytes: int) -> None:
    if not path.is_file():
        raise BundleError(f"{path} is missing; get the bundle again")
    if (size := path.stat().st_size) > limit_bytes:
        raise BundleError(f"{path} has {size} bytes; at most {limit_bytes} are read")


def _check_content(path: Path, sha256: str) -> None:
    _check_size(path, MAX_FILE_BYTES)
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise BundleError(f"cannot read {path}: {error.strerror}") from error
    if digest != sha256:
        raise BundleError(
            f"{path} is damaged: its SHA-256 is {digest[:8]}..., the manifest says "
            f"{sha256[:8]}...; get the bundle again"
        )
