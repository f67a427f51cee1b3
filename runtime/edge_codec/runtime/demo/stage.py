"""The demo's stage: `tx` and `rx` as real processes, joined by a virtual serial modem.

Keeps the modem moving, collects what the two report, and lets neither outlive the demo.
"""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edge_codec.runtime.errors import PortError
from edge_codec.runtime.meter import Report
from edge_codec.runtime.ports.modem import VirtualModem
from edge_codec.runtime.transceiver.clock import Clock, StopSignal

STEP_S = 0.004
"""The modem is moved this often: a few bytes at 9600 baud."""
GRACE_S = 15.0
"""Processes may take this much longer than the speech lasts, loading the model included."""
_RUN_COMMAND = "import sys; from edge_codec.runtime.cli import main; sys.exit(main())"
_NOTHING_HEARD = {"level_dbfs": -120.0, "buffer_s": 0.0, "voice_lost": 0, "damaged": 0}

Event = dict[str, Any]


class Actor:
    """One `edge-codec` process and the events it has reported as JSON."""

    def __init__(self, arguments: Sequence[str], log: Path) -> None:
        """Start `edge-codec` with these arguments; what it says to people goes to `log`."""
        self.events: list[Event] = []
        self._log = log
        self._unread = b""
        with log.open("wb") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-c", _RUN_COMMAND, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                start_new_session=True,  # Ctrl-C reaches the demo alone
            )
        assert self._process.stdout is not None
        self._output = self._process.stdout
        os.set_blocking(self._output.fileno(), False)

    @property
    def exit_code(self) -> int | None:
        """None while it runs."""
        return self._process.poll()

    def collect(self) -> None:
        """Read the events reported since the last call."""
        lines = (self._unread + (self._output.read() or b"")).split(b"\n")
        self._unread = lines.pop()
        self.events += [json.loads(line) for line in lines]

    def find(self, event: str) -> Event | None:
        """Return the latest event of this name; None if there was none."""
        return next((found for found in reversed(self.events) if found["event"] == event), None)

    def interrupt(self) -> None:
        """Ask it to end cleanly."""
        self._process.terminate()

    def close(self) -> None:
        """End it, by force if need be, and read its last events."""
        if self.exit_code is None:
            self._process.kill()
        self._process.wait()
        self.collect()
        self._output.close()

    def last_words(self) -> str:
        """Return the last line of what it said to people."""
        lines = self._log.read_text(errors="replace").splitlines()
        return lines[-1] if lines else f"no message, exit code {self.exit_code}"


class Stage:
    """`tx` and `rx` on the two ends of one modem."""

    def __init__(self, modem: VirtualModem, baud: int, out: Path, report: Report) -> None:
        """Set up; `perform` starts the processes, which log into `out`."""
        self._modem = modem
        self._out = out
        self._report = report
        self._line = ["--json", "--baud", str(baud)]

    def perform(
        self,
        tx_options: Sequence[str],
        rx_options: Sequence[str],
        seconds: float,
        clock: Clock,
        stop: StopSignal,
    ) -> tuple[Actor, Actor]:
        """Send once, hear once.

        Args:
            tx_options: of `edge-codec tx`, without port and baud rate.
            rx_options: of `edge-codec rx`, likewise.
            seconds: length of the speech.
            clock: time and waiting.
            stop: ends the transmission early.

        Returns:
            The two processes, both over.

        Raises:
            PortError: one of them failed.
        """
        tx_end, rx_end = self._modem.names
        actors = [self._start("rx", rx_end, rx_options)]
        try:
            self._wait_for(actors[0], "listening", clock)
            actors.append(self._start("tx", tx_end, tx_options))
            self._wait_for(actors[1], "sending", clock)
            self._watch(actors[1], actors[0], seconds, clock, stop)
        finally:
            for actor in actors:
                actor.close()
        for actor in actors:
            if actor.exit_code:
                raise PortError(actor.last_words())
        return actors[1], actors[0]

    def _start(self, command: str, port: str, options: Sequence[str]) -> Actor:
        log = self._out / f"{command}.log"
        return Actor([command, "--port", port, *self._line, *options], log)

    def _wait_for(self, actor: Actor, event: str, clock: Clock) -> None:
        deadline_s = clock.now_s() + GRACE_S
        while actor.find(event) is None:
            self._step([actor], clock)
            if actor.exit_code is not None or clock.now_s() > deadline_s:
                raise PortError(actor.last_words())

    def _watch(self, tx: Actor, rx: Actor, seconds: float, clock: Clock, stop: StopSignal) -> None:
        start_s = clock.now_s()
        while tx.exit_code is None or rx.exit_code is None:
            self._step([tx, rx], clock)
            elapsed_s = clock.now_s() - start_s
            if stop.received:
                tx.interrupt()
            if elapsed_s > seconds + GRACE_S:
                raise PortError(f"the demo did not end {GRACE_S:g} s after the speech")
            if self._report.is_due():
                self._show(tx, rx, min(elapsed_s, seconds), seconds)

    def _step(self, actors: list[Actor], clock: Clock) -> None:
        self._modem.step(clock.now_s())
        for actor in actors:
            actor.collect()
        clock.wait([], STEP_S)

    def _show(self, tx: Actor, rx: Actor, elapsed_s: float, seconds: float) -> None:
        sent = {"line_bps": 0, "queue_s": 0.0} | (tx.find("meter") or {})
        heard = _NOTHING_HEARD | (rx.find("meter") or {})
        self._report.meter(
            heard["level_dbfs"],
            f"{elapsed_s:4.1f}/{seconds:.1f} s  {sent['line_bps']} bit/s"
            f"  queue {sent['queue_s'] * 1000:.0f} ms  buffer {heard['buffer_s'] * 1000:.0f} ms"
            f"  lost {heard['voice_lost']}  damaged {heard['damaged']}",
        )
