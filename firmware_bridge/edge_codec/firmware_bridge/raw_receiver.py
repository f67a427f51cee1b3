"""The receiving end of a raw link: noisy bytes in, events out. No I/O, no clock."""

from edge_codec.firmware_bridge.feed import EventFeed
from edge_codec.firmware_bridge.profile import StreamProfile
from edge_codec.firmware_bridge.raw_reader import RawReader

DEFAULT_PATHS = 8


class RawReceiver(EventFeed):
    """Follows the stream on one raw link; a `Receiver` in all it tells."""

    def __init__(self, *profiles: StreamProfile, paths: int = DEFAULT_PATHS) -> None:
        """Nothing heard yet.

        Args:
            profiles: the one agreed with the sender, or all it may use: the first frame that
                is right tells which.
            paths: 1 to 32 candidates tried for a block whose checksum is wrong: more survive
                more errors and take more time.

        Raises:
            LocalLinkError: paths out of range, or a profile that R frames cannot carry.
        """
        super().__init__(hold_superframes=0)
        self._reader = RawReader(profiles, self._session, self._report, paths=paths)

    def receive_data(self, chunk: bytes, *, now_s: float) -> None:
        """Take bytes as they came from the port, any number of them."""
        self.stats.bytes_received += len(chunk)
        self._reader.receive(chunk, now_s)
