"""Load on a stage: people and fires at random moments, and the wait until all of it has arrived."""

from __future__ import annotations

import heapq
import time
from collections.abc import Mapping
from random import Random
from typing import Final

from sim.case import TerminalSpec
from sim.sensors import PRESS_MS
from sim.stage import LOOK_S, Stage
from sim.steps import Step

SETTLE_S_MAX: Final = 180.0  # for the backlog of all terminals


def home_of(buttons: int, smokes: int) -> list[TerminalSpec]:
    """So many terminals, each in a room of its own."""
    kinds = {"button": buttons, "smoke": smokes}
    return [TerminalSpec(f"{kind}-{n}", kind, f"room-{n}") for kind in kinds for n in range(1, kinds[kind] + 1)]


class Stimuli:
    """People and fires: a press or a turn of the smoke, at each terminal after pauses of `pause_s` (real s, on average)
    by its kind."""

    def __init__(self, stage: Stage, random: Random, pause_s: Mapping[str, float]):
        self._stage = stage
        self._random = random
        self._pause_s = {terminal.name: pause_s[terminal.kind] for terminal in stage.played}
        self._burning = dict.fromkeys((t.name for t in stage.played if t.kind == "smoke"), False)
        now_s = time.monotonic()
        self._next = [(now_s + random.expovariate(1 / pause), name) for name, pause in self._pause_s.items()]
        heapq.heapify(self._next)

    def until(self, end_s: float) -> None:
        """Go on until then (monotonic s), with what has become due meanwhile first."""
        while self._next[0][0] < end_s:
            due_s, name = self._next[0]
            time.sleep(max(0.0, due_s - time.monotonic()))
            self._stimulate(name)
            heapq.heapreplace(self._next, (due_s + self._random.expovariate(1 / self._pause_s[name]), name))
        time.sleep(max(0.0, end_s - time.monotonic()))

    def press_all(self) -> None:
        """Every button, now."""
        for terminal in self._stage.played:
            if terminal.kind == "button":
                self._stimulate(terminal.name)

    def _stimulate(self, name: str) -> None:
        if name not in self._burning:
            self._stage.home.do(Step(0, name, "press", {"every_ms": 2 * PRESS_MS}))  # as fast as it can be pressed
            return
        self._burning[name] = not self._burning[name]
        self._stage.home.do(Step(0, name, "flaming" if self._burning[name] else "clearing"))


def settle(stage: Stage) -> bool:
    """Waits until nothing is owed any more; False where that takes longer than SETTLE_S_MAX."""
    end_s = time.monotonic() + SETTLE_S_MAX
    while time.monotonic() < end_s:
        if stage.home.resting() and stage.settled():
            return True
        time.sleep(LOOK_S)
    return False


def finish(stage: Stage) -> bool:
    """Settles; then no terminal says anything any more, lest air that clears just now be owed. What has not been
    settled in time stays owed."""
    settled = settle(stage)
    if settled:
        for terminal in stage.played:
            stage.home.do(Step(0, terminal.name, "dead"))
    return settled
