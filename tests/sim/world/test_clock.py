"""The gateway's clock in virtual time follows the product's own rules."""

from sim.world.clock import BEGUN_WALL_MS, MachineClock
from sim.world.timeline import Timeline


def clock_at(t_ms: int) -> tuple[Timeline, MachineClock]:
    timeline = Timeline()
    clock = MachineClock(timeline)
    timeline.until(t_ms)
    return timeline, clock


def test_a_clock_that_ntp_keeps_is_right_and_sure() -> None:
    _, clock = clock_at(5_000)
    clock.ntp = True
    assert clock.now() == (BEGUN_WALL_MS + 5_000, 5_000, "synchronised")


def test_a_boot_begins_monotonic_time_anew_and_may_lose_the_wall_clock() -> None:
    timeline, clock = clock_at(5_000)
    clock.boot("1970")
    timeline.until(7_000)
    assert clock.now() == (2_000, 2_000, "unset")
    assert clock.true_ms(2_000) == 7_000


def test_a_receipt_teaches_the_time_until_the_process_ends() -> None:
    timeline, clock = clock_at(5_000)
    clock.boot("2000")
    timeline.until(6_000)
    assert clock.learn(clock.true_wall_ms(), 900, 1_000)
    assert clock.now().quality == "synchronised"
    assert abs(clock.now().wall_ms - clock.true_wall_ms()) < 100
    clock.fresh()
    assert clock.now().quality == "unset"


def test_a_step_and_a_drift_move_the_wall_clock_alone() -> None:
    timeline, clock = clock_at(0)
    clock.step(-3_600_000)
    clock.drift(100)
    timeline.until(1_000_000)
    now = clock.now()
    assert now.mono_ms == 1_000_000
    assert now.wall_ms == BEGUN_WALL_MS - 3_600_000 + 1_000_100
