"""Write secured.json: secured P packets worked out from docs/protocol.md, section 10.

Imports nothing of edge_codec and no cryptography: HMAC is put together from SHA-256, AES and CCM
from their definitions (FIPS 197, RFC 3610). Run by hand: python tests/golden/link/make_secured.py.
"""

import hashlib
import json
from pathlib import Path

SECRET = bytes(range(0x40, 0x60))
SOURCE = bytes.fromhex("0000009fdd51")  # AB1CD
NONCE = bytes.fromhex("018bcfe56800abcd")
EPOCH, TAG = 3, 0x5C
VOICE, HELLO, END, CTRL, TEXT = 0, 1, 2, 3, 4
AUTH, AEAD = 1, 2
CONTENT = bytes((7 * n + 3) % 256 for n in range(30))
"""Of a VOICE packet in P500."""
DESCRIPTOR = bytes.fromhex("0095ef")


def hmac_sha256(key: bytes, message: bytes) -> bytes:
    """RFC 2104, keys of up to 64 bytes."""
    block = key.ljust(64, b"\0")
    inner = hashlib.sha256(bytes(b ^ 0x36 for b in block) + message).digest()
    return hashlib.sha256(bytes(b ^ 0x5C for b in block) + inner).digest()


def times_two(value: int) -> int:
    """In the field of AES."""
    return (value << 1 ^ 0x11B) & 0xFF if value & 0x80 else value << 1


def make_sbox() -> list[int]:
    """Inverses, found by trying, then the affine map."""

    def times(a: int, b: int) -> int:
        product = 0
        while b:
            product, a, b = product ^ (a if b & 1 else 0), times_two(a), b >> 1
        return product

    box = []
    for value in range(256):
        inverse = next((x for x in range(256) if times(value, x) == 1), 0)
        turned = [(inverse << n | inverse >> (8 - n)) & 0xFF for n in range(5)]
        box.append(turned[0] ^ turned[1] ^ turned[2] ^ turned[3] ^ turned[4] ^ 0x63)
    return box


SBOX = make_sbox()


def expand_key(key: bytes) -> list[bytes]:
    """Eleven round keys of AES-128."""
    words, constant = [key[i : i + 4] for i in range(0, 16, 4)], 1
    for n in range(4, 44):
        word = words[-1]
        if n % 4 == 0:
            word = bytes(SBOX[b] for b in word[1:] + word[:1])
            word, constant = bytes([word[0] ^ constant]) + word[1:], times_two(constant)
        words.append(bytes(a ^ b for a, b in zip(words[n - 4], word, strict=True)))
    return [b"".join(words[i : i + 4]) for i in range(0, 44, 4)]


def mix(column: bytes) -> bytes:
    """MixColumns of one column."""
    total = column[0] ^ column[1] ^ column[2] ^ column[3]
    return bytes(column[i] ^ total ^ times_two(column[i] ^ column[(i + 1) % 4]) for i in range(4))


def aes(key: bytes, block: bytes) -> bytes:
    """AES-128 of one block."""
    first, *others = expand_key(key)
    state = bytes(a ^ b for a, b in zip(block, first, strict=True))
    for n, round_key in enumerate(others):
        state = bytes(SBOX[state[(i + 4 * (i % 4)) % 16]] for i in range(16))
        if n < 9:
            state = b"".join(mix(state[i : i + 4]) for i in range(0, 16, 4))
        state = bytes(a ^ b for a, b in zip(state, round_key, strict=True))
    return state


def ccm(key: bytes, nonce: bytes, content: bytes, clear: bytes, tag_bytes: int) -> bytes:
    """AES-CCM with nonces of 13 bytes: encrypted content and tag."""

    def pad(data: bytes) -> bytes:
        return data + bytes(-len(data) % 16)

    flags = 0x40 | (tag_bytes - 2) // 2 << 3 | 1
    blocks = bytes([flags]) + nonce + len(content).to_bytes(2, "big")
    blocks += pad(len(clear).to_bytes(2, "big") + clear) + pad(content)
    mac = bytes(16)
    for start in range(0, len(blocks), 16):
        mac = aes(key, bytes(a ^ b for a, b in zip(mac, blocks[start : start + 16], strict=True)))
    stream = b"".join(
        aes(key, b"\1" + nonce + n.to_bytes(2, "big")) for n in range(2 + len(content) // 16)
    )
    hidden = bytes(a ^ b for a, b in zip(content, stream[16:], strict=False))
    return hidden + bytes(a ^ b for a, b in zip(mac, stream, strict=False))[:tag_bytes]


def stream_key(protection: int, tag_bytes: int) -> bytes:
    """HKDF-SHA256, RFC 5869, one block."""
    info = SOURCE + bytes([EPOCH, protection << 4 | tag_bytes - 1])
    key = hmac_sha256(hmac_sha256(b"edge-codec v1", SECRET), info + b"\1")
    return key if protection == AUTH else key[:16]


def secured(
    protection: int, tag_bytes: int, kind: int, number: int, *, profile_id: int = 1, flags: int = 0
) -> bytes:
    """One packet with its tag."""
    clear = bytes([0x44 | kind << 3 | flags, TAG, number & 0xFF, profile_id])
    content = CONTENT
    if kind != VOICE:
        clear += (number >> 8).to_bytes(3, "big")
    if kind in (HELLO, END):
        body = b"\xff" * 6 + SOURCE + bytes.fromhex("1a2b3c4d") + DESCRIPTOR + NONCE
        clear += body + bytes([EPOCH, protection << 4 | tag_bytes - 1])
        content = b""
    elif kind == TEXT:
        content = b"73 de AB1CD"
    nonce = NONCE + number.to_bytes(4, "big") + bytes([kind])
    key = stream_key(protection, tag_bytes)
    if protection == AUTH:
        return clear + content + hmac_sha256(key, nonce + clear + content)[:tag_bytes]
    return clear + ccm(key, nonce, content, clear, tag_bytes)


def vectors() -> dict:
    """Everything in secured.json."""
    suites = [(AUTH, 4), (AUTH, 8), (AEAD, 4), (AEAD, 8), (AEAD, 16)]
    return {
        "origin": "tests/golden/link/make_secured.py, from docs/protocol.md, SHA-256 and integers",
        "secret": SECRET.hex(),
        "content": CONTENT.hex(),
        "aes_fips_197": aes(
            bytes(range(16)), bytes.fromhex("00112233445566778899aabbccddeeff")
        ).hex(),
        "suites": {
            f"{'auth' if protection == AUTH else 'aead'}_{tag_bytes}": {
                "key": stream_key(protection, tag_bytes).hex(),
                "hello": secured(protection, tag_bytes, HELLO, 0x1FE).hex(),
                "voice": secured(protection, tag_bytes, VOICE, 0x1FE).hex(),
                "voice_first": secured(protection, tag_bytes, VOICE, 0, flags=1).hex(),
                "text": secured(protection, tag_bytes, TEXT, 0x102, profile_id=0xFF).hex(),
                "end": secured(protection, tag_bytes, END, 0x1FF).hex(),
            }
            for protection, tag_bytes in suites
        },
    }


if __name__ == "__main__":
    path = Path(__file__).with_name("secured.json")
    path.write_text(json.dumps(vectors(), indent=1) + "\n")
