"""The sending end of a raw link: code frames in, frames with their own protection out.

No I/O, no clock. Every frame of a profile has the same length: there is nothing to cut.
"""

from edge_codec.firmware_bridge.bits import IntArray
from edge_codec.firmware_bridge.frame_codec import frame_codec_for
from edge_codec.firmware_bridge.hello import Hello
from edge_codec.firmware_bridge.packet import PacketType
from edge_codec.firmware_bridge.raw_format import HELLO_INTERVAL_S, RawFormat
from edge_codec.firmware_bridge.raw_header import RawHeader
from edge_codec.firmware_bridge.spurt import Spurt
from edge_codec.firmware_bridge.stats import LinkStats


class RawTransmitter(Spurt):
    """One talk spurt in frames for a transparent, noisy byte pipe."""

    def __init__(self, hello: Hello, *, stream_tag: int, stats: LinkStats | None = None) -> None:
        """Nothing is sent yet.

        Args:
            hello: who speaks; `hello.profile`, as `raw_profile_for` makes it, is agreed with
                the receiver beforehand.
            stream_tag: 0 to 255, random for each talk spurt.
            stats: counters to go on with; None: new ones.

        Raises:
            LocalLinkError: tag out of range, or a profile that R frames cannot carry.
        """
        super().__init__(hello, stream_tag=stream_tag, stats=stats)
        form = RawFormat(hello.profile)
        self._frames = frame_codec_for(form)
        self._frame_bytes = form.frame_bytes
        self._group_frames = form.group_frames
        self._hello_interval_s = HELLO_INTERVAL_S

    @property
    def unit_frames(self) -> int:
        """Those of a group, which has a checksum of its own."""
        return self._group_frames

    @property
    def voice_bytes(self) -> int:
        """Bytes of every frame."""
        return self._frame_bytes

    def _pack_hello(self, kind: PacketType) -> bytes:
        return self._frames.pack_hello(self._header(kind), self._hello)

    def _pack_voice(self, codes_FK: IntArray) -> bytes:
        return self._frames.pack_voice(self._header(PacketType.VOICE), codes_FK)

    def _header(self, kind: PacketType) -> RawHeader:
        return RawHeader(kind, self._tag, self._number & 0xFF)
