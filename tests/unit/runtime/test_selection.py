"""Which back end runs a bundle."""

import json

import pytest

from edge_codec.runtime.backends import probe, selection
from edge_codec.runtime.backends.probe import Cost, parse_cost
from edge_codec.runtime.backends.selection import choose_backend
from edge_codec.runtime.bundle import load_bundle
from edge_codec.runtime.errors import BundleError
from support.stub_bundle import STUB_BUNDLE, make_bundle_copy
from support.tflite_stubs import read_stubs


def with_tflite(manifest):
    graph = {"sha256": "", "state_size": 320}
    roles = {role: graph | {"file": f"{role}.tflite"} for role in ("encoder", "decoder")}
    manifest["graphs"]["tflite"] = {"fp32": roles}


@pytest.fixture
def bundle(tmp_path):
    """The stub bundle with graphs for both back ends."""
    files = read_stubs("encoder", "decoder")
    return load_bundle(make_bundle_copy(tmp_path / "both", with_tflite, files))


@pytest.fixture
def measured(monkeypatch, tmp_path):
    """Names of the back ends that were measured; TFLite wins."""
    names = []

    def measure(bundle, backend, precision):
        names.append(backend)
        ms = {"onnx": 2.0, "tflite": 1.0}[backend]
        return Cost(encoder_ms=ms, decoder_ms=ms, peak_rss_bytes=1)

    monkeypatch.setattr(selection, "is_installed", lambda backend: True)
    monkeypatch.setattr(probe, "probe", measure)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return names


def test_the_faster_back_end_is_measured_once(bundle, measured):
    assert choose_backend(bundle) == "tflite"
    assert choose_backend(bundle) == "tflite"
    assert measured == ["onnx", "tflite"]


def test_another_bundle_is_measured_anew(bundle, measured, tmp_path):
    choose_backend(bundle)

    def edit(manifest):
        with_tflite(manifest)
        manifest["name"] = "other"

    files = read_stubs("encoder", "decoder")
    choose_backend(load_bundle(make_bundle_copy(tmp_path / "other", edit, files)))
    assert len(measured) == 4


def test_what_is_asked_for_is_not_measured(bundle, measured):
    assert choose_backend(bundle, "onnx") == "onnx"
    assert choose_backend(load_bundle(STUB_BUNDLE)) == "onnx"
    assert measured == []


def test_a_back_end_that_is_not_installed_does_not_compete(bundle, measured, monkeypatch):
    monkeypatch.setattr(selection, "is_installed", lambda backend: backend == "onnx")
    assert choose_backend(bundle) == "onnx"
    monkeypatch.setattr(selection, "is_installed", lambda backend: False)
    assert choose_backend(bundle) == "onnx"  # opening it says what to install
    assert measured == []


def test_the_target_of_a_bundle_may_decide(measured, tmp_path):
    def edit(manifest):
        with_tflite(manifest)
        manifest["target"] = {"name": "x", "backend": "onnx", "threads": 1, "providers": ["cpu"]}

    files = read_stubs("encoder", "decoder")
    assert choose_backend(load_bundle(make_bundle_copy(tmp_path / "x", edit, files))) == "onnx"
    assert measured == []


@pytest.mark.parametrize(
    ("backend", "precision", "message"),
    [
        ("lyra", "auto", "stub has no graphs for lyra; it has onnx fp32, tflite fp32"),
        ("tflite", "int8", "stub has no int8 graphs for tflite; it has onnx fp32, tflite fp32"),
        ("auto", "int8", "stub has no int8 graphs; it has"),
    ],
)
def test_what_a_bundle_lacks_is_named(bundle, backend, precision, message):
    with pytest.raises(BundleError, match=message):
        choose_backend(bundle, backend, precision)


def test_nothing_is_kept_where_nothing_can_be_written(bundle, measured, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert choose_backend(bundle) == choose_backend(bundle) == "tflite"
    assert len(measured) == 4


@pytest.mark.parametrize("text", ["", "[", "[]", "7", '{"x": 1}', "[" * 9999, '{"x": {"sh": 1.0}}'])
def test_a_spoilt_cache_is_measured_over(bundle, measured, text):
    path = selection.cache_path()
    path.parent.mkdir(parents=True)
    path.write_text(text)
    assert choose_backend(bundle) == "tflite"
    assert [*json.loads(path.read_text()).values()] == [{"onnx": 4.0, "tflite": 2.0}]


def test_a_back_end_that_fails_loses(bundle, measured, monkeypatch):
    def fail_one(bundle, backend, precision):
        if backend == "tflite":
            raise BundleError("broken")
        return Cost(encoder_ms=9, decoder_ms=9, peak_rss_bytes=1)

    monkeypatch.setattr(probe, "probe", fail_one)
    assert choose_backend(bundle) == "onnx"


def test_a_probe_tells_what_a_bundle_costs():
    cost = probe.probe(load_bundle(STUB_BUNDLE), "onnx", "fp32")
    assert cost.total_ms > 0
    assert 10e6 < cost.peak_rss_bytes < 500e6


def test_a_probe_of_what_cannot_run_is_a_bundle_error():
    with pytest.raises(BundleError, match="cannot measure stub with tflite"):
        probe.probe(load_bundle(STUB_BUNDLE), "tflite", "fp32")


@pytest.mark.parametrize("value", [None, [], {}, {"encoder_ms": 1}, "x"])
def test_other_answers_are_no_cost(value):
    with pytest.raises(ValueError, match="expected"):
        parse_cost(value)
