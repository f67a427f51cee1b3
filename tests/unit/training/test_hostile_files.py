"""Recipes, prepared data and checkpoints that are damaged or made to harm: one clear error."""

import json
import os
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge_codec.runtime.errors import EdgeCodecError
from edge_codec.training.cache import FORMAT_VERSION, MANIFEST_NAME, load_cache
from edge_codec.training.checkpoint import FACTS_FILE, STATE_FILE, load_checkpoint
from edge_codec.training.config import load_recipe
from support.hostile_json import DEEP, hostile_documents
from support.repository import REPOSITORY
from support.tiny_codec import TINY_RECIPE

safetensors = pytest.importorskip("safetensors.numpy")
CLIP = {"source": "s", "offset": 0, "samples": 100, "sha256": "00", "labels": {"domain": "a"}}
CACHE = {
    "format_version": FORMAT_VERSION,
    "sample_rate_hz": 16_000,
    "clips": [CLIP | {"loudness_lufs": -20.0, "full_band": True}],
}
FACTS = {"step": 1, "schedule_step": 1, "seed": 1, "data": "00", "commit": "00"}
CHECKPOINT = {"recipe": asdict(TINY_RECIPE), "facts": FACTS}
RECIPE = (next((REPOSITORY / "training").rglob("*.toml"))).read_bytes()
FUZZ = settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])


def survives(load: object, path: Path) -> None:
    """What it gives does not matter; how it fails does."""
    try:
        load(path)  # type: ignore[operator]
    except EdgeCodecError as error:
        assert str(error)


@FUZZ
@given(data=hostile_documents(CACHE))
@pytest.mark.parametrize("samples", [0, 100])
def test_prepared_data(tmp_path: Path, samples: int, data: bytes) -> None:
    np.zeros(samples, "<i2").tofile(tmp_path / "audio.s16")
    for file in tmp_path.iterdir():
        file.rename(tmp_path / "audio.s16")
    (tmp_path / MANIFEST_NAME).write_bytes(data)
    survives(load_cache, tmp_path)


@FUZZ
@given(data=hostile_documents(CHECKPOINT))
def test_checkpoint_facts(tmp_path: Path, data: bytes) -> None:
    safetensors.save_file({"a": np.zeros(1, np.float32)}, tmp_path / STATE_FILE)
    (tmp_path / FACTS_FILE).write_bytes(data)
    survives(load_checkpoint, tmp_path)


@FUZZ
@given(data=st.binary(max_size=300), cut=st.integers(0, 300))
def test_checkpoint_tensors(tmp_path: Path, data: bytes, cut: int) -> None:
    safetensors.save_file({"a": np.zeros(8, np.float32)}, tmp_path / STATE_FILE)
    (tmp_path / FACTS_FILE).write_text(json.dumps(CHECKPOINT))
    good = (tmp_path / STATE_FILE).read_bytes()
    (tmp_path / STATE_FILE).write_bytes(good[:cut] + data)
    survives(load_checkpoint, tmp_path)


@FUZZ
@given(data=st.data())
def test_recipes(tmp_path: Path, data: st.DataObject) -> None:
    text = bytearray(RECIPE)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(text) - 1))
        junk = data.draw(
            st.sampled_from([b"", b"0", b"-", b"9" * 400, b"nan", b"[[", b"\xff", b'"'])
        )
        text[at : at + data.draw(st.integers(0, 3))] = junk
    (tmp_path / "r.toml").write_bytes(text)
    survives(load_recipe, tmp_path / "r.toml")


@pytest.mark.parametrize("content", [b"", DEEP, b"a=" + DEEP, b"null", b"[]", b"1", None])
def test_what_is_no_document_at_all(tmp_path: Path, content: bytes | None) -> None:
    for name in (MANIFEST_NAME, FACTS_FILE, "r.toml"):
        (tmp_path / name).write_bytes(content or b"")
        if content is None:
            os.truncate(tmp_path / name, 1 << 40)
    for load, path in (
        (load_cache, tmp_path),
        (load_checkpoint, tmp_path),
        (load_recipe, tmp_path / "r.toml"),
    ):
        with pytest.raises(EdgeCodecError):
            load(path)
