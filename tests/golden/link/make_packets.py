"""Write packets.json: P packets worked out from docs/protocol.md with nothing but integers.

Imports nothing of edge_codec, so that the vectors check the code and not themselves.
Run by hand: python tests/golden/link/make_packets.py. Changing the file is a protocol change.
"""

import json
from pathlib import Path

CALLSIGN_ALPHABET = " ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-/."
P3000 = {"layers": 6, "base": 2, "bits": 10, "frames": 12, "superframe_ms": 240, "id": 6}
P500 = {"layers": 1, "base": 1, "bits": 10, "frames": 24, "superframe_ms": 480, "id": 1}
ODD = {"layers": 3, "base": 1, "bits": 5, "frames": 3, "superframe_ms": 60, "id": 0xFF}
TAG = 0x5C
VOICE, HELLO, END, CTRL, TEXT, CLIP, STAT = range(7)


def crc16(data: bytes) -> int:
    """CRC-16/IBM-3740, bit by bit."""
    crc = 0xFFFF
    for byte in data:
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1 ^ 0x1021 if crc & 0x8000 else crc << 1) & 0xFFFF
    return crc


def stuff(data: bytes) -> bytes:
    """COBS, then the zero that ends a packet."""
    out, rest = bytearray(), data + b"\0"
    while rest:
        run = rest[:254].partition(b"\0")[0]
        out += bytes([len(run) + 1]) + run
        # A full run stands for no zero; every shorter one for the zero behind it.
        rest = rest[254:] if len(run) == 254 else rest[len(run) + 1 :]
        if rest == b"\0" and len(run) == 254:
            break
    return bytes(out) + b"\0"


def callsign(text: str) -> bytes:
    """Base 40, first character least significant; groups count on behind all callsigns."""
    name = text.removeprefix("#")
    digits = [CALLSIGN_ALPHABET.index(c) for c in name]
    value = sum(d * 40**i for i, d in enumerate(digits))
    return (value + (40**9 if text != name else 0)).to_bytes(6, "big")


def to_bytes(bits: str) -> bytes:
    """A string of 0 and 1, first one most significant, padded with zeros behind."""
    bits += "0" * (-len(bits) % 8)
    return bytes(int(bits[i : i + 8], 2) for i in range(0, len(bits), 8))


def code(frame: int, layer: int, bits: int) -> int:
    """The made-up codes of every example."""
    return (37 * frame + 101 * layer + 5) % 2**bits


def layers_of(profile: dict, superframe: int, first: int, last: int) -> bytes:
    """Layers first to last-1 of one superframe, layer by layer, frame by frame."""
    bits, frames = profile["bits"], profile["frames"]
    start = superframe * frames
    return to_bytes(
        "".join(
            f"{code(frame, layer, bits):0{bits}b}"
            for layer in range(first, last)
            for frame in range(start, start + frames)
        )
    )


def descriptor(profile: dict) -> bytes:
    """24 bits: layers 5, base 3, bits 4, frames 6, superframe 6, each less one."""
    return to_bytes(
        f"{profile['layers'] - 1:05b}{profile['base'] - 1:03b}{profile['bits'] - 1:04b}"
        f"{profile['frames'] - 1:06b}{profile['superframe_ms'] // 10 - 1:06b}"
    )


def hello_body(profile: dict, destination: bytes = b"\xff" * 6) -> bytes:
    """Somebody, else everybody, is called by AB1CD."""
    model_hash, nonce, epoch = bytes.fromhex("1a2b3c4d"), bytes(range(8)), b"\x03"
    return destination + callsign("AB1CD") + model_hash + descriptor(profile) + nonce + epoch


def packet(
    kind: int, content: bytes, sequence: int = 0, profile_id: int = 0xFF, flags: int = 0
) -> bytes:
    """Header, content, CRC; flags: 2 RED, 1 FIRST, of HELLO and END the distance of RED."""
    data = bytes([0x40 | kind << 3 | flags, TAG, sequence, profile_id]) + content
    return data + crc16(data).to_bytes(2, "big")


def voice(profile: dict, superframe: int, layers: int, red: int = 0, first: int = 0) -> bytes:
    """A VOICE packet with `layers` layers, repeating the base class of `red` before."""
    base = layers_of(profile, superframe, 0, profile["base"])
    field = b""
    if red:
        field = bytes([red]) + layers_of(profile, superframe - red, 0, profile["base"])
    upper = layers_of(profile, superframe, profile["base"], layers)
    flags = 2 * bool(red) + first
    return packet(VOICE, base + field + upper, superframe % 256, profile["id"], flags)


def spurt(profile: dict, superframes: int, red: int) -> list[bytes]:
    """A whole talk spurt, as long as no HELLO has to be repeated."""
    hello = packet(HELLO, hello_body(profile), 0, profile["id"], red)
    voices = [
        voice(profile, n, profile["layers"], red if n >= red else 0, int(n == 0))
        for n in range(superframes)
    ]
    end = packet(END, hello_body(profile), superframes, profile["id"], red)
    first, *others = [stuff(p) for p in [hello, hello, *voices, end]]
    return [b"\0" + first, *others]


def vectors() -> dict:
    """Everything in packets.json."""
    plains = ["00", "11", "1100", "110022", "00" * 3, "01" * 253, "01" * 254, "01" * 255]
    packets = {
        "hello": packet(HELLO, hello_body(P3000), 0, 6),
        "hello_group_red_2": packet(HELLO, hello_body(P3000, callsign("#NET1")), 0, 6, 2),
        "end": packet(END, hello_body(P3000), 3, 6),
        "voice_p500": voice(P500, 0, 1, first=1),
        "voice_p3000": voice(P3000, 1, 6),
        "voice_p3000_cut_to_3": voice(P3000, 1, 3),
        "voice_p3000_base_only": voice(P3000, 1, 2),
        "voice_p3000_red_1": voice(P3000, 1, 6, red=1),
        "voice_p3000_red_2_cut_to_4": voice(P3000, 2, 4, red=2),
        "voice_odd": voice(ODD, 260, 3),
        "hello_odd": packet(HELLO, hello_body(ODD), 260 % 256, 0xFF),
        "ctrl": packet(CTRL, b"\x00\x01", 1),
        "text": packet(TEXT, b"73 de AB1CD", 2),
        "clip_zeros": packet(CLIP, bytes(249), 3),
        "clip_no_zeros": packet(CLIP, bytes(range(1, 250)), 3),
        "stat": packet(STAT, b"", 4),
    }
    calls = ["", "A", "AB1CD", "M0ABC/P", "W1-AW.9/Z", ".........", "#A", "#NET1", "#........"]
    return {
        "origin": "tests/golden/link/make_packets.py, from docs/protocol.md, integers only",
        "codes": "code of frame f, layer k is (37 f + 101 k + 5) mod 2**bits_per_code",
        "crc16": {text.hex(): f"{crc16(text):04x}" for text in [b"", b"\0", b"123456789"]},
        "cobs": {plain: stuff(bytes.fromhex(plain)).hex() for plain in plains},
        "callsigns": {text: callsign(text).hex() for text in calls} | {"@ALL": "ff" * 6},
        "descriptors": {
            name: {**profile, "hex": descriptor(profile).hex()}
            for name, profile in {"p500": P500, "p3000": P3000, "odd": ODD}.items()
        },
        "packets": {
            name: {"packet": data.hex(), "wire": stuff(data).hex()}
            for name, data in packets.items()
        },
        "spurts": [
            {"profile": name, "superframes": n, "red": red, "wire": [w.hex() for w in wire]}
            for name, n, red, wire in [
                ("p3000", 3, 0, spurt(P3000, 3, 0)),
                ("p3000", 4, 2, spurt(P3000, 4, 2)),
                ("odd", 2, 1, spurt(ODD, 2, 1)),
            ]
        ],
    }


if __name__ == "__main__":
    path = Path(__file__).with_name("packets.json")
    path.write_text(json.dumps(vectors(), indent=1) + "\n")
