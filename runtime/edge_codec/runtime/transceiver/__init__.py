"""Transceiver shells: the codec and the link joined to ports and sound, one loop per process."""

from edge_codec.runtime.transceiver.clock import Clock, StopSignal, SystemClock
from edge_codec.runtime.transceiver.half_duplex import HalfDuplex
from edge_codec.runtime.transceiver.listener import Listener, StreamMuted
from edge_codec.runtime.transceiver.reception import Reception
from edge_codec.runtime.transceiver.sender import Sender
from edge_codec.runtime.transceiver.talker import Talker
from edge_codec.runtime.transceiver.transmission import Transmission

__all__ = [
    "Clock",
    "HalfDuplex",
    "Listener",
    "Reception",
    "Sender",
    "StopSignal",
    "StreamMuted",
    "SystemClock",
    "Talker",
    "Transmission",
]
