"""The PTT state machine, step by step in made-up time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_codec.firmware_bridge import LocalLinkError
from edge_codec.firmware_bridge.keying import END_MAX_S, KeyEvent, Keying, KeyState, KeyTimes

RADIO = KeyTimes(tx_delay_s=0.25, tail_s=0.1, time_out_s=180.0, has_busy_lockout=True)


def step(keying: Keying, now_s: float, wants: bool, **facts: bool) -> list[KeyEvent]:
    return list(keying.step(now_s, wants=wants, **facts))


def test_one_transmission_goes_through_every_state() -> None:
    keying = Keying(RADIO)
    assert step(keying, 0.0, False) == []
    assert step(keying, 1.0, True, is_sent=False) == [KeyEvent.KEY_DOWN]
    assert (keying.state, keying.is_keyed, keying.may_send) == (KeyState.KEYING, True, False)
    step(keying, 1.24, True, is_sent=False)
    assert keying.state is KeyState.KEYING
    step(keying, 1.25, True, is_sent=False)
    assert (keying.state, keying.may_send) == (KeyState.HELLO, True)
    step(keying, 1.4, True, is_sent=True)
    assert keying.state is KeyState.VOICE
    step(keying, 3.0, False, is_sent=True)
    assert keying.state is KeyState.END  # END is not queued yet, whatever was sent before
    step(keying, 3.1, False, is_sent=False)
    assert (keying.state, keying.may_send) == (KeyState.END, True)
    assert step(keying, 3.2, False, is_sent=True) == []
    assert (keying.state, keying.is_keyed, keying.may_send) == (KeyState.TAIL, True, False)
    assert step(keying, 3.31, False) == [KeyEvent.KEY_UP]
    assert keying.state is KeyState.IDLE


def test_without_times_the_key_is_down_at_once_and_up_at_once() -> None:
    keying = Keying(KeyTimes())
    assert step(keying, 0.0, True, is_sent=False) == [KeyEvent.KEY_DOWN]
    assert keying.may_send
    step(keying, 0.0, True, is_sent=True)
    step(keying, 0.0, False, is_sent=True)
    assert step(keying, 0.0, False, is_sent=True) == [KeyEvent.KEY_UP]


def test_busy_channel_locks_the_key_until_it_is_free() -> None:
    keying = Keying(RADIO)
    assert step(keying, 0.0, True, is_busy=True) == [KeyEvent.BUSY]
    assert step(keying, 0.1, True, is_busy=True) == []
    assert not keying.is_keyed
    assert step(keying, 0.2, True, is_busy=False) == [KeyEvent.KEY_DOWN]
    assert step(keying, 0.3, True, is_busy=True) == []  # our own signal
    assert keying.is_keyed


def test_busy_channel_is_no_matter_without_lockout() -> None:
    assert step(Keying(KeyTimes()), 0.0, True, is_busy=True) == [KeyEvent.KEY_DOWN]


def test_time_out_ends_the_transmission_and_locks_the_key() -> None:
    keying = Keying(RADIO)
    for now_s in (0.0, 0.3, 179.9):
        step(keying, now_s, True, is_sent=now_s > 0)
    assert keying.state is KeyState.VOICE
    assert step(keying, 180.0, True) == [KeyEvent.TIMED_OUT]
    assert keying.state is KeyState.END
    assert step(keying, 180.2, True) == []
    assert step(keying, 180.4, True) == [KeyEvent.KEY_UP]
    assert step(keying, 200.0, True) == []  # still held
    assert step(keying, 201.0, False) == []
    assert step(keying, 202.0, True) == [KeyEvent.KEY_DOWN]


def test_end_that_cannot_be_sent_does_not_keep_the_transmitter_on() -> None:
    keying = Keying(KeyTimes())
    step(keying, 0.0, True, is_sent=False)
    step(keying, 0.1, True, is_sent=True)
    step(keying, 1.0, False, is_sent=False)
    assert step(keying, 1.0 + END_MAX_S - 0.1, False, is_sent=False) == []
    assert step(keying, 1.0 + END_MAX_S, False, is_sent=False) == [KeyEvent.KEY_UP]


@given(
    st.lists(st.tuples(st.floats(0, 20), st.booleans(), st.booleans(), st.booleans()), max_size=60)
)
def test_whatever_happens_key_events_alternate_and_no_transmission_is_too_long(
    steps: list[tuple[float, bool, bool, bool]],
) -> None:
    times = KeyTimes(tx_delay_s=0.25, tail_s=0.1, time_out_s=10.0, has_busy_lockout=True)
    keying, now_s, keys = Keying(times), 0.0, []
    for elapsed_s, wants, is_sent, is_busy in steps:
        now_s += elapsed_s
        events = step(keying, now_s, wants, is_sent=is_sent, is_busy=is_busy)
        keys += [event for event in events if event in (KeyEvent.KEY_DOWN, KeyEvent.KEY_UP)]
        assert keying.is_keyed == (bool(keys) and keys[-1] is KeyEvent.KEY_DOWN)
    assert keys[::2] == [KeyEvent.KEY_DOWN] * len(keys[::2])
    assert keys[1::2] == [KeyEvent.KEY_UP] * len(keys[1::2])
    for _ in range(6):  # whoever holds the key, it comes up
        now_s += 10.0
        step(keying, now_s, True, is_sent=False)
        if not keying.is_keyed:
            return
    pytest.fail(f"still {keying.state}")


def test_times_below_zero_are_refused() -> None:
    with pytest.raises(LocalLinkError, match="tail_s"):
        KeyTimes(tail_s=-1.0)
