"""Plays a case in virtual time: the same file, the same verdict, in as many ms as a real home takes seconds."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from protocol.words import Told
from sim.case import Case, at
from sim.judge import Mark, differences, matches
from sim.result import Result, counted
from sim.steps import Step
from sim.world.acts import do
from sim.world.clock import BEGUN_WALL_MS
from sim.world.run import centre_folder
from sim.world.timeline import Stuck
from sim.world.watch import Broken
from sim.world.world import HEARTBEAT_S, World

SETTLE_MS_MAX: Final = 20_000  # after the last limit, as in real time
GRACE_MS: Final = 400  # what comes twice comes soon
LOOK_MS: Final = 100


def play_all(cases: Sequence[Case], progress: Callable[[int, Result | None], None], keep: bool = False) -> list[Result]:
    """Plays the cases one after the other, as `play` does; `progress(n, None)` when case n begins, with its result when
    it ends."""
    results = []
    for number, case in enumerate(cases):
        progress(number, None)
        results.append(play(case, keep))
        progress(number, results[-1])
    return results


def play(case: Case, keep: bool = False) -> Result:
    """Plays one case from its beginning to its verdict; with `keep`, the journals and signals are in the result."""
    began_s = time.monotonic()
    with centre_folder() as folder:
        rule = at(case.stillness, BEGUN_WALL_MS)
        world = World(case.seed, case.terminals, folder, case.heartbeat_s or HEARTBEAT_S, keep, stillness=rule)
        if case.clock:
            do(world, Step(0, "clock", case.clock))
        player = _Player(case, world)
        broken: list[Told] = []
        try:
            player.run()
        except Broken as error:  # nothing after it would say more
            broken.append(error.told)
        except Stuck as error:
            broken.append(Told(f"virtual time stands still: {error}", f"虚拟时间停滞：{error}"))
        outcome = world.outcome(player.marks, player.counters())
    found = broken or differences(case, outcome)
    samples = {played.name: tuple(played.samples) for played in world.played}
    return Result(case, found, outcome, world.heard or (), samples, time.monotonic() - began_s)


class _Player:
    def __init__(self, case: Case, world: World):
        self.marks: list[Mark] = []
        self._case = case
        self._world = world

    def run(self) -> None:
        world = self._world
        world.watch.disturbed(1)  # for good: of how soon things must come the case itself speaks
        world.start()
        for step in self._case.steps:
            world.timeline.until(world.begun_ms + step.t_ms)
            self.marks.append(Mark(step, BEGUN_WALL_MS + world.timeline.now, world.timeline.now))
            do(world, step)
        world.timeline.until(world.begun_ms + self._case.lasts_ms)
        self._settle()

    def counters(self) -> dict[str, int]:
        agent = self._world.gateway.agent
        of_agent: Mapping[str, Any] = agent.status(self._world.gateway.clock.now())["counters"] if agent else {}
        return {**counted("centre", self._world.centre.counters()), **counted("agent", of_agent)}

    def _settle(self) -> None:
        """Until everything owed has come, or its time is over; then a moment for what comes twice."""
        timeline = self._world.timeline
        limits = [expected.committed_within.ms for expected in self._case.expected if expected.committed_within]
        end_ms = timeline.now + max(limits, default=0) + SETTLE_MS_MAX
        while timeline.now < end_ms and not (self._world.settled() and self._all_there()):
            timeline.until(timeline.now + LOOK_MS)
        timeline.until(timeline.now + GRACE_MS)

    def _all_there(self) -> bool:
        events: Sequence[Mapping[str, Any]] = [row._asdict() for row in self._world.centre.events()]
        return all(
            sum(matches(event, expected.event) for event in events) >= expected.times
            for expected in self._case.expected
        )
