"""The core of the gateway: what goes in, and what follows."""

from collections.abc import Mapping, Sequence
from typing import TypeVar

import pytest

from gateway.home.actions import ACTIONS, loudest
from gateway.home.calls import RECEIPT_MS
from gateway.home.core import Home
from gateway.home.messages import (
    Acknowledge,
    Alive,
    Called,
    Commit,
    Committed,
    Condition,
    Effect,
    Keep,
    Reading,
    Receipted,
    Sign,
    Siren,
    Tell,
)
from gateway.home.pace import BURST, REFILL_MS
from gateway.home.quiet import QUIET_MS
from gateway.home.roster import SILENCE_S_MAX, Roster, Terminal
from gateway.home.signs import Known
from protocol.record import Event, EventId, Interval, Now, Sent, Source, Stamp, decode
from protocol.words import KINDS, TROUBLE

ROSTER = Roster(
    (
        Terminal("smoke-1", "smoke", "kitchen", "native"),
        Terminal("gas-1", "gas", "kitchen", "native"),
        Terminal("button-1", "button", "bedroom", "native"),
        Terminal("flood-1", "flood", "bathroom", "modbus"),
    )
)
T = TypeVar("T")


def at(ms: int) -> Now:
    return Now(1_700_000_000_000 + ms, ms)


def new_home(now_ms: int = 0, epoch: int = 1, state: Mapping[str, bytes] | None = None, **more: object) -> Home:
    return Home("gw-1", epoch, 7, ROSTER, now=at(now_ms), state=state, **more)  # type: ignore[arg-type]


def said(terminal: str, phase: str, number: int = 1, kind: str = "", boot: int = 9, **more: object) -> Reading:
    kind = kind or terminal.split("-")[0]
    return Reading(terminal, kind, phase, "held", Source(boot, number), **more)  # type: ignore[arg-type]


def only(sort: type[T], effects: Sequence[Effect]) -> list[T]:
    return [effect for effect in effects if isinstance(effect, sort)]


def events(effects: Sequence[Effect]) -> list[Event]:
    return [event for commit in only(Commit, effects) for event in commit.events]


def event_of(effects: Sequence[Effect]) -> Event:
    (event,) = events(effects)
    return event


def stored(*turns: Sequence[Effect]) -> dict[str, bytes]:
    """The state on a disk that has stored these turns."""
    state: dict[str, bytes | None] = {}
    for effect in [effect for turn in turns for effect in turn]:
        if isinstance(effect, Commit | Keep):
            state.update(effect.state)
    return {key: data for key, data in state.items() if data is not None}


# --- events ---


def test_smoke_sounds_the_siren_first_then_is_stored_then_told() -> None:
    effects = new_home().handle(said("smoke-1", "raised", age_ms=120, evidence={"density_mdb_m": 210}), at(1000))
    siren, commit, tell = effects
    assert siren == Siren(True, "smoke")
    assert isinstance(commit, Commit)
    assert tell == Tell("sending", "smoke", "smoke-1")
    assert event_of(effects) == Event(
        gateway="gw-1",
        id=EventId(1, 1),
        alarm=EventId(1, 1),
        kind="smoke",
        phase="raised",
        severity="life",
        link="held",
        terminal="smoke-1",
        room="kitchen",
        time=Stamp(1_700_000_000_880, 880, 7, "synchronised"),
        source=Source(9, 1),
        evidence={"density_mdb_m": 210},
    )


def test_an_alarm_is_raised_updated_and_restored_under_one_name() -> None:
    home = new_home()
    found = [
        event_of(home.handle(said("smoke-1", phase, number), at(number * 5000)))
        for number, phase in enumerate(("raised", "updated", "raised", "restored", "raised"), 1)
    ]
    assert [event.phase for event in found] == ["raised", "updated", "updated", "restored", "raised"]
    assert [event.id.sequence for event in found] == [1, 2, 3, 4, 5]
    assert [event.alarm.sequence for event in found] == [1, 1, 1, 1, 5]


def test_a_restore_whose_raise_is_not_known_is_sent_all_the_same() -> None:
    effects = new_home().handle(said("smoke-1", "restored"), at(0))
    event = event_of(effects)
    assert (event.phase, event.flags, event.alarm) == ("restored", ("no_raise",), event.id)
    assert effects[0] == Siren(False, "smoke")  # it may sound from before the state was lost


def test_a_test_is_reported_and_disturbs_nothing() -> None:
    home = new_home()
    home.handle(said("smoke-1", "raised"), at(0))
    effects = home.handle(said("smoke-1", "test", 2), at(1))
    event = event_of(effects)
    assert (event.phase, event.severity, event.alarm) == ("test", "life", event.id)
    assert not only(Siren, effects)
    assert not only(Tell, effects)
    assert event_of(home.handle(said("smoke-1", "restored", 3), at(2))).alarm == EventId(1, 1)


def test_presses_close_together_are_one_call_and_a_later_one_rings_anew() -> None:
    home = new_home()
    found = [
        event_of(home.handle(said("button-1", "raised", number), at(ms)))
        for number, ms in enumerate((0, 20_000, 45_000, 75_001), 1)
    ]
    assert [event.phase for event in found] == ["raised", "updated", "updated", "raised"]
    assert [event.evidence["presses"] for event in found] == [1, 2, 3, 1]
    assert [event.alarm.sequence for event in found] == [1, 1, 1, 4]


def test_presses_that_waited_in_the_terminal_are_told_apart_by_their_age() -> None:
    home = new_home()
    home.handle(said("button-1", "raised", 1, age_ms=60_000), at(100_000))
    assert event_of(home.handle(said("button-1", "raised", 2, age_ms=50_000), at(100_100))).phase == "updated"
    assert event_of(home.handle(said("button-1", "raised", 3, age_ms=100), at(100_200))).phase == "raised"
    assert event_of(home.handle(said("button-1", "raised", 4, age_ms=20_000), at(150_000))).phase == "updated"
    assert event_of(home.handle(said("button-1", "raised", 5, age_ms=-5), at(159_999))).phase == "updated"


def test_an_unknown_terminal_is_counted_and_dropped() -> None:
    home = new_home()
    assert home.handle(said("smoke-9", "raised"), at(0)) == []
    assert home.handle(Alive("smoke-9"), at(0)) == []
    assert home.counters == {"unknown_terminal": 2}


@pytest.mark.parametrize("reading", [said("smoke-1", "exploded"), said("smoke-1", "raised", kind="meteor")])
def test_words_that_nobody_knows_are_counted_and_never_acknowledged(reading: Reading) -> None:
    home = new_home()
    assert home.handle(reading, at(0)) == home.handle(reading, at(1)) == []
    assert home.counters == {"not_understood": 2}


def test_a_suspect_sensors_alarm_is_marked_not_dropped() -> None:
    home = new_home()
    home.handle(Alive("smoke-1", sensor_fault=True), at(0))
    assert event_of(home.handle(said("smoke-1", "raised"), at(1))).flags == ("suspect",)
    assert event_of(home.handle(Alive("smoke-1", tamper=True), at(2))).flags == ()
    assert event_of(home.handle(said("gas-1", "raised"), at(3))).flags == ()


def test_events_that_can_not_be_stored_say_so() -> None:
    home = new_home(unstored=True)
    assert event_of(home.handle(said("smoke-1", "raised"), at(0))).flags == ("unstored",)


def test_every_event_fits_into_a_record_however_much_a_terminal_says() -> None:
    evidence = {f"value_{number:02}": number for number in range(40)}
    event = event_of(new_home().handle(said("button-1", "raised", evidence=evidence, age_ms=10**15), at(5)))
    assert decode(event.to_record()) == Sent(event, 1, 0)
    assert event.evidence["presses"] == 1


# --- acknowledgement ---


def test_a_terminal_is_acknowledged_when_its_event_is_committed() -> None:
    home = new_home()
    assert not only(Acknowledge, home.handle(said("smoke-1", "raised"), at(0)))
    assert home.handle(Committed((EventId(1, 1),)), at(5)) == [Acknowledge("smoke-1", Source(9, 1))]
    assert home.handle(Committed((EventId(1, 1),)), at(6)) == []


def test_or_when_it_is_receipted_whichever_is_first() -> None:
    home = new_home()
    home.handle(said("smoke-1", "raised"), at(0))
    receipted = home.handle(Receipted((Interval(1, 1, 4),)), at(5))
    assert only(Acknowledge, receipted) == [Acknowledge("smoke-1", Source(9, 1))]
    assert home.handle(Committed((EventId(1, 1),)), at(6)) == []


def test_a_commit_or_receipt_of_something_else_acknowledges_nothing() -> None:
    home = new_home()
    home.handle(said("smoke-1", "raised"), at(0))
    assert home.handle(Committed((EventId(1, 2), EventId(2, 1))), at(1)) == []
    assert home.handle(Receipted((Interval(2, 1, 9), Interval(1, 2, 9))), at(2)) == []


def test_a_repeat_is_not_handled_again_and_acknowledged_only_once_it_is_safe() -> None:
    home = new_home()
    home.handle(said("smoke-1", "raised"), at(0))
    assert home.handle(said("smoke-1", "raised"), at(1)) == []
    home.handle(Committed((EventId(1, 1),)), at(2))
    assert home.handle(said("smoke-1", "raised"), at(3)) == [Acknowledge("smoke-1", Source(9, 1))]
    assert home.counters["repeats"] == 2


def test_a_terminal_that_started_again_counts_from_one_again() -> None:
    home = new_home()
    home.handle(said("smoke-1", "raised", 5), at(0))
    assert event_of(home.handle(said("smoke-1", "restored", 1, boot=10), at(1))).phase == "restored"


def test_what_is_heard_is_not_acknowledged_nor_taken_for_a_repeat() -> None:
    home = new_home()
    for _ in range(2):
        reading = Reading("flood-1", "flood", "raised", "heard", Source(1, 1))
        event = event_of(home.handle(reading, at(0)))
        assert home.handle(Committed((event.id,)), at(1)) == []


# --- the pace of a terminal gone wild ---


def test_a_burst_passes_and_what_follows_waits_in_the_terminal() -> None:
    home = new_home(5000)
    for number in range(1, BURST + 1):
        assert events(home.handle(said("smoke-1", "raised", number), at(5000)))
    late = said("smoke-1", "updated", BURST + 1, age_ms=100)
    assert home.handle(late, at(5000)) == []
    assert home.handle(late, at(5001)) == []  # nor is it taken for one that is safe
    assert home.deadline() == 5000 + REFILL_MS
    assert home.tick(at(4999 + REFILL_MS)) == []
    event = event_of(home.tick(at(5000 + REFILL_MS)))
    assert (event.source, event.time.mono_ms) == (Source(9, BURST + 1), 4900)
    assert home.handle(Committed((event.id,)), at(9000)) == [Acknowledge("smoke-1", Source(9, BURST + 1))]


def test_each_terminal_has_a_pace_of_its_own_and_what_waits_is_counted() -> None:
    home = new_home()
    for terminal in ("smoke-1", "gas-1"):
        for number in range(1, BURST + 1):
            assert events(home.handle(said(terminal, "test", number), at(0)))
        assert home.handle(said(terminal, "test", BURST + 1), at(0)) == []
    assert home.counters == {"postponed": 2}
    assert {event.terminal for event in events(home.tick(at(REFILL_MS)))} == {"smoke-1", "gas-1"}


def test_a_raise_never_waits() -> None:
    home = new_home(5000)
    for number in range(1, BURST + 1):
        home.handle(said("smoke-1", "test", number), at(5000))
    assert home.handle(said("smoke-1", "test", BURST + 1), at(5000)) == []
    effects = home.handle(said("smoke-1", "raised", BURST + 2), at(5000))
    assert [event.phase for event in events(effects)] == ["test", "raised"]  # in the terminal's own order
    assert [event.time.mono_ms for event in events(effects)] == [5000, 5000]
    assert effects[0] == Siren(True, "smoke")


def test_a_heard_update_beyond_the_pace_is_absorbed_but_not_its_restore() -> None:
    home = new_home()
    for _ in range(BURST):
        home.handle(Reading("flood-1", "flood", "raised", "heard"), at(0))
    for _ in range(2):
        assert home.handle(Reading("flood-1", "flood", "updated", "heard"), at(0)) == []
    assert home.counters == {"absorbed": 2}
    assert event_of(home.handle(Reading("flood-1", "flood", "restored", "heard"), at(0))).phase == "restored"


def test_conditions_that_flicker_are_bounded_and_end_true() -> None:
    home = new_home()
    found = [events(home.handle(Alive("smoke-1", tamper=bool(turn % 2)), at(0))) for turn in range(200)]
    assert sum(map(len, found)) == BURST
    assert [event.phase for event in events(home.handle(Alive("smoke-1", tamper=True), at(REFILL_MS)))] == ["raised"]


# --- the siren ---


def test_the_siren_stops_with_the_last_alarm_that_wants_it() -> None:
    home = new_home()
    assert home.handle(said("gas-1", "raised"), at(0))[0] == Siren(True, "gas")
    assert home.handle(said("smoke-1", "raised"), at(1))[0] == Siren(True, "smoke")
    assert home.handle(said("smoke-1", "restored", 2), at(2))[0] == Siren(True, "gas")
    assert home.handle(said("gas-1", "restored", 2), at(3))[0] == Siren(False, "gas")


def test_a_call_is_told_but_makes_no_noise() -> None:
    effects = new_home().handle(said("button-1", "raised"), at(0))
    assert not only(Siren, effects)
    assert only(Tell, effects) == [Tell("sending", "button", "button-1")]


def test_every_kind_but_troubles_has_its_actions() -> None:
    assert set(ACTIONS) == {kind for kind, (severity, *_) in KINDS.items() if severity != TROUBLE}
    assert {kind for kind, does in ACTIONS.items() if does.siren} == {"smoke", "gas", "flood"}
    assert all(does.tell for does in ACTIONS.values())
    assert loudest(["button", "flood", "gas", "smoke"]) == "smoke"
    assert loudest(["button"]) is None


# --- what the resident is told ---


def test_the_resident_is_told_that_the_call_was_received() -> None:
    home = new_home()
    home.handle(said("button-1", "raised"), at(0))
    assert only(Tell, home.handle(Receipted((Interval(1, 1, 1),)), at(900))) == [Tell("received", "button", "button-1")]
    assert only(Tell, home.tick(at(RECEIPT_MS))) == []


def test_after_30_s_to_phone_once_and_later_still_that_it_was_received() -> None:
    home = new_home()
    home.handle(said("button-1", "raised"), at(0))
    assert home.deadline() == RECEIPT_MS
    assert home.tick(at(RECEIPT_MS - 1)) == []
    assert home.tick(at(RECEIPT_MS)) == [Tell("not_received", "button", "button-1")]
    assert home.tick(at(RECEIPT_MS + 1)) == []
    received = home.handle(Receipted((Interval(1, 1, 1),)), at(90_000))
    assert only(Tell, received) == [Tell("received", "button", "button-1")]


def test_a_trouble_is_not_told() -> None:
    assert not only(Tell, new_home().handle(Alive("smoke-1", tamper=True), at(0)))


# --- troubles ---


def test_a_terminals_conditions_are_raised_and_restored_once() -> None:
    home = new_home()
    event = event_of(home.handle(Alive("smoke-1", tamper=True), at(0)))
    assert (event.kind, event.severity, event.link, event.terminal) == ("tamper", "trouble", "own", "smoke-1")
    assert home.handle(Alive("smoke-1", tamper=True), at(1)) == []
    found = events(home.handle(Alive("smoke-1", tamper=False, battery_low=True), at(2)))
    assert [(event.kind, event.phase) for event in found] == [("tamper", "restored"), ("battery_low", "raised")]
    assert found[0].alarm == event.id


def test_a_hello_says_nothing_of_conditions_and_restores_none() -> None:
    home = new_home()
    home.handle(Alive("smoke-1", tamper=True, battery_pct=50), at(0))
    assert home.handle(Alive("smoke-1"), at(1)) == []
    (shown,) = [terminal for terminal in home.terminals(at(1)) if terminal["id"] == "smoke-1"]
    assert (shown["troubles"], shown["battery_pct"]) == (["tamper"], 50)


def test_the_gateways_own_conditions_are_in_its_own_name() -> None:
    home = new_home()
    event = event_of(home.handle(Condition("storage_fault", True, {"hung_ms": 700}), at(0)))
    assert (event.terminal, event.room, event.link, event.phase) == ("gw-1", "", "own", "raised")
    assert event.evidence == {"hung_ms": 700}
    assert home.handle(Condition("storage_fault", True), at(1)) == []
    assert event_of(home.handle(Condition("storage_fault", False), at(2))).alarm == event.id
    assert home.handle(Condition("storage_fault", False), at(3)) == []


def test_a_condition_that_the_gateway_finds_may_be_a_terminals() -> None:
    home = new_home()
    event = event_of(home.handle(Condition("not_enrolled", True, {"address": 3}, "gas-1"), at(0)))
    assert (event.terminal, event.room, event.link, event.evidence) == ("gas-1", "kitchen", "own", {"address": 3})
    assert event_of(home.handle(Condition("not_enrolled", True, {"address": 9}), at(1))).terminal == "gw-1"
    assert event_of(home.handle(Condition("not_enrolled", False, {}, "gas-1"), at(2))).alarm == event.id
    assert home.handle(Condition("not_enrolled", True, {}, "gas-9"), at(3)) == []
    assert home.counters == {"unknown_terminal": 1}


def test_the_resident_is_told_that_the_centre_is_calling_and_about_what() -> None:
    home = new_home()
    smoke = event_of(home.handle(said("smoke-1", "raised"), at(0)))
    home.handle(said("button-1", "raised"), at(1))
    called = Called((Interval(smoke.id.epoch, smoke.id.sequence, smoke.id.sequence),))
    assert home.handle(called, at(2)) == [Tell("calling", "smoke", "smoke-1")]
    assert home.handle(Called((Interval(1, 1, 99),)), at(3)) == [
        Tell("calling", "smoke", "smoke-1"),
        Tell("calling", "button", "button-1"),
    ]
    home.handle(said("smoke-1", "restored", 2), at(4))
    assert home.handle(called, at(5)) == [Tell("calling", "", "")]


def test_a_shell_can_not_raise_what_is_not_a_trouble() -> None:
    home = new_home()
    assert home.handle(Condition("smoke", True), at(0)) == []
    assert home.handle(Condition("meteor", True), at(0)) == []
    assert home.counters == {"not_understood": 2}


def test_a_silent_terminal_is_missed_and_its_return_noticed() -> None:
    home = new_home()
    home.tick(at(199_000))
    found = {event.terminal: event for event in events(home.tick(at(200_000)))}
    assert set(found) == {"smoke-1", "gas-1", "button-1", "flood-1"}
    event = found["smoke-1"]
    assert (event.kind, event.phase, event.evidence) == ("terminal_silent", "raised", {"silent_s": 200})
    assert home.tick(at(201_000)) == []
    back = event_of(home.handle(Alive("smoke-1"), at(202_000)))
    assert (back.phase, back.alarm) == ("restored", event.id)


def test_the_gateway_s_own_pause_is_no_silence_of_a_terminal() -> None:
    home = new_home()
    home.slept(300_000)
    home.tick(at(499_999))
    assert home.handle(Alive("smoke-1"), at(499_999)) == [Keep({"silence/smoke-1": None})]
    assert {event.terminal for event in events(home.tick(at(500_000)))} == {"gas-1", "button-1", "flood-1"}


def test_a_gateway_without_terminals_waits_for_nothing() -> None:
    home = Home("gw-1", 1, 7, Roster(), now=at(0))
    assert home.deadline() is None
    assert home.tick(at(10**9)) == []


def test_an_alarm_comes_before_the_news_that_its_terminal_is_back() -> None:
    home = new_home()
    home.tick(at(200_000))
    found = events(home.handle(said("smoke-1", "raised"), at(201_000)))
    assert [(event.kind, event.phase) for event in found] == [("smoke", "raised"), ("terminal_silent", "restored")]


# --- restarts ---


def test_a_repeat_after_a_restart_is_acknowledged_at_once() -> None:
    raised = new_home().handle(said("smoke-1", "raised"), at(0))
    home = new_home(100, epoch=2, state=stored(raised))
    assert home.counters["state_ignored"] == 0
    effects = home.handle(said("smoke-1", "raised"), at(200))
    assert only(Acknowledge, effects) == [Acknowledge("smoke-1", Source(9, 1))]
    assert events(effects) == []


def test_what_was_not_stored_before_a_crash_is_taken_again() -> None:
    new_home().handle(said("smoke-1", "raised"), at(0))
    home = new_home(100, epoch=2)
    effects = home.handle(said("smoke-1", "raised"), at(200))
    assert event_of(effects).id == EventId(2, 1)
    assert not only(Acknowledge, effects)


def test_the_siren_sounds_again_after_a_restart_while_the_alarm_stands() -> None:
    home = new_home()
    turns = [home.handle(said("smoke-1", "raised"), at(0))]
    again = new_home(100, epoch=2, state=stored(*turns))
    assert again.deadline() == 100
    assert again.tick(at(100)) == [Siren(True, "smoke")]
    restored = again.handle(said("smoke-1", "restored", 2), at(200))
    assert restored[0] == Siren(False, "smoke")
    assert event_of(restored).alarm == EventId(1, 1)
    turns.append(restored)
    assert new_home(300, epoch=3, state=stored(*turns)).tick(at(300)) == []


def test_a_call_that_waits_for_its_receipt_goes_on_after_a_restart() -> None:
    raised = new_home().handle(said("button-1", "raised"), at(0))
    home = new_home(10_000, epoch=2, state=stored(raised), unsettled={EventId(1, 1)})
    assert home.tick(at(10_000)) == [Tell("sending", "button", "button-1")]
    assert home.tick(at(40_000)) == [Tell("not_received", "button", "button-1")]
    assert home.handle(Receipted((Interval(1, 1, 1),)), at(41_000)) == [Tell("received", "button", "button-1")]


def test_a_receipt_that_comes_first_after_a_restart_is_told_after_the_call_itself() -> None:
    raised = new_home().handle(said("button-1", "raised"), at(0))
    home = new_home(10_000, epoch=2, state=stored(raised), unsettled={EventId(1, 1)})
    told = home.handle(Receipted((Interval(1, 1, 1),)), at(10_001))
    assert told == [Tell("sending", "button", "button-1"), Tell("received", "button", "button-1")]


def test_a_call_that_was_received_before_the_restart_is_not_told_again() -> None:
    raised = new_home().handle(said("button-1", "raised"), at(0))
    assert new_home(10_000, epoch=2, state=stored(raised)).tick(at(40_000)) == []


def test_troubles_outlive_a_restart_and_are_not_raised_twice() -> None:
    home = new_home()
    turns = [
        home.handle(Condition("uplink_lost", True), at(0)),
        home.handle(Alive("smoke-1", tamper=True), at(0)),
        home.tick(at(200_000)),
    ]
    again = new_home(0, epoch=2, state=stored(*turns))
    assert again.handle(Condition("uplink_lost", True), at(1)) == []
    assert events(again.tick(at(10**9))) == []
    found = events(again.handle(Alive("smoke-1", tamper=True), at(10**9)))
    assert [(event.kind, event.phase) for event in found] == [("terminal_silent", "restored")]


def test_a_terminal_whose_alarm_stands_is_missed_after_a_restart_all_the_same() -> None:
    raised = new_home().handle(said("smoke-1", "raised"), at(0))
    home = new_home(0, epoch=2, state=stored(raised))
    assert "smoke-1" in {event.terminal for event in events(home.tick(at(200_000)))}


def test_silence_grows_across_restarts() -> None:
    state: dict[str, bytes] = {}
    for epoch in range(1, 9):
        home = new_home(epoch=epoch, state=state)
        turns = [home.tick(at(ms)) for ms in range(0, 90_000, 1000)]
        if any(events(turn) for turn in turns):
            assert epoch == 3  # 80 s are stored of each 90
            return
        state.update(stored(*turns))
    pytest.fail("never missed")


def test_a_stored_silence_is_forgotten_beside_the_event_that_ends_it() -> None:
    home = new_home()
    (silence,) = home.tick(at(90_000))
    assert isinstance(silence, Commit)
    assert (silence.events, set(silence.state)) == ((), {f"silence/{terminal.id}" for terminal in ROSTER})
    (commit,) = only(Commit, home.handle(said("smoke-1", "raised"), at(91_000)))
    assert commit.state["silence/smoke-1"] is None
    assert home.handle(Alive("gas-1"), at(91_000)) == [Keep({"silence/gas-1": None})]


def test_a_terminal_that_is_no_longer_here_leaves_nothing_behind() -> None:
    state = {"alarm/gone-1/smoke": b"\x85\x01\x01\x01\x00\x07", "source/gone-1": b"\x82\x01\x01"}
    assert new_home(state=state).tick(at(0)) == [Keep({"alarm/gone-1/smoke": None, "source/gone-1": None})]


NOT_OURS = [
    ("alarm/smoke-1/smoke", b"\xff"),
    ("alarm/smoke-1/smoke", b"\x83\x01\x01\x01"),
    ("alarm/smoke-1/smoke", b"\x85\x01\x20\x01\x01\x01"),
    ("alarm/smoke-1/meteor", b"\x85\x01\x01\x01\x01\x01"),
    ("alarm/gw-1/smoke", b"\x85\x01\x01\x01\x01\x01"),
    ("alarm/smoke-1", b"\x85\x01\x01\x01\x01\x01"),
    ("source/smoke-1", b"\x83\x01\x01\x01"),
    ("source/smoke-1", b"\x82\x01\x61a"),
    ("source/gw-1", b"\x82\x01\x01"),
    ("silence/smoke-1", b"\x81\x20"),
    ("silence/smoke-1", b"\x81\xc2\x49\x01\x00\x00\x00\x00\x00\x00\x00\x00"),
    ("doubt/smoke-1", b"\x81\x01"),
    ("silence/smoke-1", b"\x81" * 65),
    ("something/else", b"\x81\x01"),
    ("", b""),
]


@pytest.mark.parametrize(("key", "data"), NOT_OURS)
def test_state_that_is_not_ours_is_counted_and_ignored(key: str, data: bytes) -> None:
    home = new_home(state={key: data})
    assert home.counters == {"state_ignored": 1}
    assert home.tick(at(0)) == []
    assert home.alarms(at(0)) == []


def test_each_part_of_the_state_that_is_not_ours_is_counted() -> None:
    state = dict(NOT_OURS)
    assert new_home(state=state).counters == {"state_ignored": len(state)}


def test_a_terminal_can_not_have_the_gateways_id() -> None:
    with pytest.raises(ValueError, match="gw-1"):
        Home("gw-1", 1, 7, Roster((Terminal("gw-1", "smoke", "kitchen", "native"),)), now=at(0))


# --- signs of life ---


def test_a_sign_of_life_is_recorded_and_raises_nothing() -> None:
    home = new_home()
    assert home.signs("gas-1") == Known()
    assert events(home.handle(Sign("gas-1", 60_000, True), at(200_000))) == []
    assert home.signs("gas-1") == Known(140_000, True)
    shown = {row["id"]: row for row in home.terminals(at(201_900))}
    assert (shown["gas-1"]["last_sign_s"], shown["gas-1"]["open"], shown["gas-1"]["last_seen_s"]) == (61, True, 1)
    assert "last_sign_s" not in shown["smoke-1"]


def test_a_sign_of_nobody_known_is_counted() -> None:
    home = new_home()
    assert home.handle(Sign("stranger-1", 0), at(0)) == []
    assert home.counters["unknown_terminal"] == 1
    assert home.signs("stranger-1") == Known()


def test_a_sensor_whose_time_is_over_is_a_fault_that_says_why() -> None:
    home = new_home()
    (event,) = events(home.handle(Alive("smoke-1", sensor_fault=True, end_of_life=True), at(0)))
    assert (event.kind, event.phase, event.evidence) == ("sensor_fault", "raised", {"end_of_life": 1})


# --- the status ---


def test_the_status_shows_each_terminal() -> None:
    home = new_home()
    home.handle(Alive("smoke-1", battery_low=True, battery_pct=12), at(1000))
    home.handle(said("smoke-1", "raised"), at(3000))
    home.tick(at(200_000))
    shown = {terminal["id"]: terminal for terminal in home.terminals(at(201_500))}
    assert shown["smoke-1"] == {
        "id": "smoke-1",
        "kind": "smoke",
        "room": "kitchen",
        "link": "native",
        "last_seen_s": 198,
        "battery_pct": 12,
        "state": "alarm",
        "troubles": ["battery_low"],
        "faults": [],
    }
    assert (shown["gas-1"]["state"], shown["gas-1"]["troubles"]) == ("silent", ["terminal_silent"])
    assert shown["gas-1"]["last_seen_s"] is None


def test_silent_terminals_are_counted_and_other_troubles_are_not() -> None:
    home = new_home()
    assert home.silent() == 0
    home.handle(Alive("smoke-1", battery_low=True), at(1000))
    home.tick(at(200_000))
    silent = [one for one in home.terminals(at(200_000)) if "terminal_silent" in one["troubles"]]
    assert home.silent() == len(silent) > 0


def test_the_status_shows_what_stands_and_a_call_only_while_it_is_fresh() -> None:
    home = new_home()
    home.handle(said("button-1", "raised"), at(0))
    home.handle(Condition("uplink_lost", True), at(0))
    assert [alarm["kind"] for alarm in home.alarms(at(30_000))] == ["button", "uplink_lost"]
    assert home.alarms(at(30_001)) == [
        {"alarm": "1-2", "terminal": "gw-1", "kind": "uplink_lost", "severity": "trouble", "times": 1}
    ]
    assert {terminal["state"] for terminal in home.terminals(at(30_001))} == {"normal"}


# --- the alarm as its terminal says it stands ---


def quiet(home: Home, t_ms: int, boot: int = 9) -> list[Effect]:
    """A heartbeat that says that no alarm stands."""
    return home.handle(Alive("smoke-1", alarm=False, boot=boot), at(t_ms))


def test_a_terminal_that_has_said_for_a_minute_that_its_alarm_is_over_ends_it_although_it_never_said_restored() -> None:
    home = new_home()
    home.handle(said("smoke-1", "raised"), at(1000))
    assert events(quiet(home, 10_000)) == []
    assert events(quiet(home, 10_000 + QUIET_MS - 1)) == []
    effects = quiet(home, 10_000 + QUIET_MS)
    event = event_of(effects)
    assert (event.kind, event.phase, event.link, event.flags) == ("smoke", "restored", "own", ())
    assert only(Siren, effects) == [Siren(False, "smoke")]
    assert events(quiet(home, 300_000)) == []


def test_one_that_restarts_again_and_again_in_the_fire_ends_no_alarm_and_no_siren() -> None:
    home = new_home()
    home.handle(said("smoke-1", "raised"), at(1000))
    for boot in range(100):
        effects = quiet(home, 10_000 + boot * QUIET_MS, boot)
        assert (events(effects), only(Siren, effects)) == ([], [])


def test_the_twin_in_clean_air_of_a_terminal_whose_alarm_stands_ends_nothing() -> None:
    home = new_home()
    home.handle(said("smoke-1", "raised"), at(1000))
    for t_ms in range(10_000, 600_000, 50_000):
        assert events(quiet(home, t_ms, boot=8)) == []
        assert events(home.handle(Alive("smoke-1", alarm=True, boot=9), at(t_ms + 10_000))) == []


def test_an_alarm_that_its_terminal_goes_on_stating_stands() -> None:
    home = new_home()
    home.handle(said("smoke-1", "raised"), at(1000))
    for t_ms in range(10_000, 600_000, 20_000):
        assert events(home.handle(Alive("smoke-1", alarm=True, boot=9), at(t_ms))) == []
    assert [alarm["kind"] for alarm in home.alarms(at(600_000)) if alarm["terminal"] == "smoke-1"] == ["smoke"]


def test_a_terminal_that_says_nothing_of_its_alarm_ends_it_never() -> None:
    home = new_home()
    home.handle(said("smoke-1", "raised"), at(1000))
    for t_ms in range(10_000, 600_000, 20_000):
        assert events(home.handle(Alive("smoke-1", boot=9), at(t_ms))) == []


def test_a_button_that_says_that_no_alarm_stands_ends_no_call() -> None:
    home = new_home()
    home.handle(said("button-1", "raised"), at(1000))
    for t_ms in range(2_000, 600_000, 2_000):
        assert events(home.handle(Alive("button-1", alarm=False, boot=9), at(t_ms))) == []


def test_what_it_said_before_it_cried_anew_counts_no_more() -> None:
    home = new_home()
    home.handle(said("smoke-1", "raised", 1), at(1000))
    quiet(home, 10_000)
    home.handle(said("smoke-1", "updated", 2), at(20_000))
    assert events(quiet(home, 10_000 + QUIET_MS)) == []
    assert events(quiet(home, 10_000 + 2 * QUIET_MS)) != []


def test_the_quiet_of_an_alarm_before_is_not_that_of_the_next() -> None:
    home = new_home()
    home.handle(said("smoke-1", "raised", 1), at(1000))
    quiet(home, 10_000)
    home.handle(said("smoke-1", "restored", 2), at(20_000))
    quiet(home, 30_000)
    home.handle(said("smoke-1", "raised", 3), at(80_000))
    assert events(quiet(home, 90_000)) == []


def test_an_alarm_that_stands_at_its_terminal_and_is_not_known_here_is_raised() -> None:
    home = new_home()
    effects = home.handle(Alive("smoke-1", alarm=True), at(1000))
    assert event_of(effects).phase == "raised"
    assert only(Siren, effects) == [Siren(True, "smoke")]
    assert events(home.handle(Alive("smoke-1", alarm=True), at(61_000))) == []


def test_a_terminal_that_does_not_say_how_its_alarm_stands_ends_nothing() -> None:
    home = new_home()
    home.handle(said("smoke-1", "raised"), at(1000))
    assert events(home.handle(Alive("smoke-1", alarm=None), at(60_000))) == []


def test_a_button_has_no_alarm_that_stands() -> None:
    home = new_home()
    home.handle(said("button-1", "raised"), at(1000))
    for alarm in (False, True):
        assert events(home.handle(Alive("button-1", alarm=alarm), at(2000))) == []


def test_a_restore_that_waits_for_its_pace_is_not_overtaken_by_a_heartbeat() -> None:
    home = new_home()
    for number in range(1, BURST + 1):
        home.handle(said("smoke-1", "raised" if number % 2 else "restored", number), at(1000))
    home.handle(said("smoke-1", "raised", BURST + 1), at(1000))
    assert events(home.handle(said("smoke-1", "restored", BURST + 2), at(1000))) == []
    assert events(quiet(home, 1001)) == []
    (event,) = events(home.tick(at(1000 + 2 * REFILL_MS)))
    assert (event.phase, event.source) == ("restored", Source(9, BURST + 2))


# --- what a card that could not be read at the start tells later ---


def test_an_alarm_that_stands_on_a_card_read_late_goes_on_and_can_end() -> None:
    raised = new_home(epoch=1).handle(said("smoke-1", "raised"), at(1000))
    home = new_home(epoch=2)
    effects = home.remember(stored(raised), {EventId(1, 1)}, at(5000))
    assert (events(effects), only(Siren, effects)) == ([], [Siren(True, "smoke")])
    assert [tell.message for tell in only(Tell, effects)] == ["sending"]
    event = event_of(home.handle(said("smoke-1", "restored", 2), at(6000)))
    assert (event.phase, event.alarm, event.flags) == ("restored", EventId(1, 1), ())


def test_what_is_known_here_is_newer_than_what_a_card_read_late_tells() -> None:
    raised = new_home(epoch=1).handle(said("smoke-1", "raised"), at(1000))
    home = new_home(epoch=2)
    home.handle(said("smoke-1", "raised", 1, boot=10), at(3000))
    assert home.remember(stored(raised), (), at(5000)) == []
    assert event_of(home.handle(said("smoke-1", "restored", 2, boot=10), at(6000))).alarm == EventId(2, 1)


def test_a_terminal_that_was_missed_before_a_card_read_late_is_not_missed_again_and_is_found() -> None:
    before = new_home(epoch=1)
    silent = before.tick(at(SILENCE_S_MAX * 1000))
    home = new_home(epoch=2)
    assert events(home.remember(stored(silent), (), at(5000))) == []
    assert events(home.tick(at(SILENCE_S_MAX * 1000))) == []
    assert event_of(home.handle(Alive("gas-1"), at(700_000))).phase == "restored"


def test_a_card_read_late_may_tell_anything() -> None:
    state = {"alarm/nobody/smoke": b"", "alarm/smoke-1/smoke": b"rotten", "": b"", "source/smoke-1": b"x"}
    assert new_home().remember(state, (), at(5000)) == []
