"""What a bundle's manifest must say, and the hash that names a model. Standard library only.

The exporter writes manifests through this module, the runtime reads them through it, so there is
one schema. docs/bundle.md explains every field.
"""

import hashlib
import json
import re
from collections.abc import Iterator
from typing import Any, NoReturn

from edge_codec.runtime.errors import BundleError, BundleVersionError

FORMAT_VERSION = 1
MANIFEST_NAME = "manifest.json"

MAX_MANIFEST_BYTES = 1 << 20
MAX_STATE_SIZE = 1 << 24
"""Floats of state one graph may carry from call to call: 64 MiB."""

BACKENDS = ("onnx", "tflite", "lyra")
"""What graphs can be run with here; of those a bundle has, the first is used."""

PROVIDERS = ("cpu", "cuda", "tensorrt")
"""Where ONNX Runtime may compute."""

Manifest = dict[str, Any]

LOUDNESS_LUFS = (-60.0, 0.0)
"""Least and most that a model may ask files to be brought to."""
AUTO = "auto"
"""In place of a back end or a precision: the best one on this machine."""
MAX_THREADS = 64

_NUMBER = (int, float)
_FILE = {"file": (str,), "sha256": (str,)}
_GRAPH = _FILE | {"state_size": (int,), "weights": _FILE}
_ROLES = {"encoder": _GRAPH, "decoder": _GRAPH}
_LYRA_ROLES = {"encoder": _FILE, "decoder": _FILE, "quantizer": _FILE}

# A tuple lists the types a value may have. A dict names the fields of an object: all of them must
# be there, and no other unless "*" gives a schema for the rest.
_SCHEMA: dict[str, Any] = {
    "format_version": (int,),
    "name": (str,),
    "codec": {"*": (int, list)},
    "conceals_loss": (bool,),
    "loudness_lufs": _NUMBER,
    "graphs": {
        "onnx": {"fp32": _ROLES, "*": _ROLES},
        "lyra": {"int8": _LYRA_ROLES},
        "*": {"*": _ROLES},
    },
    "context": _FILE,
    "golden": {"audio": _FILE, "codes": _FILE},
    "provenance": {
        "licence": (str,),
        "data": (str,),
        "steps": (int,),
        "seed": (int,),
        "commit": (str,),
        "recipe_sha256": (str,),
        "*": (str, *_NUMBER),
    },
    "metrics": {"dataset": (str,), "by_bitrate": {"*": {"*": _NUMBER}}},
    "parity": {"*": _NUMBER},
    "target": {"name": (str,), "backend": (str,), "threads": (int,), "providers": (list,)},
}
_OPTIONAL = {"loudness_lufs", "parity", "weights", "onnx", "lyra", "target", "context"}
"""Fields that may be missing. The exporter fills in parity when the rest is there to be measured;
one back end is enough; only large graphs have their weights in a file of their own; a context model
is a training of its own."""
_CODE_FIELDS = ("name", "codec", "conceals_loss")


def canonical_json(manifest: Manifest) -> bytes:
    """The one spelling of a manifest that is hashed: sorted keys, no spaces, ASCII.

    >>> canonical_json({"b": 1, "a": "é"})
    b'{"a":"\\\\u00e9","b":1}'
    """
    text = json.dumps(
        manifest, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False
    )
    return text.encode("ascii")


def manifest_hash(manifest: Manifest) -> str:
    """SHA-256 of the canonical manifest, in hex: two bundles with one hash have the same files."""
    return hashlib.sha256(canonical_json(manifest)).hexdigest()


def model_hash(manifest: Manifest) -> str:
    """What files and streams name a model by, in hex: equal hashes mean codes of equal meaning.

    Bundles of the same weights for several boards share it. Where a manifest does not name its
    weights, it is that of the whole manifest.
    """
    weights = manifest["provenance"].get("weights_sha256")
    if weights is None:
        return manifest_hash(manifest)
    named = {field: manifest[field] for field in _CODE_FIELDS} | {"weights_sha256": weights}
    if "context" in manifest:
        named["context_sha256"] = manifest["context"]["sha256"]
    return manifest_hash(named)


def parse_manifest(data: bytes) -> Manifest:
    """Read and check a manifest.

    Raises:
        BundleVersionError: another format version.
        BundleError: not JSON, or not what the schema asks for.
    """
    try:
        manifest = json.loads(data, parse_constant=_refuse, object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise BundleError(
            f"the manifest is not valid JSON ({error}); get the bundle again"
        ) from error
    check_manifest(manifest)
    return dict(manifest)


def check_manifest(manifest: object) -> None:
    """Raise unless `manifest` has this format version, every field and nothing else.

    Raises:
        BundleVersionError: another format version.
        BundleError: a field is missing, unknown or has a value that cannot be.
    """
    if not isinstance(manifest, dict) or type(manifest.get("format_version")) is not int:
        raise BundleError("the manifest has no format_version; this is not an edge-codec bundle")
    version = manifest["format_version"]
    if version != FORMAT_VERSION:
        age = "newer" if version > FORMAT_VERSION else "older"
        raise BundleVersionError(
            f"the bundle has format {version}, {age} than the {FORMAT_VERSION} that this release "
            f"reads; {'update edge-codec' if age == 'newer' else 'export the model again'}"
        )
    _check(manifest, _SCHEMA, "manifest")
    if not any(manifest["graphs"].get(backend) for backend in BACKENDS):
        raise BundleError(
            f"the manifest has no graphs for {', '.join(BACKENDS)}; update edge-codec"
        )
    for entry in iter_files(manifest):
        _check_file(entry)
    if not LOUDNESS_LUFS[0] <= manifest.get("loudness_lufs", LOUDNESS_LUFS[1]) <= LOUDNESS_LUFS[1]:
        raise BundleError(f"the manifest's loudness_lufs must be within {list(LOUDNESS_LUFS)}")
    if "target" in manifest:
        _check_target(manifest["target"])


def iter_files(manifest: Manifest) -> Iterator[dict[str, Any]]:
    """Every file the manifest lists: its `file`, `sha256` and, for a graph, `state_size`."""
    yield from manifest["golden"].values()
    if "context" in manifest:
        yield manifest["context"]
    for precisions in manifest["graphs"].values():
        for roles in precisions.values():
            for graph in roles.values():
                yield graph
                if "weights" in graph:
                    yield graph["weights"]


def _check(value: object, schema: Any, where: str) -> None:
    if isinstance(schema, tuple):
        if type(value) not in schema:
            kinds = " or ".join(kind.__name__ for kind in schema)
            raise BundleError(f"{where} must be {kinds}, got {value!r:.60}")
        return
    if not isinstance(value, dict):
        raise BundleError(f"{where} must be an object, got {value!r:.60}")
    named = schema.keys() - {"*"}
    if missing := sorted(named - _OPTIONAL - value.keys()):
        raise BundleError(f"{where} lacks {', '.join(missing)}")
    for key, item in value.items():
        if key not in named and "*" not in schema:
            raise BundleError(f"{where} has an unknown field {key!r:.60}")
        _check(item, schema.get(key, schema.get("*")), f"{where}.{key:.60}")


def _check_file(entry: dict[str, Any]) -> None:
    name = entry["file"]
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}", name):
        raise BundleError(f"the manifest names the file {name!r:.60}; only plain names are allowed")
    if not re.fullmatch(r"[0-9a-f]{64}", entry["sha256"]):
        raise BundleError(f"the manifest's sha256 of {name} is not 64 hex digits")
    if not 1 <= entry.get("state_size", 1) <= MAX_STATE_SIZE:
        raise BundleError(f"the state_size of {name} must be 1 to {MAX_STATE_SIZE}")


def _check_target(target: dict[str, Any]) -> None:
    if target["backend"] not in (AUTO, *BACKENDS):
        raise BundleError(f"the manifest's target has an unknown backend {target['backend']!r:.60}")
    if not 1 <= target["threads"] <= MAX_THREADS:
        raise BundleError(f"the threads of the manifest's target must be 1 to {MAX_THREADS}")
    if unknown := [name for name in target["providers"] if name not in PROVIDERS]:
        raise BundleError(f"the manifest's target has an unknown provider {unknown[0]!r:.60}")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError("a field appears twice")
    return fields


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not a JSON number")
