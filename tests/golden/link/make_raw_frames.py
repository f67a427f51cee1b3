"""Write raw_frames.json: R frames worked out from docs/protocol.md with nothing but integers.

Imports nothing of edge_codec, so that the vectors check the code and not themselves.
Run by hand: python tests/golden/link/make_raw_frames.py. Changing the file is a protocol change.
"""

import json
from math import gcd
from pathlib import Path

from make_packets import END, HELLO, TAG, VOICE, code, crc16, hello_body

R500 = {"layers": 1, "base": 1, "bits": 10, "frames": 24, "superframe_ms": 480, "groups": 3}
R1500 = {"layers": 3, "base": 2, "bits": 10, "frames": 12, "superframe_ms": 240, "groups": 3}
R6000 = {"layers": 12, "base": 2, "bits": 10, "frames": 8, "superframe_ms": 160, "groups": 2}
# 5-bit codes, 7 frames in one group: everything ends in the middle of a byte.
ODD = {"layers": 3, "base": 2, "bits": 5, "frames": 7, "superframe_ms": 80, "groups": 1}
PROFILES = {"r500": R500, "r1500": R1500, "r6000": R6000, "odd": ODD}
MARKER = "1acffc1d"


def bits_of(data: bytes) -> str:
    """Most significant bit first."""
    return "".join(f"{byte:08b}" for byte in data)


def bytes_of(bits: str) -> bytes:
    """Filled up with zeros behind."""
    bits += "0" * (-len(bits) % 8)
    return bytes(int(bits[i : i + 8], 2) for i in range(0, len(bits), 8))


def crc8(data: bytes) -> int:
    """CRC-8/AUTOSAR, bit by bit."""
    crc = 0xFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc << 1 ^ 0x2F if crc & 0x80 else crc << 1) & 0xFF
    return crc ^ 0xFF


def golay(data: int) -> str:
    """12 bits of data, the remainder of data x^11 modulo the generator, parity."""
    remainder = data << 11
    while remainder.bit_length() > 11:
        remainder ^= 0xC75 << (remainder.bit_length() - 12)
    word = f"{data:012b}{remainder:011b}"
    return word + str(word.count("1") % 2)


def convolve(bits: str, keep: str = "11") -> str:
    """K=7, 171 and 133 octal, the newest bit in front; `keep` is the puncturing pattern."""
    register, coded = 0, ""
    for bit in bits + "0" * 6:
        register = register >> 1 | int(bit) << 6
        coded += str((register & 0o171).bit_count() % 2) + str((register & 0o133).bit_count() % 2)
    return "".join(c for i, c in enumerate(coded) if keep[i % len(keep)] == "1")


def pn9(n: int) -> list[int]:
    """x^9 + x^5 + 1 from all ones."""
    register, out = [1] * 9, []
    for _ in range(n):
        out.append(register[0])
        register = [*register[1:], register[0] ^ register[5]]
    return out


def stride(n: int) -> int:
    """The smallest odd number of at least 0.618 n that shares no divisor with n."""
    s = (618 * n + 999) // 1000
    while s % 2 == 0 or gcd(s, n) > 1:
        s += 1
    return s


def scramble(bits: str) -> bytes:
    """Bit i goes to place i s mod n, then the whitening is added."""
    n, places = len(bits), ["0"] * len(bits)
    for i, bit in enumerate(bits):
        places[i * stride(n) % n] = bit
    return bytes_of("".join(str(int(b) ^ w) for b, w in zip(places, pn9(n), strict=True)))


def header(kind: int, sequence: int) -> bytes:
    """Version 1 and type, tag, sequence."""
    return bytes([0x40 | kind << 3, TAG, sequence % 256])


def codes(profile: dict, layers: range, frames: range) -> str:
    """Layer after layer, frame after frame."""
    bits = profile["bits"]
    return "".join(f"{code(f, k, bits):0{bits}b}" for k in layers for f in frames)


def content_length(profile: dict) -> int:
    """Bits behind the header: VOICE or HELLO, whichever is longer, in whole bytes."""
    return -(-max(len(voice_content(profile, 0)), 492) // 8) * 8


def voice_content(profile: dict, superframe: int) -> str:
    """Base block at rate 1/2, upper block at rate 3/4."""
    head, frames = header(VOICE, superframe), profile["frames"]
    start, size = superframe * frames, frames // profile["groups"]
    base = ""
    for n in range(profile["groups"]):
        first = start + n * size
        group = codes(profile, range(profile["base"]), range(first, first + size))
        base += group + f"{crc8(head + bytes([n]) + bytes_of(group)):08b}"
    content = convolve(base)
    if profile["layers"] > profile["base"]:
        layers = range(profile["base"], profile["layers"])
        upper = codes(profile, layers, range(start, start + frames))
        upper += f"{crc16(head + bytes_of(upper)):016b}"
        content += convolve(upper, "110110")
    return content


def hello_content(profile: dict, kind: int, sequence: int) -> str:
    """Rate 1/2, again and again until the frame is full."""
    body = hello_body(profile)
    coded = convolve(bits_of(body) + f"{crc16(header(kind, sequence) + body):016b}")
    return (coded * 9)[: content_length(profile)]


def frame(profile: dict, kind: int, sequence: int) -> str:
    """A whole frame in hex."""
    is_voice = kind == VOICE
    content = (
        voice_content(profile, sequence) if is_voice else hello_content(profile, kind, sequence)
    )
    value = int.from_bytes(header(kind, sequence), "big")
    bits = golay(value >> 12) + golay(value & 0xFFF) + content
    return MARKER + scramble(bits.ljust(48 + content_length(profile), "0")).hex()


def vectors() -> dict:
    """Everything in raw_frames.json."""
    return {
        "origin": "tests/golden/link/make_raw_frames.py, from docs/protocol.md, integers only",
        "codes": "code of frame f, layer k is (37 f + 101 k + 5) mod 2**bits_per_code",
        "golay": {f"{d:03x}": f"{int(golay(d), 2):06x}" for d in [0, 1, 0x5A7, 0x405, 0xFFF]},
        "crc8": {text.hex(): f"{crc8(text):02x}" for text in [b"", b"123456789"]},
        "convolution": {"bits": "1011001", "full": convolve("1011001")}
        | {"punctured": convolve("1011001", "110110")},
        "whitening": bytes_of("".join(map(str, pn9(128)))).hex(),
        "strides": {str(n): stride(n) for n in [540, 592, 784, 1264, 1512]},
        "profiles": PROFILES,
        "spurts": {
            name: [
                frame(profile, HELLO, 0),
                frame(profile, HELLO, 0),
                frame(profile, VOICE, 0),
                frame(profile, VOICE, 1),
                frame(profile, END, 2),
            ]
            for name, profile in PROFILES.items()
        },
    }


if __name__ == "__main__":
    path = Path(__file__).with_name("raw_frames.json")
    path.write_text(json.dumps(vectors(), indent=1) + "\n")
