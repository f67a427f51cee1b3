"""What rate of random bit errors a mode survives. Knows sizes and measurements, no bits.

Of packets it follows from their length. Of raw frames it was measured, over 400 superframes with
lists of eight; see docs/adr/0008.
"""

from edge_codec.firmware_bridge.profile import Framing, StreamProfile, framed_bytes
from edge_codec.firmware_bridge.raw_format import RawFormat

BASE_ERASED = 0.01
"""Share of base layers that may be lost."""
LAYERS_ERASED = 0.05
"""Share of superframes that may lack layers."""
RAW_BASE_BER = 5e-2
"""Base blocks are one code for all modes: this much they take, whatever their length."""
_UPPER_BER = 2.26e-2
"""What an upper block of `_UPPER_BITS` takes; a longer one takes a little less."""
_UPPER_BITS = 142
_UPPER_SLOPE = 0.3


def survived_ber(framing: Framing, profile: StreamProfile, *, base_only: bool) -> float:
    """Highest rate at which no more is lost than `BASE_ERASED`, or `LAYERS_ERASED`.

    Args:
        framing: packets, or raw frames.
        profile: of the stream.
        base_only: the base layers are all that matters.
    """
    if framing is Framing.PACKET:  # which is lost with all its layers
        return BASE_ERASED / (8 * framed_bytes(profile.packet_bytes()))
    upper_bits = RawFormat(profile).upper_bits
    if base_only or not upper_bits:
        return RAW_BASE_BER
    return float(_UPPER_BER * (_UPPER_BITS / upper_bits) ** _UPPER_SLOPE)
