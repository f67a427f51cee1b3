"""Write tests/golden/stub_bundle: a whole model in 70 kB, so that runtime tests need no training.

A lapped-transform codec with the interface of a trained one. The encoder takes the first 12
coefficients of an MDCT (window 640, hop 320: sounds below 300 Hz) and quantises each to 10 bits,
lowest frequency first: more layers, more bandwidth. Its state is the last hop of input, the
decoder's is the half of the window that still overlaps, so the delay is one hop. A lost frame is
decoded to a constant that no real frame gives, which lets a test see that the graph filled it in.

Run `python tests/support/make_stub_bundle.py` (needs the onnx package) to write it again.
"""

import hashlib
import json
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import soundfile
from onnx import TensorProto, helper, numpy_helper

BUNDLE = Path(__file__).parents[1] / "golden" / "stub_bundle"
HOP, LAYERS, BITS = 320, 12, 10
LEVELS = 1 << BITS
STEP = 0.02
"""Size of one quantiser step; a full-scale sine reaches about 360 of the 512 steps each way."""
LOST_COEFFICIENT = 0.5

FloatArray = npt.NDArray[np.float32]


def make_basis() -> FloatArray:
    """Windowed MDCT basis [640, 12], scaled so that its frames overlap-add to the input."""
    n, k = np.arange(2 * HOP)[:, None], np.arange(LAYERS)[None, :]
    window = np.sin(np.pi * (n + 0.5) / (2 * HOP))
    cosine = np.cos(np.pi / HOP * (n + 0.5 + HOP / 2) * (k + 0.5))
    return (np.sqrt(2 / HOP) * window * cosine).astype(np.float32)


def make_encoder() -> onnx.ModelProto:
    """Audio [1, T], state [1, 320] -> codes [1, F, 12], next state [1, 320]."""
    constants = {
        "basis": make_basis(),
        "step": np.float32(STEP),
        "middle": np.float32(LEVELS // 2),
        "lowest": np.float32(0),
        "highest": np.float32(LEVELS - 1),
        "hops": np.array([-1, HOP], np.int64),
        "batch": np.array([0], np.int64),
        "zero": np.array([0], np.int64),
        "one": np.array([1], np.int64),
        "last": np.array([-1], np.int64),
        "end": np.array([2**31], np.int64),
    }
    nodes = [
        helper.make_node("Concat", ["state", "audio"], ["joined"], axis=1),
        helper.make_node("Reshape", ["joined", "hops"], ["rows"]),
        helper.make_node("Slice", ["rows", "zero", "last", "zero"], ["before"]),
        helper.make_node("Slice", ["rows", "one", "end", "zero"], ["now"]),
        helper.make_node("Concat", ["before", "now"], ["windows"], axis=1),
        helper.make_node("MatMul", ["windows", "basis"], ["coefficients"]),
        helper.make_node("Div", ["coefficients", "step"], ["steps"]),
        helper.make_node("Round", ["steps"], ["rounded"]),
        helper.make_node("Add", ["rounded", "middle"], ["levels"]),
        helper.make_node("Clip", ["levels", "lowest", "highest"], ["clipped"]),
        helper.make_node("Cast", ["clipped"], ["codes_FK"], to=TensorProto.INT64),
        helper.make_node("Unsqueeze", ["codes_FK", "batch"], ["codes"]),
        helper.make_node("Slice", ["rows", "last", "end", "zero"], ["next_state"]),
    ]
    audio = ("audio", TensorProto.FLOAT, [1, "T"])
    codes = ("codes", TensorProto.INT64, [1, "F", LAYERS])
    return _make_model("encoder", nodes, constants, audio, codes)


def make_decoder() -> onnx.ModelProto:
    """Codes [1, F, 12], state [1, 320] -> audio [1, F * 320], next state [1, 320]."""
    constants = {
        "basis_t": make_basis().T.copy(),
        "step": np.float32(STEP),
        "middle": np.float32(LEVELS // 2),
        "silence": np.float32(0),
        "lost": np.float32(LOST_COEFFICIENT),
        "not_sent": np.int64(LEVELS),
        "row": np.array([-1, LAYERS], np.int64),
        "flat": np.array([1, -1], np.int64),
        "zero": np.array([0], np.int64),
        "one": np.array([1], np.int64),
        "last": np.array([-1], np.int64),
        "end": np.array([2**31], np.int64),
        "halves": np.array([HOP, HOP], np.int64),
    }
    nodes = [
        helper.make_node("Reshape", ["codes", "row"], ["codes_FK"]),
        helper.make_node("Cast", ["codes_FK"], ["levels"], to=TensorProto.FLOAT),
        helper.make_node("Sub", ["levels", "middle"], ["steps"]),
        helper.make_node("Mul", ["steps", "step"], ["values"]),
        helper.make_node("Equal", ["codes_FK", "not_sent"], ["is_missing"]),
        helper.make_node("Where", ["is_missing", "silence", "values"], ["sent"]),
        helper.make_node("ReduceMin", ["codes_FK", "one"], ["least"], keepdims=1),
        helper.make_node("Equal", ["least", "not_sent"], ["is_lost"]),
        helper.make_node("Where", ["is_lost", "lost", "sent"], ["coefficients"]),
        helper.make_node("MatMul", ["coefficients", "basis_t"], ["windows"]),
        helper.make_node("Split", ["windows", "halves"], ["starts", "ends"], axis=1),
        helper.make_node("Concat", ["state", "ends"], ["tails"], axis=0),
        helper.make_node("Slice", ["tails", "zero", "last", "zero"], ["overlap"]),
        helper.make_node("Add", ["starts", "overlap"], ["rows"]),
        helper.make_node("Reshape", ["rows", "flat"], ["audio"]),
        helper.make_node("Slice", ["tails", "last", "end", "zero"], ["next_state"]),
    ]
    codes = ("codes", TensorProto.INT64, [1, "F", LAYERS])
    audio = ("audio", TensorProto.FLOAT, [1, "T"])
    return _make_model("decoder", nodes, constants, codes, audio)


def make_golden_clip() -> npt.NDArray[np.int16]:
    """A second of three low tones with different beginnings, int16 mono."""
    t = np.arange(16_000) / 16_000
    tones = [0.3 * np.sin(2 * np.pi * hz * t) * (t > start) for hz, start in _TONES]
    return np.round(sum(tones) * 32767 * 0.9).astype(np.int16)


_TONES = [(80.0, 0.0), (143.0, 0.31), (211.0, 0.62)]


def encode(samples_T: FloatArray) -> npt.NDArray[np.uint16]:
    """What the encoder graph gives for whole hops, in plain numpy: [F, 12]."""
    rows = np.concatenate([np.zeros(HOP, np.float32), samples_T]).reshape(-1, HOP)
    windows = np.concatenate([rows[:-1], rows[1:]], axis=1)
    levels = np.round(windows @ make_basis() / np.float32(STEP)) + LEVELS // 2
    return levels.clip(0, LEVELS - 1).astype(np.uint16)


def main() -> None:
    """Write every file of the bundle, the manifest last."""
    BUNDLE.mkdir(exist_ok=True)
    onnx.save(make_encoder(), BUNDLE / "encoder.onnx")
    onnx.save(make_decoder(), BUNDLE / "decoder.onnx")
    clip = make_golden_clip()
    soundfile.write(BUNDLE / "golden.flac", clip, 16_000, subtype="PCM_16")
    np.save(BUNDLE / "golden_codes.npy", encode(np.float32(clip) / 32768))
    manifest = {
        "format_version": 1,
        "name": "stub",
        "codec": {
            "sample_rate_hz": 16_000,
            "strides": [160, 2],
            "layers": LAYERS,
            "bits_per_code": BITS,
            "delay_samples": HOP,
        },
        "conceals_loss": True,
        "graphs": {
            "onnx": {
                "fp32": {
                    "encoder": _file("encoder.onnx") | {"state_size": HOP},
                    "decoder": _file("decoder.onnx") | {"state_size": HOP},
                }
            }
        },
        "golden": {"audio": _file("golden.flac"), "codes": _file("golden_codes.npy")},
        "provenance": {
            "licence": "Apache-2.0",
            "data": "none: a fixed transform",
            "steps": 0,
            "seed": 0,
            "commit": "none",
            "recipe_sha256": hashlib.sha256(Path(__file__).read_bytes()).hexdigest(),
        },
        "metrics": {"dataset": "none", "by_bitrate": {}},
    }
    (BUNDLE / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n")


def _make_model(
    name: str,
    nodes: list[onnx.NodeProto],
    constants: dict[str, npt.ArrayLike],
    source: tuple[str, int, list[int | str]],
    result: tuple[str, int, list[int | str]],
) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes,
        name,
        [_tensor(*source), _tensor("state", TensorProto.FLOAT, [1, HOP])],
        [_tensor(*result), _tensor("next_state", TensorProto.FLOAT, [1, HOP])],
        [numpy_helper.from_array(np.asarray(value), key) for key, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.checker.check_model(model, full_check=True)
    return model


def _tensor(name: str, kind: int, shape: list[int | str]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, shape)


def _file(name: str) -> dict[str, str | int]:
    return {"file": name, "sha256": hashlib.sha256((BUNDLE / name).read_bytes()).hexdigest()}


if __name__ == "__main__":
    main()
