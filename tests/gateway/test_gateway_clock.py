"""The gateway's clock: its quality, what a receipt teaches it, and the faster clock of a simulation."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.clock import BUILT_MS, LATEST_MS, LEARNED_MS_MAX, OFF_MS_MAX, ROUND_TRIP_MS_MAX, Clock
from protocol.words import Told
from sim import shim

TRUE_MS = BUILT_MS + 200 * 86_400_000  # what the centre's clock says when the system has been up for an hour
HOUR_MS = 3_600_000


class System:
    """The machine's clocks, set by hand."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch):
        self.wall_ms = TRUE_MS
        self.mono_ms = HOUR_MS
        self.kernel_is_sure = False
        monkeypatch.setattr("gateway.clock.time.time_ns", lambda: self.wall_ms * 1_000_000)
        monkeypatch.setattr("gateway.clock.time.clock_gettime_ns", lambda _: self.mono_ms * 1_000_000)
        monkeypatch.setattr(Clock, "kernel_is_sure", lambda _: self.kernel_is_sure)

    def passes(self, ms: int) -> None:
        self.wall_ms += ms
        self.mono_ms += ms


@pytest.fixture
def system(monkeypatch: pytest.MonkeyPatch) -> System:
    return System(monkeypatch)


def test_a_real_reading_is_of_the_systems_clocks() -> None:
    before, now, after = time.time_ns(), Clock().now(), time.time_ns()
    assert before // 1_000_000 <= now.wall_ms <= after // 1_000_000
    assert abs(now.mono_ms - time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000) < 1000
    assert now.quality in ("holdover", "synchronised")


@pytest.mark.parametrize("rate", [1, 20])
def test_the_time_since_boot_alone_is_that_of_a_whole_reading(system: System, rate: int) -> None:
    system.passes(1234)
    clock = Clock(rate)
    assert clock.mono_ms() == clock.now().mono_ms == (HOUR_MS + 1234) * rate


@pytest.mark.parametrize("wall_ms", [0, BUILT_MS - 1, LATEST_MS])
def test_a_clock_before_this_program_or_far_after_it_is_unset_whatever_the_kernel_says(
    system: System, wall_ms: int
) -> None:
    system.wall_ms, system.kernel_is_sure = wall_ms, True
    assert Clock().now() == (wall_ms, HOUR_MS, "unset")


def test_a_clock_that_nobody_keeps_right_is_holdover_and_else_synchronised(system: System) -> None:
    assert Clock().now().quality == "holdover"
    system.kernel_is_sure = True
    assert Clock().now() == (TRUE_MS, HOUR_MS, "synchronised")


def learn(clock: Clock, system: System, true_ms: int, round_trip_ms: int = 0) -> bool:
    sent_ms = clock.now().mono_ms
    system.passes(round_trip_ms)
    return clock.learn(true_ms + round_trip_ms // 2, sent_ms, clock.now().mono_ms)


def test_an_unset_clock_learns_the_time_from_a_receipt_and_keeps_it(system: System) -> None:
    system.wall_ms = 1_000
    clock = Clock()
    assert learn(clock, system, TRUE_MS, 400)
    assert clock.now() == (TRUE_MS + 400, HOUR_MS + 400, "synchronised")
    system.passes(HOUR_MS)
    assert clock.now() == (TRUE_MS + 400 + HOUR_MS, 2 * HOUR_MS + 400, "synchronised")


@pytest.mark.parametrize("off_ms", [-30 * 86_400_000, -OFF_MS_MAX - 1, OFF_MS_MAX + 1, 30 * 86_400_000])
def test_a_wrong_clock_steps_either_way_when_a_receipt_proves_it(system: System, off_ms: int) -> None:
    system.wall_ms = TRUE_MS + off_ms
    clock = Clock()
    assert learn(clock, system, TRUE_MS)
    assert clock.now() == (TRUE_MS, HOUR_MS, "synchronised")


@pytest.mark.parametrize("off_ms", [-OFF_MS_MAX, 0, OFF_MS_MAX])
def test_a_clock_that_a_receipt_agrees_with_does_not_step_and_is_sure(system: System, off_ms: int) -> None:
    system.wall_ms = TRUE_MS + off_ms
    clock = Clock()
    assert not learn(clock, system, TRUE_MS)
    assert clock.now() == (TRUE_MS + off_ms, HOUR_MS, "synchronised")


def test_what_a_receipt_taught_wears_off(system: System) -> None:
    clock = Clock()
    learn(clock, system, TRUE_MS)
    system.passes(LEARNED_MS_MAX)
    assert clock.now().quality == "synchronised"
    system.passes(1)
    assert clock.now().quality == "holdover"
    learn(clock, system, TRUE_MS + LEARNED_MS_MAX + 1)
    assert clock.now().quality == "synchronised"


def test_the_uncertainty_of_a_slow_answer_is_no_reason_to_step(system: System) -> None:
    system.wall_ms = TRUE_MS + OFF_MS_MAX + 1000
    clock = Clock()
    assert not learn(clock, system, TRUE_MS, OFF_MS_MAX + 2000)
    assert learn(clock, system, TRUE_MS + OFF_MS_MAX + 2000)


@pytest.mark.parametrize("round_trip_ms", [ROUND_TRIP_MS_MAX + 1, 10**9])
def test_an_answer_that_took_too_long_teaches_nothing(system: System, round_trip_ms: int) -> None:
    system.wall_ms = 1_000
    clock = Clock()
    assert not learn(clock, system, TRUE_MS, round_trip_ms)
    assert clock.now().quality == "unset"


@pytest.mark.parametrize("wall_ms", [0, BUILT_MS - 1, LATEST_MS, 2**64])
def test_a_centre_without_a_clock_teaches_nothing(system: System, wall_ms: int) -> None:
    clock = Clock()
    assert not learn(clock, system, wall_ms)
    assert clock.now() == (TRUE_MS, HOUR_MS, "holdover")


def test_an_answer_before_its_question_teaches_nothing(system: System) -> None:
    system.wall_ms = 1_000
    assert not Clock().learn(TRUE_MS, HOUR_MS + 5, HOUR_MS)


def test_the_kernels_synchronisation_is_believed_before_a_receipt(system: System) -> None:
    system.kernel_is_sure = True
    clock = Clock()
    assert not learn(clock, system, TRUE_MS + 86_400_000)
    assert clock.now().wall_ms == TRUE_MS


def test_when_the_system_is_set_and_kept_right_what_was_learned_is_left(system: System) -> None:
    system.wall_ms = 1_000
    clock = Clock()
    learn(clock, system, TRUE_MS)
    system.wall_ms, system.kernel_is_sure = TRUE_MS + 7, True
    assert clock.now() == (TRUE_MS + 7, HOUR_MS, "synchronised")


def test_when_somebody_steps_the_systems_clock_the_learned_time_goes_on(system: System) -> None:
    system.wall_ms = 1_000
    clock = Clock()
    learn(clock, system, TRUE_MS)
    system.wall_ms += 10**9
    assert clock.now().wall_ms == TRUE_MS


@given(st.lists(st.tuples(st.integers(0, 2**41), st.integers(-100, 2**41), st.integers(-100, 2**41)), max_size=8))
def test_whatever_is_learned_time_since_boot_is_untouched_and_wall_time_is_a_number(
    lessons: list[tuple[int, int, int]],
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        system = System(patch)
        system.wall_ms = 5
        clock = Clock()
        for wall_ms, sent_ms, received_ms in lessons:
            clock.learn(wall_ms, sent_ms, received_ms)
            now = clock.now()
            assert now.mono_ms == HOUR_MS
            assert now.wall_ms >= 0


# --- the clock of a simulation ---


def test_a_faster_clock_runs_both_ways_of_telling_time_from_its_anchor(system: System) -> None:
    clock = Clock(60, TRUE_MS)
    begin = clock.now()
    system.passes(1000)
    now = clock.now()
    assert begin.wall_ms == TRUE_MS
    assert (now.wall_ms - begin.wall_ms, now.mono_ms - begin.mono_ms) == (60_000, 60_000)


def test_processes_with_one_anchor_agree_on_the_time(system: System) -> None:
    early = Clock(60, TRUE_MS)
    system.passes(5000)
    late = Clock(60, TRUE_MS)
    assert early.now() == late.now()


def test_time_since_boot_goes_on_across_a_restart_in_simulation(system: System) -> None:
    before = Clock(60, TRUE_MS).now().mono_ms
    system.passes(1)
    assert Clock(60, TRUE_MS).now().mono_ms == before + 60


def test_waiting_is_in_real_seconds() -> None:
    assert Clock().sleep_s(1500) == 1.5
    assert Clock(60).sleep_s(60_000) == 1.0
    assert Clock().sleep_s(-5) == 0.0


def test_a_receipt_teaches_a_faster_clock_in_its_own_time(system: System) -> None:
    system.wall_ms = 1_000
    clock = Clock(60, TRUE_MS)
    assert clock.now().quality == "unset"
    assert learn(clock, system, TRUE_MS + 9_000)
    assert clock.now() == (TRUE_MS + 9_000, HOUR_MS * 60, "synchronised")
    assert not learn(clock, system, clock.now().wall_ms + OFF_MS_MAX * 60)


# --- a real process at 1970 ---

AT_1970 = """
from gateway.clock import Clock
clock = Clock()
first = clock.now()
stepped = clock.learn(1_790_000_000_000, first.mono_ms, clock.now().mono_ms)
now = clock.now()
print(first.quality, first.wall_ms < 10**9, stepped, now.quality, 0 <= now.wall_ms - 1_790_000_000_000 < 5000)
"""


def test_a_process_at_1970_is_unset_until_it_learns(tmp_path: Path) -> None:
    try:
        faults = shim.environment(tmp_path / "control", wall_offset_s=100_000 - int(time.time()))
    except Told as why:
        pytest.skip(why.en)
    done = subprocess.run(
        [sys.executable, "-c", AT_1970],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **faults},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["unset", "True", "True", "synchronised", "True"]


def test_the_kernel_is_asked_without_being_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    answer: Callable[[], bool] = Clock().kernel_is_sure
    assert answer() in (True, False)
    assert answer() == answer()
