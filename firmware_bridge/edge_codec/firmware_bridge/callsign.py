"""Callsigns in six bytes: base 40 as M17 does it, first character least significant.

Knows text and bytes only. `@ALL`, everybody, is all ones; an empty callsign is zero.
"""

from edge_codec.firmware_bridge.errors import LinkError, LocalLinkError

BROADCAST = "@ALL"
CALLSIGN_BYTES = 6

_ALPHABET = " ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-/."
_MAX_CHARACTERS = 9
_BROADCAST_VALUE = (1 << 8 * CALLSIGN_BYTES) - 1


def pack_callsign(callsign: str) -> bytes:
    """Six bytes of a callsign of up to nine of A-Z 0-9 - / .

    >>> pack_callsign("AB1CD").hex()
    '0000009fdd51'

    Raises:
        LocalLinkError: too long, or a character has no code.
    """
    if callsign == BROADCAST:
        return _BROADCAST_VALUE.to_bytes(CALLSIGN_BYTES, "big")
    if len(callsign) > _MAX_CHARACTERS or any(c not in _ALPHABET[1:] for c in callsign):
        raise LocalLinkError(
            f"callsign {callsign!r} is not valid; use up to {_MAX_CHARACTERS} of A-Z 0-9 - / ."
        )
    value = 0
    for character in reversed(callsign):
        value = value * 40 + _ALPHABET.index(character)
    return value.to_bytes(CALLSIGN_BYTES, "big")


def unpack_callsign(packed: bytes) -> str:
    """Inverse of `pack_callsign`.

    Raises:
        LinkError: no callsign packs to these bytes.
    """
    value = int.from_bytes(packed, "big")
    if value == _BROADCAST_VALUE:
        return BROADCAST
    callsign = ""
    while value:
        value, digit = divmod(value, 40)
        callsign += _ALPHABET[digit]
    if len(callsign) > _MAX_CHARACTERS or " " in callsign:
        raise LinkError(f"{packed.hex()} is no callsign")
    return callsign
