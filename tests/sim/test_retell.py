"""A played case told again: its steps, its faults, each event's stations in order, and what the sensors saw."""

from __future__ import annotations

from sim.case import parse
from sim.judge import Mark, Outcome, Row
from sim.process import Line
from sim.result import Result
from sim.retell import retell
from sim.site import Heard
from sim.story import Entry, Span, Story
from sim.terminals import Promise

WALL_MS, MONO_MS = 1_754_000_000_000, 50_000
CASE = """
title = "The broker is away"
seed = 9
[home]
terminals = [{ id = "button-1", kind = "button" }, { id = "smoke-1", kind = "smoke" }]
[[at]]
t = "1s"
broker = "down"
line = { loss_pct = 10 }
[[at]]
t = "2s"
button-1 = "press"
[[at]]
t = "5s"
broker = "up"
[[at]]
t = "6s"
smoke-1 = "dead"
[[at]]
t = "7s"
button-1 = { fault = "stuck_button", strength = 5 }
[[at]]
t = "8s"
button-1 = { fault = "none" }
[[at]]
t = "9s"
[[expect]]
nothing_else = true
"""


def heard(t_ms: int, name: str, what: str, off_ms: int = 0, **fields: object) -> Heard:
    """A line written at `t_ms` by a clock that is `off_ms` off, and read 5 ms later."""
    line = Line(what, {"t": WALL_MS + t_ms + off_ms, "what": what, **fields})
    return Heard(name, line, MONO_MS + t_ms + 5)


RAISED = {"id": "77-1", "kind": "button", "phase": "raised", "terminal": "button-1", "source": [4242, 1]}
JOURNAL = [
    heard(-3000, "agent", "ready"),
    heard(-2000, "agent", "uplink", up=True, detail=""),
    heard(-1000, "agent", "storage", ok=True, detail=""),
    heard(1100, "agent", "uplink", up=False, detail="gone"),
    heard(1900, "agent", "uplink", up=False, detail="still gone"),
    heard(2040, "agent", "raised", **RAISED),
    heard(2041, "agent", "tell", text="Calling for help", terminal="button-1", kind="button", message="sending"),
    heard(2055, "agent", "committed", ids=["77-1"]),
    heard(5100, "agent", "uplink", up=True, detail=""),
    heard(5110, "agent", "sent", id="77-1", attempt=2, uplink="mqtt"),
    heard(5160, "agent", "receipted", ids=["77-1"]),
    heard(5200, "centre", "refused", reason="signature", count=3),
]
ROW = Row(77, 1, "button", "raised", "life", "held", "button-1", "", 4242, 1, ("late",), False, WALL_MS + 5140, 2)


def story(language: str = "en", journal: list[Heard] | None = None, **changed: object) -> Story:
    case = parse(CASE.encode(), "case.toml")
    plain = {
        "rows": [ROW],
        "promises": [Promise("button-1", 4242, 1, "button", "raised", MONO_MS + 2030, MONO_MS + 2060)],
        "dead": frozenset(),
        "marks": [Mark(step, WALL_MS + step.t_ms, MONO_MS + step.t_ms) for step in case.steps],
        "begun": (WALL_MS, MONO_MS),
        "counters": {"link_damaged": 4},
    }
    outcome = Outcome(**{**plain, **changed})  # type: ignore[arg-type]
    samples = {
        "button-1": [(MONO_MS - 9, 0), (MONO_MS + 2000, 0), (MONO_MS + 2000, 1)],
        "smoke-1": [(MONO_MS + 500, 3)],
    }
    found = Result(case, [], outcome, JOURNAL if journal is None else journal, samples, 1.0)
    return retell(found, "sixkit sim run case.toml", language)


def test_the_stations_of_an_event_carry_its_name_from_the_button_to_the_receipt() -> None:
    way = [(e.t_ms, e.lane, e.what, e.about) for e in story().entries if e.event == "button-1 1-1"]
    assert way == [
        (2030, "button-1", "offered", "emergency call raised"),
        (2040, "gateway", "raised", "emergency call button-1"),
        (2055, "disk", "committed", ""),
        (2060, "button-1", "acknowledged", "emergency call raised"),
        (5110, "network", "sent", "#2"),
        (5140, "centre", "committed", "emergency call raised [late]"),
        (5160, "gateway", "receipted", ""),
    ]


def test_everything_is_told_in_the_order_in_which_it_happened_and_nothing_before_the_beginning() -> None:
    times = [entry.t_ms for entry in story().entries]
    assert times == sorted(times)
    assert times[0] == 1000


def test_steps_are_on_the_lane_of_what_they_are_done_to() -> None:
    entries = story().entries
    assert Entry(1000, "network", "down", "broker") in entries
    assert Entry(2000, "button-1", "press") in entries
    assert Entry(6000, "smoke-1", "dead") in entries
    assert Entry(2041, "resident", "told", "Calling for help (button-1)") in entries
    assert Entry(5200, "centre", "refused", "signature × 3") in entries


def test_a_link_that_stays_as_it_is_is_no_news() -> None:
    links = [
        (e.t_ms, e.what) for e in story().entries if e.lane == "network" and e.what in ("up", "down") and not e.about
    ]
    assert links == [(5100, "up")]
    assert [e.t_ms for e in story().entries if e.about in ("gone", "still gone")] == [1100]


def test_a_fault_lasts_until_what_ends_it_or_the_end() -> None:
    values = "direction both, loss_pct 10"
    assert story().faults == [
        Span(1000, 5000, "network", "broker_down"),
        Span(1000, 9000, "line", "faults", values),
        Span(6000, 9000, "smoke-1", "dead"),
        Span(7000, 8000, "button-1", "stuck_button", "strength 5, sign 1"),
    ]
    assert Entry(8000, "button-1", "healed") in story().entries


def test_a_fault_that_is_over_by_itself_ends_then() -> None:
    case = parse(CASE.replace("strength = 5", "strength = 1").replace('t = "9s"', 't = "40s"').encode(), "case.toml")
    marks = [Mark(step, 0, MONO_MS + step.t_ms) for step in case.steps if step.action != "none"]
    found = Result(case, [], Outcome([], [], frozenset(), marks, (WALL_MS, MONO_MS)))
    assert Span(7000, 12_000, "button-1", "stuck_button", "strength 1, sign 1") in retell(found, "", "en").faults


def test_what_sensors_saw_has_unit_and_threshold_and_a_contact_is_drawn_to_the_end() -> None:
    signals = story().signals
    assert signals["button-1"].points == [(0, 0.0), (2000, 0.0), (2000, 1.0), (9000, 1.0)]
    assert (signals["smoke-1"].unit, signals["smoke-1"].threshold) == ("mdB/m", 150)
    assert signals["smoke-1"].points == [(500, 3.0)]


def test_the_whole_carries_seed_counts_command_and_clock() -> None:
    made = story()
    assert (made.title, made.seed, made.lasts_ms, made.wall_ms0) == ("The broker is away", 9, 9000, WALL_MS)
    assert made.counts == {"offered": 1, "committed": 1, "link_damaged": 4}
    assert made.command == "sixkit sim run case.toml"


def test_a_journal_whose_clock_is_unset_is_told_by_when_it_was_read() -> None:
    journal = [heard(2040, "agent", "raised", off_ms=-WALL_MS, **RAISED)]
    assert [entry.t_ms for entry in story(journal=journal).entries if entry.what == "raised"] == [2045]


def test_a_gateways_own_event_goes_by_its_id_and_a_second_boot_by_its_place() -> None:
    own = {**RAISED, "id": "77-2", "kind": "uplink_lost", "terminal": "", "source": None}
    promises = [Promise("button-1", boot, 1, "button", "raised", MONO_MS + boot) for boot in (4242, 17)]
    made = story(journal=[heard(3000, "agent", "raised", **own)], promises=promises)
    assert [e.event for e in made.entries if e.what == "raised"] == ["77-2"]
    assert {e.event for e in made.entries if e.what == "offered"} == {"button-1 1-1", "button-1 2-1"}


def test_chinese_stories_speak_chinese() -> None:
    assert {e.about for e in story("zh").entries if e.what == "offered"} == {"紧急呼叫 报警"}
