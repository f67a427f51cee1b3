"""The table of modes: every framing and bitrate of a codec, what each needs and survives.

One table, from which the command line, the documents and the link budget are made. Knows
profiles, no packets.
"""

from dataclasses import dataclass

from edge_codec.firmware_bridge.errors import LocalLinkError
from edge_codec.firmware_bridge.profile import (
    MAX_LAYERS,
    Framing,
    StreamProfile,
    framed_bytes,
    profile_for,
)
from edge_codec.firmware_bridge.raw_format import RawFormat, raw_profile_for
from edge_codec.firmware_bridge.survival import survived_ber

_SERIAL_JITTER_MS = 40


@dataclass(frozen=True, kw_only=True, slots=True)
class Mode:
    """One row of the table of modes."""

    framing: Framing
    """Packets or raw frames."""
    profile: StreamProfile
    """How such a stream is packed."""
    tag_bytes: int = 0
    """Of the tag that secures each packet; 0: none, but a CRC."""

    @property
    def name(self) -> str:
        """Framing and the codec's bits per second, as in P3000."""
        return f"{self.framing}{self.profile.codec_bitrate_bps:.0f}"

    @property
    def mouth_to_ear_ms(self) -> int:
        """Fill a superframe, hold one in the jitter buffer, and one code frame."""
        frame_ms = round(self.profile.frame_duration_us / 1000)
        return 2 * self.profile.superframe_ms + _SERIAL_JITTER_MS + frame_ms

    def superframe_bytes(self, *, red: bool = False) -> int:
        """Most bytes of one superframe on the wire; RED is for packets only."""
        if self.framing is Framing.RAW:
            return RawFormat(self.profile).frame_bytes
        return framed_bytes(self.profile.packet_bytes(red=red, tag_bytes=self.tag_bytes))

    def gross_bps(self, *, red: bool = False) -> float:
        """Bits per second on the wire, HELLOs left out."""
        return self.superframe_bytes(red=red) * 8 / self.profile.superframe_s

    def needed_bps(self, *, red: bool = False) -> float:
        """Bits per second on the wire, HELLOs included."""
        if self.framing is Framing.RAW:
            return self.gross_bps() + RawFormat(self.profile).hello_bitrate_bps()
        return self.gross_bps(red=red) + self.profile.hello_bitrate_bps(tag_bytes=self.tag_bytes)

    def overhead(self, *, red: bool = False) -> float:
        """What the wire carries beyond the codes, as a share of them; HELLOs left out."""
        return self.gross_bps(red=red) / self.profile.codec_bitrate_bps - 1

    def survived_ber(self, *, base_only: bool = False) -> float:
        """Highest rate of random bit errors at which at most 1 % of base layers are erased.

        Without `base_only`: at which at most 5 % of superframes lack any layer. See `survival`.
        """
        return survived_ber(self.framing, self.profile, base_only=base_only)


def modes(
    layers: int = 12,
    bits_per_code: int = 10,
    frame_rate_hz: float = 50.0,
    *,
    framing: Framing = Framing.PACKET,
) -> list[Mode]:
    """Every mode of a codec, one per number of layers that the link can carry, lowest first."""
    make = raw_profile_for if framing is Framing.RAW else profile_for
    return [
        Mode(framing=framing, profile=make(n, bits_per_code, frame_rate_hz))
        for n in range(1, min(layers, MAX_LAYERS) + 1)
    ]


def find_mode(name: str, layers: int, bits_per_code: int, frame_rate_hz: float) -> Mode:
    """The mode of this name, such as P3000 or r3000, of a codec.

    Raises:
        LocalLinkError: the codec has no such mode; the message lists those it has.
    """
    codec = (layers, bits_per_code, frame_rate_hz)
    table = {m.name: m for framing in Framing for m in modes(*codec, framing=framing)}
    if (mode := table.get(name.upper())) is None:
        raise LocalLinkError(f"no mode {name}: this model has {', '.join(table)}")
    return mode


def steps_below(mode: Mode) -> list[Mode]:
    """The mode and those to step down to when a line is late: half the layers each time.

    >>> [mode.name for mode in steps_below(modes()[11])]
    ['P6000', 'P3000', 'P1500', 'P500']
    """
    profile = mode.profile
    codec = (profile.layers, profile.bits_per_code, profile.frame_rate_hz)
    table, steps = modes(*codec, framing=mode.framing), [mode]
    while (layers := steps[-1].profile.layers // 2) > 0:
        steps.append(table[layers - 1])
    return steps
