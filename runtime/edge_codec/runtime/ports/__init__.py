"""Ports: the devices that move a link's bytes, opened by URL.

| URL | device |
| --- | --- |
| `/dev/ttyUSB0`, `serial:///dev/ttyUSB0` | serial line at `baud`, 8N1 |
| `udp://HOST:PORT`, `udp://:PORT` | datagrams to HOST, or arriving at PORT |
| `pty://`, `pty:///tmp/radio` | new pseudo terminal, with a symlink to it when a path is given |
| `loop://` | what is written comes back |
| a file path, `-` | a file, a pipe, standard input or output |

A port knows nothing of packets, and never blocks.
"""

from edge_codec.runtime.ports.opener import Mode, is_line, open_port, plugged_port
from edge_codec.runtime.ports.pluggable import PluggablePort
from edge_codec.runtime.ports.port import DescriptorPort, Port

__all__ = [
    "DescriptorPort",
    "Mode",
    "PluggablePort",
    "Port",
    "is_line",
    "open_port",
    "plugged_port",
]
