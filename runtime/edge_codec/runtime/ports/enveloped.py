"""Ports whose pipe has frames of its own: each packet travels in one KISS, AX.25 or RTP frame.

The one kind of port that looks at packets, since it has to know where they begin and end.
"""

from edge_codec.firmware_bridge.envelope import Envelope
from edge_codec.firmware_bridge.framing import DELIMITER, stuff, unstuff
from edge_codec.runtime.errors import PortError
from edge_codec.runtime.ports.port import Port


class EnvelopedPort:
    """Another port, packets on it in envelopes."""

    def __init__(self, name: str, port: Port, envelope: Envelope) -> None:
        """Take over an open port."""
        self.name = name
        self._port = port
        self._envelope = envelope
        self._unsent = b""

    @property
    def is_finished(self) -> bool:
        """No more will come."""
        return self._port.is_finished

    def fileno(self) -> int:
        """Descriptor to wait on."""
        return self._port.fileno()

    def read(self) -> bytes:
        """Packets that have arrived, stuffed and delimited."""
        return b"".join(map(stuff, self._envelope.unwrap(self._port.read())))

    def write(self, data: bytes) -> int:
        """Hand over one packet, stuffed and delimited; returns 0 when the port is full."""
        self._flush()
        if self._unsent:
            return 0
        packet = unstuff(data.strip(DELIMITER))
        if not isinstance(packet, bytes):
            raise PortError(f"{self.name} carries packets only: give a mode that starts with P")
        self._unsent = self._envelope.wrap(packet)
        self._flush()
        return len(data)

    def unsent_bytes(self) -> int:
        """How many bytes were taken but have not left yet."""
        self._flush()
        return len(self._unsent) + self._port.unsent_bytes()

    def close(self) -> None:
        """Release the device."""
        self._port.close()

    def _flush(self) -> None:
        if self._unsent:
            self._unsent = self._unsent[self._port.write(self._unsent) :]
