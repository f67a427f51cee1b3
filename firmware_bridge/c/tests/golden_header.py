"""Write the golden link vectors as C headers, for the tests of the C library.

Run as: python golden_header.py FOLDER. Makes golden_packets.h and golden_raw.h in it: hex
strings and numbers only.
"""

import json
import sys
from collections.abc import Iterable
from pathlib import Path

_GOLDEN = Path(__file__).parents[3] / "tests" / "golden" / "link"
_PROFILE_FIELDS = ("layers", "base", "bits", "frames", "superframe_ms")
_TYPES = """
typedef struct { const char *plain, *coded; } golden_pair_t;
typedef struct { const char *name, *packet, *wire; } golden_packet_t;
typedef struct { const char *name; edge_profile_t profile; int id; const char *hex;
} golden_profile_t;
typedef struct { const char *profile; int superframes, red, count; const char *wire[8];
} golden_spurt_t;
"""


def _quoted(values: Iterable[str]) -> str:
    return ", ".join(f'"{value}"' for value in values)


def _table(kind: str, name: str, rows: Iterable[str]) -> str:
    lines = "".join(f"    {{{row}}},\n" for row in rows)
    return f"static const {kind} {name}[] = {{\n{lines}}};\n"


def _pairs(name: str, values: dict[str, str]) -> str:
    return _table("golden_pair_t", name, map(_quoted, values.items()))


def _profiles(name: str, profiles: dict[str, dict]) -> str:
    rows = (
        f'"{key}", {{{", ".join(str(p[field]) for field in _PROFILE_FIELDS)}}},'
        f' {p.get("id", 255)}, "{p.get("hex", "")}"'
        for key, p in profiles.items()
    )
    return _table("golden_profile_t", name, rows)


def _spurt(profile: str, wire: list[str], superframes: int, red: int = 0) -> str:
    return f'"{profile}", {superframes}, {red}, {len(wire)}, {{{_quoted(wire)}}}'


def packets_header() -> str:
    """Vectors of the P framing."""
    golden = json.loads((_GOLDEN / "packets.json").read_text())
    packets = (_quoted([n, p["packet"], p["wire"]]) for n, p in golden["packets"].items())
    return "\n".join(
        [
            _TYPES,
            _pairs("golden_crc16", golden["crc16"]),
            _pairs("golden_cobs", golden["cobs"]),
            _pairs("golden_callsigns", golden["callsigns"]),
            _profiles("golden_profiles", golden["descriptors"]),
            _table("golden_packet_t", "golden_packets", packets),
            _table("golden_spurt_t", "golden_spurts", (_spurt(**s) for s in golden["spurts"])),
        ]
    )


def raw_header() -> str:
    """Vectors of the R framing."""
    golden = json.loads((_GOLDEN / "raw_frames.json").read_text())
    block = golden["convolution"]
    spurts = (_spurt(name, wire, len(wire) - 3) for name, wire in golden["spurts"].items())
    return "\n".join(
        [
            _TYPES,
            _pairs("golden_golay", golden["golay"]),
            _pairs("golden_crc8", golden["crc8"]),
            _pairs("golden_full", {block["bits"]: block["full"]}),
            _pairs("golden_punctured", {block["bits"]: block["punctured"]}),
            _pairs("golden_whitening", {"": golden["whitening"]}),
            _pairs("golden_strides", {n: str(stride) for n, stride in golden["strides"].items()}),
            _profiles("golden_profiles", golden["profiles"]),
            _table("golden_spurt_t", "golden_spurts", spurts),
        ]
    )


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    (folder / "golden_packets.h").write_text(packets_header())
    (folder / "golden_raw.h").write_text(raw_header())
