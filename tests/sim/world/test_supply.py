"""The gateway's power in virtual time: cut, back, sagging, and from its backup alone."""

from __future__ import annotations

from pathlib import Path

from sim.case import TerminalSpec
from sim.steps import Step
from sim.world.acts import do
from sim.world.world import World


def sagging(world: World) -> set[int]:
    """The starts of the gateway in a minute of sagging supply, each at true time."""
    do(world, Step(0, "power", "brown_out"))
    starts = set()
    for _ in range(600):
        world.timeline.until(world.timeline.now + 100)
        starts.add(world.gateway.starts)
    return starts


def home(folder: Path) -> World:
    world = World(5, [TerminalSpec("button-1", "button", "hall")], folder)
    world.start()
    return world


def test_a_sagging_supply_restarts_the_gateway_until_it_is_up_again(tmp_path: Path) -> None:
    world = home(tmp_path)
    assert len(sagging(world)) > 3
    do(world, Step(0, "power", "up"))
    starts = world.gateway.starts
    world.timeline.until(world.timeline.now + 120_000)
    assert world.gateway.running()
    assert world.gateway.starts <= starts + 1
    world.centre.stop()


def test_power_that_is_cut_stays_away_whatever_it_did_before(tmp_path: Path) -> None:
    world = home(tmp_path)
    sagging(world)
    do(world, Step(0, "power", "cut"))
    world.timeline.until(world.timeline.now + 120_000)
    assert not world.gateway.powered
    do(world, Step(0, "power", "up", {"unset": "1970"}))
    assert world.gateway.clock.wall_ns() < 10**9
    world.centre.stop()


def test_what_its_power_source_says_reaches_the_gateway_and_outlives_its_restarts(tmp_path: Path) -> None:
    world = home(tmp_path)
    do(world, Step(0, "power", "mains_lost"))
    do(world, Step(0, "agent", "restart"))
    world.timeline.until(world.timeline.now + 10_000)
    assert world.gateway.agent is not None
    power = world.gateway.agent.status(world.gateway.clock.now())["power"]
    assert (power["mains"], power["backup_pct"]) == (False, 90)
    do(world, Step(0, "power", "cut"))
    do(world, Step(0, "power", "up"))
    world.timeline.until(world.timeline.now + 20_000)
    assert [row.phase for row in world.centre.events() if row.kind == "mains_lost"] == ["raised", "restored"]
    world.centre.stop()
