"""Bundles and `.ecf` files that are damaged or made to harm: one clear error, or what is left."""

import io
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge_codec.runtime import CodecSpec, EcfHeader, EcfReader, EcfWriter, load_bundle
from edge_codec.runtime.errors import EdgeCodecError
from edge_codec.runtime.manifest import MANIFEST_NAME
from edge_codec.runtime.records import PATIENCE_BYTES, SYNC
from support.hostile_json import DEEP, hostile_documents
from support.stub_bundle import STUB_BUNDLE

MANIFEST = json.loads((STUB_BUNDLE / MANIFEST_NAME).read_text())
SPEC = CodecSpec.from_dict(MANIFEST["codec"])
FUZZ = settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return Path(shutil.copytree(STUB_BUNDLE, tmp_path / "bundle"))


@FUZZ
@given(data=hostile_documents(MANIFEST))
def test_manifests(bundle: Path, data: bytes) -> None:
    (bundle / MANIFEST_NAME).write_bytes(data)
    try:
        loaded = load_bundle(bundle)
        assert loaded.precisions()
        assert loaded.graph_path("encoder", loaded.precisions()[0]).is_relative_to(bundle)
    except EdgeCodecError as error:
        assert str(error)


@pytest.mark.parametrize("content", [b"", DEEP, b"null", b"[]", b"\xff", None])
def test_what_is_no_manifest_at_all(bundle: Path, content: bytes | None) -> None:
    (bundle / MANIFEST_NAME).write_bytes(content or b"")
    if content is None:
        os.truncate(bundle / MANIFEST_NAME, 1 << 40)
    with pytest.raises(EdgeCodecError):
        load_bundle(bundle)


def make_ecf(frames: int = 200) -> bytes:
    file = io.BytesIO()
    header = EcfHeader.for_codec(
        SPEC,
        channels=1,
        layers=3,
        model_name="stub",
        model_hash="00" * 32,
        source_rate_hz=16_000,
        source_channels=1,
    )
    writer = EcfWriter(file, header)
    writer.write(np.zeros((frames, 1, 3), np.int64))
    writer.finish(length_samples=frames * SPEC.hop_samples, loudness_dbfs=-20.0)
    return file.getvalue()


ECF = make_ecf()


@FUZZ
@given(data=st.data())
def test_ecf_files(data: st.DataObject) -> None:
    damaged = bytearray(ECF)
    for _ in range(data.draw(st.integers(0, 6))):
        at = data.draw(st.integers(0, len(damaged)))
        junk = data.draw(st.sampled_from([b"", b"\0", SYNC, ECF[:40], b"\xff" * 9]) | st.binary())
        damaged[at : at + data.draw(st.integers(0, 30))] = junk
    frames = 0
    try:
        for block in EcfReader(io.BytesIO(bytes(damaged))).blocks():
            assert len(block.codes) <= 0xFFFF
            frames += len(block.codes)
    except EdgeCodecError as error:
        assert str(error)
    assert frames <= 1 << 19


@pytest.mark.parametrize("junk", [b"\0", bytes(range(256))])
def test_endless_junk_is_given_up(junk: bytes) -> None:
    """`/dev/zero`, a disk image."""

    class Endless(io.RawIOBase):
        given = 0

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
            assert self.given < 2 * PATIENCE_BYTES, "not given up"
            size = len(buffer) // len(junk) * len(junk)
            buffer[:size] = junk * (size // len(junk))
            self.given += size
            return size

    with pytest.raises(EdgeCodecError, match=r"not an \.ecf file"):
        EcfReader(io.BufferedReader(Endless()))
