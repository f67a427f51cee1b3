"""A checkpoint as a bundle: graphs, golden clip and manifest, checked before anyone can see them.

The folder is built beside its place and renamed at the end, so what stands there is always whole.
The same checkpoint gives the same bytes.
"""

import hashlib
import json
import logging
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import soundfile
import torch

import edge_codec.runtime
from edge_codec.export.fold import fold_codec
from edge_codec.export.onnx_writer import make_graphs
from edge_codec.export.origin import load_metrics, provenance, weights_sha256
from edge_codec.export.parity import (
    LIMITS,
    UNTRAINED_LIMITS,
    Parity,
    check_parity,
    measure_parity,
    torch_codes,
)
from edge_codec.export.ptq import quantize
from edge_codec.export.rounding import round_codec
from edge_codec.export.speech_loss import with_speech_loss
from edge_codec.export.targets import Target
from edge_codec.export.tflite_writer import converter, write_tflite
from edge_codec.export.weight_only import round_weights
from edge_codec.runtime.bundle import Bundle, load_bundle
from edge_codec.runtime.errors import AudioError, ConfigError, ParityError
from edge_codec.runtime.manifest import FORMAT_VERSION, MANIFEST_NAME, Manifest, check_manifest
from edge_codec.runtime.spec import CodecSpec
from edge_codec.training.audio_files import find_audio, read_mono
from edge_codec.training.checkpoint import CONTEXT_FILE, load_codec
from edge_codec.training.codec import Codec, FrameCodec
from edge_codec.training.time_config import TimeModelConfig

FloatArray = npt.NDArray[np.float32]

LARGE_BYTES = 16 << 20
"""A graph with more has its weights in a file of their own."""
GOLDEN_S = 3.0
"""Length of the golden clip."""
CLIPS = Path(edge_codec.runtime.__file__).parent / "clips"
"""Speech that ships with the runtime; no model was trained on it."""
LICENCE = "Apache-2.0; the speech it was trained on: see ATTRIBUTION.md"

_log = logging.getLogger(__name__)


ANY_MACHINE = Target(onnx=("fp32", "int8"))
"""What is written unless told otherwise."""


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
    target: Target = ANY_MACHINE
    """What to write graphs for."""
    clips: Path | None = None
    """Folder of speech to score int8 graphs on; it takes a minute or two."""
    licence: str = LICENCE
    """Licence of the weights."""


def export_bundle(
    request: Request, limits: Mapping[str, Mapping[str, float]] | None = None
) -> tuple[Bundle, Parity]:
    """Write the bundle of a checkpoint; what was compared is in its manifest too.

    Raises:
        ConfigError: the checkpoint or the metrics are damaged, or `out` holds something else.
        BundleError: the checkpoint's context model is none, or another codec's.
        AudioError: the clip cannot be read.
        ParityError: the graphs do not do what the checkpoint does; `out` is as it was.
        MissingExtraError: the target has TFLite graphs, and their converter is not installed.
    """
    codec, recipe, facts = load_codec(request.checkpoint)
    speech_T = load_speech(request.clip, codec.spec)
    head = {
        "format_version": FORMAT_VERSION,
        "name": recipe.model.name,
        "codec": codec.spec.to_dict(),
        "conceals_loss": bool(codec.quantizer.lost.any()),  # zero until frames are lost in training
        "provenance": provenance(recipe, facts, request.licence)
        | {"weights_sha256": weights_sha256(codec)},
        "target": request.target.to_manifest(),
        "metrics": load_metrics(request.metrics),
    }
    if isinstance(codec.config, TimeModelConfig):
        head["loudness_lufs"] = codec.config.loudness_lufs
    with replaced_folder(request.out) as folder:
        _log.info("writing the graphs of %s after %d steps", recipe.model.name, facts.step)
        graphs = write_graphs(folder, codec, speech_T, request.target)
        golden = write_golden(folder, speech_T, codec)
        manifest = head | {"graphs": graphs, "golden": golden}
        manifest |= write_context(folder, request.checkpoint)
        write_manifest(folder, manifest)
        _log.info("comparing %.0f s of speech", len(speech_T) / codec.spec.sample_rate_hz)
        bundle = load_bundle(folder)
        bundle.open_packing()  # raises unless the context model is this codec's
        check_size(bundle, request.target)
        parity = measure_parity(codec, bundle, speech_T)
        if request.clips is not None:
            _log.info("scoring the speech in %s", request.clips)
            parity = with_speech_loss(parity, codec, bundle, request.clips)
        check_parity(parity, limits or (LIMITS if facts.step > 0 else UNTRAINED_LIMITS))
        write_manifest(folder, manifest | {"parity": parity.to_dict()})
    return load_bundle(request.out), parity


def write_graphs(
    folder: Path, codec: Codec, speech_T: FloatArray, target: Target
) -> dict[str, dict[str, dict[str, Any]]]:
    """Write every graph of a target; the manifest's entries by back end, precision and role.

    Raises:
        MissingExtraError: the converter for TFLite is not installed.
    """
    if target.tflite:
        converter()  # what is missing is said before minutes of work, not after
    forms = dict.fromkeys((*target.onnx, *target.tflite), fold_codec(codec))
    if forms.keys() - {"fp32"} and isinstance(codec, FrameCodec):
        _log.info("fitting int8 weights")
        rounded = round_codec(codec, torch.from_numpy(speech_T)[None])
        forms |= dict.fromkeys(forms.keys() - {"fp32"}, rounded)
    writers = {"onnx": write_onnx_graphs, "tflite": write_tflite_graphs}
    entries: dict[str, dict[str, dict[str, Any]]] = {}
    for backend, precisions in {"onnx": target.onnx, "tflite": target.tflite}.items():
        for precision in precisions:
            _log.info("writing %s %s", backend, precision)
            by_role = writers[backend](folder, forms[precision], precision, target)
            entries.setdefault(backend, {})[precision] = by_role
    return entries


def graph_name(role: str, precision: str, backend: str) -> str:
    """File of a graph.

    >>> graph_name("encoder", "int8", "tflite"), graph_name("decoder", "fp32", "onnx")
    ('encoder.int8.tflite', 'decoder.onnx')
    """
    return f"{role}.{backend}" if precision == "fp32" else f"{role}.{precision}.{backend}"


def write_onnx_graphs(
    folder: Path, folded: Codec, precision: str, target: Target
) -> dict[str, dict[str, Any]]:
    """Write ONNX graphs; their entries by role."""
    entries = {}
    for role, model in make_graphs(folded).items():
        written = to_int8(model, role) if precision == "int8" else model
        state_size = model.graph.input[1].type.tensor_type.shape.dim[1].dim_value
        entry = write_graph(folder, graph_name(role, precision, "onnx"), written)
        entries[role] = entry | {"state_size": state_size}
    return entries


def write_tflite_graphs(
    folder: Path, folded: Codec, precision: str, target: Target
) -> dict[str, dict[str, Any]]:
    """Write TFLite graphs; their entries by role.

    Raises:
        ConfigError: there is no such form of this codec.
        MissingExtraError: their converter is not installed.
    """
    if not isinstance(folded, FrameCodec):
        raise ConfigError("only frame-domain codecs have TFLite graphs; take a target without")
    files = write_tflite(folded, target.call_frames(folded.spec), precision=precision)
    sizes = {"encoder": folded.encoder.state_size, "decoder": folded.decoder.state_size}
    return {
        role: write_file(folder, graph_name(role, precision, "tflite"), data)
        | {"state_size": sizes[role]}
        for role, data in files.items()
    }


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
    weights.chmod((folder / name).stat().st_mode)  # onnx lets nobody else read it
    entries = [
        {"file": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
        for path in (folder / name, weights)
    ]
    return entries[0] | {"weights": entries[1]}


def check_size(bundle: Bundle, target: Target) -> None:
    """Raise if the int8 graphs of one back end are larger than the target allows.

    Raises:
        ParityError: they are.
    """
    if not target.max_mb:
        return
    for backend in bundle.backends:
        has_int8 = "int8" in bundle.precisions(backend)
        size_mb = bundle.graphs_bytes("int8", backend) / 1e6 if has_int8 else 0
        if size_mb > target.max_mb:
            raise ParityError(
                f"the int8 {backend} graphs have {size_mb:.1f} MB, target {target.name} allows "
                f"{target.max_mb:g}; nothing was written"
            )


def write_golden(folder: Path, speech_T: FloatArray, codec: Codec) -> dict[str, Any]:
    """Write the first seconds of `speech_T` and what the trained encoder makes of them."""
    spec = codec.spec
    frames = int(GOLDEN_S * spec.frame_rate_hz)
    samples_T = np.clip(np.round(speech_T[: frames * spec.hop_samples] * 32_768), -32_768, 32_767)
    codes_FK = torch_codes(codec, (samples_T / 32_768).astype(np.float32))
    audio, codes = BytesIO(), BytesIO()
    soundfile.write(audio, samples_T.astype(np.int16), spec.sample_rate_hz, "PCM_16", format="FLAC")
    np.save(codes, codes_FK.astype(np.uint16))
    return {
        "audio": write_file(folder, "golden.flac", audio.getvalue()),
        "codes": write_file(folder, "golden_codes.npy", codes.getvalue()),
    }


def write_context(folder: Path, checkpoint: Path) -> dict[str, Any]:
    """Copy the context model of a checkpoint, if it has one; its part of the manifest."""
    context = checkpoint / CONTEXT_FILE
    if not context.exists():
        return {}
    return {"context": write_file(folder, CONTEXT_FILE, context.read_bytes())}


def write_file(folder: Path, name: str, data: bytes) -> dict[str, Any]:
    """Write a file of the bundle; returns its entry in the manifest."""
    (folder / name).write_bytes(data)
    return {"file": name, "sha256": hashlib.sha256(data).hexdigest()}


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Check and write the manifest."""
    check_manifest(manifest)
    text = json.dumps(manifest, indent=2, sort_keys=True) + "\n"
    (folder / MANIFEST_NAME).write_text(text, encoding="ascii")


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
