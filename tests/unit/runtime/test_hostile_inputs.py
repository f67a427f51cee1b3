"""Damaged recordings, configuration files and port URLs: one clear error, or what is left."""

import argparse
import contextlib
import io
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from edge_codec.firmware_bridge import LinkError
from edge_codec.runtime.audio import mixed, open_source
from edge_codec.runtime.commands import rx, tx
from edge_codec.runtime.configuration import ConfigurableParser
from edge_codec.runtime.errors import ConfigError, EdgeCodecError
from edge_codec.runtime.file_encoder import find_gain_db
from edge_codec.runtime.ports import is_line, is_transparent
from edge_codec.runtime.ports.url import PortUrl

INPUTS = 200
TONE_T = np.sin(np.arange(2000) / 9).astype(np.float32) / 5
CONFIG = b"""port = "/dev/ttyUSB0"
baud = 9600
[tx]
bitrate = 3000
vox = true
[rx]
output = "speaker"
"""
URLS = (
    b"udp://[ff15::5]:5004",
    b"kiss-tcp://localhost:8001?ax25=AB1CD-5&to=V&port=1",
    b"serial:///dev/ttyUSB0?rtscts&rts=0",
    b"a file",
)


def mutants(whole: bytes, *, seed: int) -> Iterator[bytes]:
    """The same bytes with some flipped, changed, added, lost or doubled."""
    rng = random.Random(seed)
    for _ in range(INPUTS):
        data = bytearray(whole)
        for _ in range(rng.choice((1, 2, 8))):
            at, size = rng.randrange(len(data) + 1), rng.randrange(1, 40)
            junk = rng.choice((b"", b"\0", b"\xff" * 4, rng.randbytes(size), bytes(data[:size])))
            data[at : at + rng.choice((0, 1, size))] = junk
        yield bytes(data)


def survives(read: Callable[[bytes], object], inputs: Iterator[bytes]) -> int:
    """How many were refused; every other way to fail is a bug."""
    refused = 0
    for data in inputs:
        try:
            read(data)
        except (EdgeCodecError, LinkError, SystemExit) as error:
            assert str(error)
            refused += 1
    return refused


@pytest.mark.parametrize(
    ("kind", "subtype"),
    [("WAV", "PCM_16"), ("WAV", "FLOAT"), ("FLAC", "PCM_16"), ("OGG", "VORBIS")],
)
def test_recordings(tmp_path: Path, kind: str, subtype: str) -> None:
    file, path = io.BytesIO(), tmp_path / "damaged"
    soundfile.write(file, TONE_T, 16_000, format=kind, subtype=subtype)

    def read(data: bytes) -> None:
        path.write_bytes(data)
        find_gain_db(str(path), 1, -23.0)
        with open_source(str(path), 16_000) as source:
            for chunk in mixed(source.chunks()):
                assert np.isfinite(chunk).all()

    assert 0 < survives(read, mutants(file.getvalue(), seed=1)) < INPUTS


def test_configuration_files(tmp_path: Path) -> None:
    parser, path = ConfigurableParser(prog="edge-codec"), tmp_path / "radio.toml"
    subparsers = parser.add_subparsers()
    for command in (tx, rx):
        command.register(subparsers)

    def read(data: bytes) -> argparse.Namespace:
        path.write_bytes(data)
        with contextlib.redirect_stderr(io.StringIO()):
            return parser.parse_args(["tx", "--config", str(path)])

    assert 0 < survives(read, mutants(CONFIG, seed=2)) < INPUTS
    with pytest.raises(ConfigError, match="port must be a number or text"):
        read(b'port = "a\\u0000b"\n')


@pytest.mark.parametrize("url", URLS)
def test_port_urls(url: bytes) -> None:
    def read(data: bytes) -> None:
        text = data.replace(b"\0", b"").decode(errors="surrogateescape")  # words hold no zeros
        is_line(text)
        is_transparent(text)
        parsed = PortUrl.parse(text)
        parsed.is_on("rtscts")
        parsed.host_and_port(needs_host=True)

    assert survives(read, mutants(url, seed=3)) > 0
