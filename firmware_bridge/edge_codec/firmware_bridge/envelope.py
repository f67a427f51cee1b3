"""Envelopes: link packets inside KISS, AX.25 or RTP, which bring their own frames.

In an envelope a packet is neither stuffed nor delimited. What comes and is no packet of ours, as
other stations' frames on a shared channel, is left out and counted.
"""

from collections.abc import Iterator
from typing import Protocol

from edge_codec.firmware_bridge.ax25 import Ax25Address, UiFrame, pack_ui, unpack_ui
from edge_codec.firmware_bridge.events import DamageReason
from edge_codec.firmware_bridge.kiss import KissCommand, KissFrame, KissUnpacker, pack_kiss
from edge_codec.firmware_bridge.profile import MAX_PACKET_BYTES
from edge_codec.firmware_bridge.rtp import PAYLOAD_TYPE, RtpNumbering, pack_rtp, unpack_rtp

VOICE_ADDRESS = Ax25Address("EDGEC")
"""Where AX.25 frames with our packets go, unless another address is agreed on."""


class Envelope(Protocol):
    """Puts packets into another protocol's frames and takes them out."""

    ignored_frames: int
    """Frames that came and held no packet."""

    def wrap(self, packet: bytes) -> bytes:
        """The frame that carries one packet."""

    def unwrap(self, chunk: bytes) -> Iterator[bytes]:
        """Yield each packet that is complete now."""


class KissEnvelope:
    """Packets as they are in KISS data frames, for TNCs and modems that send any bytes."""

    def __init__(self, port: int = 0) -> None:
        """Use one radio, 0 to 15, of the TNC."""
        self.ignored_frames = 0
        self._port = port
        self._unpacker = KissUnpacker()

    def wrap(self, packet: bytes) -> bytes:
        """One KISS data frame."""
        return pack_kiss(KissFrame(self._fill(packet), port=self._port))

    def unwrap(self, chunk: bytes) -> Iterator[bytes]:
        """The content of data frames of our radio."""
        for frame in self._unpacker.receive(chunk):
            packet = self._take(frame) if isinstance(frame, KissFrame) else None
            if packet and len(packet) <= MAX_PACKET_BYTES:
                yield packet
            else:
                self.ignored_frames += 1

    def _take(self, frame: KissFrame) -> bytes | None:
        is_ours = frame.command == KissCommand.DATA and frame.port == self._port
        return self._empty(frame.data) if is_ours else None

    def _fill(self, packet: bytes) -> bytes:
        return packet

    def _empty(self, data: bytes) -> bytes | None:
        return data


class Ax25Envelope(KissEnvelope):
    """Packets in AX.25 UI frames in KISS, for packet radio."""

    def __init__(
        self, source: Ax25Address, destination: Ax25Address = VOICE_ADDRESS, port: int = 0
    ) -> None:
        """Send from one address to another, and hear only what goes to that other one."""
        super().__init__(port)
        self._source = source
        self._destination = destination

    def _fill(self, packet: bytes) -> bytes:
        return pack_ui(UiFrame(destination=self._destination, source=self._source, content=packet))

    def _empty(self, data: bytes) -> bytes | None:
        frame = unpack_ui(data)
        if isinstance(frame, DamageReason) or frame.destination != self._destination:
            return None
        return frame.content


class RtpEnvelope:
    """Packets as RTP payload, one datagram each."""

    def __init__(self) -> None:
        self.ignored_frames = 0
        self._numbering = RtpNumbering()

    def wrap(self, packet: bytes) -> bytes:
        """One RTP packet."""
        return pack_rtp(self._numbering.number(packet))

    def unwrap(self, chunk: bytes) -> Iterator[bytes]:
        """The payload of one datagram; the link puts packets in order itself."""
        rtp = unpack_rtp(chunk)
        if isinstance(rtp, DamageReason) or rtp.payload_type != PAYLOAD_TYPE or not rtp.payload:
            self.ignored_frames += 1
        else:
            yield rtp.payload
