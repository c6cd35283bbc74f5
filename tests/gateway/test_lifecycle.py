"""The transition table of an alarm's life."""

from itertools import product

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.home import parts
from gateway.home.lifecycle import (
    ABSENT,
    IDLE,
    LAPSE_MS,
    LAPSED,
    LAPSING,
    NO_RAISE,
    PRESENT,
    STANDING,
    STATES,
    TABLE,
    Alarms,
    Row,
)
from protocol.record import EventId
from protocol.words import PHASES, RAISED, RESTORED, TEST, UPDATED


def test_every_phase_has_a_row_in_every_state() -> None:
    assert set(product(STATES, PHASES)) <= set(TABLE)


def test_a_level_has_a_row_wherever_a_trouble_can_be() -> None:
    assert set(product((IDLE, STANDING), (PRESENT, ABSENT))) == set(TABLE) - set(product(STATES, PHASES))


def test_lapsing_is_never_entered_but_by_time() -> None:
    assert all(row.state != LAPSED for (state, _), row in TABLE.items() if state != LAPSED)


@pytest.mark.parametrize("state", STATES)
def test_a_test_disturbs_nothing(state: str) -> None:
    assert TABLE[state, TEST] == Row(state, TEST)


def test_a_terminal_is_never_left_without_an_event() -> None:
    assert all(row.phase is not None for (_, phase), row in TABLE.items() if phase in PHASES)


def test_no_raise_marks_exactly_what_has_no_raise_of_its_own() -> None:
    flagged = {key for key, row in TABLE.items() if row.flag}
    assert flagged == {(IDLE, UPDATED), (IDLE, RESTORED), (LAPSED, UPDATED)}
    assert {TABLE[key].flag for key in flagged} == {NO_RAISE}


def put(alarms: Alarms, kind: str, state: str) -> int:
    """Bring `kind` into `state`; gives the time after it."""
    if state == IDLE:
        return 0
    alarms.enter("t-1", kind, TABLE[IDLE, RAISED], EventId(1, 1), 0)
    return LAPSE_MS + 1 if state == LAPSED else 1


@pytest.mark.parametrize(("state", "phase"), TABLE)
def test_every_row_is_reached_and_leads_where_it_says(state: str, phase: str) -> None:
    alarms = Alarms(boot=7)
    kind = "button" if state == LAPSED else "smoke"
    at_ms = put(alarms, kind, state)
    before = alarms.get("t-1", kind)
    row = alarms.row("t-1", kind, phase, at_ms)
    assert row == TABLE[state, phase]
    if row.phase is None:
        return
    alarm = alarms.enter("t-1", kind, row, EventId(1, 2), at_ms)
    assert alarms.state("t-1", kind, at_ms) == row.state
    joins = before is not None and row.phase in (UPDATED, RESTORED)
    assert alarm.id == (EventId(1, 1) if joins else EventId(1, 2))


@pytest.mark.parametrize("at_ms", [-LAPSE_MS, 0, LAPSE_MS])
def test_a_call_lasts_while_presses_are_close(at_ms: int) -> None:
    alarms = Alarms(boot=7)
    put(alarms, "button", STANDING)
    assert alarms.state("t-1", "button", at_ms) == STANDING
    assert alarms.state("t-1", "button", LAPSE_MS + 1) == LAPSED


def test_only_what_has_no_end_of_its_own_lapses() -> None:
    alarms = Alarms(boot=7)
    put(alarms, "smoke", STANDING)
    assert alarms.state("t-1", "smoke", 10**12) == STANDING
    assert "smoke" not in LAPSING


def reloaded(alarms: Alarms, kind: str, boot: int) -> Alarms:
    again = Alarms(boot)
    for data in alarms.part("t-1", kind).values():
        assert data is not None
        numbers = parts.numbers(data)
        assert numbers is not None
        assert again.load("t-1", kind, numbers)
    return again


def test_an_alarm_outlives_a_restart() -> None:
    alarms = Alarms(boot=7)
    put(alarms, "smoke", STANDING)
    assert reloaded(alarms, "smoke", boot=8).get("t-1", "smoke") == alarms.get("t-1", "smoke")


def test_a_call_of_another_boot_has_lapsed_so_that_the_next_press_rings_anew() -> None:
    alarms = Alarms(boot=7)
    put(alarms, "button", STANDING)
    assert reloaded(alarms, "button", boot=7).state("t-1", "button", 1) == STANDING
    assert reloaded(alarms, "button", boot=8).state("t-1", "button", 1) == LAPSED


@given(st.lists(st.integers(), max_size=6).map(tuple))
@example((0, 0, 0, -1, -1))
@example((1, 1, -1, 1, 1))
@example((1, 1, 1, 1, 1, 1))
def test_what_can_not_have_been_stored_is_refused(numbers: tuple[int, ...]) -> None:
    alarms = Alarms(boot=7)
    good = len(numbers) == 5 and min(numbers[:3]) >= 0
    assert alarms.load("t-1", "smoke", numbers) == good
    assert (alarms.get("t-1", "smoke") is not None) == good


@given(st.lists(st.tuples(st.sampled_from((*PHASES, PRESENT, ABSENT)), st.integers(0, 60_000))))
def test_each_alarm_is_raised_once_first_and_restored_once_last(said: list[tuple[str, int]]) -> None:
    alarms = Alarms(boot=7)
    seen: dict[EventId, list[str]] = {}
    now_ms = 0
    for number, (phase, later_ms) in enumerate(said, 1):
        now_ms += later_ms
        kind = "smoke" if phase in (PRESENT, ABSENT) else "button"
        row = alarms.row("t-1", kind, phase, now_ms)
        if row.phase in (None, TEST):
            continue
        alarm = alarms.enter("t-1", kind, row, EventId(1, number), now_ms)
        seen.setdefault(alarm.id, []).append(row.phase or "")
    for phases in seen.values():
        assert phases[0] == RAISED or phases == [RESTORED]
        assert phases.count(RAISED) <= 1
        assert phases.count(RESTORED) <= 1
        assert RESTORED not in phases[:-1]
