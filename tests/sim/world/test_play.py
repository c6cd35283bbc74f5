"""Cases in virtual time: all of the project's come out as they must, and a wrong outcome is told as for real."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.home.supervision import Supervision
from sim.case import Case, load, parse
from sim.steps import ACTIONS, KINDS_OF_TERMINAL, VIRTUAL
from sim.world.acts import ACTS
from sim.world.defects import planted
from sim.world.play import play

CASES = Path(__file__).parents[2] / "cases"
HOME = """
title = "A case"
[home]
terminals = [{ id = "button-1", kind = "button", room = "bedroom" }]
"""
MISSED = 'event = { kind = "terminal_silent", phase = "raised", terminal = "button-1" }'


def case(steps: str, expect: str = "nothing_else = true") -> Case:
    return parse(f"{HOME}{steps}\n[[expect]]\n{expect}\n".encode(), "case.toml")


@pytest.mark.parametrize("path", sorted(CASES.glob("*.toml")), ids=lambda path: path.stem)
def test_each_case_of_the_project_comes_out_as_it_must(path: Path) -> None:
    assert [found.en for found in play(load(path)).differences] == []


def test_a_case_whose_outcome_is_another_is_not_so_as_it_is_for_real() -> None:
    expectations = '[[expect]]\ncounter = { forged_refused = "9" }\n[[expect]]\nnothing_else = true\n'
    text = (CASES / "button.toml").read_text("utf-8").partition("[[expect]]")[0] + expectations
    result = play(parse(text.encode(), "wrong.toml"))
    assert sorted(told.en for told in result.differences) == [
        "button raised of button-1 is at the centre; nothing like it was expected",
        "counter forged_refused is 0 instead of 9",
    ]
    assert result.as_json()["good"] is False


@pytest.mark.parametrize("name", ["agent_killed", "noise", "disk_failing"])
def test_a_case_is_the_same_each_time(name: str) -> None:
    first, second = (play(load(CASES / f"{name}.toml"), keep=True) for _ in range(2))
    assert first.heard == second.heard
    assert len(first.heard) > 10


def test_another_seed_is_another_run() -> None:
    text = (CASES / "noise.toml").read_text("utf-8")
    first, second = (play(parse(text.replace("seed = 8", seed).encode(), "x"), keep=True) for seed in ("", "seed = 9"))
    assert first.heard != second.heard


def test_a_broken_invariant_ends_the_case_and_is_its_difference() -> None:
    with planted("acknowledge_before_commit"):
        result = play(load(CASES / "button.toml"))
    assert len(result.differences) == 1
    assert "is acknowledged, and is neither synced on the card nor at the centre" in result.differences[0].en


def test_each_word_of_the_language_does_something() -> None:
    words = {(target, word) for target, words in ACTIONS.items() for word in words if target not in KINDS_OF_TERMINAL}
    words |= {(target, word) for target, words in VIRTUAL.items() for word in words} | {("line", "faults")}
    assert words - ACTS.keys() == set()


def test_minutes_pass_in_no_time_and_what_was_pressed_in_them_is_there() -> None:
    steps = """
[[at]]
t = "2m"
network = "outage"
[[at]]
t = "5m"
button-1 = "press"
[[at]]
t = "15m"
network = "up"
"""
    event = """event = { kind = "button", phase = "raised", terminal = "button-1" }
committed_within = "15s after network up"
told = ["sending", "not_received", "received"]"""
    result = play(case(steps, event))
    assert [told.en for told in result.differences] == []


def test_a_terminal_that_is_dead_for_long_is_missed_without_being_asked_for() -> None:
    steps = '[[at]]\nt = "1s"\nbutton-1 = "dead"\n[[at]]\nt = "10m"\n'
    assert [told.en for told in play(case(steps, MISSED)).differences] == []
    with planted("deaf_to_silence"):
        result = play(case(steps, MISSED))
    assert ["nobody has noticed" in told.en for told in result.differences] == [True]


def test_a_part_that_asks_to_be_called_now_for_ever_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Supervision, "deadline", lambda self: 0)
    result = play(case("", MISSED))
    assert ["virtual time stands still" in told.en for told in result.differences] == [True]
