import hashlib
import json
import os
from pathlib import Path

import numpy as np
import pytest
import soundfile

from edge_codec.runtime import cli, lyra_bundle
from edge_codec.runtime.backends.lyra import LyraEncoder
from edge_codec.runtime.bundle import load_bundle
from edge_codec.runtime.codec import StreamDecoder, StreamEncoder
from edge_codec.runtime.errors import BundleError, ParityError
from edge_codec.runtime.inspection import describe_model, verify_model
from edge_codec.runtime.lyra_bundle import import_lyra
from support.recordings import make_recording
from support.stub_bundle import STUB_BUNDLE, make_bundle_copy
from support.tflite_stubs import TFLITE_STUBS

LYRA_FILES = ("soundstream_encoder.tflite", "quantizer.tflite", "lyragan.tflite")
LYRA_VARIABLE = "EDGE_CODEC_LYRA"
"""Directory with the files of google/lyra v1.3.2, lyra/model_coeffs: for the slow test."""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder to work in, with the stub model and none of those that are shipped."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("edge_codec.runtime.bundle._model_roots", lambda: [tmp_path / "models"])
    monkeypatch.setenv("EDGE_CODEC_MODELS", str(tmp_path / "models"))
    make_bundle_copy(tmp_path / "models" / "mine")
    return tmp_path


def run(line):
    return cli.main(["models", *line.split()])


def test_list_is_a_line_for_each_model(folder, capsys):
    assert run("list") == 0
    expected = f"mine  ccaa8d49  16000 Hz  500 to 6000 bit/s  0.1 MB  {folder}/models/mine\n"
    assert expected in capsys.readouterr().out


def test_list_as_json(folder, capsys):
    assert run("list --json") == 0
    mine = json.loads(capsys.readouterr().out)["models"]["mine"]
    assert mine["model_hash"] == load_bundle("mine").model_hash
    assert mine["bitrates_bps"] == {"lowest": 500, "highest": 6000}
    assert mine["size_bytes"] == sum(
        path.stat().st_size for path in STUB_BUNDLE.iterdir() if path.name != "manifest.json"
    )


def test_a_broken_model_is_listed_as_such(folder, capsys):
    make_bundle_copy(folder / "models" / "newer", lambda m: m.update(format_version=2))
    (make_bundle_copy(folder / "models" / "torn") / "golden.flac").unlink()
    assert run("list") == 0
    out = capsys.readouterr().out
    assert "newer  unusable: " in out
    assert "torn   unusable: " in out
    assert "mine   ccaa8d49" in out


def test_a_model_that_is_being_written_is_not_listed(folder, capsys):
    make_bundle_copy(folder / "models" / ".voice-m-x7")
    assert run("list") == 0
    assert ".voice-m-x7" not in capsys.readouterr().out


def test_without_models_list_says_where_to_get_one(monkeypatch, capsys):
    monkeypatch.setattr("edge_codec.runtime.inspection.iter_bundle_paths", lambda: iter(()))
    assert run("list") == 0
    assert "models import --help" in capsys.readouterr().out


def test_of_two_models_with_one_name_the_one_that_is_used_is_listed(folder, monkeypatch, capsys):
    paths = [folder / "models" / "mine", make_bundle_copy(folder / "later" / "mine")]
    monkeypatch.setattr("edge_codec.runtime.inspection.iter_bundle_paths", lambda: iter(paths))
    assert run("list --json") == 0
    assert json.loads(capsys.readouterr().out)["models"]["mine"]["path"] == str(paths[0])


def test_info_is_that_of_the_command_info(folder, capsys):
    assert run("info mine --json --check") == 0
    assert json.loads(capsys.readouterr().out) == describe_model("mine", check=True)


def test_verify_shows_what_was_checked(folder, capsys):
    assert run("verify mine") == 0
    out = capsys.readouterr().out
    assert "golden.flac: " in out
    assert "golden_codes_equal_percent: fp32 100.0" in out
    assert run("verify mine --json") == 0
    assert json.loads(capsys.readouterr().out) == verify_model("mine")


def test_verify_refuses_a_changed_file(folder, capsys):
    with (folder / "models" / "mine" / "decoder.onnx").open("ab") as file:
        file.write(b"\0")
    assert run("verify mine") == 1
    assert "decoder.onnx is damaged" in capsys.readouterr().err


WRONG_CODES = {
    "some codes": (slice(None), slice(8, 12), "fp32 gives only 66.7 % of its golden codes on"),
    "the first layer": (slice(6), 0, "fp32 gives only 88.0 % of its golden first-layer codes"),
}


@pytest.mark.parametrize(
    ("frames", "layers", "message"), WRONG_CODES.values(), ids=WRONG_CODES.keys()
)
def test_verify_refuses_a_machine_that_makes_other_codes(tmp_path, frames, layers, message):
    codes_FK = np.load(STUB_BUNDLE / "golden_codes.npy")
    codes_FK[frames, layers] ^= 1
    np.save(tmp_path / "changed.npy", codes_FK)
    files = {"golden_codes.npy": (tmp_path / "changed.npy").read_bytes()}
    other = make_bundle_copy(
        tmp_path / "other", lambda m: m["golden"]["codes"].update(sha256=""), files
    )
    with pytest.raises(ParityError, match=message):
        verify_model(str(other))


def test_a_bundle_needs_graphs_that_can_be_run_here(tmp_path):
    def edit(manifest):
        manifest["graphs"] = {"abacus": manifest["graphs"]["onnx"]}

    path = make_bundle_copy(tmp_path / "bundle", edit)
    with pytest.raises(BundleError, match="no graphs for onnx, tflite, lyra; update edge-codec"):
        load_bundle(path)


@pytest.fixture
def stub_lyra(tmp_path, monkeypatch):
    """Stubs taken for Lyra's graphs, with golden codes to match; gives their directory."""
    pytest.importorskip("ai_edge_litert")
    graphs = {
        role: (name, hashlib.sha256((TFLITE_STUBS / name).read_bytes()).hexdigest())
        for role, (name, _) in lyra_bundle.GRAPHS.items()
    }
    clip = make_recording(tmp_path / "clip.wav", 16_000, 640)
    monkeypatch.setattr(lyra_bundle, "GRAPHS", graphs)
    monkeypatch.setattr(lyra_bundle, "GOLDEN_CLIP", clip)
    monkeypatch.setattr(lyra_bundle, "GOLDEN_CODES", tmp_path / "codes.npy")
    encoder = LyraEncoder(*(TFLITE_STUBS / name for name in LYRA_FILES[:2]))
    codes_1FK, _ = encoder.run(np.zeros((1, 640), np.float32), encoder.zero_state)
    np.save(tmp_path / "codes.npy", codes_1FK[0].astype(np.uint16))
    return TFLITE_STUBS


def test_import_makes_a_model_that_runs_like_any_other(folder, stub_lyra, capsys):
    assert run(f"import lyra {stub_lyra}") == 0
    bundle = load_bundle("lyra-v2")
    assert bundle.path == folder / "models" / "lyra-v2"
    assert bundle.model_hash[:8] in capsys.readouterr().out
    assert [bundle.spec.bitrate_bps(layers) for layers in (16, 30, 46)] == [3200, 6000, 9200]
    assert (bundle.backend, bundle.best_precision()) == ("lyra", "int8")
    assert bundle.state_size("encoder", "int8") == 0
    encoder, decoder = StreamEncoder(bundle), StreamDecoder(bundle)
    ones = np.ones(640, np.float32)
    assert encoder.push(ones)[:, 45].tolist() == [1, 2]
    encoder.reset()
    assert encoder.push(ones)[:, 45].tolist() == [1, 2]
    assert decoder.push(np.full((1, 16), 3))[[0, 15, 16, 46]].tolist() == [3, 3, -1, 0]
    assert {path.name for path in (folder / "models").iterdir()} == {"lyra-v2", "mine"}


def test_a_bundle_with_lyras_graphs_must_have_lyras_codec(tmp_path, stub_lyra):
    path = import_lyra(stub_lyra, tmp_path / "made").path
    manifest = json.loads((path / "manifest.json").read_text())
    manifest["codec"]["layers"] = 12
    (path / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(BundleError, match="has Lyra's graphs and another codec"):
        StreamEncoder(load_bundle(path))


def test_import_gives_the_same_model_each_time(tmp_path, stub_lyra):
    hashes = [import_lyra(stub_lyra, tmp_path / name).model_hash for name in ("a", "b")]
    assert hashes[0] == hashes[1]


def test_import_goes_to_the_working_directory_without_a_folder_of_models(
    folder, stub_lyra, monkeypatch
):
    monkeypatch.delenv("EDGE_CODEC_MODELS")
    assert run(f"import lyra {stub_lyra}") == 0
    assert load_bundle("lyra-v2").path == Path("lyra-v2")


def test_graphs_that_run_wrong_here_are_not_imported(tmp_path, stub_lyra, monkeypatch):
    np.save(tmp_path / "codes.npy", np.full((2, 46), 9, np.uint16))
    with pytest.raises(ParityError, match=r"int8 gives only 0\.0 % of its golden first"):
        import_lyra(stub_lyra, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_without_litert_import_says_what_to_install(folder, stub_lyra, monkeypatch, capsys):
    def find_nothing(name):
        raise ModuleNotFoundError(name=name.partition(".")[0])

    monkeypatch.setattr("edge_codec.runtime.backends.tflite.import_module", find_nothing)
    assert run(f"import lyra {stub_lyra}") == 1
    assert "pip install 'edge-codec[tflite]'\n" in capsys.readouterr().err
    assert [path.name for path in (folder / "models").iterdir()] == ["mine"]


HOSTILE = {
    "no directory": (lambda path: None, "soundstream_encoder.tflite is missing; take it from"),
    "an empty directory": (lambda path: path.mkdir(), "soundstream_encoder.tflite is missing"),
    "no graphs": (
        lambda path: fill(path, b"#!/bin/sh\n"),
        "soundstream_encoder.tflite is not that of google/lyra v1.3.2: its SHA-256 is a8076d3d",
    ),
    "an empty graph": (lambda path: fill(path, b""), "its SHA-256 is e3b0c442"),
    "a long graph": (lambda path: fill(path, b"\0" * (1 << 22)), "its SHA-256 is 5647f05e"),
    "directories for files": (
        lambda path: [(path / name).mkdir(parents=True) for name in LYRA_FILES],
        "soundstream_encoder.tflite is missing",
    ),
    "pipes for files": (
        lambda path: (path.mkdir(), [os.mkfifo(path / name) for name in LYRA_FILES]),
        "soundstream_encoder.tflite is missing",
    ),
}


def fill(path, data):
    path.mkdir()
    for name in LYRA_FILES:
        (path / name).write_bytes(data)


@pytest.mark.parametrize(("make", "message"), HOSTILE.values(), ids=HOSTILE.keys())
def test_other_files_are_refused_and_nothing_is_left(folder, capsys, make, message):
    make(folder / "lyra")
    assert run("import lyra lyra --out made") == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert message in err
    assert not [path for path in folder.iterdir() if path.name not in ("lyra", "models")]


def test_import_replaces_nothing(folder, capsys):
    assert run(f"import lyra {TFLITE_STUBS} --out models/mine") == 1
    assert "models/mine exists already; delete it or" in capsys.readouterr().err


def test_import_to_where_nothing_can_be_written(folder, capsys):
    (folder / "file").touch()
    assert run(f"import lyra {TFLITE_STUBS} --out file/made") == 1
    assert "cannot import" in capsys.readouterr().err


@pytest.mark.parametrize("line", ["", "nonsense", "info", "import opus x"])
def test_wrong_usage_is_2(line):
    with pytest.raises(SystemExit) as caught:
        run(line)
    assert caught.value.code == 2


@pytest.mark.slow
@pytest.mark.skipif(LYRA_VARIABLE not in os.environ, reason=f"${LYRA_VARIABLE} is not set")
def test_lyra_v2_itself(folder):
    """The published graphs: the hash that docs/bundle.md names, and speech that comes through."""
    assert run(f"import lyra {os.environ[LYRA_VARIABLE]}") == 0
    assert load_bundle("lyra-v2").model_hash.startswith("48cc3e14")
    clip = lyra_bundle.GOLDEN_CLIP
    assert cli.main(["encode", str(clip), "a.ecf", "--model", "lyra-v2", "--bitrate", "6000"]) == 0
    assert cli.main(["decode", "a.ecf", "a.wav"]) == 0
    first, second = (soundfile.read(path, dtype="float32")[0] for path in (clip, "a.wav"))
    assert len(first) == len(second)
    assert np.corrcoef(first, second)[0, 1] > 0.8
    assert np.corrcoef(first[320:], second[:-320])[0, 1] < 0.5  # no delay to be made up for
