"""Lyra v2's published graphs as a bundle: encode, decode, send and receive with them.

The graphs are the user's own copy of google/lyra 1.3.2 (Apache-2.0), known by their hashes before
anything opens them. The golden codes come with edge-codec, so the bundle, and with it the model
hash that two stations must share, is the same wherever it is made.
"""

import hashlib
import json
import os
import shutil
import tempfile
import wave
from pathlib import Path

import numpy as np
import soundfile

from edge_codec.runtime.bundle import MODELS_VARIABLE, Bundle, load_bundle
from edge_codec.runtime.errors import BundleError
from edge_codec.runtime.inspection import verify_model
from edge_codec.runtime.manifest import FORMAT_VERSION, MANIFEST_NAME, Manifest, check_manifest
from edge_codec.runtime.spec import CodecSpec

NAME = "lyra-v2"
SPEC = CodecSpec(sample_rate_hz=16_000, strides=(320,), layers=46, bits_per_code=4, delay_samples=0)
"""16, 30 and 46 layers are Lyra's own 3.2, 6 and 9.2 kbit/s; any other number works as well.
Delay: measured, the peak of the cross-correlation of speech with what it is decoded to."""

GRAPHS = {
    "encoder": (
        "soundstream_encoder.tflite",
        "237da0b16226fb0a68d49551c81bebf614e42142af72764448359f68581e88f1",
    ),
    "quantizer": (
        "quantizer.tflite",
        "841ee05989687d32d1f616a8ad1419fc7eda37599d3c05c7cf5a0d60ccf8ac5c",
    ),
    "decoder": (
        "lyragan.tflite",
        "50e7839cda4f30599a3a34cfaddcd9c98449b049eee884e1a74295780448ad06",
    ),
}
"""Role -> file and its SHA-256. Source: google/lyra v1.3.2, lyra/model_coeffs."""
MAX_GRAPH_BYTES = 1 << 21

_HERE = Path(__file__).parent
GOLDEN_CLIP = _HERE / "clips" / "librispeech_3080.flac"
GOLDEN_CODES = _HERE / "lyra_golden_codes.npy"
"""Codes [F, 46] of the start of that clip; tests/support/make_lyra_golden.py made them."""
GOLDEN_FRAMES = 100


def default_folder() -> Path:
    """Where an imported bundle goes unless told otherwise: where names are looked up, or here."""
    return Path(os.environ.get(MODELS_VARIABLE, ".")) / NAME


def import_lyra(source: Path, out: Path) -> Bundle:
    """Make a bundle of the three graphs in `source`, and see that they run right here.

    Args:
        source: directory with the files of `GRAPHS`; others in it are not looked at.
        out: directory to make; its parent too.

    Raises:
        BundleError: a file is missing or another than expected, or `out` exists.
        ParityError: this machine does not make the codes that it should.
        MissingExtraError: LiteRT is not installed.
    """
    if out.exists():
        raise BundleError(f"{out} exists already; delete it or give another --out")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}-") as temporary:
            made = Path(temporary) / out.name
            _write_bundle(source, made)
            verify_model(str(made))
            made.rename(out)
    except OSError as error:
        raise BundleError(
            f"cannot import {source} to {out}: {error.strerror} ({error.filename})"
        ) from error
    return load_bundle(out)


def _write_bundle(source: Path, folder: Path) -> None:
    folder.mkdir()
    roles = {role: _copy_graph(source, folder, *graph) for role, graph in GRAPHS.items()}
    write_golden_clip(folder / "golden.wav")
    shutil.copyfile(GOLDEN_CODES, folder / "golden_codes.npy")
    golden = {
        "audio": _entry(folder / "golden.wav"),
        "codes": _entry(folder / "golden_codes.npy"),
    }
    manifest = _make_manifest(roles, golden)
    check_manifest(manifest)
    (folder / MANIFEST_NAME).write_text(json.dumps(manifest, indent=2) + "\n")


def write_golden_clip(path: Path) -> None:
    """Write the clip that the golden codes are of: the same bytes everywhere."""
    frames = GOLDEN_FRAMES * SPEC.hop_samples
    samples_T, _ = soundfile.read(GOLDEN_CLIP, frames, dtype="int16")
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, SPEC.sample_rate_hz, 0, "NONE", ""))
        file.writeframes(np.asarray(samples_T).astype("<i2").tobytes())


def _make_manifest(roles: Manifest, golden: Manifest) -> Manifest:
    return {
        "format_version": FORMAT_VERSION,
        "name": NAME,
        "codec": SPEC.to_dict(),
        "conceals_loss": False,
        "graphs": {"lyra": {"int8": roles}},
        "golden": golden,
        "provenance": {
            "licence": "Apache-2.0, Google LLC",
            "data": "not published",
            "steps": 0,
            "seed": 0,
            "commit": "google/lyra v1.3.2",
            "recipe_sha256": "not published",
        },
        "metrics": {"dataset": "none", "by_bitrate": {}},
    }


def _copy_graph(source: Path, folder: Path, name: str, sha256: str) -> Manifest:
    if not (source / name).is_file():
        raise BundleError(f"{source / name} is missing; take it from google/lyra v1.3.2")
    with (source / name).open("rb") as file:
        (folder / name).write_bytes(file.read(MAX_GRAPH_BYTES))  # a larger one is another one
    entry = _entry(folder / name)
    if entry["sha256"] != sha256:
        raise BundleError(
            f"{source / name} is not that of google/lyra v1.3.2: its SHA-256 is "
            f"{entry['sha256'][:8]}..., expected {sha256[:8]}...; take it from that tag"
        )
    return entry


def _entry(path: Path) -> Manifest:
    return {"file": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
