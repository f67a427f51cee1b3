"""Callsigns in six bytes: base 40 as M17 does it, first character least significant.

Knows text and bytes only. `@ALL`, everybody, is all ones; an empty callsign is zero. `#NAME` is a
group, with numbers behind those of all callsigns.
"""

from edge_codec.firmware_bridge.errors import LinkError, LocalLinkError

BROADCAST = "@ALL"
GROUP_PREFIX = "#"
CALLSIGN_BYTES = 6

_ALPHABET = " ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-/."
_MAX_CHARACTERS = 9
_FIRST_GROUP: int = 40**_MAX_CHARACTERS
_MAX_GROUP_CHARACTERS = 8
_BROADCAST_VALUE = (1 << 8 * CALLSIGN_BYTES) - 1


def pack_callsign(callsign: str) -> bytes:
    """Six bytes of a callsign of up to nine of A-Z 0-9 - / . or of a group, `#` and up to eight.

    >>> pack_callsign("AB1CD").hex()
    '0000009fdd51'

    Raises:
        LocalLinkError: too long, or a character has no code.
    """
    if callsign == BROADCAST:
        return _BROADCAST_VALUE.to_bytes(CALLSIGN_BYTES, "big")
    is_group = callsign.startswith(GROUP_PREFIX)
    name, most = callsign.removeprefix(GROUP_PREFIX), _MAX_CHARACTERS - is_group
    if len(name) > most or any(c not in _ALPHABET[1:] for c in name) or (is_group and not name):
        kind = "group" if is_group else "callsign"
        raise LocalLinkError(f"{kind} {callsign!r} is not valid; use up to {most} of A-Z 0-9 - / .")
    value = 0
    for character in reversed(name):
        value = value * 40 + _ALPHABET.index(character)
    return (value + _FIRST_GROUP * is_group).to_bytes(CALLSIGN_BYTES, "big")


def unpack_callsign(packed: bytes) -> str:
    """Inverse of `pack_callsign`.

    Raises:
        LinkError: no callsign packs to these bytes.
    """
    value = int.from_bytes(packed, "big")
    if value == _BROADCAST_VALUE:
        return BROADCAST
    is_group, value = divmod(value, _FIRST_GROUP)
    name = ""
    while value:
        value, digit = divmod(value, 40)
        name += _ALPHABET[digit]
    is_bad_group = is_group and not 1 <= len(name) <= _MAX_GROUP_CHARACTERS
    if is_bad_group or " " in name:
        raise LinkError(f"{packed.hex()} is no callsign")
    return GROUP_PREFIX * is_group + name
