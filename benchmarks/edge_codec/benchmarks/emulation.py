"""Boards that are not there: their processors by qemu-user, instructions counted instead of time.

    python -m edge_codec.benchmarks.emulation voice-m --work .cache/emulation --report out/

Nothing of the host is changed and no rights are needed to run: qemu looks files up below a Debian
arm64 root first, so a board's `/proc/cpuinfo` and `/sys` are plain files there. Making that root
needs mmdebstrap, and root or user namespaces. `host` counts on this machine's own architecture.
"""

import argparse
import os
import shutil
import sys
import tempfile
import tomllib
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cobs
from tqdm import tqdm

from edge_codec.benchmarks.board import EMULATED_VARIABLE
from edge_codec.benchmarks.processes import output_of
from edge_codec.benchmarks.record import Record, load_record
from edge_codec.benchmarks.reports import store
from edge_codec.benchmarks.source import commit, source_doubts
from edge_codec.runtime.bundle import Bundle, load_bundle
from edge_codec.runtime.errors import ConfigError, EdgeCodecError, MissingExtraError

SOURCES = Path(__file__).parents[2]
"""The folder `benchmarks` of a checkout."""
PARTS = ("runtime", "firmware_bridge", "benchmarks")
SUITE, PYTHON = "bookworm", "3.11"
PACKAGES = ("libpython3.11-stdlib", "python3.11-minimal", "libstdc++6", "libffi8", "libssl3")
WHEELS = (
    "ai-edge-litert", "fastcrc", "numpy", "onnxruntime", "pyserial", "soundfile", "soxr",
    "tqdm",
)  # fmt: skip
WHEEL_PLATFORMS = tuple(
    f"manylinux{version}_aarch64" for version in ("2014", "_2_17", "_2_26", "_2_27", "_2_28")
)
HOST = "host"


@dataclass(frozen=True, kw_only=True, slots=True)
class EmulatedBoard:
    """A file of `benchmarks/boards`."""

    model: str
    soc: str
    qemu_cpu: str
    cpu_part: str
    """Part number in MIDR_EL1, as `/proc/cpuinfo` shows it."""
    features: str
    cores: int
    memory_mb: int

    def files(self) -> dict[str, str]:
        """What the board shows below its root; inference libraries choose their kernels by it."""
        cpus = "".join(
            f"processor\t: {core}\nFeatures\t: {self.features}\nCPU implementer\t: 0x41\n"
            f"CPU architecture: 8\nCPU variant\t: 0x0\nCPU part\t: {self.cpu_part}\n"
            f"CPU revision\t: 1\n\n"
            for core in range(self.cores)
        )
        span = f"0-{self.cores - 1}\n"
        memory_kib = self.memory_mb * 10**6 // 1024
        return {
            "proc/cpuinfo": cpus,
            "proc/meminfo": f"MemTotal: {memory_kib} kB\n",
            "proc/device-tree/compatible": self.soc,
            "sys/devices/system/cpu/possible": span,
            "sys/devices/system/cpu/present": span,
            "sys/devices/system/cpu/online": span,
        }


def main(argv: Sequence[str] | None = None) -> int:
    """Count on every board asked for, and write one record each."""
    args = _parse(argv)
    try:
        for path in run(args.model, args.boards, args.work, args.report):
            print(path)
    except EdgeCodecError as error:
        print(f"emulation: {error}", file=sys.stderr)
        return 1
    return 0


def run(model: str, boards: Sequence[str], work: Path, report: Path) -> list[Path]:
    """Records of a model on every board, below `report`.

    Raises:
        MissingExtraError: qemu-user, gcc or mmdebstrap is not installed.
        EdgeCodecError: a board fails: what it said.
    """
    bundle = load_bundle(model)
    work.mkdir(parents=True, exist_ok=True)
    plugin = _build_plugin(work)
    root = make_root(work) if set(boards) - {HOST} else work
    paths = []
    for name in tqdm(boards, "boards", disable=None):
        record = (
            count_host(bundle, plugin) if name == HOST else count_on(name, bundle, root, plugin)
        )
        folder = report / (record.board.architecture if name == HOST else name)
        paths.append(store(record, folder))
    return paths


def load_board(name: str) -> EmulatedBoard:
    """A board by the name of its file.

    Raises:
        ConfigError: there is no such board.
    """
    path = SOURCES / "boards" / f"{name}.toml"
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in path.parent.glob("*.toml")))
        raise ConfigError(f"no board {name!r}; there are {known} and {HOST}")
    return EmulatedBoard(**tomllib.loads(path.read_text(encoding="utf-8")))


def count_host(bundle: Bundle, plugin: Path) -> Record:
    """Count on this architecture, with the best processor that qemu offers."""
    qemu = _find(f"qemu-{os.uname().machine}", "qemu-user")
    return _count([qemu, "-cpu", "max"], sys.executable, bundle, plugin, dict(os.environ))


def count_on(name: str, bundle: Bundle, root: Path, plugin: Path) -> Record:
    """Count on an emulated board."""
    board = load_board(name)
    for file, text in board.files().items():
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).write_text(text, encoding="utf-8")
    folders = [*(str(SOURCES.parent / part) for part in PARTS), str(root / "wheels")]
    environment = {
        "PATH": "",
        "PYTHONPATH": ":".join(folders),
        "EDGE_CODEC_LINK": "python",
        EMULATED_VARIABLE: board.model,
    }
    qemu = [_find("qemu-aarch64", "qemu-user"), "-L", str(root), "-cpu", board.qemu_cpu]
    python = str(root / f"usr/bin/python{PYTHON}")
    return _count(qemu, python, bundle, plugin, environment)


def _count(
    qemu: list[str], python: str, bundle: Bundle, plugin: Path, environment: dict[str, str]
) -> Record:
    module = "edge_codec.benchmarks.instruction_probe"
    fixed = {"OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1"}
    with tempfile.TemporaryDirectory() as folder:
        counts = f"{folder}/counts"
        command = [*qemu, "-plugin", f"{plugin},out={counts}", python, "-m", module]
        command += [str(bundle.path.resolve()), counts]
        shown = output_of(command, environment | fixed)
        path = Path(folder) / "record.json"
        path.write_text(shown[shown.index("{") :], encoding="utf-8")
        record = load_record(path)
        warnings = dict.fromkeys(record.warnings + source_doubts())
        return replace(record, commit=commit(), warnings=list(warnings))


def make_root(work: Path) -> Path:
    """A Debian arm64 root with Python and the wheels that a board would install; made once.

    Raises:
        MissingExtraError: mmdebstrap is not installed.
        EdgeCodecError: a download failed.
    """
    root = work / f"{SUITE}-arm64"
    if (root / "wheels" / "numpy").is_dir():
        return root
    mmdebstrap = _find("mmdebstrap", "mmdebstrap")
    shutil.rmtree(root, ignore_errors=True)
    options = ["--variant=extract", "--architectures=arm64", f"--include={','.join(PACKAGES)}"]
    output_of([mmdebstrap, *options, "--dpkgopt=path-exclude=/usr/share/doc/*", SUITE, str(root)])
    _download_wheels(root / "wheels")
    return root


def _download_wheels(target: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        platforms = [word for name in WHEEL_PLATFORMS for word in ("--platform", name)]
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--only-binary=:all:"]
        output_of([*pip, "--python-version", PYTHON, *platforms, "--dest", folder, *WHEELS])
        for wheel in Path(folder).glob("*.whl"):
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(target)
    # Without a wheel for arm64; what it has in C is in Python, too.
    shutil.copytree(Path(cobs.__file__).parent, target / "cobs")


def _build_plugin(work: Path) -> Path:
    plugin = work / "icount.so"
    source = SOURCES / "emulation" / "icount.c"
    output_of([_find("gcc", "gcc"), "-O2", "-shared", "-fPIC", "-o", str(plugin), str(source)])
    return plugin.resolve()


def _find(program: str, package: str) -> str:
    found = shutil.which(program)
    if found is None:
        raise MissingExtraError(f"{program} is not installed: apt install {package}")
    return found


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="edge_codec.benchmarks.emulation")
    parser.add_argument("model", help="name or folder of a bundle")
    parser.add_argument("--boards", nargs="+", default=["pi-zero-2w", "pi-4", "pi-5", HOST])
    parser.add_argument("--work", type=Path, default=Path(".cache/emulation"), help="kept files")
    parser.add_argument("--report", type=Path, required=True, help="folder for the records")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
