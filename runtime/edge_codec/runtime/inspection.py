"""Facts about models and `.ecf` files, as JSON-ready dictionaries for `edge-codec info`."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_codec.runtime.audio import open_source
from edge_codec.runtime.backends.selection import choose_backend, is_usable
from edge_codec.runtime.bundle import Bundle, iter_bundle_paths, load_bundle, read_manifest
from edge_codec.runtime.codec import StreamEncoder
from edge_codec.runtime.ecf import EcfReader
from edge_codec.runtime.errors import AudioError, EdgeCodecError, ParityError
from edge_codec.runtime.manifest import AUTO, iter_files, model_hash
from edge_codec.runtime.spec import CodecSpec
from edge_codec.runtime.streams import open_input

Facts = dict[str, Any]

MIN_PERCENT = 99.0
"""Fewer golden codes than this out of the fp32 graph: this machine does not run the model right."""
MIN_FIRST_LAYER_PERCENT = 90.0
"""The same of the first layer, for any graph: a step of rounding there changes all layers after it.
Lyra v2 with two sets of kernels on one processor: 96 % of the first layer, 44 % of all 46."""


def list_models() -> Facts:
    """The models that can be named without a path; of two with one name, the one that is used."""
    models: Facts = {}
    for path in iter_bundle_paths():
        models.setdefault(path.name, _summarize(path))
    return {"models": models}


def describe_model(name_or_path: str, *, check: bool = False, backend: str = AUTO) -> Facts:
    """Facts about a model.

    Args:
        name_or_path: as for `load_bundle`.
        check: also compare codes of the golden clip, made here, with those in the bundle.
        backend: what to check and describe; auto is what would run it here.

    Raises:
        BundleError: no such bundle, or it is damaged.
        ParityError: too few codes are equal.
    """
    bundle = load_bundle(name_or_path)
    spec, backend = bundle.spec, choose_backend(bundle, backend)
    facts = _identity(bundle) | {
        "sample_rate_hz": spec.sample_rate_hz,
        "frame_ms": 1000 * spec.hop_samples / spec.sample_rate_hz,
        "latency_ms": 1000 * (spec.hop_samples + spec.delay_samples) / spec.sample_rate_hz,
        "layers": spec.layers,
        "bitrates_bps": _bitrates(spec),
        "conceals_loss": bundle.conceals_loss,
        "context_coding": "context" in bundle.manifest,
        "backend": backend,
        "target": bundle.target["name"],
        "graphs_bytes": {p: bundle.graphs_bytes(p, backend) for p in bundle.precisions(backend)},
        "graphs_bytes_by_backend": {
            name: {p: bundle.graphs_bytes(p, name) for p in bundle.precisions(name)}
            for name in bundle.backends
        },
        "provenance": bundle.manifest["provenance"],
        "metrics": bundle.manifest["metrics"],
    }
    return facts | _check_golden(bundle, backend) if check else facts


def verify_model(name_or_path: str) -> Facts:
    """Check every file of a model, and the codes that it makes on this machine.

    Args:
        name_or_path: as for `load_bundle`.

    Returns:
        Facts; of each back end that is installed, or of the first to say what to install.

    Raises:
        BundleError: no such bundle, or a file is not what the manifest says.
        ParityError: too few codes are equal.
        MissingExtraError: no library is installed that runs it.
    """
    bundle = load_bundle(name_or_path)
    files = {entry["file"]: entry["sha256"] for entry in iter_files(bundle.manifest)}
    backends = [name for name in bundle.backends if is_usable(bundle, name)] or bundle.backends[:1]
    checks = {name: _check_golden(bundle, name) for name in backends}
    return _identity(bundle) | {"files_sha256": files} | {"backends": checks}


def describe_file(path: str) -> Facts:
    """Facts about an `.ecf` file, all of which is read.

    Raises:
        AudioError: it is not one.
    """
    with open_input(path) as file:
        try:
            reader = EcfReader(file)
        except AudioError as error:
            raise AudioError(f"{path}: {error}") from error
        for _ in reader.blocks():
            pass
        header = reader.header
        return {
            "file": path,
            "model": header.model_name,
            "model_hash": header.model_hash,
            "duration_s": reader.frames / header.frame_rate_hz,
            "length_samples": header.length_samples,
            "source_rate_hz": header.source_rate_hz,
            "source_channels": header.source_channels,
            "channels": header.channels,
            "bitrate_bps": header.bitrate_bps,
            "layers": header.layers,
            "loudness_dbfs": header.loudness_dbfs,
            "size_bytes": file.seek(0, 2),
            "lost_s": reader.lost_frames / header.frame_rate_hz,
            "is_complete": reader.is_complete,
        }


def _summarize(path: Path) -> Facts:
    try:
        manifest = read_manifest(path)
        spec = CodecSpec.from_dict(manifest["codec"])
        files = {entry["file"] for entry in iter_files(manifest)}
        size_bytes = sum((path / file).stat().st_size for file in files)
    except (EdgeCodecError, OSError) as error:  # the others are still to be listed
        return {"path": str(path), "problem": str(error)}
    return {
        "path": str(path),
        "model_hash": model_hash(manifest),
        "sample_rate_hz": spec.sample_rate_hz,
        "bitrates_bps": _bitrates(spec),
        "size_bytes": size_bytes,
    }


def _bitrates(spec: CodecSpec) -> dict[str, float]:
    return {"lowest": spec.bitrate_bps(1), "highest": spec.bitrate_bps(spec.layers)}


def _identity(bundle: Bundle) -> Facts:
    return {
        "model": bundle.name,
        "path": str(bundle.path),
        "model_hash": bundle.model_hash,
        "manifest_hash": bundle.manifest_hash,
    }


def _check_golden(bundle: Bundle, backend: str) -> Facts:
    """How many codes of the golden clip, made here, are those in the bundle."""
    everywhere: dict[str, float] = {}
    in_first_layer: dict[str, float] = {}
    for precision in bundle.precisions(backend):
        is_equal_FK = _compare_golden(bundle, precision, backend)
        everywhere[precision] = _percent(is_equal_FK)
        in_first_layer[precision] = _percent(is_equal_FK[:, 0])
    what = f"{bundle.name} {backend}"
    _check_least(f"{what} fp32", "codes", everywhere.get("fp32", 100), MIN_PERCENT)
    for precision, percent in in_first_layer.items():
        _check_least(f"{what} {precision}", "first-layer codes", percent, MIN_FIRST_LAYER_PERCENT)
    return {
        "golden_codes_equal_percent": everywhere,
        "golden_first_layer_equal_percent": in_first_layer,
    }


def _compare_golden(bundle: Bundle, precision: str, backend: str) -> npt.NDArray[np.bool_]:
    encoder = StreamEncoder(bundle, precision=precision, backend=backend)
    with open_source(str(bundle.golden_path()), bundle.spec.sample_rate_hz) as audio:
        pieces = [encoder.push(chunk[:, 0]) for chunk in audio.chunks()]
    codes_FK = np.concatenate([*pieces, encoder.flush()])
    golden_FK = bundle.load_golden_codes()
    frames = min(len(codes_FK), len(golden_FK))
    return np.asarray(codes_FK[:frames] == golden_FK[:frames])


def _check_least(what: str, which: str, percent: float, least: float) -> None:
    if percent < least:
        raise ParityError(
            f"{what} gives only {percent:.1f} % of its golden {which} on this machine, "
            f"expected {least:g} %; reinstall or update what runs it"
        )


def _percent(equal: npt.NDArray[np.bool_]) -> float:
    return round(100 * float(np.mean(equal)), 3) if equal.size else 0.0
