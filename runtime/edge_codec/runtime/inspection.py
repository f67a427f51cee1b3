"""Facts about models and `.ecf` files, as JSON-ready dictionaries for `edge-codec info`."""

from typing import Any

import numpy as np

from edge_codec.runtime.audio import open_source
from edge_codec.runtime.bundle import Bundle, iter_bundle_paths, load_bundle, read_manifest
from edge_codec.runtime.codec import StreamEncoder
from edge_codec.runtime.ecf import EcfReader
from edge_codec.runtime.errors import AudioError, ParityError
from edge_codec.runtime.manifest import model_hash
from edge_codec.runtime.streams import open_input

Facts = dict[str, Any]

MIN_AGREEMENT_PERCENT = 99.0
"""Fewer golden codes than this out of the fp32 graph: this machine does not run the model right."""


def list_models() -> Facts:
    """The models that can be named without a path."""
    paths = list(iter_bundle_paths())
    return {
        "models": {path.name: f"{model_hash(read_manifest(path))[:8]} {path}" for path in paths}
    }


def describe_model(name_or_path: str, *, check: bool = False) -> Facts:
    """Facts about a model.

    Args:
        name_or_path: as for `load_bundle`.
        check: also compare codes of the golden clip, made here, with those in the bundle.

    Raises:
        BundleError: no such bundle, or it is damaged.
        ParityError: too few codes are equal.
    """
    bundle = load_bundle(name_or_path)
    spec = bundle.spec
    sizes = {p: _graph_bytes(bundle, p) for p in bundle.precisions()}
    facts = {
        "model": bundle.name,
        "path": str(bundle.path),
        "model_hash": bundle.model_hash,
        "sample_rate_hz": spec.sample_rate_hz,
        "frame_ms": 1000 * spec.hop_samples / spec.sample_rate_hz,
        "latency_ms": 1000 * (spec.hop_samples + spec.delay_samples) / spec.sample_rate_hz,
        "layers": spec.layers,
        "bitrates_bps": {"lowest": spec.bitrate_bps(1), "highest": spec.bitrate_bps(spec.layers)},
        "conceals_loss": bundle.conceals_loss,
        "graphs_bytes": sizes,
        "provenance": bundle.manifest["provenance"],
        "metrics": bundle.manifest["metrics"],
    }
    if check:
        facts["golden_codes_equal_percent"] = {p: _agreement_percent(bundle, p) for p in sizes}
    return facts


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


def _graph_bytes(bundle: Bundle, precision: str) -> int:
    roles = ("encoder", "decoder")
    return sum(bundle.graph_path(role, precision).stat().st_size for role in roles)


def _agreement_percent(bundle: Bundle, precision: str) -> float:
    encoder = StreamEncoder(bundle, precision=precision)
    with open_source(str(bundle.golden_path()), bundle.spec.sample_rate_hz) as audio:
        pieces = [encoder.push(chunk[:, 0]) for chunk in audio.chunks()]
    codes_FK = np.concatenate([*pieces, encoder.flush()])
    golden_FK = bundle.load_golden_codes()
    frames = min(len(codes_FK), len(golden_FK))
    percent = 100 * float(np.mean(codes_FK[:frames] == golden_FK[:frames])) if frames else 0.0
    if precision == "fp32" and percent < MIN_AGREEMENT_PERCENT:
        raise ParityError(
            f"{bundle.name} gives only {percent:.1f} % of its golden codes on this machine, "
            f"expected {MIN_AGREEMENT_PERCENT} %; reinstall or update onnxruntime"
        )
    return round(percent, 3)
