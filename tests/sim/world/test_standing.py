"""What stands in the end: each difference between terminals, gateway and centre is told, and none nobody knows of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from protocol.words import RAISED, RESTORED, UPDATED
from sim.case import TerminalSpec
from sim.judge import Row
from sim.steps import Step
from sim.world.acts import do
from sim.world.standing import closed, in_order, left_open, left_standing, signs_amiss
from sim.world.world import World


def row(phase: str, kind: str = "gas", terminal: str = "gas-1") -> Row:
    return Row(1, 1, kind, phase, "life", "held", terminal, "", 1, 1, (), unverified=False, committed_ms=0, attempt=1)


ALARM = ("gas-1", "gas")
CALL = row(UPDATED, "bracelet_sos", "bracelet-1")


@pytest.mark.parametrize(
    ("phase", "standing", "differs"),
    [(RAISED, {ALARM}, False), (RAISED, set(), True), (RESTORED, {ALARM}, True), (RESTORED, set(), False)],
)
def test_the_centre_must_know_what_stands(phase: str, standing: set[Any], differs: bool) -> None:
    assert bool(list(left_standing([row(phase)], standing, set()))) == differs
    assert list(left_standing([row(phase)], standing, {ALARM})) == []


def test_what_the_centre_never_heard_of_is_told_and_a_call_has_no_end() -> None:
    assert len(list(left_standing([CALL], {ALARM}, set()))) == 1
    assert list(left_standing([CALL], set(), set())) == []
    assert len(list(closed({ALARM}))) == 1
    assert len(list(left_open({ALARM, ("bracelet-1", "bracelet_sos")}))) == 1


def test_what_an_earlier_life_raised_and_a_later_one_ended_is_over_in_whatever_order_it_came() -> None:
    late, ended = row(RAISED)._replace(epoch=9, sequence=15), row(RESTORED)._replace(epoch=7, sequence=4)
    assert in_order([ended, late], [9, 7]) == [late, ended]
    assert list(left_standing(in_order([ended, late], [9, 7]), set(), set())) == []


@pytest.fixture
def home(tmp_path: Path) -> World:
    """With a motion sensor and a door, some heartbeats after somebody passed and left the door open."""
    terminals = [TerminalSpec("motion-1", "motion", "hall", 200), TerminalSpec("door-1", "door", "hall", 200)]
    world = World(1, terminals, tmp_path)
    world.start()
    for target, action in (("motion-1", "pass"), ("door-1", "open")):
        do(world, Step(0, target, action))
    world.timeline.until(world.timeline.now + 200_000)
    return world


def amiss(world: World, **wrong: Any) -> list[str]:
    shown = [{**row, **wrong} for row in world.gateway.terminals()]
    return [told.en.partition(":")[0] for told in signs_amiss(world.played, shown, world.timeline.now)]


def test_signs_of_life_must_be_known_at_the_gateway(home: World) -> None:
    assert amiss(home) == []
    assert amiss(home, last_sign_s=10) == []  # it may have heard of more
    assert amiss(home, last_sign_s=400) == ["motion-1", "door-1"]
    assert amiss(home, last_sign_s=None) == ["motion-1", "door-1"]
    assert amiss(home, open=False) == ["door-1"]


def test_a_world_with_signs_and_a_bracelet_outside_ends_well(tmp_path: Path) -> None:
    terminals = [TerminalSpec("door-1", "door", "hall", 200), TerminalSpec("bracelet-1", "bracelet", "", 200, 100)]
    world = World(1, terminals, tmp_path, rest_ms=60_000)
    world.start()
    do(world, Step(0, "bracelet-1", "go_out", {"distance_m": 300}))
    world.settle()
    assert world.verdict() == []
    assert ("bracelet-1", "fence_exit", RAISED) in [(one.terminal, one.kind, one.phase) for one in world.outcome().rows]
