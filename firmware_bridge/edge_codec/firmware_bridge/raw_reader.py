"""Frames of one raw link read one after the other, and handed to the session.

A frame gives as many layers of as many code frames as survived. Its header is read against what
is expected next, so that voice outlives a header that nobody could read alone. Several profiles
may be looked for at once; the first frame that is right says which one it is.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

from edge_codec.firmware_bridge.errors import LocalLinkError
from edge_codec.firmware_bridge.events import DamageReason, StreamStarted
from edge_codec.firmware_bridge.frame_codec import frame_codec_for
from edge_codec.firmware_bridge.packet import PacketType
from edge_codec.firmware_bridge.profile import Framing, StreamProfile
from edge_codec.firmware_bridge.raw_format import SYNC_MARKER, RawFormat
from edge_codec.firmware_bridge.raw_header import RawHeader, decode_header
from edge_codec.firmware_bridge.session import Session
from edge_codec.firmware_bridge.sync import MAX_PIECE_BYTES, Synchronizer, slip_guesses
from edge_codec.firmware_bridge.voice import Voice

MAX_PATHS = 32

_FARTHEST_HEADER = 10
"""Wrong bits of 48 beyond which a header is not recognized: noise comes to 24 +- 3.5."""
_EXPECTED_BONUS = 4
"""Wrong bits an expected header may have more than a surprising one."""
_SUPERFRAMES_AHEAD = 4
"""Superframes in a row of which all but the last may have been unreadable, header and all."""


class RawReader:
    """Bytes in; what they mean goes to a session, what cannot be read to `report`."""

    def __init__(
        self,
        profiles: Sequence[StreamProfile],
        session: Session,
        report: Callable[[DamageReason], None],
        *,
        paths: int,
    ) -> None:
        """Nothing heard yet; see `RawReceiver` for the arguments.

        Raises:
            LocalLinkError: paths out of range, or a profile that R frames cannot carry.
        """
        if not 1 <= paths <= MAX_PATHS:
            raise LocalLinkError(f"paths must be 1 to {MAX_PATHS}, got {paths}")
        self._formats = [RawFormat(profile) for profile in profiles]
        self._session = session
        self._report = report
        self._codecs = {form: frame_codec_for(form, paths=paths) for form in self._formats}
        lengths = sorted({form.frame_bytes for form in self._formats})
        self._synchronizer = Synchronizer(*lengths)
        self._locked: RawFormat | None = None
        """Format of the last frame that was right."""
        self._expected: RawHeader | None = None
        """Header of the next VOICE frame, in that format."""

    @property
    def is_locked(self) -> bool:
        """Whether frames are being followed."""
        return self._synchronizer.is_locked

    def receive(self, chunk: bytes, now_s: float) -> None:
        """Take bytes as they came from the port, any number of them."""
        for start in range(0, len(chunk), MAX_PIECE_BYTES):
            self._synchronizer.receive(chunk[start : start + MAX_PIECE_BYTES])
            while (body := self._synchronizer.next_body()) is not None:
                self._receive_body(body, now_s)

    def _receive_body(self, body: bytes, now_s: float) -> None:
        formats, guesses = self._formats, [body]
        if self.is_locked and self._locked:
            formats, guesses = [self._locked], [body, *slip_guesses(body)]
        is_good = any(
            self._receive_guess(guess, form, now_s)
            for form in formats
            if form.frame_bytes == len(SYNC_MARKER) + len(body)
            for guess in guesses
        )
        was_locked = self.is_locked
        self._synchronizer.judge(is_good=is_good)
        if not is_good:
            if was_locked or len(self._formats) == 1:
                self._report(DamageReason.CRC)
            self._note_loss(body, now_s)
        elif self._expected is None:
            self._synchronizer.unlock()

    def _receive_guess(self, body: bytes, form: RawFormat, now_s: float) -> bool:
        """False if nothing of the frame survived."""
        header = self._recognize(body, form)
        return header is not None and self._receive_frame(header, body, form, now_s)

    def _recognize(self, body: bytes, form: RawFormat) -> RawHeader | None:
        """The likeliest header behind the 48 received bits; None: it could be any."""
        coded = self._codecs[form].header_bits(body)
        expected = self._expected_headers() if form is self._locked else []
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

    def _receive_frame(self, header: RawHeader, body: bytes, form: RawFormat, now_s: float) -> bool:
        if header.type is PacketType.VOICE:
            return self._receive_voice(header, body, form, now_s)
        hello = self._codecs[form].decode_hello(header, body)
        if hello is None or hello.profile != form.profile:
            return False
        is_end = header.type is PacketType.END
        if is_end:
            self._session.on_end(header.stream_tag, header.sequence, hello, now_s=now_s)
        else:
            begin = StreamStarted(header.stream_tag, form.profile, Framing.RAW)
            self._session.on_hello(begin, header.sequence, hello, now_s=now_s)
        self._locked = form
        self._expected = None if is_end else replace(header, type=PacketType.VOICE)
        return True

    def _receive_voice(self, header: RawHeader, body: bytes, form: RawFormat, now_s: float) -> bool:
        superframe = self._codecs[form].decode_voice(header, body)
        if superframe is None:
            return False
        begin = StreamStarted(header.stream_tag, form.profile, Framing.RAW)
        self._session.on_voice(begin, header.sequence, Voice(superframe), now_s=now_s)
        self._locked = form
        self._expected = replace(header, sequence=header.sequence + 1 & 0xFF)
        return True

    def _note_loss(self, body: bytes, now_s: float) -> None:
        """Tell at once of a superframe that was expected and recognized, but not readable."""
        form = self._locked
        if form is None or form.frame_bytes != len(SYNC_MARKER) + len(body):
            return
        header = self._recognize(body, form)
        if header in self._expected_headers() and header.type is PacketType.VOICE:
            self._session.on_lost(header.stream_tag, header.sequence, now_s=now_s)
            self._expected = replace(header, sequence=header.sequence + 1 & 0xFF)
