"""Serial lines: pyserial opens and configures them, and every failure says what to do next."""

import errno

import serial

from edge_codec.runtime.errors import PortError
from edge_codec.runtime.ports.port import DescriptorPort
from edge_codec.runtime.ports.url import PortUrl

_ADVICE = {
    errno.ENOENT: "is the adapter plugged in? `ls /dev/serial/by-id` lists adapters",
    errno.EACCES: "no permission: `sudo usermod -aG dialout $USER`, then log in again",
    errno.EBUSY: "another program uses it: `fuser -v {path}` says which",
    errno.EAGAIN: "another program uses it: `fuser -v {path}` says which",
}


OPTIONS = ("rtscts", "rts", "dtr")
"""Flow control by RTS and CTS, off; state of the lines RTS and DTR, on."""


def open_serial(url: PortUrl, baud: int) -> DescriptorPort:
    """Open a serial line, 8N1, raw, locked against other programs that lock.

    Raises:
        PortError: missing, busy, not permitted, not a serial line, or `baud` is not supported.
    """
    path = url.place
    try:
        line = serial.Serial(baudrate=baud, timeout=0, exclusive=True, rtscts=url.is_on("rtscts"))
        line.rts = url.is_on("rts", default=True)
        line.dtr = url.is_on("dtr", default=True)
        line.port = path
        line.open()
    except ValueError as error:
        raise PortError(f"{path} cannot run at {baud} baud: give a rate the radio uses") from error
    except serial.SerialException as error:
        advice = _ADVICE.get(error.errno, "is it a serial line?").format(path=path)
        raise PortError(f"cannot open {path}: {advice}; see docs/troubleshooting.md") from error
    return DescriptorPort(path, line.fileno(), release=line.close)
