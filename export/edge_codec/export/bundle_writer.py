"""A checkpoint as a bundle: graphs, golden clip and manifest, checked before anyone can see them.

The folder is built beside its place and renamed at the end, so what stands there is always whole.
The same checkpoint gives the same bytes.
"""

import hashlib
import json
import logging
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import soundfile

import edge_codec.runtime
from edge_codec.export.onnx_writer import make_graphs
from edge_codec.export.parity import LIMITS, Parity, check_parity, measure_parity
from edge_codec.export.ptq import quantize
from edge_codec.export.weight_only import round_weights
from edge_codec.runtime.backends.onnx import OnnxGraph
from edge_codec.runtime.bundle import Bundle, load_bundle
from edge_codec.runtime.errors import AudioError, ConfigError
from edge_codec.runtime.manifest import FORMAT_VERSION, MANIFEST_NAME, Manifest, check_manifest
from edge_codec.runtime.spec import CodecSpec
from edge_codec.training.audio_files import find_audio, read_mono
from edge_codec.training.checkpoint import Facts, load_codec
from edge_codec.training.config import Recipe

FloatArray = npt.NDArray[np.float32]

LARGE_BYTES = 16 << 20
"""A graph with more has its weights in a file of their own."""
GOLDEN_S = 3.0
"""Length of the golden clip."""
CLIPS = Path(edge_codec.runtime.__file__).parent / "clips"
"""Speech that ships with the runtime; no model was trained on it."""
LICENCE = "Apache-2.0; the speech it was trained on: see ATTRIBUTION.md"

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """What to export, and what to say of it."""

    checkpoint: Path
    """Folder of a training."""
    out: Path
    """Folder to become the bundle; a bundle that stands there is replaced."""
    clip: Path | None = None
    """Recording for the golden clip and the comparison; default: the clips of the runtime."""
    metrics: Path | None = None
    """JSON of `edge-codec evaluate`."""
    precisions: Sequence[str] = ("fp32", "int8")
    """Numeric precisions to write; fp32 must be among them."""
    licence: str = LICENCE
    """Licence of the weights."""


def export_bundle(request: Request, limits: Mapping[str, float] = LIMITS) -> tuple[Bundle, Parity]:
    """Write the bundle of a checkpoint; what was compared is in its manifest too.

    Raises:
        ConfigError: the checkpoint or the metrics are damaged, or `out` holds something else.
        AudioError: the clip cannot be read.
        ParityError: the graphs do not do what the checkpoint does; `out` is as it was.
    """
    codec, recipe, facts = load_codec(request.checkpoint)
    speech_T = load_speech(request.clip, codec.spec)
    head = {
        "format_version": FORMAT_VERSION,
        "name": recipe.model.name,
        "codec": codec.spec.to_dict(),
        "conceals_loss": bool(codec.quantizer.lost.any()),  # zero until frames are lost in training
        "provenance": provenance(recipe, facts, request.licence),
        "metrics": load_metrics(request.metrics),
    }
    with replaced_folder(request.out) as folder:
        _log.info("writing the graphs of %s after %d steps", recipe.model.name, facts.step)
        graphs = write_graphs(folder, make_graphs(codec), request.precisions)
        golden = write_golden(folder, speech_T, codec.spec, graphs["fp32"]["encoder"])
        manifest = head | {"graphs": {"onnx": graphs}, "golden": golden}
        write_manifest(folder, manifest)
        _log.info("comparing %.0f s of speech", len(speech_T) / codec.spec.sample_rate_hz)
        parity = measure_parity(codec, load_bundle(folder), speech_T)
        check_parity(parity, limits)
        write_manifest(folder, manifest | {"parity": parity.to_dict()})
    return load_bundle(request.out), parity


def write_graphs(
    folder: Path, models: Mapping[str, onnx.ModelProto], precisions: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """Write every role in every precision; returns the manifest's entries by precision and role."""
    if "fp32" not in precisions:
        raise ConfigError("a bundle needs fp32 graphs; add fp32 to --precision")
    entries: dict[str, dict[str, Any]] = {}
    for precision in precisions:
        entries[precision] = {}
        for role, model in models.items():
            written = to_int8(model, role) if precision == "int8" else model
            name = f"{role}.onnx" if precision == "fp32" else f"{role}.{precision}.onnx"
            state_size = model.graph.input[1].type.tensor_type.shape.dim[1].dim_value
            entries[precision][role] = write_graph(folder, name, written) | {
                "state_size": state_size
            }
    return entries


def to_int8(model: onnx.ModelProto, role: str) -> onnx.ModelProto:
    """`model` with integer weights: in products where it has such, or else in storage alone."""
    if any(node.op_type == "Conv" for node in model.graph.node):
        return round_weights(model)
    return quantize(model, role)


def write_graph(folder: Path, name: str, model: onnx.ModelProto) -> dict[str, Any]:
    """Write a graph, its weights in a file of their own if it is large; returns its entry.

    ONNX Runtime maps such a file into memory instead of reading it.
    """
    data = model.SerializeToString(deterministic=True)
    if len(data) <= LARGE_BYTES:
        return write_file(folder, name, data)
    copied, weights = onnx.load_from_string(data), folder / f"{name}.data"
    onnx.external_data_helper.convert_model_to_external_data(copied, location=weights.name)
    onnx.save_model(copied, folder / name)
    entries = [
        {"file": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
        for path in (folder / name, weights)
    ]
    return entries[0] | {"weights": entries[1]}


def write_golden(
    folder: Path, speech_T: FloatArray, spec: CodecSpec, encoder: Mapping[str, Any]
) -> dict[str, Any]:
    """Write the first seconds of `speech_T` and what the float encoder makes of them."""
    frames = int(GOLDEN_S * spec.frame_rate_hz)
    samples_T = np.clip(np.round(speech_T[: frames * spec.hop_samples] * 32_768), -32_768, 32_767)
    graph = OnnxGraph(folder / encoder["file"], state_size=encoder["state_size"])
    codes_1FK, _ = graph.run((samples_T[None] / 32_768).astype(np.float32), graph.zero_state)
    audio, codes = BytesIO(), BytesIO()
    soundfile.write(audio, samples_T.astype(np.int16), spec.sample_rate_hz, "PCM_16", format="FLAC")
    np.save(codes, codes_1FK[0].astype(np.uint16))
    return {
        "audio": write_file(folder, "golden.flac", audio.getvalue()),
        "codes": write_file(folder, "golden_codes.npy", codes.getvalue()),
    }


def write_file(folder: Path, name: str, data: bytes) -> dict[str, Any]:
    """Write a file of the bundle; returns its entry in the manifest."""
    (folder / name).write_bytes(data)
    return {"file": name, "sha256": hashlib.sha256(data).hexdigest()}


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Check and write the manifest."""
    check_manifest(manifest)
    text = json.dumps(manifest, indent=2, sort_keys=True) + "\n"
    (folder / MANIFEST_NAME).write_text(text, encoding="ascii")


def provenance(recipe: Recipe, facts: Facts, licence: str) -> dict[str, Any]:
    """Where the weights come from, as the manifest says it."""
    text = json.dumps(recipe.to_dict(), sort_keys=True, separators=(",", ":"))
    return {
        "licence": licence,
        "data": f"sha256:{facts.data}",
        "steps": facts.step,
        "seed": facts.seed,
        "commit": facts.commit,
        "recipe_sha256": hashlib.sha256(text.encode()).hexdigest(),
    }


def load_speech(clip: Path | None, spec: CodecSpec) -> FloatArray:
    """Whole frames [T] of `clip`, or of all speech that ships with the runtime.

    Raises:
        AudioError: the recording cannot be read or has not one frame.
    """
    paths = find_audio(CLIPS) if clip is None else [clip]
    speech_T = np.concatenate([read_mono(path, spec.sample_rate_hz) for path in paths])
    frames = len(speech_T) // spec.hop_samples
    if frames == 0:
        raise AudioError(f"{clip} is shorter than one frame; give a few seconds of speech")
    return speech_T[: frames * spec.hop_samples]


def load_metrics(path: Path | None) -> dict[str, Any]:
    """The manifest's metrics from what `edge-codec evaluate --json` printed.

    Raises:
        ConfigError: the file is something else.
    """
    if path is None:
        return {"dataset": "none", "by_bitrate": {}}
    try:
        scores = json.loads(path.read_text(encoding="utf-8"))
        by_bitrate = {
            f"{row['bitrate_bps']:g}": {
                name: round(float(mean["mean"]), 4) for name, mean in row["means"].items()
            }
            for row in scores["rows"]
        }
        return {"dataset": str(scores["dataset"]), "by_bitrate": by_bitrate}
    except OSError as error:
        raise ConfigError(f"cannot read metrics {path}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(
            f"{path} is not what `edge-codec evaluate --json` prints: {error!r}"
        ) from error


@contextmanager
def replaced_folder(out: Path) -> Iterator[Path]:
    """A new folder that takes the place of `out` if the block succeeds, and vanishes if not.

    Raises:
        ConfigError: `out` is there and no bundle, or its folder cannot be written.
    """
    if out.exists() and not (out / MANIFEST_NAME).is_file():
        raise ConfigError(f"{out} exists and is not a bundle; name another --out or remove it")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}-") as work:
            folder = Path(work, "new")
            folder.mkdir()
            yield folder
            if out.exists():
                out.rename(Path(work, "old"))
            folder.rename(out)
    except OSError as error:
        raise ConfigError(f"cannot write {out}: {error.strerror}") from error
