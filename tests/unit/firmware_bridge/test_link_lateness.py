"""What a late line costs: layers by what it was seen to carry, then steps of the mode; airtime."""

import pytest

from edge_codec.firmware_bridge import DutyCycle, LocalLinkError
from edge_codec.firmware_bridge.lateness import CLEAN_MAX_S, CLEAN_S, ByteBudget, StepControl


def take(budget: ByteBudget, ages: list[float], *, n_bytes: int = 100, step_s: float = 0.2) -> None:
    for n, age in enumerate(ages):
        budget.note_superframe(age, least_bytes_s=50, most_bytes_s=1000, now_s=n * step_s)
        budget.note(n_bytes)


def test_a_line_in_time_is_not_limited() -> None:
    budget = ByteBudget()
    take(budget, [0.0, 0.4, 0.5, 0.0])
    assert budget.rate_bytes_s is None


def test_a_late_line_gives_its_rate_away() -> None:
    budget = ByteBudget()
    take(budget, [0.0, 0.9])
    assert budget.rate_bytes_s == pytest.approx(0.9 * 100 / 0.2)


def test_a_line_that_stood_still_keeps_the_base() -> None:
    budget = ByteBudget()
    take(budget, [0.0, 2.0], step_s=60.0)
    assert budget.rate_bytes_s == 50


def test_the_limit_grows_away_in_time() -> None:
    budget = ByteBudget()
    take(budget, [0.0, 0.9, *[0.0] * 30])
    assert budget.rate_bytes_s == pytest.approx(450 * 1.02**30)
    take(budget, [0.0] * 80)
    assert budget.rate_bytes_s is None


def drop(control: StepControl, now_s: float) -> None:
    control.note(was_dropped=True, was_late=True, now_s=now_s)


def test_two_drops_in_a_row_step_down_and_old_ones_do_not() -> None:
    control = StepControl()
    drop(control, 0.0)
    assert not control.should_step_down(0.0)
    for n in range(8):
        control.note(was_dropped=False, was_late=False, now_s=n * 0.24)
    drop(control, 2.0)
    assert not control.should_step_down(2.0)
    drop(control, 2.2)
    assert control.should_step_down(2.2)
    assert not control.should_step_down(2.2)


def test_ten_clean_seconds_step_up_and_failures_double_them() -> None:
    control, now_s, wait_s = StepControl(), 0.0, CLEAN_S
    drop(control, now_s)
    for _ in range(8):
        assert not control.should_step_up(now_s + wait_s - 0.1)
        assert control.should_step_up(now_s + wait_s)
        now_s += wait_s + 1.0
        drop(control, now_s)
        drop(control, now_s)
        assert control.should_step_down(now_s)
        wait_s = min(2 * wait_s, CLEAN_MAX_S)


def test_duty_cycle_never_exceeds_its_share_of_any_hour() -> None:
    duty, sent = DutyCycle(0.01), []
    for n in range(20_000):
        now_s = n * 0.5
        if duty.allows(0.1, now_s=now_s):
            duty.use(0.1, now_s=now_s)
            sent.append(now_s)
    assert duty.total_s == pytest.approx(0.1 * len(sent))
    for start_s in range(0, 10_000, 50):
        within = sum(start_s <= time_s < start_s + 3600 for time_s in sent)
        assert within * 0.1 <= 36.0 + 1e-6
    assert len(sent) * 0.1 > 36.0 * 2


def test_a_full_duty_cycle_limits_nothing() -> None:
    duty = DutyCycle()
    duty.use(7200.0, now_s=0.0)
    assert duty.allows(1e6, now_s=0.0)
    with pytest.raises(LocalLinkError, match="duty cycle"):
        DutyCycle(0)
