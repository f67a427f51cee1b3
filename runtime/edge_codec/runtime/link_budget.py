"""The table of modes in words and numbers, for people and machines. No I/O."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from edge_codec.firmware_bridge import Framing, Line, Mode, modes
from edge_codec.runtime.spec import CodecSpec

Row = dict[str, Any]
Column = tuple[str, str, str]
"""Heading, field, format."""

COLUMNS: Sequence[Column] = (
    ("mode", "mode", "s"),
    ("layers", "layers", "d"),
    ("base", "base_layers", "d"),
    ("superframe ms", "superframe_ms", "d"),
    ("bytes", "superframe_bytes", "d"),
    ("bit/s on the line", "gross_bps", ".0f"),
    ("with HELLO", "needed_bps", ".0f"),
    ("overhead", "overhead", ".0%"),
    ("mouth to ear ms", "mouth_to_ear_ms", "d"),
    ("BER base", "ber_base", ".0e"),
    ("BER all", "ber_all", ".0e"),
)
BUDGET_COLUMNS: Sequence[Column] = (
    ("mode", "mode", "s"),
    ("bit/s on the line", "needed_bps", ".0f"),
    ("of the line", "load", ".0%"),
    ("overhead", "overhead", ".0%"),
    ("mouth to ear ms", "mouth_to_ear_ms", "d"),
    ("BER base", "ber_base", ".0e"),
    ("BER all", "ber_all", ".0e"),
)


def all_modes(spec: CodecSpec) -> list[Mode]:
    """Every mode of a codec, packets first."""
    codec = (spec.layers, spec.bits_per_code, spec.frame_rate_hz)
    return [mode for framing in Framing for mode in modes(*codec, framing=framing)]


def describe(mode: Mode, *, red: bool = False) -> Row:
    """One mode, without a line; bit error rates are those survived, see `Mode`."""
    red = red and mode.framing is Framing.PACKET
    profile = mode.profile
    repeated_ms = profile.superframe_ms if red else 0
    return {
        "mode": mode.name,
        "layers": profile.layers,
        "base_layers": profile.base_layers,
        "codec_bps": profile.codec_bitrate_bps,
        "superframe_ms": profile.superframe_ms,
        "superframe_bytes": mode.superframe_bytes(red=red),
        "gross_bps": mode.gross_bps(red=red),
        "needed_bps": mode.needed_bps(red=red),
        "overhead": mode.overhead(red=red),
        "mouth_to_ear_ms": mode.mouth_to_ear_ms + repeated_ms,
        "ber_base": mode.survived_ber(base_only=True),
        "ber_all": mode.survived_ber(),
    }


def budget(mode: Mode, line: Line, *, red: bool = False) -> Row:
    """One mode on a line."""
    row = describe(mode, red=red)
    load = row["needed_bps"] / line.rate_bps
    return row | {"load": load, "fits": row["needed_bps"] <= line.usable_bps}


def table(rows: Iterable[Mapping[str, Any]], columns: Sequence[Column]) -> str:
    """Rows as text, columns lined up."""
    cells = [[heading for heading, _, _ in columns]]
    cells += [[format(row[field], style) for _, field, style in columns] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = (
        "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True))
        for row in cells
    )
    return "\n".join(lines) + "\n"
