"""A centre that is put back to an old copy has everything again from its gateway, and nobody in the home notices."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sim.case import TerminalSpec
from sim.steps import Step
from sim.world.acts import do
from sim.world.world import World

TERMINALS = (TerminalSpec("button-1", "button", "hall"), TerminalSpec("smoke-1", "smoke", "kitchen"))
HEARTBEAT_MS = 30_000


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(7, TERMINALS, tmp_path)
    made.start()
    yield made
    made.centre.stop()


def act(world: World, target: str, action: str, then_ms: int = 1_000, **values: int | str) -> None:
    do(world, Step(0, target, action, values))
    world.timeline.until(world.timeline.now + then_ms)


def resent(world: World) -> int:
    agent = world.gateway.agent
    return 0 if agent is None else int(agent.status(world.gateway.clock.now())["counters"].get("resent", 0))


def press(world: World) -> None:
    act(world, "button-1", "press", 3_000, presses=1, every_ms=1_000)


def rows(world: World) -> list[tuple[int, ...]]:
    return sorted(tuple(row) for row in world.centre.rows("SELECT epoch, sequence FROM events"))


def test_all_that_was_committed_since_the_copy_comes_again_and_the_home_stays_quiet(world: World) -> None:
    press(world)
    act(world, "centre", "back_up")
    for _ in range(3):
        press(world)
    act(world, "smoke-1", "flaming", 120_000)
    act(world, "smoke-1", "clearing", 600_000)
    before, said = rows(world), len(world.said)
    acknowledged = [one.acknowledged_ms for one in world.promises()]
    act(world, "centre", "restore", 0)
    assert len(rows(world)) < len(before)
    world.timeline.until(world.timeline.now + 2 * HEARTBEAT_MS)
    assert rows(world) == before
    world.settle()
    assert len(world.said) == said
    assert acknowledged == [one.acknowledged_ms for one in world.promises()]
    late = world.centre.rows("SELECT late FROM events WHERE kind = 'smoke'")
    assert [row[0] for row in late] == [1, 1]
    assert world.centre.counters()["asked_again"] == 1
    assert world.verdict() == []


def test_a_gateway_that_starts_anew_amid_it_tells_nobody_of_old_calls(world: World) -> None:
    act(world, "centre", "back_up")
    for _ in range(5):
        press(world)
    before, said = rows(world), len(world.said)
    act(world, "centre", "restore", 0)
    while not resent(world):
        world.timeline.until(world.timeline.now + 1)
    act(world, "agent", "restart", 2 * HEARTBEAT_MS)
    assert set(rows(world)) >= set(before)
    told = [one for one in world.said[said:] if one.what == "tell"]
    assert told == []
    assert world.verdict() == []


def test_of_many_lives_every_event_is_told_within_some_heartbeats(world: World) -> None:
    act(world, "centre", "back_up")
    for _ in range(20):
        press(world)
        act(world, "agent", "restart", 20_000)
    before = rows(world)
    act(world, "centre", "restore", 5 * HEARTBEAT_MS)
    assert rows(world) == before
    assert world.verdict() == []


def test_a_centre_whose_disk_is_lost_has_everything_again(world: World) -> None:
    press(world)
    act(world, "agent", "restart", 20_000)
    press(world)
    before = rows(world)
    act(world, "centre", "restore", 2 * HEARTBEAT_MS)
    assert rows(world) == before
    assert world.verdict() == []


def test_what_was_receipted_while_the_card_hung_comes_again_too(world: World) -> None:
    act(world, "centre", "back_up")
    act(world, "disk", "hold")
    press(world)
    before = rows(world)
    act(world, "disk", "release", 5_000)
    act(world, "centre", "restore", 2 * HEARTBEAT_MS)
    assert set(rows(world)) >= set(before)
    assert world.verdict() == []
