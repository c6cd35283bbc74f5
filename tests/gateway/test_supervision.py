"""Silence, and what of it outlives a restart."""

from collections.abc import Mapping
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.bridges.native_link import heartbeat_s
from gateway.config import TerminalConfig
from gateway.home import parts
from gateway.home.roster import Roster, Terminal
from gateway.home.supervision import SAVE_MS, Supervision

LIMIT_MS = 200_000
STEP_MS = 80_000  # two fifths: what is the least silence worth storing


def roster(silence_s_max: int = 200) -> Roster:
    return Roster((Terminal("smoke-1", "smoke", "kitchen", "native", silence_s_max),))


def saved_ms(state: Mapping[str, bytes | None]) -> int:
    data = state["silence/smoke-1"]
    assert data is not None
    numbers = parts.numbers(data)
    assert numbers is not None
    return numbers[0]


def test_a_terminal_is_missed_at_its_deadline_once() -> None:
    watch = Supervision(roster(), 0)
    assert watch.missed(LIMIT_MS - 1) == []
    assert watch.missed(LIMIT_MS + 5_999) == [("smoke-1", 205)]
    assert watch.missed(LIMIT_MS + 6_000) == []
    assert watch.deadline() is None


def test_a_sign_of_life_begins_anew() -> None:
    watch = Supervision(roster(), 0)
    watch.missed(LIMIT_MS)
    watch.heard("smoke-1", LIMIT_MS + 1)
    assert watch.missed(2 * LIMIT_MS) == []
    assert watch.missed(2 * LIMIT_MS + 1) == [("smoke-1", 200)]


def test_the_gateway_s_own_pause_is_no_silence_of_a_terminal() -> None:
    watch = Supervision(roster(), 1_000)
    watch.slept(100_000)
    watch.slept(200_000)
    assert watch.missed(LIMIT_MS + 300_999) == []
    assert watch.missed(LIMIT_MS + 301_000) == [("smoke-1", 200)]


def test_a_silence_is_stored_as_it_grows_and_forgotten_when_heard() -> None:
    watch = Supervision(roster(7200), 0)
    assert watch.growing(SAVE_MS - 1) == {}
    assert watch.deadline() == SAVE_MS
    assert saved_ms(watch.growing(SAVE_MS)) == SAVE_MS
    assert watch.growing(SAVE_MS) == {}
    assert watch.deadline() == 2 * SAVE_MS
    assert watch.heard("smoke-1", SAVE_MS + 1) == {"silence/smoke-1": None}
    assert watch.heard("smoke-1", SAVE_MS + 2) == {}


@given(st.lists(st.integers(1, 150_000), max_size=60))
def test_a_silence_is_stored_at_most_every_ten_minutes(gaps_ms: list[int]) -> None:
    watch = Supervision(roster(), 0)
    stored_at: list[int] = []
    now_ms = 0
    for gap_ms in gaps_ms:
        now_ms += gap_ms
        if watch.growing(now_ms):
            stored_at.append(now_ms)
        watch.heard("smoke-1", now_ms)
    assert all(later - sooner >= SAVE_MS for sooner, later in pairwise(stored_at))


@pytest.mark.parametrize("silence_s_max", [10, 200, 1000])
def test_heartbeats_in_time_store_nothing(silence_s_max: int) -> None:
    watch = Supervision(roster(silence_s_max), 0)
    key = bytes(32)
    every_ms = heartbeat_s([TerminalConfig("smoke-1", "smoke", "", "native", 1, key, silence_s_max)]) * 1000
    for now_ms in range(0, 1000 * every_ms, every_ms):
        assert watch.heard("smoke-1", now_ms) == {}
        assert watch.growing(now_ms + every_ms - 1) == {}


@pytest.mark.parametrize("silence_s_max", [200, 7200])
def test_a_gateway_that_restarts_again_and_again_still_misses_it(silence_s_max: int) -> None:
    state: dict[str, bytes | None] = {}
    run_ms = silence_s_max * 1000 * 9 // 20  # never long enough to notice in one run
    for restart in range(1, 20):
        watch = Supervision(roster(silence_s_max), 0)  # each boot's monotonic time begins at 0
        if state:
            assert watch.load("smoke-1", (saved_ms(state),), 0)
        for now_ms in range(0, run_ms, 1000):
            if watch.missed(now_ms):
                assert restart > 2
                return
            state.update(watch.growing(now_ms))
    pytest.fail("never missed")


def test_after_a_restart_there_is_a_moment_to_be_heard() -> None:
    watch = Supervision(roster(), 0)
    assert watch.load("smoke-1", (10**15,), 5)
    assert watch.missed(5 + STEP_MS - 1) == []
    assert watch.missed(5 + STEP_MS) == [("smoke-1", 200)]


def test_what_can_not_have_been_stored_is_refused() -> None:
    watch = Supervision(roster(), 0)
    assert watch.load("smoke-1", (0,), 0)
    assert not watch.load("smoke-1", (-1,), 0)
    assert not watch.load("smoke-1", (), 0)
    assert not watch.load("smoke-1", (1, 2), 0)
    assert watch.deadline() == STEP_MS


def test_what_was_missed_before_the_restart_is_not_missed_again_until_heard() -> None:
    watch = Supervision(roster(), 0)
    watch.load_silent(["smoke-1", "no-longer-here"])
    assert watch.missed(10 * LIMIT_MS) == []
    watch.heard("smoke-1", 10 * LIMIT_MS)
    assert watch.missed(11 * LIMIT_MS) == [("smoke-1", 200)]


def test_last_seen_is_known_only_of_this_start() -> None:
    watch = Supervision(roster(), 0)
    assert watch.last_seen_s("smoke-1", 5_000) is None
    watch.heard("smoke-1", 5_000)
    assert watch.last_seen_s("smoke-1", 9_999) == 4
    assert watch.last_seen_s("smoke-1", 3_605_000) == 3600
    assert watch.last_seen_s("smoke-1", 0) == 0


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 10**6)), max_size=40), st.integers(1, 10_000))
def test_the_deadline_is_exact(steps: list[tuple[bool, int]], silence_s_max: int) -> None:
    watch = Supervision(roster(silence_s_max), 0)
    now_ms = 0
    for heard, later_ms in steps:
        now_ms += later_ms
        due_ms = watch.deadline()
        did = bool(watch.missed(now_ms)) | bool(watch.growing(now_ms))
        assert did == (due_ms is not None and now_ms >= due_ms)
        if heard:
            watch.heard("smoke-1", now_ms)
