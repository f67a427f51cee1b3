"""TFLite graphs by way of stubs; tests/support/make_tflite_stubs.py says what each computes."""

from dataclasses import replace
from importlib import import_module

import numpy as np
import pytest

from edge_codec.runtime.backends import selection, tflite
from edge_codec.runtime.backends.lyra import LAYERS, LyraDecoder, LyraEncoder
from edge_codec.runtime.backends.tflite import Stream, TfliteGraph
from edge_codec.runtime.bundle import load_bundle
from edge_codec.runtime.codec import StreamDecoder, StreamEncoder
from edge_codec.runtime.errors import BundleError, MissingExtraError
from support.stub_bundle import make_bundle_copy
from support.tflite_stubs import TFLITE_STUBS, read_stubs

NOT_SENT = 16


@pytest.fixture(scope="module", autouse=True)
def _needs_litert():
    pytest.importorskip("ai_edge_litert")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    """The stub bundle with TFLite graphs in place of ONNX ones."""

    def edit(manifest):
        graph = {"sha256": "", "state_size": 320}
        roles = {role: graph | {"file": f"{role}.tflite"} for role in ("encoder", "decoder")}
        manifest["graphs"] = {"tflite": {"fp32": roles}}

    path = tmp_path_factory.mktemp("models") / "tflite"
    return load_bundle(make_bundle_copy(path, edit, read_stubs("encoder", "decoder")))


def test_a_bundle_of_tflite_graphs_runs_like_any_other(bundle):
    samples_FH = np.arange(1, 6, dtype=np.float32)[:, None] * np.ones(320, np.float32)
    codes_FK = StreamEncoder(bundle).push(samples_FH.ravel())
    assert codes_FK.dtype == np.int64
    assert (codes_FK == np.array([1, 3, 6, 10, 15])[:, None]).all()
    got_FH = StreamDecoder(bundle).push(codes_FK).reshape(-1, 320)
    assert (got_FH[:, :12] == np.array([1, 3.5, 7.75, 13.875, 21.9375])[:, None]).all()
    assert not got_FH[:, 12:].any()


@pytest.mark.parametrize("size", [1, 319, 321, 1600])
def test_chunks_do_not_matter(bundle, size):
    samples_T = np.arange(3200, dtype=np.float32) % 7
    encoder, decoder = StreamEncoder(bundle), StreamDecoder(bundle)
    whole = encoder.push(samples_T), decoder.push(encoder.push(samples_T[:0]))
    encoder.reset()
    cut = [encoder.push(samples_T[start : start + size]) for start in range(0, 3200, size)]
    assert (np.concatenate(cut) == whole[0]).all()
    decoded = decoder.push(whole[0])
    decoder.reset()
    pieces = [decoder.push(codes_1K[None]) for codes_1K in whole[0]]
    assert (np.concatenate(pieces) == decoded).all()


@pytest.mark.parametrize("layers", [None, 1, 6, 7, 12])
def test_layers_that_are_not_wanted_are_not_coded(tmp_path, layers):
    def edit(manifest):
        graph = {"sha256": "", "state_size": 320}
        files = {"encoder": "halves.tflite", "decoder": "decoder.tflite"}
        roles = {role: graph | {"file": file} for role, file in files.items()}
        manifest["graphs"] = {"tflite": {"fp32": roles}}

    path = make_bundle_copy(tmp_path / "halves", edit, read_stubs("halves", "decoder"))
    encoder = StreamEncoder(load_bundle(path), layers=layers)
    assert (encoder._graph._calls[1].rest is None) == (layers in (1, 6))
    codes_FK = encoder.push(np.ones(640, np.float32))
    expected_FK = np.array([[1] * 6 + [101] * 6, [2] * 6 + [102] * 6])
    assert codes_FK.tolist() == expected_FK[:, :layers].tolist()


AUDIO = Stream(name="audio", dtype="float32", frame=(320,))
CODES = Stream(name="codes", dtype="int32", frame=(1, 12))
ENCODER = {"takes": AUDIO, "gives": CODES, "state_size": 320}
OTHER_GRAPHS = {
    "another hop": ("encoder", {"takes": replace(AUDIO, frame=(160,))}),
    "another type": ("encoder", {"takes": replace(AUDIO, dtype="int16")}),
    "another number of layers": ("encoder", {"gives": replace(CODES, frame=(1, 11))}),
    "halves of another number of layers": ("halves", {"gives": replace(CODES, frame=(1, 11))}),
    "another state": ("encoder", {"state_size": 64}),
    "the other role": ("decoder", {}),
    "no state": ("lyragan", {}),
}


@pytest.mark.parametrize(("name", "other"), OTHER_GRAPHS.values(), ids=OTHER_GRAPHS.keys())
def test_other_graphs_are_refused(name, other):
    with pytest.raises(BundleError, match=rf"{name}\.tflite takes .* and gives .*, expected"):
        TfliteGraph(TFLITE_STUBS / f"{name}.tflite", **(ENCODER | other))


def test_graphs_that_are_not_lyras_are_refused(bundle):
    encoder = LyraEncoder(bundle.graph_path("encoder"), _quantizer())
    with pytest.raises(BundleError, match=r"encoder\.tflite takes .* expected .*input_audio"):
        _ = encoder.zero_state
    with pytest.raises(BundleError, match=r"encoder\.tflite"):
        LyraDecoder(TFLITE_STUBS / "lyragan.tflite", bundle.graph_path("encoder"))


@pytest.mark.parametrize("data", [b"", b"TFL3", b"x" * 1000, b"\x1c\0\0\0TFL3" + b"\0" * 999])
def test_a_file_that_is_no_graph_is_refused_in_one_line(tmp_path, data):
    (tmp_path / "x.tflite").write_bytes(data)
    with pytest.raises(BundleError, match=r"LiteRT cannot load .*x\.tflite: ") as caught:
        TfliteGraph(tmp_path / "x.tflite", **ENCODER)
    assert "\n" not in str(caught.value)


def test_a_file_without_the_function_is_refused():
    with pytest.raises(BundleError, match=r"lyragan\.tflite"):
        LyraEncoder(TFLITE_STUBS / "encoder.tflite", TFLITE_STUBS / "lyragan.tflite")


def test_without_litert_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr(tflite, "import_module", importer())
    with pytest.raises(MissingExtraError, match=r"pip install 'edge-codec\[tflite\]'"):
        load_encoder()


@pytest.fixture
def only_tflite_runtime(monkeypatch):
    """A board with tflite-runtime, ONNX Runtime, and no LiteRT."""
    monkeypatch.setattr(tflite, "import_module", importer("tflite_runtime.interpreter"))
    for module in (tflite, selection):
        monkeypatch.setattr(module, "find_spec", lambda name: name != "ai_edge_litert" or None)


def int8_bundle(path, *precisions):
    """Stub graphs of these precisions for TFLite; those of int8 products are no graphs at all."""

    def edit(manifest):
        graph = {"sha256": "", "state_size": 320}
        manifest["graphs"]["tflite"] = {
            precision: {
                role: graph | {"file": f"{role}.{precision}.tflite"}
                for role in ("encoder", "decoder")
            }
            for precision in precisions
        }

    stubs = {
        name.partition(".")[0]: data for name, data in read_stubs("encoder", "decoder").items()
    }
    files = {f"{role}.int8.tflite": b"no graph" for role in stubs}
    files |= {f"{role}.int8_storage.tflite": data for role, data in stubs.items()}
    return load_bundle(make_bundle_copy(path, edit, files))


def test_tflite_runtime_serves_lyras_graphs(only_tflite_runtime):
    LyraEncoder(TFLITE_STUBS / "soundstream_encoder.tflite", _quantizer())


def test_tflite_runtime_gets_graphs_of_its_own(only_tflite_runtime, tmp_path):
    bundle = int8_bundle(tmp_path / "both", "int8", "int8_storage").on("tflite")
    assert bundle.best_precision("tflite") == "int8"
    codes_FK = StreamEncoder(bundle, precision="int8").push(np.ones(640, np.float32))
    assert (codes_FK == np.array([1, 2])[:, None]).all()
    assert StreamDecoder(bundle).push(codes_FK)[0] == 1


def test_without_graphs_of_its_own_tflite_runtime_is_not_taken(only_tflite_runtime, tmp_path):
    bundle = int8_bundle(tmp_path / "one", "int8")
    assert not selection.is_usable(bundle, "tflite")
    assert selection.choose_backend(bundle) == "onnx"
    with pytest.raises(MissingExtraError, match=r"edge-codec\[tflite\]"):
        StreamEncoder(bundle.on("tflite"))


def test_litert_takes_integer_products(tmp_path):
    bundle = int8_bundle(tmp_path / "both", "int8", "int8_storage").on("tflite")
    with pytest.raises(BundleError, match=r"encoder\.int8\.tflite"):
        StreamEncoder(bundle)


def test_a_broken_litert_is_not_taken_for_a_missing_one(monkeypatch):
    def without_flatbuffers(name):
        raise ModuleNotFoundError(name="flatbuffers")

    monkeypatch.setattr(tflite, "import_module", without_flatbuffers)
    with pytest.raises(ModuleNotFoundError):
        load_encoder()


def load_encoder():
    TfliteGraph(TFLITE_STUBS / "encoder.tflite", **ENCODER)


def importer(*installed):
    """An `import_module` that finds LiteRT under the names `installed` only."""
    litert = import_module("ai_edge_litert.interpreter")

    def import_one(name):
        if name not in installed:
            raise ModuleNotFoundError(name=name.partition(".")[0])
        return litert

    return import_one


@pytest.fixture
def encoder():
    return LyraEncoder(TFLITE_STUBS / "soundstream_encoder.tflite", _quantizer())


@pytest.fixture
def decoder():
    return LyraDecoder(TFLITE_STUBS / "lyragan.tflite", _quantizer())


def _quantizer():
    return TFLITE_STUBS / "quantizer.tflite"


def test_lyra_keeps_its_state_in_the_graph_of_a_stream(encoder):
    ones = np.ones((1, 640), np.float32)
    first, second = encoder.zero_state, encoder.zero_state
    assert encoder.run(ones, first)[0][0, :, 0].tolist() == [1, 2]
    codes, first = encoder.run(ones, first)
    assert codes.shape == (1, 2, LAYERS)
    assert codes[0, :, -1].tolist() == [3, 4]
    assert encoder.run(ones, second)[0][0, :, 0].tolist() == [1, 2]


def test_lyra_decodes_layers_that_were_not_sent_as_minus_one(decoder):
    codes = np.full((1, 2, LAYERS), 3)
    codes[:, 1, 16:] = NOT_SENT
    audio, state = decoder.run(codes, decoder.zero_state)
    assert audio.shape == (1, 640)
    assert set(audio[0, :46]) == {3}
    assert audio[0, 320:366].tolist() == [6] * 16 + [2] * 30
    assert decoder.run(codes, state)[0][0, 0] == 9
    assert decoder.run(codes, decoder.zero_state)[0][0, 0] == 3
