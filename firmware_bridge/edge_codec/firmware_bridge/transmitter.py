"""The sending end of a link: code frames in, packets out. No I/O, no clock, no randomness.

The caller brings the time, the tag and the nonce, writes each packet, and paces itself.
"""

from edge_codec.firmware_bridge.events import IntArray, MessageType
from edge_codec.firmware_bridge.hello import Hello
from edge_codec.firmware_bridge.profile import StreamProfile
from edge_codec.firmware_bridge.stats import LinkStats


class Transmitter:
    """One talk spurt: HELLO twice, VOICE with HELLO repeated between, END.

    Every method returns a list of packets, stuffed and delimited: bytes to be written in
    that order, each one datagram where the port has datagrams.
    """

    def __init__(self, hello: Hello, *, stream_tag: int, red: int = 0) -> None:
        """Nothing is sent yet.

        Args:
            hello: who speaks; `hello.profile` is the profile of the stream.
            stream_tag: 0 to 255, random for each talk spurt.
            red: 0 none, or how far back (1 or 2 superframes) the repeated base class lies.

        Raises:
            LocalLinkError: tag or red out of range.
        """
        self.hello = hello
        self.stats = LinkStats()
        raise NotImplementedError(stream_tag, red)

    @property
    def layers(self) -> int:
        """Layers sent from the next superframe on; set it lower when the line is late.

        Raises:
            LocalLinkError: set outside base_layers to layers of the profile.
        """
        raise NotImplementedError

    @layers.setter
    def layers(self, layers: int) -> None:
        raise NotImplementedError(layers)

    @property
    def missing_frames(self) -> int:
        """Code frames that the open superframe still needs; 0 when none is open.

        Send that many frames of silence before `finish`, which else repeats the last one.
        """
        raise NotImplementedError

    def send_frames(self, codes_FK: IntArray, *, now_s: float) -> list[bytes]:
        """Take code frames; the first call opens the talk spurt, with no frames too.

        Args:
            codes_FK: [F, K] integers in [0, 2**bits_per_code), any F, K >= layers of the
                profile; further layers are ignored.
            now_s: any clock that does not go back.

        Returns:
            The packets that became complete, often none.

        Raises:
            LocalLinkError: wrong shape or range, or the spurt is finished.
        """
        raise NotImplementedError

    def finish(self, *, now_s: float) -> list[bytes]:
        """End the talk spurt: the open superframe, filled up, then END."""
        raise NotImplementedError

    def send_message(self, kind: MessageType, payload: bytes) -> list[bytes]:
        """One CTRL, TEXT, CLIP or STAT packet, at any time.

        Raises:
            LocalLinkError: the payload is longer than 249 bytes.
        """
        raise NotImplementedError


def cut_packet(packet: bytes, profile: StreamProfile, layers: int) -> bytes:
    """The same VOICE packet with the enhancement class cut behind `layers` layers.

    For a queue that is late: works on a packet as `Transmitter` returned it. A packet of
    another type, or with no more layers than that, comes back as it is.

    Raises:
        LocalLinkError: layers out of range of the profile.
    """
    raise NotImplementedError
