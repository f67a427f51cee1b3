"""The command and the folder it writes."""

import argparse
import copy
import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import soundfile
from onnx import numpy_helper
from safetensors.torch import load_file, save_file

from edge_codec.export import bundle_writer
from edge_codec.export.bundle_writer import Request, export_bundle
from edge_codec.export.commands import export
from edge_codec.export.origin import load_metrics
from edge_codec.export.targets import Target
from edge_codec.runtime.bundle import load_bundle
from edge_codec.runtime.codec import StreamEncoder
from edge_codec.runtime.errors import AudioError, BundleError, ConfigError, ParityError
from edge_codec.training.checkpoint import CONTEXT_FILE, FACTS_FILE, RECORD, STATE_FILE
from support.repository import REPOSITORY
from support.stub_context import context_bytes, make_context

CLIP = REPOSITORY / "runtime/edge_codec/runtime/clips/librispeech_3005.flac"
SCORES = {
    "dataset": "dev",
    "rows": [
        {"bitrate_bps": 600.0, "means": {"stoi": {"mean": 0.81234567, "half_width_95": None}}},
        {"bitrate_bps": 1200.0, "means": {"stoi": {"mean": 0.9, "half_width_95": 0.01}}},
    ],
}


@pytest.fixture
def clip(tmp_path, speech):
    path = tmp_path / "clip.wav"
    soundfile.write(path, speech[:8_050], 16_000)
    return path


@pytest.fixture
def request_for(checkpoint, tmp_path, clip, graphs, monkeypatch):
    """Make a request for a quick export to a folder that is not there."""
    monkeypatch.setattr(bundle_writer, "make_graphs", lambda codec: graphs)

    def make(**changes):
        defaults = {"checkpoint": checkpoint, "out": tmp_path / "out" / "tiny", "clip": clip}
        return Request(**(defaults | {"target": Target(onnx=("fp32",))} | changes))

    return make


def run_command(*argv):
    parser = argparse.ArgumentParser()
    export.register(parser.add_subparsers())
    args = parser.parse_args(["export", *map(str, argv)])
    args.run(args)


def test_bundle_says_where_it_comes_from(bundle):
    assert bundle.name == "tiny"
    assert bundle.conceals_loss
    assert bundle.precisions() == ["fp32", "int8"]
    assert bundle.best_precision() == "int8"
    facts = bundle.manifest["provenance"]
    assert (facts["steps"], facts["seed"]) == (1, 7)
    assert facts["data"] == "sha256:" + "d" * 64
    assert facts["commit"] == "c" * 40
    assert "Apache-2.0" in facts["licence"]
    assert len(facts["recipe_sha256"]) == 64
    assert bundle.manifest["metrics"] == {"dataset": "none", "by_bitrate": {}}


def test_golden_clip_encodes_to_its_codes(bundle):
    audio, rate = soundfile.read(bundle.golden_path(), dtype="float32")
    assert (rate, len(audio)) == (16_000, 48_000)
    golden = bundle.load_golden_codes()
    assert golden.shape == (600, 3)
    assert (StreamEncoder(bundle, precision="fp32").push(audio) == golden).mean() >= 0.999
    assert (StreamEncoder(bundle, precision="int8").push(audio) == golden).mean() >= 0.99


def test_same_checkpoint_gives_the_same_bytes(checkpoint, exported, tmp_path):
    first, _ = exported
    request = Request(checkpoint=checkpoint, out=tmp_path / "again", clip=CLIP)
    second, _ = export_bundle(replace(request, target=Target(onnx=("int8", "fp32"))))
    assert first.model_hash == second.model_hash
    names = sorted(path.name for path in first.path.iterdir())
    assert names == sorted(path.name for path in second.path.iterdir())
    for name in names:
        assert (first.path / name).read_bytes() == (second.path / name).read_bytes(), name


def test_a_bundle_is_replaced_and_nothing_else_stays(request_for):
    request = request_for()
    export_bundle(request)
    (request.out / "stray").write_text("old")
    export_bundle(request_for(licence="mine"))
    assert load_bundle(request.out).manifest["provenance"]["licence"] == "mine"
    assert not (request.out / "stray").exists()
    assert [path.name for path in request.out.parent.iterdir()] == ["tiny"]


def test_tampered_graphs_are_not_written(request_for, graphs, monkeypatch):
    tampered = copy.deepcopy(graphs)
    for tensor in tampered["decoder"].graph.initializer:
        if tensor.name.endswith("head.bias"):
            values = numpy_helper.to_array(tensor) + np.float32(0.1)
            tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    request = request_for()
    monkeypatch.setattr(bundle_writer, "make_graphs", lambda codec: tampered)
    with pytest.raises(ParityError, match="samples_difference"):
        export_bundle(request)
    assert list(request.out.parent.iterdir()) == []


def test_a_failed_export_leaves_the_bundle_that_was_there(request_for):
    request = request_for()
    before = export_bundle(request)[0].model_hash
    with pytest.raises(ParityError, match="chunked_samples_difference"):
        export_bundle(request, limits={"onnx_fp32": {"chunked_samples_difference": -1.0}})
    assert load_bundle(request.out).model_hash == before


def test_a_folder_that_is_no_bundle_is_not_touched(request_for, tmp_path):
    folder = tmp_path / "thesis"
    folder.mkdir()
    (folder / "chapter1").write_text("years of work")
    with pytest.raises(ConfigError, match="exists and is not a bundle"):
        export_bundle(request_for(out=folder))
    assert (folder / "chapter1").read_text() == "years of work"


def narrow_recipe(folder):
    """Say something else of the net, in both copies of the facts."""
    facts = (folder / FACTS_FILE).read_text().replace('"channels": 16', '"channels": 8')
    (folder / FACTS_FILE).write_text(facts)
    save_file(load_file(folder / STATE_FILE), folder / STATE_FILE, metadata={RECORD: facts})


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: (folder / FACTS_FILE).unlink(), "no checkpoint in"),
        (lambda folder: (folder / FACTS_FILE).write_text("{"), "is damaged"),
        (lambda folder: (folder / STATE_FILE).write_bytes(b"\x10" + 99 * b"\0"), "is damaged"),
        (narrow_recipe, "does not fit its own recipe"),
    ],
)
def test_damaged_checkpoints_are_refused(request_for, checkpoint, tmp_path, damage, message):
    folder = tmp_path / "damaged"
    shutil.copytree(checkpoint, folder)
    damage(folder)
    request = request_for(checkpoint=folder)
    with pytest.raises(ConfigError, match=message):
        export_bundle(request)
    assert not request.out.parent.exists()


def test_clips_that_cannot_be_used_are_refused(request_for, tmp_path):
    with pytest.raises(AudioError):
        export_bundle(request_for(clip=tmp_path / "none.wav"))
    short = tmp_path / "short.wav"
    soundfile.write(short, np.zeros(79), 16_000)
    with pytest.raises(AudioError, match="shorter than one frame"):
        export_bundle(request_for(clip=short))


def test_metrics_come_from_an_evaluation(tmp_path):
    path = tmp_path / "scores.json"
    path.write_text(json.dumps(SCORES))
    assert load_metrics(path) == {
        "dataset": "dev",
        "by_bitrate": {"600": {"stoi": 0.8123}, "1200": {"stoi": 0.9}},
    }


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"dataset": "x", "rows": [1]}'])
def test_other_files_are_no_metrics(tmp_path, text):
    path = tmp_path / "scores.json"
    path.write_text(text)
    with pytest.raises(ConfigError, match="is not what `edge-codec evaluate --json` prints"):
        load_metrics(path)
    with pytest.raises(ConfigError, match="cannot read metrics"):
        load_metrics(tmp_path / "none.json")


def test_command_prints_what_was_compared(checkpoint, tmp_path, clip, capsys):
    scores = tmp_path / "scores.json"
    scores.write_text(json.dumps(SCORES))
    out = tmp_path / "out"
    run_command(checkpoint, "--out", out, "--clip", clip, "--metrics", scores)
    shown = capsys.readouterr().out
    assert "For any: back end auto, 1 thread, ONNX Runtime on cpu." in shown
    assert "| onnx_fp32 | samples_difference | " in shown
    assert "| onnx_int8 | codes equal by layer | " in shown
    assert "| onnx_int8 | 0." in shown
    assert load_bundle(out).manifest["metrics"]["dataset"] == "dev"


def test_command_prints_json(checkpoint, tmp_path, clip, capsys):
    out = tmp_path / "out"
    run_command(checkpoint, "--out", out, "--clip", clip, "--precision", "fp32", "--json")
    shown = json.loads(capsys.readouterr().out)
    assert shown["model_hash"] == load_bundle(out).model_hash
    assert shown["parity"].keys() == shown["cost"].keys() == {"onnx_fp32"}
    assert shown["cost"]["onnx_fp32"]["encoder_ms"] > 0
    assert json.loads((out / "export.json").read_text()) == shown


def test_a_context_model_comes_along(checkpoint, tmp_path, request_for):
    folder = tmp_path / "training"
    shutil.copytree(checkpoint, folder)
    (folder / CONTEXT_FILE).write_bytes(context_bytes(make_context(16)))
    plain, _ = export_bundle(request_for(out=tmp_path / "plain"))
    bundle, _ = export_bundle(request_for(checkpoint=folder))
    assert bundle.open_packing().needed_layers(1) == bundle.spec.layers
    assert bundle.model_hash != plain.model_hash
    (folder / CONTEXT_FILE).write_bytes(context_bytes(make_context(32)))
    with pytest.raises(BundleError, match="another codec"):
        export_bundle(request_for(checkpoint=folder, out=tmp_path / "other"))
    assert not (tmp_path / "other").exists()
