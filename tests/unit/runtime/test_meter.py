"""What is said while tx and rx run, to people and to machines; and how a stop is noticed."""

import io
import json
import os
import pty
import signal

import pytest

from edge_codec.runtime.meter import Report, peak_rss_bytes
from edge_codec.runtime.transceiver import StopSignal, SystemClock


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_people_get_lines_and_no_meter_in_a_log_file() -> None:
    log = io.StringIO()
    report = Report("rx", lambda: 1.0, log)
    report.event("playing", "playing at last", stream_tag=3)
    assert not report.is_due()
    report.meter(-20.0, "lost 0", voice_lost=0)
    assert log.getvalue() == "rx: playing at last\n"


def test_terminal_gets_a_live_line_five_times_a_second() -> None:
    terminal, now_s = Terminal(), [0.0]
    report = Report("rx", lambda: now_s[0], terminal)
    assert report.is_due()
    assert not report.is_due()
    now_s[0] = 0.21
    assert report.is_due()
    report.meter(-30.0, "lost 0")
    assert "rx ######...... -30.0 dBFS  lost 0" in terminal.getvalue()


def test_live_line_is_cut_to_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    terminal = Terminal()
    Report("rx", lambda: 0.0, terminal).meter(-30.0, "lost 0")
    assert terminal.getvalue() == "\r\x1b[2Krx ######...... -30"


@pytest.mark.parametrize(("level_dbfs", "filled"), [(-120.0, 0), (-60.0, 0), (0.0, 12), (3.0, 12)])
def test_bar_stays_within_its_ends(level_dbfs: float, filled: int) -> None:
    terminal = Terminal()
    Report("tx", lambda: 0.0, terminal).meter(level_dbfs, "")
    assert terminal.getvalue().count("#") == filled


def test_machines_get_one_object_a_line_with_its_time() -> None:
    people, machines = io.StringIO(), io.StringIO()
    report = Report("tx", lambda: 12.34567, people, machines)
    report.event("sent", "sent 1 s", audio_s=1.0)
    report.meter(-20.04, "queue", queue_s=0.1)
    records = [json.loads(line) for line in machines.getvalue().splitlines()]
    assert records == [
        {"event": "sent", "t_s": 12.3457, "message": "sent 1 s", "audio_s": 1.0},
        {"event": "meter", "t_s": 12.3457, "level_dbfs": -20.0, "queue_s": 0.1},
    ]
    assert people.getvalue() == ""


def test_peak_memory_is_that_of_a_python_process() -> None:
    assert 10e6 < peak_rss_bytes() < 4e9


@pytest.mark.parametrize(
    ("number", "exit_code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0), (signal.SIGHUP, 0)]
)
def test_first_signal_is_a_wish_and_the_second_acts(number: signal.Signals, exit_code: int) -> None:
    hits: list[int] = []
    previous = signal.signal(number, lambda received, frame: hits.append(received))
    try:
        with StopSignal() as stop:
            assert stop.exit_code == 0
            os.kill(os.getpid(), number)
            assert (stop.received, stop.exit_code, hits) == (number, exit_code, [])
            os.kill(os.getpid(), number)
        assert hits == [number]
    finally:
        signal.signal(number, previous)


def test_nohup_holds() -> None:
    previous = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with StopSignal() as stop:
            os.kill(os.getpid(), signal.SIGHUP)
            assert stop.received is None
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, previous)


def test_a_closed_terminal_stops_no_report() -> None:
    master, slave = pty.openpty()
    terminal = os.fdopen(slave, "w")
    report = Report("tx", lambda: 0.0, terminal)
    os.close(master)
    report.event("sent", "sent 1 s")
    report.meter(-20.0, "live")
    with pytest.raises(OSError, match="Input/output"):
        terminal.close()


def test_clock_waits_until_there_is_something_to_read() -> None:
    read_end, write_end = os.pipe()
    clock = SystemClock()
    os.write(write_end, b"x")
    before_s = clock.now_s()
    with os.fdopen(read_end) as readable:
        clock.wait([readable], 60.0)
    clock.wait([], 0.0)
    assert clock.now_s() - before_s < 0.2
    os.close(write_end)
