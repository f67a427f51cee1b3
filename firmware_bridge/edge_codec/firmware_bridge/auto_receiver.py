"""The receiving end of a link whose framing is not known: packets and raw frames alike.

Both are looked for in the same bytes, and feed the same streams. While raw frames are followed,
what the packet side makes of their bytes is not worth a report. Raw frames cannot be secured: a
receiver with a guard is given no profiles of them.
"""

from edge_codec.firmware_bridge.events import DamageReason
from edge_codec.firmware_bridge.guard import Guard
from edge_codec.firmware_bridge.profile import StreamProfile
from edge_codec.firmware_bridge.raw_reader import RawReader
from edge_codec.firmware_bridge.raw_receiver import DEFAULT_PATHS
from edge_codec.firmware_bridge.receiver import Receiver


class AutoReceiver(Receiver):
    """A `Receiver` that hears raw frames of known profiles, too."""

    def __init__(
        self,
        *profiles: StreamProfile,
        hold_superframes: int = 0,
        guard: Guard | None = None,
        paths: int = DEFAULT_PATHS,
    ) -> None:
        """Nothing heard yet; see `Receiver` and `RawReceiver` for the arguments.

        Raises:
            LocalLinkError: a number is out of range, or R frames cannot carry a profile.
        """
        super().__init__(hold_superframes=hold_superframes, guard=guard, waits_for_red=True)
        self._raw = RawReader(profiles, self._session, super()._report, paths=paths)

    def receive_data(self, chunk: bytes, *, now_s: float) -> None:
        """Take bytes as they came from the port, any number of them."""
        self._raw.receive(chunk, now_s)
        super().receive_data(chunk, now_s=now_s)

    def _report(self, reason: DamageReason) -> None:
        if not self._raw.is_locked:
            super()._report(reason)
