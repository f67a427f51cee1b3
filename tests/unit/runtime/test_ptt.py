"""Push to talk: every way to key a radio, and who may send when."""

import errno
import fcntl
import json
import math
import struct
import sys
import termios
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from edge_codec.firmware_bridge import PROFILES, MessageReceived, Receiver
from edge_codec.firmware_bridge.control import Ptt, Stat, control_packet, unpack_control
from edge_codec.firmware_bridge.framing import stuff
from edge_codec.firmware_bridge.keying import KeyTimes
from edge_codec.runtime.errors import ConfigError, PortError
from edge_codec.runtime.ports import PluggablePort, Port
from edge_codec.runtime.ports.local import open_loop, open_pty
from edge_codec.runtime.transceiver.keyer import HOLD_S, Carrier, Keyer, Unheard
from edge_codec.runtime.transceiver.ptt import NoPtt, open_ptt
from support.fake_line import FakeClock, Journal, WirePort
from support.link_pair import send_spurt
from support.repository import REPOSITORY


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int, int]]:
    """What is asked of modem lines: verb, descriptor, bits."""
    names = {termios.TIOCMBIS: "raise", termios.TIOCMBIC: "drop"}
    asked: list[tuple[str, int, int]] = []

    def ioctl(descriptor: int, request: int, argument: bytes) -> int:
        asked.append((names[request], descriptor, struct.unpack("I", argument)[0]))
        return 0

    monkeypatch.setattr(fcntl, "ioctl", ioctl)
    return asked


@pytest.fixture
def port() -> Iterator[Port]:
    loop = open_loop()
    yield loop
    loop.close()


@pytest.mark.parametrize(
    ("choice", "bits"), [("rts", termios.TIOCM_RTS), ("dtr", termios.TIOCM_DTR)]
)
def test_line_is_down_at_first_and_in_the_end(
    lines: list[tuple[str, int, int]], port: Port, choice: str, bits: int
) -> None:
    ptt = open_ptt(choice, port)
    ptt.key(True)
    ptt.close()
    assert lines == [(verb, port.fileno(), bits) for verb in ("drop", "raise", "drop")]


def pulled_out_after_2_s(clock: FakeClock) -> PluggablePort:
    cuts = iter((2.0, math.inf))
    return PluggablePort(
        lambda: WirePort(clock, 9600, next(cuts)), clock.now_s, lambda event, message: None
    )


def test_line_is_set_anew_when_the_adapter_is_back(lines: list[tuple[str, int, int]]) -> None:
    clock = FakeClock()
    port = pulled_out_after_2_s(clock)
    ptt = open_ptt("rts", port)
    ptt.key(True)
    for _ in range(20):
        clock.wait([], 0.2)
        port.read()
    assert [verb for verb, _, _ in lines] == ["drop", "raise", "raise"]


def test_line_is_dropped_when_the_adapter_is_back(
    lines: list[tuple[str, int, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = FakeClock()
    port = pulled_out_after_2_s(clock)
    ptt = open_ptt("rts", port)
    ptt.key(True)
    clock.wait([], 2.5)

    def refuse(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as away:
        away.setattr(fcntl, "ioctl", refuse)
        ptt.key(False)
    port.read()
    clock.wait([], 1.5)
    port.read()
    assert [verb for verb, _, _ in lines] == ["drop", "raise", "drop"]


def test_what_has_no_lines_says_so() -> None:
    pty = open_pty()
    with pytest.raises(PortError, match="has no line RTS"):
        open_ptt("rts", pty)
    with pytest.raises(PortError, match="has no line DTR"):
        open_ptt(f"dtr:{pty.name}", pty)
    pty.close()


def test_command_is_called_with_one_and_zero(tmp_path: Path, port: Port) -> None:
    script = tmp_path / "key me.sh"
    script.write_text(f'#!/bin/sh\necho "$@" >> "{tmp_path}/log"\n')
    script.chmod(0o755)
    ptt = open_ptt(f"exec:'{script}' -m 1 T", port)
    ptt.key(True)
    ptt.close()
    assert (tmp_path / "log").read_text() == "-m 1 T 1\n-m 1 T 0\n"


@pytest.mark.parametrize("command", ["false", "/no/such/program"])
def test_command_that_fails_is_an_error(port: Port, command: str) -> None:
    with pytest.raises(PortError, match="did not key the radio"):
        open_ptt(f"exec:{command}", port).key(True)


def test_modem_is_told_on_the_wire(port: Port) -> None:
    ptt, receiver = open_ptt("ctrl", port), Receiver()
    ptt.key(True)
    ptt.close()
    receiver.receive_data(port.read(), now_s=0.0)
    for number, is_on in enumerate((True, False)):
        event = receiver.next_event()
        assert isinstance(event, MessageReceived)
        assert (event.sequence, unpack_control(event.payload)) == (number, Ptt(is_on))


class FakeGpiod(SimpleNamespace):
    """What is used of libgpiod 2's Python binding."""

    def __init__(self) -> None:
        self.log: list[Any] = []
        line = SimpleNamespace(
            Value=SimpleNamespace(ACTIVE=1, INACTIVE=0), Direction=SimpleNamespace(OUTPUT="output")
        )
        super().__init__(line=line, LineSettings=dict, log=self.log)

    def request_lines(self, chip: str, consumer: str, config: dict[int, Any]) -> SimpleNamespace:
        if chip != "/dev/gpiochip0":
            raise FileNotFoundError(2, "No such file or directory")
        self.log.append(config)
        return SimpleNamespace(
            set_value=lambda line, value: self.log.append((line, value)),
            release=lambda: self.log.append("release"),
        )


@pytest.mark.parametrize(("pin", "is_inverted"), [("17", False), ("!17", True)])
def test_pin_is_off_at_first_and_in_the_end(
    monkeypatch: pytest.MonkeyPatch, port: Port, pin: str, is_inverted: bool
) -> None:
    gpiod = FakeGpiod()
    monkeypatch.setitem(sys.modules, "gpiod", gpiod)
    ptt = open_ptt(f"gpio:/dev/gpiochip0:{pin}", port)
    ptt.key(True)
    ptt.close()
    settings = {"direction": "output", "output_value": 0, "active_low": is_inverted}
    assert gpiod.log == [{17: settings}, (17, 1), (17, 0), "release"]
    with pytest.raises(PortError, match="gpioinfo"):
        open_ptt("gpio:/dev/gpiochip9:17", port)


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ("cts", "is not known"),
        ("none:x", "is not known"),
        ("gpio:17", "write gpio"),
        ("gpio:/dev/gpiochip0:x", "write gpio"),
        ("exec:", "needs a command"),
        ("exec:'rigctl", "No closing quotation"),
    ],
)
def test_unknown_way_is_one_clear_line(port: Port, choice: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        open_ptt(choice, port)
    assert "\n" not in str(caught.value)


class FakePtt(NoPtt):
    """Notes what it is told."""

    def __init__(self) -> None:
        self.states: list[bool] = []

    def key(self, is_on: bool) -> None:
        self.states.append(is_on)


def test_keyer_keys_sends_and_lets_go() -> None:
    ptt = FakePtt()
    keyer = Keyer(KeyTimes(tx_delay_s=0.25, tail_s=0.1), ptt)
    keyer.step(0.0, wants=True, is_sent=False)
    assert (ptt.states, keyer.may_send) == ([True], False)
    keyer.step(0.25, wants=True, is_sent=False)
    assert keyer.may_send
    keyer.step(0.5, wants=True, is_sent=True)
    keyer.step(1.0, wants=False, is_sent=False)
    keyer.step(1.1, wants=False, is_sent=True)
    assert (ptt.states, keyer.may_send, keyer.is_keyed) == ([True], False, True)
    keyer.step(1.3, wants=False, is_sent=True)
    assert (ptt.states, keyer.is_keyed) == ([True, False], False)


def make_carrier() -> tuple[Port, Carrier]:
    port = open_loop()
    return port, Carrier(port, Receiver())


def test_channel_is_busy_from_the_first_packet_to_end() -> None:
    port, carrier = make_carrier()
    port.write(b"noise\0\1\2\3")
    assert not carrier.is_busy(0.0)
    *begun, (_, end) = send_spurt(PROFILES[6], 2)
    port.write(b"\0" + begun[0][1] + begun[1][1])
    assert carrier.is_busy(1.0)
    assert carrier.is_busy(1.9)
    port.write(begun[2][1] + end)
    assert not carrier.is_busy(1.95)
    port.close()


@pytest.mark.parametrize("tx_delay_s", [0.0, 9.0])
def test_who_does_not_listen_empties_the_port_all_the_same(port: Port, tx_delay_s: float) -> None:
    keyer = Keyer(KeyTimes(tx_delay_s=tx_delay_s), channel=Unheard(port))
    for now_s in (0.0, 1.0):
        port.write(b"others")
        keyer.step(now_s, wants=True, is_sent=False)
        assert port.read() == b""


def test_secured_packets_of_others_are_heard_too() -> None:
    port, carrier = make_carrier()
    secured = json.loads((REPOSITORY / "tests/golden/link/secured.json").read_text())
    port.write(stuff(bytes.fromhex(secured["suites"]["auth_8"]["hello"])))
    assert carrier.is_busy(0.0)
    port.close()


def test_keyer_tells_of_a_busy_channel_and_of_the_timer() -> None:
    clock = FakeClock()
    journal, ptt = Journal(clock), FakePtt()
    port, carrier = make_carrier()
    times = KeyTimes(time_out_s=10.0, has_busy_lockout=True)
    keyer = Keyer(times, ptt, journal.report, carrier)
    port.write(control_packet(Stat(tx_free_bytes=0, queue_ms=0, errors=0, is_busy=True), 0))
    keyer.step(0.0, wants=True, is_sent=False)
    keyer.step(0.5, wants=True, is_sent=False)
    assert ptt.states == []
    keyer.step(HOLD_S, wants=True, is_sent=False)
    assert ptt.states == [True]
    port.write(send_spurt(PROFILES[6], 1)[0][1])  # an echo of our own
    keyer.step(HOLD_S + 10.0, wants=True, is_sent=True)
    assert keyer.has_timed_out
    keyer.step(HOLD_S + 10.1, wants=True, is_sent=True)
    assert ptt.states == [True, False]
    assert not carrier.is_busy(HOLD_S + 10.2)
    assert journal.names() == ["busy", "timed_out"]
    port.close()


def test_missing_library_names_the_extra(monkeypatch: pytest.MonkeyPatch, port: Port) -> None:
    monkeypatch.setitem(sys.modules, "gpiod", None)
    with pytest.raises(ModuleNotFoundError) as caught:
        open_ptt("gpio:/dev/gpiochip0:1", port)
    assert caught.value.name == "gpiod"
