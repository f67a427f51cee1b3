"""The receiving end of a raw link: noisy bytes in, events out. No I/O, no clock.

A frame gives as many layers of as many code frames as survived. Its header is read against what
is expected next, so that voice outlives a header that nobody could read alone.
"""

from dataclasses import replace

from edge_codec.firmware_bridge.convolution import SoftArray
from edge_codec.firmware_bridge.errors import LocalLinkError
from edge_codec.firmware_bridge.events import DamageReason
from edge_codec.firmware_bridge.feed import EventFeed
from edge_codec.firmware_bridge.packet import PacketType
from edge_codec.firmware_bridge.profile import StreamProfile
from edge_codec.firmware_bridge.raw_format import RawFormat
from edge_codec.firmware_bridge.raw_frame import (
    RawHeader,
    decode_header,
    decode_raw_hello,
    decode_raw_voice,
    open_body,
)
from edge_codec.firmware_bridge.sync import MAX_PIECE_BYTES, Synchronizer, slip_guesses
from edge_codec.firmware_bridge.voice import Voice

MAX_PATHS = 32

_FARTHEST_HEADER = 10
"""Wrong bits of 48 beyond which a header is not recognized: noise comes to 24 +- 3.5."""
_EXPECTED_BONUS = 4
"""Wrong bits an expected header may have more than a surprising one."""
_SUPERFRAMES_AHEAD = 4
"""Superframes in a row of which all but the last may have been unreadable, header and all."""


class RawReceiver(EventFeed):
    """Follows the stream on one raw link; a `Receiver` in all it tells."""

    def __init__(self, profile: StreamProfile, *, paths: int = 8) -> None:
        """Nothing heard yet.

        Args:
            profile: as agreed with the sender.
            paths: 1 to 32 candidates tried for a block whose checksum is wrong: more survive
                more errors and take more time.

        Raises:
            LocalLinkError: paths out of range, or a profile that R frames cannot carry.
        """
        if not 1 <= paths <= MAX_PATHS:
            raise LocalLinkError(f"paths must be 1 to {MAX_PATHS}, got {paths}")
        super().__init__(hold_superframes=0)
        self._format = RawFormat(profile)
        self._paths = paths
        self._synchronizer = Synchronizer(self._format.frame_bytes)
        self._expected: RawHeader | None = None
        """Header of the next VOICE frame."""

    def receive_data(self, chunk: bytes, *, now_s: float) -> None:
        """Take bytes as they came from the port, any number of them."""
        self.stats.bytes_received += len(chunk)
        for start in range(0, len(chunk), MAX_PIECE_BYTES):
            self._synchronizer.receive(chunk[start : start + MAX_PIECE_BYTES])
            while (body := self._synchronizer.next_body()) is not None:
                self._receive_body(body, now_s)

    def _receive_body(self, body: bytes, now_s: float) -> None:
        is_locked = self._synchronizer.is_locked
        guesses = [body, *slip_guesses(body)] if is_locked else [body]
        is_good = any(self._receive_guess(guess, now_s) for guess in guesses)
        self._synchronizer.judge(is_good=is_good)
        if not is_good:
            self._report(DamageReason.CRC)
            self._note_loss(self._recognize(open_body(body)[0]), now_s)
        elif self._expected is None:
            self._synchronizer.unlock()

    def _receive_guess(self, body: bytes, now_s: float) -> bool:
        """False if nothing of the frame survived."""
        coded, soft = open_body(body)
        header = self._recognize(coded)
        return header is not None and self._receive_frame(header, soft, now_s)

    def _recognize(self, coded: int) -> RawHeader | None:
        """The likeliest header behind 48 received bits; None: it could be any."""
        expected = self._expected_headers()
        surprising = decode_header(coded)
        costs = {header: (coded ^ header.coded()).bit_count() for header in expected}
        if surprising is not None and surprising not in costs:
            costs[surprising] = (coded ^ surprising.coded()).bit_count() + _EXPECTED_BONUS
        likeliest = min(costs, key=costs.__getitem__, default=None)
        return None if likeliest is None or costs[likeliest] > _FARTHEST_HEADER else likeliest

    def _expected_headers(self) -> list[RawHeader]:
        if self._expected is None:
            return []
        return [
            RawHeader(kind, self._expected.stream_tag, self._expected.sequence + ahead & 0xFF)
            for ahead in range(_SUPERFRAMES_AHEAD)
            for kind in (PacketType.VOICE, PacketType.HELLO, PacketType.END)
        ]

    def _receive_frame(self, header: RawHeader, soft: SoftArray, now_s: float) -> bool:
        if header.type is PacketType.VOICE:
            return self._receive_voice(header, soft, now_s)
        hello = decode_raw_hello(header, soft, paths=self._paths)
        if hello is None or hello.profile != self._format.profile:
            return False
        is_end = header.type is PacketType.END
        take = self._session.on_end if is_end else self._session.on_hello
        take(header.stream_tag, header.sequence, hello, now_s=now_s)
        self._expected = None if is_end else replace(header, type=PacketType.VOICE)
        return True

    def _receive_voice(self, header: RawHeader, soft: SoftArray, now_s: float) -> bool:
        superframe = decode_raw_voice(header, soft, self._format, paths=self._paths)
        if superframe is None:
            return False
        tag, profile, voice = header.stream_tag, self._format.profile, Voice(superframe)
        self._session.on_voice(tag, header.sequence, profile, voice, now_s=now_s)
        self._expected = replace(header, sequence=header.sequence + 1 & 0xFF)
        return True

    def _note_loss(self, header: RawHeader | None, now_s: float) -> None:
        """Tell at once of a superframe that was expected and recognized, but not readable."""
        if header in self._expected_headers() and header.type is PacketType.VOICE:
            self._session.on_lost(header.stream_tag, header.sequence, now_s=now_s)
            self._expected = replace(header, sequence=header.sequence + 1 & 0xFF)
