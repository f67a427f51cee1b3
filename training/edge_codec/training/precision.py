"""Where the parts of a training are computed, and in which number format.

On a GPU: the codec in TF32, the discriminators in bfloat16. On a CPU, which has no TF32: the
codec's blocks in bfloat16 if the recipe says so. Transforms, quantizer and losses always see all
bits of float32.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

import torch

from edge_codec.runtime.errors import ConfigError


def check_device(name: str) -> None:
    """Refuse a device that is not here before anything is loaded.

    Raises:
        ConfigError: it is no CPU, and no GPU that torch can use.
    """
    try:
        kind = torch.device(name).type
    except RuntimeError:
        kind = ""
    if kind != "cpu" and not (kind == "cuda" and torch.cuda.is_available()):
        raise ConfigError(f"no device {name!r} here; leave --device out to train on the CPU")


def start_tf32(device: torch.device) -> None:
    """Let matrix products and convolutions on a GPU round their inputs to TF32."""
    if device.type == "cuda":
        _set_tf32(True)


@contextmanager
def all_bits() -> Iterator[None]:
    """No TF32 inside: for transforms, the quantizer and losses."""
    before = torch.backends.cuda.matmul.allow_tf32
    _set_tf32(False)
    try:
        yield
    finally:
        _set_tf32(before)


def codec_format(device: torch.device, *, bf16: bool) -> AbstractContextManager[object]:
    """Number format of the codec's blocks."""
    return torch.autocast(device.type, torch.bfloat16, enabled=bf16 and device.type == "cpu")


def _set_tf32(is_allowed: bool) -> None:
    torch.backends.cuda.matmul.allow_tf32 = is_allowed
    torch.backends.cudnn.allow_tf32 = is_allowed
