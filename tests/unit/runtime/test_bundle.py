import json
from io import BytesIO

import numpy as np
import pytest

from edge_codec.runtime.bundle import load_bundle, load_bundle_by_hash
from edge_codec.runtime.errors import BundleError, BundleVersionError
from edge_codec.runtime.manifest import MAX_MANIFEST_BYTES, canonical_json, manifest_hash
from support.stub_bundle import STUB_BUNDLE, make_bundle_copy


@pytest.fixture
def models(tmp_path, monkeypatch):
    monkeypatch.setenv("EDGE_CODEC_MODELS", str(tmp_path))
    return tmp_path


def test_stub_bundle_loads():
    bundle = load_bundle(STUB_BUNDLE)
    spec = bundle.spec
    assert bundle.name == "stub"
    assert (spec.layers, spec.hop_samples, spec.delay_samples) == (12, 320, 320)
    assert bundle.state_size("encoder") == 320
    assert bundle.graph_path("decoder").name == "decoder.onnx"
    assert bundle.load_golden_codes().shape == (50, 12)
    assert bundle.conceals_loss


def test_hash_is_that_of_the_canonical_manifest():
    manifest = {"b": [1, 2.5], "a": "é"}
    assert canonical_json(manifest) == b'{"a":"\\u00e9","b":[1,2.5]}'
    assert manifest_hash(manifest).startswith("1d5aa48e")
    bundle = load_bundle(STUB_BUNDLE)
    whole = manifest_hash(json.loads((STUB_BUNDLE / "manifest.json").read_text()))
    assert bundle.model_hash == bundle.manifest_hash == whole


def test_bundles_of_the_same_weights_are_one_model(tmp_path):
    def edit(weights, **changes):
        def change(manifest):
            manifest.update(changes)
            manifest["provenance"]["weights_sha256"] = weights

        return change

    target = {"name": "pi5", "backend": "auto", "threads": 2, "providers": ["cpu"]}
    edits = [edit("a"), edit("a", target=target), edit("b"), edit("a", conceals_loss=False)]
    bundles = [
        load_bundle(make_bundle_copy(tmp_path / str(index), change))
        for index, change in enumerate(edits)
    ]
    first, other_board, *others = (bundle.model_hash for bundle in bundles)
    assert first == other_board
    assert len({first, *others}) == 3
    assert len({bundle.manifest_hash for bundle in bundles}) == 4
    assert bundles[0].target["threads"] == 1
    assert bundles[1].target == target


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"backend": "magic"}, "unknown backend 'magic'"),
        ({"threads": 0}, "threads of the manifest's target must be 1 to 64"),
        ({"providers": ["cpu", "/bin/sh"]}, "unknown provider '/bin/sh'"),
        ({"providers": [["cpu"]]}, "unknown provider"),
    ],
)
def test_a_target_says_what_exists_only(tmp_path, changes, message):
    target = {"name": "x", "backend": "auto", "threads": 1, "providers": ["cpu"]} | changes
    path = make_bundle_copy(tmp_path / "x", lambda manifest: manifest.update(target=target))
    with pytest.raises(BundleError, match=message):
        load_bundle(path)


def test_models_are_found_by_name_and_by_hash(models):
    make_bundle_copy(models / "mine")
    assert load_bundle("mine").path == models / "mine"
    wanted = load_bundle("mine").model_hash
    (models / "broken").mkdir()
    (models / "broken" / "manifest.json").write_text("{")
    assert load_bundle_by_hash(wanted, "stub").path == models / "mine"


def test_missing_models_list_those_found(models):
    make_bundle_copy(models / "mine")
    with pytest.raises(BundleError, match=r"no model named 'yours'; found: .*mine.*Give one"):
        load_bundle("yours")
    with pytest.raises(BundleError, match=r"'old' \(00000000\) is not installed"):
        load_bundle_by_hash("0" * 64, "old")
    with pytest.raises(BundleError, match=r"not a bundle: it holds no manifest\.json"):
        load_bundle(models)


def test_what_the_exporter_compared_may_be_noted(tmp_path):
    path = make_bundle_copy(tmp_path / "x", lambda m: m.update(parity={"codes_equal": 1}))
    assert load_bundle(path).manifest["parity"] == {"codes_equal": 1}
    path = make_bundle_copy(tmp_path / "y", lambda m: m.update(parity={"codes_equal": "all"}))
    with pytest.raises(BundleError, match=r"parity\.codes_equal must be int or float"):
        load_bundle(path)


SPOILED = {
    "a newer version": (lambda m: m.update(format_version=2), "format 2, newer .* update edge"),
    "an older version": (lambda m: m.update(format_version=0), "format 0, older .* export"),
    "no version": (lambda m: m.pop("format_version"), "no format_version"),
    "a version as text": (lambda m: m.update(format_version="1"), "no format_version"),
    "a missing field": (lambda m: m.pop("conceals_loss"), "manifest lacks conceals_loss"),
    "an unknown field": (lambda m: m.update(shell="rm"), "unknown field 'shell'"),
    "a wrong type": (lambda m: m.update(conceals_loss=1), "conceals_loss must be bool, got 1"),
    "an array for an object": (lambda m: m.update(golden=[]), "golden must be an object"),
    "no fp32 graphs": (lambda m: m["graphs"].update(onnx={}), "graphs.onnx lacks fp32"),
    "no codec rate": (lambda m: m["codec"].pop("sample_rate_hz"), "needs exactly the fields"),
    "a negative delay": (lambda m: m["codec"].update(delay_samples=-1), "cannot be negative"),
    "a path as file": (
        lambda m: m["golden"]["audio"].update(file="../golden.flac"),
        "only plain names",
    ),
    "a hidden file": (lambda m: m["golden"]["audio"].update(file=".x"), "only plain names"),
    "a missing file": (lambda m: m["golden"]["audio"].update(file="x"), "x is missing"),
    "a hash that is none": (lambda m: m["golden"]["audio"].update(sha256="00"), "64 hex"),
    "a wrong hash": (
        lambda m: m["golden"]["audio"].update(sha256="0" * 64),
        "is damaged: its SHA-256 is .* says 00000000",
    ),
    "no state": (
        lambda m: m["graphs"]["onnx"]["fp32"]["encoder"].update(state_size=0),
        "state_size of encoder.onnx",
    ),
}


@pytest.mark.parametrize(("edit", "message"), SPOILED.values(), ids=SPOILED.keys())
def test_spoiled_manifests_are_refused_in_one_line(tmp_path, edit, message):
    path = make_bundle_copy(tmp_path / "bundle", edit)
    with pytest.raises(BundleError, match=message) as caught:
        load_bundle(path)
    assert "\n" not in str(caught.value)
    assert isinstance(caught.value, BundleVersionError) == message.startswith("format")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not valid JSON"),
        ("[" * 100_000, "not valid JSON"),
        ('{"format_version": 1, "format_version": 1}', "appears twice"),
        ('{"format_version": NaN}', "NaN is not a JSON number"),
        ("\xff\xfe\x00", "not valid JSON"),
        ("[1]", "no format_version"),
        (" " * (MAX_MANIFEST_BYTES + 1), "bytes; at most"),
    ],
)
def test_text_that_is_no_manifest_is_refused(tmp_path, text, message):
    path = make_bundle_copy(tmp_path / "bundle")
    (path / "manifest.json").write_text(text, encoding="latin-1")
    with pytest.raises(BundleError, match=message):
        load_bundle(path)


FILES = ["encoder.onnx", "decoder.onnx", "golden.flac", "golden_codes.npy"]


@pytest.mark.parametrize("name", FILES)
def test_one_changed_byte_of_any_file_is_noticed(tmp_path, name):
    path = make_bundle_copy(tmp_path / "bundle")
    data = bytearray((path / name).read_bytes())
    data[len(data) // 2] ^= 1
    (path / name).write_bytes(data)
    with pytest.raises(BundleError, match=f"{name} is damaged"):
        load_bundle(path)


GOLDEN_CODES = {
    "a pickle": np.array([{"a": 1}], object),
    "a wrong type": np.zeros((50, 12), np.int64),
    "a wrong shape": np.zeros((50, 11), np.uint16),
}


@pytest.mark.parametrize("codes", GOLDEN_CODES.values(), ids=GOLDEN_CODES.keys())
def test_wrong_golden_codes_are_refused(tmp_path, codes):
    file = BytesIO()
    np.save(file, codes)
    path = make_bundle_copy(
        tmp_path / "bundle",
        lambda m: m["golden"]["codes"].update(sha256=""),
        {"golden_codes.npy": file.getvalue()},
    )
    with pytest.raises(BundleError, match=r"golden_codes\.npy"):
        load_bundle(path).load_golden_codes()


def test_a_bundle_may_hold_more_precisions(tmp_path):
    def add_int8(manifest):
        graphs = manifest["graphs"]["onnx"]
        graphs["int8"] = graphs["fp32"]
        manifest["graphs"]["tflite"] = {"int8": graphs["fp32"]}

    bundle = load_bundle(make_bundle_copy(tmp_path / "bundle", add_int8))
    assert bundle.precisions() == ["fp32", "int8"]
    assert bundle.best_precision() == "int8"
    assert load_bundle(STUB_BUNDLE).best_precision() == "fp32"
    with pytest.raises(BundleError, match="has no int8 graphs for onnx; it has fp32"):
        load_bundle(STUB_BUNDLE).graph_path("encoder", "int8")
