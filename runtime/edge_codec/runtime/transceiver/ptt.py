"""Push to talk: what turns a transmitter on and off.

| given as | keys by |
| --- | --- |
| `none` | nothing: the radio keys itself |
| `rts`, `dtr`, `rts:/dev/ttyUSB1` | that line of the serial port, or of another one |
| `gpio:/dev/gpiochip0:17`, `gpio:/dev/gpiochip0:!17` | a pin, high or low; needs the extra `gpio` |
| `ctrl` | a CTRL message to the modem at the port |
| `exec:rigctl -m 1 T` | a command, called with `1` or `0` behind it |
"""

import fcntl
import shlex
import struct
import subprocess
import termios
from collections.abc import Callable
from typing import Any, Protocol

from edge_codec.firmware_bridge.control import Ptt as PttMessage
from edge_codec.firmware_bridge.control import control_packet
from edge_codec.runtime.errors import ConfigError, PortError
from edge_codec.runtime.ports import PluggablePort, Port, open_port

KINDS = ("none", "rts", "dtr", "gpio", "ctrl", "exec")
EXEC_MAX_S = 3.0
"""A command that keys a radio has to be done in this time."""
_LINES = {"rts": termios.TIOCM_RTS, "dtr": termios.TIOCM_DTR}
_ANY_BAUD = 9600


class Ptt(Protocol):
    """One transmitter's key."""

    def key(self, is_on: bool) -> None:
        """Turn the transmitter on or off.

        Raises:
            PortError: that failed.
        """

    def close(self) -> None:
        """Turn the transmitter off and release the device."""


class NoPtt:
    """The radio keys itself when it gets bytes."""

    def key(self, is_on: bool) -> None:
        """Nothing to do."""

    def close(self) -> None:
        """Nothing to release."""


class LinePtt:
    """RTS or DTR of a serial line."""

    def __init__(self, port: Port, line: str, release: Callable[[], None] = lambda: None) -> None:
        """Key by `line`, `rts` or `dtr`, of an open port; off at first.

        Args:
            port: a serial line; if it is plugged out and in, the state is set anew.
            line: `rts` or `dtr`.
            release: called by `close`.

        Raises:
            PortError: the port has no such line.
        """
        self._port = port
        self._line = line
        self._release = release
        self._is_on = False
        if isinstance(port, PluggablePort):
            port.when_back(self._set_line)
        self._set_line()

    def key(self, is_on: bool) -> None:
        """Raise or drop the line; if the adapter is away, as soon as it is back."""
        self._is_on = is_on
        try:
            self._set_line()
        except PortError:
            if not isinstance(self._port, PluggablePort):
                raise

    def close(self) -> None:
        """Drop the line."""
        try:
            self.key(False)
        finally:
            self._release()

    def _set_line(self) -> None:
        request = termios.TIOCMBIS if self._is_on else termios.TIOCMBIC
        try:
            fcntl.ioctl(self._port.fileno(), request, struct.pack("I", _LINES[self._line]))
        except OSError as error:
            raise PortError(
                f"{self._port.name} has no line {self._line.upper()} to key the radio by ({error}):"
                f" give the serial adapter that has, --ptt {self._line}:/dev/ttyUSB1"
            ) from error


class GpioPtt:
    """A pin of a GPIO chip, through libgpiod."""

    def __init__(self, chip: str, line: int, *, is_inverted: bool) -> None:
        """Take the pin as an output, off at first.

        Args:
            chip: device, `/dev/gpiochip0`.
            line: offset of the pin in the chip.
            is_inverted: low keys the transmitter.

        Raises:
            ModuleNotFoundError: the extra `gpio` is not installed.
            PortError: no such chip or pin, in use, or not permitted.
        """
        import gpiod  # noqa: PLC0415  optional

        self._line = line
        self._values = gpiod.line.Value
        settings = gpiod.LineSettings(
            direction=gpiod.line.Direction.OUTPUT,
            output_value=self._values.INACTIVE,
            active_low=is_inverted,
        )
        try:
            self._request: Any = gpiod.request_lines(
                chip, consumer="edge-codec", config={line: settings}
            )
        except (OSError, ValueError) as error:
            raise PortError(
                f"cannot use pin {line} of {chip}: {error}; `gpioinfo` lists pins and who uses them"
            ) from error

    def key(self, is_on: bool) -> None:
        """Set the pin."""
        self._request.set_value(self._line, self._values.ACTIVE if is_on else self._values.INACTIVE)

    def close(self) -> None:
        """Turn the transmitter off and release the pin."""
        self.key(False)
        self._request.release()


class CtrlPtt:
    """CTRL messages to the modem on the wire."""

    def __init__(self, port: Port) -> None:
        """Send them to an open port."""
        self._port = port
        self._number = 0

    def key(self, is_on: bool) -> None:
        """Send one message; whole, since it is shorter than any port's buffer."""
        packet = control_packet(PttMessage(is_on), self._number)
        self._number += 1
        if self._port.write(packet) < len(packet):
            raise PortError(f"{self._port.name} does not take a CTRL message: is flow control on?")

    def close(self) -> None:
        """Turn the transmitter off."""
        self.key(False)


class ExecPtt:
    """A command of the user's."""

    def __init__(self, command: str) -> None:
        """Call `command` with `1` or `0` behind it.

        Raises:
            ConfigError: there is no command, or its quotes do not match.
        """
        try:
            self._words = shlex.split(command)
        except ValueError as error:
            raise ConfigError(f"--ptt exec:{command}: {error}") from error
        if not self._words:
            raise ConfigError("--ptt exec: needs a command, as in exec:rigctl -m 1 T")

    def key(self, is_on: bool) -> None:
        """Run the command to its end."""
        words = [*self._words, str(int(is_on))]
        try:
            subprocess.run(
                words,
                check=True,
                timeout=EXEC_MAX_S,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise PortError(f"`{shlex.join(words)}` did not key the radio: {error}") from error

    def close(self) -> None:
        """Turn the transmitter off."""
        self.key(False)


def open_ptt(choice: str, port: Port) -> Ptt:
    """The key that `choice` names; the module docstring lists the forms.

    Args:
        choice: as given to `--ptt`.
        port: where packets go.

    Raises:
        ConfigError: it names none.
        PortError: the device cannot be used.
        ModuleNotFoundError: the extra `gpio` is not installed.
    """
    kind, _, rest = choice.partition(":")
    if kind in _LINES:
        return _open_line(kind, rest, port)
    if kind == "gpio":
        return _open_gpio(choice, rest)
    if kind == "exec":
        return ExecPtt(rest)
    if choice == "ctrl":
        return CtrlPtt(port)
    if choice == "none":
        return NoPtt()
    raise ConfigError(
        f"--ptt {choice} is not known: give none, rts, dtr, gpio:CHIP:PIN, ctrl or exec:COMMAND"
    )


def _open_line(line: str, device: str, port: Port) -> LinePtt:
    if not device:
        return LinePtt(port, line)
    own = open_port(f"serial://{device}?{line}=0", _ANY_BAUD, "w")
    try:
        return LinePtt(own, line, own.close)
    except PortError:
        own.close()
        raise


def _open_gpio(choice: str, place: str) -> GpioPtt:
    chip, _, pin = place.rpartition(":")
    if not (chip and pin.removeprefix("!").isdecimal()):
        raise ConfigError(f"--ptt {choice}: write gpio:/dev/gpiochip0:17, or :!17 if low keys it")
    return GpioPtt(chip, int(pin.removeprefix("!")), is_inverted=pin.startswith("!"))
