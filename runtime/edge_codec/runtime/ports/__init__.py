"""Ports: the devices that move a link's bytes, opened by URL.

| URL | device |
| --- | --- |
| `/dev/ttyUSB0`, `serial:///dev/ttyUSB0` | serial line at `baud`, 8N1; `?rtscts` flow control |
| `udp://HOST:PORT`, `udp://:PORT` | datagrams to HOST, or arriving at PORT |
| `rtp://HOST:PORT`, `rtp://:PORT` | the same, in RTP |
| `kiss-tcp://HOST:PORT` | a TNC program; `?ax25=AB1CD-5` sends UI frames, `&to=` names their goal |
| `kiss:///dev/ttyUSB0` | a TNC on a serial line, with the options of both |
| `pty://`, `pty:///tmp/radio` | new pseudo terminal, with a symlink to it when a path is given |
| `loop://` | what is written comes back |
| a file path, `-` | a file, a pipe, standard input or output |

A port never blocks, and but for those that put packets in envelopes knows nothing of them.
"""

from edge_codec.runtime.ports.opener import (
    Mode,
    is_datagram,
    is_line,
    is_transparent,
    is_two_way,
    open_port,
    plugged_port,
)
from edge_codec.runtime.ports.pluggable import PluggablePort
from edge_codec.runtime.ports.port import DescriptorPort, Port

__all__ = [
    "DescriptorPort",
    "Mode",
    "PluggablePort",
    "Port",
    "is_datagram",
    "is_line",
    "is_transparent",
    "is_two_way",
    "open_port",
    "plugged_port",
]
