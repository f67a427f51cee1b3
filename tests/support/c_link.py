"""The C library of the link: its builds, and its events in the words of the Python receiver."""

import shutil
import struct
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from edge_codec.firmware_bridge import (
    EndReason,
    Event,
    FramesReceived,
    HelloReceived,
    LinkStats,
    MessageReceived,
    MessageType,
    PacketDamaged,
    PacketsLost,
    StreamEnded,
    StreamProfile,
    StreamStarted,
)
from edge_codec.firmware_bridge.bits import IntArray
from support.repository import REPOSITORY

C_FOLDER = REPOSITORY / "firmware_bridge" / "c"
BRIDGE = C_FOLDER / "examples" / "bridge"
HOST = C_FOLDER / "host"
SANITIZE = ("-g", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
_STRICT = ("-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror")
_DAMAGE = ["", "stuffing", "short", "oversize", "crc", "version", "type", "length", "content"]
_DAMAGE += ["secured", "profile"]
_ENDS = [EndReason.END, EndReason.TIMEOUT, EndReason.REPLACED]
_MESSAGES = {MessageType.CTRL: 3, MessageType.TEXT: 4, MessageType.CLIP: 5, MessageType.STAT: 6}


def build(program: str, folder: Path, *flags: str, compiler: str | None = None) -> Path:
    """Compile the library with one of its programs, warnings as errors."""
    compiler = compiler or shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler: install gcc or clang to test the C library")
    folder.mkdir(exist_ok=True)
    vectors = C_FOLDER / "tests" / "golden_header.py"
    subprocess.run([sys.executable, vectors, folder], check=True)
    sources = [*_sources(program), *sorted(C_FOLDER.glob("*.c"))]
    includes = [f"-I{path}" for path in (C_FOLDER, C_FOLDER / "tests", BRIDGE, HOST, folder)]
    command = [compiler, *_STRICT, *flags, *includes, *sources, "-o", folder / program]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    return folder / program


def _sources(program: str) -> list[Path]:
    if program == "bridge_host":
        return [*sorted(BRIDGE.glob("*.c")), *sorted(HOST.glob("*.c"))]
    main = C_FOLDER / "tests" / f"{program}.c"
    if program == "test_bridge":
        return [main, *sorted(BRIDGE.glob("*.c")), HOST / "sx127x_sim.c"]
    return [main]


def run(program: Path, *arguments: object, data: bytes = b"") -> bytes:
    """Run a test program; its complaints are the test's."""
    ran = subprocess.run(
        [program, *map(str, arguments)], input=data, capture_output=True, check=False
    )
    assert ran.returncode == 0, ran.stderr.decode()
    return ran.stdout


def records(timed: Iterable[tuple[float, bytes]]) -> bytes:
    """(time in s, bytes) as the driver reads them."""
    return b"".join(struct.pack(">IH", round(t * 1000), len(data)) + data for t, data in timed)


def profile_numbers(profile: StreamProfile) -> tuple[int, ...]:
    """A profile on the driver's command line."""
    return (
        profile.layers,
        profile.base_layers,
        profile.bits_per_code,
        profile.frames_per_superframe,
        profile.superframe_ms,
    )


def packed_codes(codes_FK: IntArray) -> bytes:
    """Codes as the driver reads them."""
    return codes_FK.astype(">u2").tobytes()


def lines_of(events: Iterable[Event]) -> list[str]:
    """What the driver prints for these events; superframes told as lost are not repeated."""
    return [" ".join(map(str, words)) for event in events if (words := _words(event))]


def stats_line(stats: LinkStats) -> str:
    """The driver's last line; its memory of late ones is shorter, so those share a count."""
    counters = [
        stats.bytes_received,
        stats.voice_received,
        stats.hello_received,
        stats.end_received,
        stats.message_received,
        stats.voice_delivered,
        stats.voice_recovered,
        stats.voice_lost,
        stats.voice_duplicate + stats.voice_late,
        stats.damaged_framing,
        stats.damaged_crc,
        stats.refused,
        stats.streams_started,
        stats.streams_replaced,
    ]
    return " ".join(map(str, ["stats", *counters]))


def _words(event: Event) -> list[Any]:
    words: list[Any] = []
    match event:
        case StreamStarted(tag, profile):
            words = ["started", tag, *profile_numbers(profile)]
        case HelloReceived(tag, hello):
            calls = [repr(hello.destination), repr(hello.source), hello.model_hash.hex()]
            numbers = profile_numbers(hello.profile)
            words = ["hello", tag, *calls, *numbers, hello.nonce.hex(), hello.epoch]
        case FramesReceived(tag, sequence, codes_FK, valid_layers_F) if valid_layers_F.any():
            rows = zip(codes_FK, valid_layers_F, strict=True)
            frames = [f"{n}:" + "".join(f"{code:x}," for code in row[:n]) for row, n in rows]
            words = ["frames", tag, sequence, *frames]
        case PacketsLost(tag, count):
            words = ["lost", tag, count]
        case MessageReceived(tag, kind, sequence, payload):
            words = ["message", tag, _MESSAGES[kind], sequence, payload.hex()]
        case PacketDamaged(reason):
            words = ["damaged", 0, _DAMAGE.index(reason.value)]
        case StreamEnded(tag, reason):
            words = ["ended", tag, _ENDS.index(reason)]
    return words
