"""Stillness: asked, answered, unanswered, nobody at home, unable to watch; whatever comes, and across restarts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.home import parts, stillness
from gateway.home.core import Home
from gateway.home.messages import Alive, Commit, Effect, Keep, Reading, Sign, Tell
from gateway.home.roster import Roster, Terminal
from gateway.home.stillness import DAY_MS, H_MS, ORDINARY, SAME_MS, SAVE_MS, TABLE, Rule
from protocol.record import Event, Now, Source

S, MIN, H = 1000, 60_000, 3_600_000
ROSTER = Roster(
    (
        Terminal("motion-1", "motion", "hall", "native", 200),
        Terminal("motion-2", "motion", "bedroom", "native", 200),
        Terminal("door-1", "door", "porch", "native", 200),
        Terminal("door-2", "door", "yard", "native", 200),
        Terminal("button-1", "button", "bath", "native", 7200),
        Terminal("smoke-1", "smoke", "kitchen", "native", 7200),
        Terminal("bracelet-1", "bracelet", "", "bracelet", 7200),
    )
)
BEGUN = 100 * H  # mono ms: 10 o'clock
BEAT = 60 * S
DAY = ORDINARY.day_ms
RULE = replace(ORDINARY, offset_ms=0)


class Played:
    """A home at 10 o'clock of its first day, whose terminals tell each minute what they last saw."""

    def __init__(self, roster: Roster = ROSTER, rule: Rule = RULE, state: Mapping[str, bytes] | None = None):
        self.now_ms, self.begun_ms = BEGUN, BEGUN
        self.roster, self.rule = roster, rule
        self.seen: dict[str, int | None] = {t.id: None for t in roster if t.kind in ("motion", "door")}
        self.open = {t.id: False for t in roster if t.kind == "door"}
        self.out: set[str] = set()  # terminals that say nothing
        self.effects: list[Effect] = []
        self.disk: dict[str, bytes] = dict(state or {})
        self.writes = 0
        self.epoch, self.number, self.quality = 0, 0, "synchronised"
        self.start()

    def start(self) -> None:
        self.epoch += 1
        self.home = Home("gw-1", self.epoch, 7, self.roster, now=self.now(), state=self.disk, stillness=self.rule)

    def now(self) -> Now:
        return Now(1_700_000_000_000 // DAY_MS * DAY_MS + 10 * H + self.now_ms - BEGUN, self.now_ms, self.quality)

    def did(self, effects: list[Effect]) -> list[Effect]:
        self.effects += effects
        for effect in effects:
            if isinstance(effect, Commit | Keep):
                self.writes += 1
                for key, data in effect.state.items():
                    self.disk.pop(key, None) if data is None else self.disk.update({key: data})
        return effects

    def tell(self, terminal: str, late_ms: int = 0) -> list[Effect]:
        seen = self.seen[terminal]
        age_ms = None if seen is None else (self.now_ms - seen) // 1000 * 1000 - late_ms
        return self.did(self.home.handle(Sign(terminal, age_ms, self.open.get(terminal)), self.now()))

    def sees(self, terminal: str = "motion-1") -> list[Effect]:
        self.seen[terminal] = self.now_ms
        return self.tell(terminal)

    def door(self, opened: bool, terminal: str = "door-1") -> None:
        self.open[terminal] = opened
        self.sees(terminal)

    def press(self, phase: str = "raised", age_ms: int = 0, terminal: str = "button-1") -> list[Event]:
        self.number += 1
        kind = terminal.split("-")[0].replace("bracelet", "bracelet_sos")
        source = Source(5, self.number)
        said = Reading(terminal, kind, phase, "held", source, age_ms, {"presses": self.number})
        return events(self.did(self.home.handle(said, self.now())))

    def passes(self, ms: int) -> None:
        end_ms = self.now_ms + ms
        while self.now_ms < end_ms:
            due_ms = self.home.deadline()
            beat_ms = self.now_ms + BEAT - (self.now_ms - BEGUN) % BEAT
            self.now_ms = min(end_ms, beat_ms, max(self.now_ms + 1, due_ms or end_ms))
            self.did(self.home.tick(self.now()))
            if (self.now_ms - BEGUN) % BEAT == 0:
                for terminal in self.seen.keys() - self.out:
                    self.tell(terminal)
                for terminal in ("button-1", "smoke-1", "bracelet-1"):
                    if terminal in self.roster:
                        self.did(self.home.handle(Alive(terminal), self.now()))

    def until_asked(self) -> None:
        self.sees()
        self.passes(DAY)
        assert self.told() == ["question"]

    def told(self) -> list[str]:
        return [effect.message for effect in self.effects if isinstance(effect, Tell)]

    def raised(self) -> list[tuple[str, str]]:
        return [(event.kind, event.phase) for event in events(self.effects)]


def events(effects: Sequence[Effect]) -> list[Event]:
    return [event for effect in effects if isinstance(effect, Commit) for event in effect.events]


# --- the rule ---


def at(hour: float, quality: str = "synchronised") -> Now:
    return Now(round(1_700_000_000_000 // DAY_MS * DAY_MS + (hour - 8) * H), 0, quality)


def test_what_is_ordinary() -> None:
    assert (ORDINARY.day_ms, ORDINARY.night_ms, ORDINARY.answer_ms, ORDINARY.away_ms) == (
        4 * H,
        10 * H,
        3 * MIN,
        10 * MIN,
    )
    assert (ORDINARY.night, ORDINARY.offset_ms) == ((22 * H, 7 * H), 8 * H)


@pytest.mark.parametrize(
    ("still", "hour", "too_long"),
    [
        (4, 12, True),
        (3.999, 12, False),
        (4, 21.999, True),
        (4, 22, False),  # the night has begun
        (9.999, 3, False),
        (10, 3, True),
        (8, 7, False),  # who sleeps on is not asked as the day begins,
        (8, 10.999, False),
        (8, 11, True),  # but four hours of the day later
        (10, 7, True),
    ],
)
def test_four_hours_of_one_day_or_ten_at_any_time(still: float, hour: float, too_long: bool) -> None:
    assert ORDINARY.too_long(round(still * H), at(hour)) is too_long


@pytest.mark.parametrize("quality", ["synchronised", "holdover"])
def test_a_clock_that_is_set_is_believed(quality: str) -> None:
    assert ORDINARY.too_long(4 * H, at(12, quality))


def test_while_the_clock_is_unset_only_what_holds_at_any_hour_counts() -> None:
    assert not ORDINARY.too_long(10 * H - 1, at(12, "unset"))
    assert ORDINARY.too_long(10 * H, at(12, "unset"))


def test_a_night_within_one_day() -> None:
    rule = replace(ORDINARY, night=(1 * H, 9 * H))
    assert rule.too_long(4 * H, at(0.999))
    assert not rule.too_long(4 * H, at(1))


# --- asked, answered, unanswered ---


def test_the_question_comes_with_the_first_word_of_a_sensor_after_the_limit() -> None:
    home = Played()
    home.sees()
    home.passes(DAY - BEAT)
    assert home.told() == []
    home.passes(BEAT)
    assert [effect for effect in home.effects if isinstance(effect, Tell)] == [Tell("question", "inactivity", "gw-1")]
    assert home.raised() == []


def test_no_answer_is_an_alarm_that_the_next_sign_ends() -> None:
    home = Played()
    home.passes(MIN)
    home.until_asked()
    home.passes(RULE.answer_ms - 1)
    assert home.raised() == []
    home.passes(1)
    (event,) = events(home.effects)
    assert (event.kind, event.phase, event.severity, event.link) == ("inactivity", "raised", "life", "own")
    assert (event.terminal, event.room, event.evidence) == ("gw-1", "hall", {"still_s": (DAY + RULE.answer_ms) // 1000})
    assert home.told() == ["question", "sending"]
    home.passes(3 * H)
    assert home.told()[:2] == ["question", "sending"]
    (end,) = events(home.sees("motion-2"))
    assert (end.kind, end.phase, end.alarm, end.room) == ("inactivity", "restored", event.id, "bedroom")
    home.passes(DAY - BEAT)
    assert len(events(home.effects)) == 2
    home.passes(BEAT)
    assert home.told()[-1] == "question"


def test_a_press_answers_and_calls_nobody_and_the_next_one_calls() -> None:
    home = Played()
    home.until_asked()
    home.passes(2 * MIN)
    (answer,) = home.press()
    assert (answer.kind, answer.phase, answer.source) == ("button", "test", Source(5, 1))
    assert answer.evidence == {"presses": 1, "answer": 1}
    assert home.told() == ["question", "answered"]
    (call,) = home.press("updated")
    assert (call.phase, call.flags) == ("raised", ("no_raise",))
    assert home.told() == ["question", "answered", "sending"]
    home.passes(DAY - BEAT)
    assert "inactivity" not in {kind for kind, _ in home.raised()}


def test_a_second_press_as_told_by_updated_is_an_answer_too() -> None:
    home = Played()
    home.until_asked()
    (answer,) = home.press("updated")
    assert answer.phase == "test"


def test_a_press_from_before_the_question_is_a_call() -> None:
    home = Played()
    home.until_asked()
    home.now_ms += 1000
    (call,) = home.press(age_ms=1001)
    assert (call.kind, call.phase) == ("button", "raised")
    assert "answer" not in call.evidence
    (answer,) = home.press(age_ms=1000)
    assert answer.phase == "test"


def test_a_press_while_nothing_is_asked_is_a_call() -> None:
    home = Played()
    assert [event.phase for event in home.press()] == ["raised"]
    assert "answered" not in home.told()


def test_who_is_seen_moving_may_still_answer_while_the_time_lasts() -> None:
    home = Played()
    home.until_asked()
    home.passes(MIN)
    home.sees()
    home.passes(MIN)
    home.sees()
    assert home.press()[0].phase == "test"
    assert home.told() == ["question", "answered"]


def test_who_is_seen_moving_raises_nothing_and_later_presses_call() -> None:
    home = Played()
    home.until_asked()
    home.passes(MIN)
    home.sees()
    home.passes(RULE.answer_ms)
    assert home.raised() == []
    assert home.press()[0].phase == "raised"


def test_a_late_answer_is_a_call_and_ends_the_alarm() -> None:
    home = Played()
    home.until_asked()
    home.passes(RULE.answer_ms)
    found = home.press()
    assert {(event.kind, event.phase) for event in found} == {("inactivity", "restored"), ("button", "raised")}


def test_a_call_of_the_bracelet_says_nothing_of_the_home() -> None:
    home = Played()
    home.until_asked()
    assert [event.phase for event in home.press(terminal="bracelet-1")] == ["raised"]
    home.passes(RULE.answer_ms)
    assert ("inactivity", "raised") in home.raised()


@pytest.mark.parametrize(("terminal", "phase"), [("button-1", "restored"), ("smoke-1", "test"), ("button-1", "test")])
def test_a_long_press_and_a_test_are_signs_of_life(terminal: str, phase: str) -> None:
    home = Played()
    home.sees()
    home.passes(DAY - 2 * MIN)
    home.press(phase, terminal=terminal)
    home.passes(DAY - BEAT)
    assert "question" not in home.told()


def test_smoke_is_no_sign_of_life() -> None:
    home = Played()
    home.sees()
    home.passes(DAY - 2 * MIN)
    home.press("raised", terminal="smoke-1")
    home.passes(3 * MIN)
    assert "question" in home.told()


@pytest.mark.parametrize("late_ms", [0, SAME_MS])
def test_an_old_sign_told_late_ends_no_alarm(late_ms: int) -> None:
    home = Played()
    home.until_asked()
    home.passes(RULE.answer_ms)
    home.tell("motion-1", late_ms)
    home.tell("motion-2", late_ms)
    assert home.raised() == [("inactivity", "raised")]
    home.seen["motion-1"] = BEGUN + 2 * SAME_MS + 1000
    home.tell("motion-1")
    assert home.raised()[1:] == [("inactivity", "restored")]


def test_a_home_without_a_motion_sensor_asks_nothing() -> None:
    home = Played(Roster((ROSTER["door-1"], ROSTER["button-1"])))
    home.door(True)
    home.passes(30 * H)
    assert home.told() == []


# --- nobody at home ---


def leaves(home: Played) -> None:
    home.sees()
    home.door(True)
    home.now_ms += 4 * S
    home.door(False)
    home.now_ms += SAME_MS
    home.sees()  # as late as a detector may tell of who has just left


def test_an_empty_home_is_not_asked() -> None:
    home = Played()
    leaves(home)
    home.passes(40 * H)
    assert home.told() == []
    assert home.disk == {}


def test_who_is_seen_after_the_door_was_shut_has_not_left() -> None:
    home = Played()
    leaves(home)
    home.passes(RULE.away_ms - 2 * MIN)
    home.sees("motion-2")
    home.passes(DAY + BEAT)
    assert home.told() == ["question"]


def test_a_pressed_button_tells_that_somebody_is_there() -> None:
    home = Played()
    leaves(home)
    home.passes(H)
    home.press()
    home.passes(DAY + MIN)
    assert "question" in home.told()


def test_the_next_sign_begins_the_watch_anew() -> None:
    home = Played()
    leaves(home)
    home.passes(24 * H)
    home.door(True)
    home.now_ms += S
    home.door(False)
    home.now_ms += 59 * S
    home.sees()
    home.passes(DAY + BEAT)
    assert home.told() == ["question"]


def test_who_looks_in_and_goes_again_has_left() -> None:
    home = Played()
    leaves(home)
    home.passes(2 * H)
    leaves(home)
    home.passes(30 * H)
    assert home.told() == []


def test_while_a_door_stands_open_nobody_has_left() -> None:
    home = Played()
    home.door(True, "door-2")
    leaves(home)
    home.passes(DAY + BEAT)
    assert home.told() == ["question"]
    home.passes(RULE.answer_ms)
    home.door(False, "door-2")
    home.passes(30 * H)
    assert home.raised() == [("inactivity", "raised"), ("inactivity", "restored")]


def test_who_opens_the_door_again_at_once_and_shuts_it_has_left() -> None:
    home = Played()
    leaves(home)
    home.now_ms -= 40 * S
    home.door(True)
    home.door(False)
    home.passes(40 * H)
    assert home.told() == []


def test_who_leaves_while_asked_is_not_missed() -> None:
    home = Played()
    home.until_asked()
    home.passes(MIN)
    leaves(home)
    home.passes(DAY * 3)
    assert home.raised() == []
    assert home.press()[0].phase == "raised"


def test_an_absence_is_known_again_after_a_restart() -> None:
    home = Played()
    leaves(home)
    home.passes(2 * H)
    home.start()
    home.passes(40 * H)
    assert home.told() == []


def test_who_left_and_came_back_while_the_gateway_was_down_is_watched() -> None:
    home = Played()
    leaves(home)
    home.passes(MIN)
    home.seen["motion-2"] = home.now_ms + H
    home.now_ms += 2 * H
    home.start()
    for terminal in ("door-1", "motion-2"):  # in either order
        home.tell(terminal)
    home.passes(DAY + BEAT)
    assert home.told() == ["question"]
    home.start()
    for terminal in ("motion-2", "door-1"):
        home.tell(terminal)
    home.passes(BEAT)
    assert home.told() == ["question", "question"]


# --- unable to watch ---


def test_without_a_working_sensor_nothing_is_asked_and_that_is_told() -> None:
    home = Played()
    home.sees()
    home.out = {"motion-1", "motion-2"}
    home.passes(30 * H)
    own = [event for event in events(home.effects) if event.terminal == "gw-1"]
    assert [(event.kind, event.phase, event.evidence) for event in own] == [("sensor_fault", "raised", {"sensors": 2})]
    assert home.told() == []
    home.out = {"motion-2"}
    home.passes(MIN)
    own = [event for event in events(home.effects) if event.terminal == "gw-1"]
    assert [(event.kind, event.phase, event.evidence) for event in own[1:]] == [("sensor_fault", "restored", {})]


def test_the_time_without_sight_is_no_stillness_and_what_was_before_is() -> None:
    home = Played()
    home.sees()
    home.passes(H)
    home.out = {"motion-1", "motion-2"}
    home.passes(2 * H)
    home.out = set()
    home.passes(3 * H - 5 * MIN)
    assert home.told() == []
    home.passes(5 * MIN)
    assert home.told() == ["question"]


def test_what_happened_without_sight_counts() -> None:
    home = Played()
    home.sees()
    home.out = {"motion-1", "motion-2"}
    home.passes(3 * H)
    home.press()
    home.out = set()
    home.passes(4 * H + MIN)
    assert home.told().count("question") == 1
    assert "inactivity" not in {kind for kind, _ in home.raised()}


def test_one_working_sensor_is_enough() -> None:
    home = Played()
    home.sees()
    home.out = {"motion-2"}
    home.passes(DAY)
    assert home.told() == ["question"]
    assert ("gw-1", "sensor_fault") not in {(event.terminal, event.kind) for event in events(home.effects)}


def test_a_sensor_at_fault_does_not_testify() -> None:
    home = Played()
    home.sees()
    for sensor in ("motion-1", "motion-2"):
        home.did(home.home.handle(Alive(sensor, sensor_fault=True), home.now()))
    home.passes(DAY + MIN)
    assert home.told() == []
    assert [event.terminal for event in events(home.effects)] == ["motion-1", "motion-2", "gw-1"]


def test_a_question_goes_on_without_sight_and_its_alarm_is_marked() -> None:
    home = Played(rule=replace(RULE, answer_ms=10 * MIN))
    home.until_asked()
    home.out = {"motion-1", "motion-2"}
    home.passes(10 * MIN)
    (event,) = [event for event in events(home.effects) if event.kind == "inactivity"]
    assert event.flags == ("suspect",)


def test_that_nothing_can_be_seen_is_told_once_across_a_restart() -> None:
    home = Played()
    home.out = {"motion-1", "motion-2"}
    home.passes(H)
    home.start()
    home.passes(H)
    assert [event.phase for event in events(home.effects) if event.terminal == "gw-1"] == ["raised"]
    home.roster = Roster((ROSTER["button-1"], ROSTER["smoke-1"]))  # the sensors were taken away
    home.seen = {}
    home.start()
    home.passes(MIN)
    assert [event.phase for event in events(home.effects) if event.terminal == "gw-1"] == ["raised", "restored"]


# --- restarts ---


def test_a_stillness_goes_on_after_a_restart_without_the_time_between() -> None:
    home = Played()
    home.sees()
    home.passes(2 * H)
    home.now_ms += 20 * MIN
    home.start()
    home.passes(2 * H - BEAT)
    assert home.told() == []
    home.passes(BEAT)
    assert home.told() == ["question"]


def test_restarts_again_and_again_do_not_hide_it() -> None:
    home = Played()
    home.sees()
    for _ in range(30):
        home.passes(SAVE_MS + MIN)
        home.start()
    assert "question" in home.told()


def test_a_stillness_is_stored_as_it_grows_and_forgotten_with_a_sign() -> None:
    home = Played()
    home.sees()
    home.passes(SAVE_MS - MIN)
    assert home.disk == {}
    home.passes(MIN)
    assert parts.numbers(home.disk["still/gw-1"]) == (SAVE_MS,)
    home.passes(SAVE_MS - MIN)
    assert home.writes == 1
    home.passes(MIN)
    assert parts.numbers(home.disk["still/gw-1"]) == (2 * SAVE_MS,)
    home.sees()
    assert home.disk == {}
    writes = home.writes
    home.sees()
    assert home.writes == writes


def test_a_question_that_a_restart_cut_off_is_asked_anew() -> None:
    home = Played()
    home.until_asked()
    assert parts.numbers(home.disk["still/gw-1"]) == (DAY,)
    home.start()
    home.passes(MIN)
    assert home.told() == ["question", "question"]
    home.passes(RULE.answer_ms)
    assert home.raised() == [("inactivity", "raised")]


def test_an_alarm_outlives_a_restart_and_ends_once() -> None:
    home = Played()
    home.until_asked()
    home.passes(RULE.answer_ms)
    home.now_ms += 2 * H
    home.start()
    home.passes(H)
    assert home.raised() == [("inactivity", "raised")]
    home.sees()
    home.passes(H)
    assert home.raised() == [("inactivity", "raised"), ("inactivity", "restored")]


def test_an_alarm_that_is_read_late_from_the_card_stands_and_ends() -> None:
    home = Played()
    home.until_asked()
    home.passes(RULE.answer_ms)
    disk, home.disk = home.disk, {}
    home.start()
    home.did(home.home.remember(disk, (), home.now()))
    home.now_ms += H
    home.sees()
    assert home.raised() == [("inactivity", "raised"), ("inactivity", "restored")]


def test_the_gateways_own_pause_is_no_stillness_and_leaves_the_answer_its_time() -> None:
    home = Played()
    home.sees()
    home.passes(3 * H)
    home.now_ms += 2 * H
    home.home.slept(2 * H)
    home.passes(H - BEAT)
    assert home.told() == []
    home.passes(BEAT)
    assert home.told() == ["question"]
    home.now_ms += H
    home.home.slept(H)
    home.passes(RULE.answer_ms - 1)
    assert home.raised() == []
    home.passes(1)
    assert home.raised() == [("inactivity", "raised")]


@pytest.mark.parametrize("numbers", [(), (-1,), (1, 2)])
def test_what_can_not_have_been_stored_is_refused(numbers: tuple[int, ...]) -> None:
    state = dict(parts.stored(numbers, parts.STILL, "gw-1"))
    home = Played(state={key: data for key, data in state.items() if data})
    assert home.home.counters["state_ignored"] == 1


def test_a_stillness_of_a_terminal_is_none() -> None:
    state = {key: data for key, data in parts.stored((0,), parts.STILL, "motion-1").items() if data}
    assert Played(state=state).home.counters["state_ignored"] == 1
    state = {key: data for key, data in parts.stored((0,), parts.STILL, "gw-1").items() if data}
    assert Played(state=state).home.counters["state_ignored"] == 0


# --- anything ---


def test_each_state_knows_every_sign() -> None:
    states = {state for state, _ in TABLE}
    assert {row.state for row in TABLE.values()} == states
    for state in states:
        assert {(state, stillness.SEEN), (state, stillness.SHUT)} <= TABLE.keys()


deeds = st.one_of(
    st.tuples(st.just("sees"), st.sampled_from(["motion-1", "motion-2"])),
    st.tuples(st.just("opens"), st.sampled_from(["door-1", "door-2"])),
    st.tuples(st.just("shuts"), st.sampled_from(["door-1", "door-2"])),
    st.tuples(st.just("press"), st.sampled_from(["raised", "updated", "restored", "test"])),
    st.tuples(st.just("out"), st.sampled_from(["motion-1", "motion-2"])),
    st.tuples(st.just("back"), st.sampled_from(["motion-1", "motion-2"])),
    st.tuples(st.just("restart"), st.sampled_from([0, 3 * H])),
    st.tuples(st.just("slept"), st.just(H)),
    st.tuples(st.just("clock"), st.sampled_from(["unset", "holdover", "synchronised"])),
    st.tuples(st.just("passes"), st.sampled_from([S, MIN, 3 * MIN, 20 * MIN, DAY, 11 * H])),
)


@given(st.lists(deeds, max_size=25))
def test_whatever_comes_each_alarm_follows_its_question_and_ends_once(found: list[tuple[str, object]]) -> None:
    home = Played()
    for what, value in found:
        match what:
            case "sees":
                home.sees(str(value))
            case "opens" | "shuts":
                home.door(what == "opens", str(value))
            case "press":
                home.press(str(value))
            case "out":
                home.out.add(str(value))
            case "back":
                home.out.discard(str(value))
            case "restart":
                home.now_ms += int(str(value))
                home.start()
            case "slept":
                home.now_ms += int(str(value))
                home.home.slept(int(str(value)))
            case "clock":
                home.quality = str(value)
            case "passes":
                home.passes(int(str(value)))
        home.passes(S)
    home.now_ms += MIN
    home.sees()
    own = [event for event in events(home.effects) if event.kind == "inactivity" and event.terminal == "gw-1"]
    assert [event.phase for event in own] == ["raised", "restored"] * (len(own) // 2)
    assert all(end.alarm == begin.id for begin, end in zip(own[::2], own[1::2], strict=True))
    assert home.told().count("question") >= len(own) // 2
    pressed = [event for event in events(home.effects) if event.terminal == "button-1"]
    assert [event.source for event in pressed] == [Source(5, n) for n in range(1, home.number + 1)]
    assert sum("answer" in event.evidence for event in pressed) == home.told().count("answered")
    assert len(home.disk) <= 10
    assert H_MS == H
