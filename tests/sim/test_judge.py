"""The verdict: what is good passes, and each way of being wrong is named."""

from __future__ import annotations

import pytest

from protocol.geo import Position
from protocol.words import Told
from sim.case import Case, parse
from sim.judge import Incident, Mark, Outcome, Row, Said, differences, matches, row_of
from sim.terminals import Promise

CASE = """
title = "t"
source = "s"
[home]
terminals = [{ id = "smoke-1", kind = "smoke", room = "kitchen" }]
[[at]]
t = "1s"
broker = "up"
[[expect]]
event = { kind = "smoke", phase = "raised" }
committed_within = "2s after broker up"
siren_within = "500ms"
told = ["sending", "received"]
[[expect]]
counter = { forged_refused = "1" }
[[expect]]
nothing_else = true
"""
WALL_MS, MONO_MS = 1_000_000, 5_000  # of the case's zero


def case(text: str = CASE) -> Case:
    return parse(text.encode(), "case.toml")


def row(number: int = 1, **changed: object) -> Row:
    plain = Row(
        epoch=1,
        sequence=number,
        kind="smoke",
        phase="raised",
        severity="life",
        link="held",
        terminal="smoke-1",
        room="kitchen",
        source_boot=7,
        source_number=number,
        flags=(),
        unverified=False,
        committed_ms=WALL_MS + 2500,
        attempt=1,
    )
    return plain._replace(**changed)


def promise(number: int = 1, acknowledged_ms: int | None = MONO_MS + 2600, gone: str = "") -> Promise:
    return Promise("smoke-1", 7, number, "smoke", "raised", MONO_MS + 2000, acknowledged_ms, gone)


def outcome(**changed: object) -> Outcome:
    plain = {
        "rows": [row()],
        "promises": [promise()],
        "dead": frozenset(),
        "marks": [Mark(step, WALL_MS + step.t_ms, MONO_MS + step.t_ms) for step in case().steps],
        "begun": (WALL_MS, MONO_MS),
        "said": [
            Said("siren", "on", "smoke", "", MONO_MS + 2100),
            Said("tell", "sending", "smoke", "smoke-1", MONO_MS + 2100),
            Said("tell", "received", "smoke", "smoke-1", MONO_MS + 2600),
        ],
        "counters": {"forged_refused": 1},
    }
    return Outcome(**{**plain, **changed})


def said(found: list[Told]) -> str:
    return "\n".join(told.en for told in found)


def test_what_came_out_as_it_must_has_no_difference() -> None:
    assert differences(case(), outcome()) == []


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"rows": []}, ["was acknowledged, and is at the centre 0 times", "0 times instead of 1"]),
        ({"rows": [], "promises": [promise(acknowledged_ms=None)]}, ["is still held, and is at the centre 0 times"]),
        ({"rows": [row(), row(sequence=2)]}, ["is at the centre 2 times", "2 times instead of 1"]),
        ({"rows": [row(), row(2)]}, ["smoke (7, 2) is at the centre, but the terminal never sent it"]),
        ({"rows": [row(), row(2, kind="tamper", link="own", source_boot=None)]}, ["nothing like it was expected"]),
        ({"rows": [row(committed_ms=WALL_MS + 3500)]}, ["committed after 2500 ms; at most 2000 ms allowed"]),
        ({"said": []}, ["siren for smoke of smoke-1: never", "was told nothing instead of sending, received"]),
        ({"said": [Said("siren", "on", "smoke", "", MONO_MS + 2600)]}, ["after 600 ms; at most 500 ms"]),
        ({"counters": {}}, ["counter forged_refused is 0 instead of 1"]),
    ],
)
def test_each_difference_is_named(changed: dict[str, object], words: list[str]) -> None:
    found = said(differences(case(), outcome(**changed)))
    assert all(word in found for word in words), found


def test_events_of_one_terminal_out_of_order_are_found() -> None:
    both = outcome(rows=[row(2, sequence=1), row(1, sequence=2)], promises=[promise(1), promise(2)])
    assert "event 1 came after event 2" in said(differences(case(), both))


@pytest.mark.parametrize(
    "excused",
    [
        {"promises": [promise(acknowledged_ms=None)], "dead": frozenset({"smoke-1"})},
        {"promises": [promise(acknowledged_ms=None, gone="battery")]},
    ],
)
def test_nobody_owes_what_nobody_is_left_to_repeat(excused: dict[str, object]) -> None:
    assert "at the centre 0 times; exactly once" not in said(differences(case(), outcome(rows=[], **excused)))


def test_an_acknowledged_event_of_a_dead_terminal_is_owed_all_the_same() -> None:
    found = differences(case(), outcome(rows=[], dead=frozenset({"smoke-1"})))
    assert "was acknowledged, and is at the centre 0 times" in said(found)


def test_a_second_press_may_arrive_as_an_update_but_a_raise_never_as_a_restore() -> None:
    assert "exactly once" not in said(differences(case(), outcome(rows=[row(phase="updated")])))
    assert "exactly once" in said(differences(case(), outcome(rows=[row(phase="restored")])))


def test_an_answer_may_become_a_call_once_where_its_process_died() -> None:
    answer, call = row(phase="test"), row(epoch=2)
    assert "exactly once" not in said(differences(case(), outcome(rows=[answer, call])))
    assert "at the centre 2 times" in said(differences(case(), outcome(rows=[answer, call, call])))
    assert "at the centre 2 times" in said(differences(case(), outcome(rows=[answer, answer])))


def test_an_unverified_alarm_is_no_copy_of_the_verified_one() -> None:
    doubted = row(2, source_boot=None, source_number=None, link="heard", unverified=True, flags=("unverified",))
    assert "exactly once" not in said(differences(case(), outcome(rows=[row(), doubted])))


def test_flags_asked_for_must_be_there_and_others_may() -> None:
    text = CASE.replace('phase = "raised" }', 'phase = "raised", flags = ["unstored"] }')
    assert differences(case(text), outcome(rows=[row(flags=("no_raise", "unstored"))])) == []
    assert "0 times instead of 1" in said(differences(case(text), outcome()))


@pytest.mark.parametrize(
    ("age_ms", "word"), [(None, "none"), (0, "live"), (10_000, "live"), (10_001, "last_known"), (10**9, "last_known")]
)
def test_a_position_is_live_last_known_or_none_by_its_age_in_a_row_and_at_the_interface(
    age_ms: int | None, word: str
) -> None:
    position = None if age_ms is None else Position(1, 2, age_ms)
    as_told = None if age_ms is None else {"latitude": 1e-7, "longitude": 2e-7, "age_ms": age_ms}
    for event in (row(position=position)._asdict(), {**row()._asdict(), "position": as_told}):
        found = [asked for asked in ("none", "live", "last_known") if matches(event, {"position": asked})]
        assert found == [word]


def test_a_row_holds_the_position_that_the_centre_has() -> None:
    plain = list(row())
    plain[10], plain[14] = "[]", "[1, 2, 3]"
    assert row_of(plain).position == Position(1, 2, 3)
    plain[14] = None
    assert row_of(plain).position is None


def test_incidents_at_the_desk_are_counted_and_must_open_in_time() -> None:
    text = CASE[: CASE.index("[[expect]]")] + '[[expect]]\nincident = { kind = "gateway_lost", phase = "restored" }\n'
    within = case(text + 'opened_within = "2s after broker up"\n')
    marks = [Mark(within.steps[0], WALL_MS + 1000, MONO_MS + 1000)]
    opened = Incident("gateway_lost", "gw-1", "restored", WALL_MS + 3000)

    def told(*incidents: Incident) -> list[str]:
        outcome = Outcome([], [], frozenset(), marks, (WALL_MS, MONO_MS), incidents=incidents)
        return [one.en for one in differences(within, outcome)]

    assert told(opened, opened._replace(phase="raised"), opened._replace(kind="smoke")) == []
    assert told() == ["gateway_lost restored: 0 incidents at the desk instead of 1"]
    assert told(opened, opened) == ["gateway_lost restored: 2 incidents at the desk instead of 1"]
    late = told(opened._replace(opened_ms=WALL_MS + 3001))
    assert late == ["gateway_lost restored: opened after 2001 ms; at most 2000 ms allowed"]
    assert not differences(case(text), Outcome([], [], frozenset(), incidents=[opened]))
