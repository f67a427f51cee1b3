"""What both ends of a radio link must agree on about a codec. Standard library only.

Everything else (bytes per packet, graph shapes, file headers) is derived from these numbers.
"""

from dataclasses import asdict, dataclass, fields
from math import isfinite, prod
from typing import Any

from edge_codec.runtime.errors import CodeRangeError, ConfigError


@dataclass(frozen=True, kw_only=True, slots=True)
class CodecSpec:
    """Rates and sizes of one codec; one code frame is `hop_samples` of audio <-> `layers` codes."""

    sample_rate_hz: int
    """Rate of the mono audio the codec works on."""
    strides: tuple[int, ...]
    """Down-sampling factors from samples to code frames; their product is the hop."""
    layers: int
    """RVQ layers, each giving one code per code frame."""
    bits_per_code: int
    """Bits of one code; a codebook has 2**bits_per_code entries."""
    delay_samples: int
    """Samples by which the decoded audio lags the input, beyond the wait for a whole frame."""

    def __post_init__(self) -> None:
        if self.sample_rate_hz <= 0 or not self.strides or min(self.strides) <= 0:
            raise ConfigError(f"codec spec needs positive rate and strides, got {self}")
        if self.layers <= 0 or not 1 <= self.bits_per_code <= 16:
            raise ConfigError(f"codec spec needs layers >= 1 and 1 to 16 bits a code, got {self}")
        if self.delay_samples < 0:
            raise ConfigError(f"codec delay cannot be negative, got {self.delay_samples} samples")

    @property
    def hop_samples(self) -> int:
        """Samples of audio in one code frame."""
        return prod(self.strides)

    @property
    def frame_rate_hz(self) -> float:
        """Code frames per second."""
        return self.sample_rate_hz / self.hop_samples

    @property
    def codebook_size(self) -> int:
        """Entries of each codebook; also the index that means "not sent"."""
        return 1 << self.bits_per_code

    def bitrate_bps(self, layers: int) -> float:
        """Codec bits per second when `layers` layers of every frame are sent.

        Raises:
            CodeRangeError: the codec has fewer layers.
        """
        if not 1 <= layers <= self.layers:
            raise CodeRangeError(f"{layers} layers asked for; this codec has 1 to {self.layers}")
        return layers * self.bits_per_code * self.frame_rate_hz

    def layers_for(self, bitrate_bps: float) -> int:
        """Layers whose bits fit in `bitrate_bps`, at most all of them.

        Raises:
            CodeRangeError: not even one layer fits, or it is no number.
        """
        if not isfinite(bitrate_bps):
            raise CodeRangeError(f"{bitrate_bps} is no bitrate; give a number of bits per second")
        layers = int(bitrate_bps / self.bitrate_bps(1) + 1e-9)
        if layers < 1:
            lowest = self.bitrate_bps(1)
            raise CodeRangeError(
                f"{bitrate_bps:g} bit/s is below the lowest rate of this codec; give {lowest:g}"
            )
        return min(layers, self.layers)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready fields, as a bundle manifest stores them."""
        return asdict(self) | {"strides": list(self.strides)}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "CodecSpec":
        """Inverse of `to_dict`.

        Raises:
            ConfigError: a field is missing, unknown or not a whole number.
        """
        names = {field.name for field in fields(cls)}
        if not isinstance(data, dict) or set(data) != names:
            raise ConfigError(f"codec spec needs exactly the fields {sorted(names)}, got {data!r}")
        strides = data["strides"]
        numbers = [value for name, value in data.items() if name != "strides"]
        if not isinstance(strides, list | tuple):
            raise ConfigError(f"codec strides must be a list, got {strides!r}")
        if any(type(value) is not int for value in [*numbers, *strides]):
            raise ConfigError(f"codec spec fields must be whole numbers, got {data!r}")
        return cls(**(data | {"strides": tuple(strides)}))
