"""What a board gets: which graphs, for calls of which length, and how it should run them.

A target is a TOML file in `targets/`, found by its name, or any file of that form.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_codec.runtime.backends.tflite import INT8_STORAGE
from edge_codec.runtime.errors import ConfigError
from edge_codec.runtime.manifest import AUTO, BACKENDS, MAX_THREADS, PROVIDERS
from edge_codec.runtime.spec import CodecSpec
from edge_codec.training.typed_toml import build, read_table

PRECISIONS = {"onnx": ("fp32", "int8"), "tflite": ("fp32", "int8", INT8_STORAGE)}
"""Back end -> numeric precisions of its graphs."""
MAX_CALL_FRAMES = 25
"""The runtime never makes a longer call."""

_HERE = Path(__file__).resolve().parent
FOLDERS = (_HERE / "targets", _HERE.parents[1] / "targets")
"""In a wheel; in a checkout."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """One kind of board; without any field, ONNX graphs for every machine."""

    name: str = "any"
    """What the board is called."""
    onnx: tuple[str, ...] = ()
    """Precisions of the ONNX graphs; none, or fp32 and maybe more."""
    tflite: tuple[str, ...] = ()
    """Precisions of the TFLite graphs."""
    backend: str = AUTO
    """What runs it there: onnx, tflite, or auto for the faster one."""
    call_ms: tuple[int, ...] = (20,)
    """Lengths of the calls that TFLite graphs take, in milliseconds of audio."""
    threads: int = 1
    """Threads that one call may use."""
    providers: tuple[str, ...] = ("cpu",)
    """Where ONNX Runtime computes, best first: cpu, cuda, tensorrt."""
    max_mb: float = 0.0
    """Most that the int8 graphs of one back end may have, in megabytes; 0 for no limit."""

    def __post_init__(self) -> None:
        _check(self.name, "onnx", self.onnx, PRECISIONS["onnx"])
        _check(self.name, "tflite", self.tflite, PRECISIONS["tflite"])
        _check(self.name, "providers", self.providers, PROVIDERS)
        _check(self.name, "backend", (self.backend,), (AUTO, *BACKENDS))
        if not self.onnx and not self.tflite:
            raise ConfigError(f"target {self.name} has neither onnx nor tflite graphs")
        if self.onnx and "fp32" not in self.onnx:
            raise ConfigError(f"target {self.name}: onnx needs fp32 graphs beside others")
        if self.backend != AUTO and not getattr(self, self.backend, ()):
            raise ConfigError(f"target {self.name} runs {self.backend} and has no graphs for it")
        if not 1 <= self.threads <= MAX_THREADS or self.max_mb < 0:
            raise ConfigError(f"target {self.name}: threads are 1 to {MAX_THREADS}, max_mb >= 0")

    def call_frames(self, spec: CodecSpec) -> list[int]:
        """Code frames of each length of call; one is always among them.

        Raises:
            ConfigError: a length is not a whole number of frames, or too many.
        """
        frames = {call_ms: call_ms * spec.frame_rate_hz / 1000 for call_ms in self.call_ms}
        for call_ms, count in frames.items():
            if count != int(count) or not 1 <= count <= MAX_CALL_FRAMES:
                frame_ms = 1000 / spec.frame_rate_hz
                raise ConfigError(
                    f"target {self.name}: a call of {call_ms} ms is not 1 to {MAX_CALL_FRAMES} "
                    f"frames of {frame_ms:g} ms"
                )
        return sorted({1, *map(int, frames.values())})

    def to_manifest(self) -> dict[str, Any]:
        """What the runtime is told of it."""
        return {
            "name": self.name,
            "backend": self.backend,
            "threads": self.threads,
            "providers": list(self.providers),
        }


def load_target(name_or_path: str) -> Target:
    """A target by its name, or by the path of its file.

    Raises:
        ConfigError: there is none, or the file is not valid.
    """
    found = {path.stem: path for folder in FOLDERS for path in sorted(folder.glob("*.toml"))}
    path = found.get(name_or_path, Path(name_or_path))
    if not path.is_file():
        raise ConfigError(
            f"no target {name_or_path!r}; give one of {', '.join(found)}, or a TOML file"
        )
    return build(Target, read_table(path), where=str(path))


def _check(target: str, field: str, values: tuple[str, ...], known: tuple[str, ...]) -> None:
    if unknown := [value for value in values if value not in known]:
        raise ConfigError(
            f"target {target}: {field} cannot be {unknown[0]!r}; it can be {', '.join(known)}"
        )
