"""Kills the agent with -9 again and again under load, and then counts: nothing lost, nothing doubled."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from protocol.words import Told
from sim import shim
from sim.judge import Outcome, invariants, read_rows, still_held
from sim.line import CLEAN, Faults, stream
from sim.load import Stimuli, finish, home_of
from sim.stage import Stage

RATE: Final = 5  # of the clock: a minute of clean air after smoke takes 12 s
BUTTONS: Final = 4
SMOKES: Final = 2
PAUSE_S: Final = {"button": 1.2, "smoke": 1.2}  # real, on average, between two stimuli of one terminal
ALIVE_S_MAX: Final = 2.0  # real: how long the agent lives at most between two kills
DOWN_S_MAX: Final = 0.5
# Half of the kills come this soon (real s) after all buttons were pressed, while the disk hangs: the worst moment there
# is, since what one was promised then rests on nothing but the centre's receipt.
AIMED_S_MAX: Final = 0.2
SYNC_MS: Final = 40  # otherwise each sync of the gateway's disk takes longer by so much, as on an ordinary card
BROKER_KILLS: Final = 3  # one in so many kills takes the broker too, for as long as the agent lives after it
LINE: Final = Faults(loss=0.1, repeat=0.1, flip=0.05, noise=1.0)

Progress = Callable[[int, int, str], None]  # kills done, kills in all, what is going on


@dataclass(frozen=True, slots=True)
class Soaked:
    """What a soak found."""

    seed: int
    kills: int
    seconds: float
    offered: int  # events that terminals took upon themselves
    acknowledged: int
    held: int  # still, at the end
    crowded: int  # made room in a terminal's full queue, unacknowledged
    committed: int  # at the centre, those of terminals
    own: int  # at the centre, the gateway's own
    attempts_max: int
    repeats_absorbed: int
    sync_ms: int  # how much longer each sync took; 0: no compiler here to build what slows it
    differences: Sequence[Told]

    @property
    def good(self) -> bool:
        return not self.differences

    def as_json(self) -> dict[str, Any]:
        names = [name for name in self.__slots__ if name != "differences"]
        found = [{"en": one.en, "zh": one.zh} for one in self.differences]
        return {"good": self.good, **{name: getattr(self, name) for name in names}, "differences": found}


def soak(kills: int, seed: int, progress: Progress = lambda done, of, doing: None) -> Soaked:
    """`kills` kills of the agent at random moments under load. Raises Unavailable where this machine cannot."""
    began_s = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="sixkit-") as name:
        folder, disk = Path(name) / "site", shim.Control(Path(name) / "disk")
        slow = _slow_disk(disk, folder)
        with Stage(folder, home_of(BUTTONS, SMOKES), seed, RATE, agent_environment=slow) as stage:
            stage.home.line.set_faults(LINE)
            _kill_again_and_again(stage, disk, kills, seed, progress)
            disk.release()
            progress(kills, kills, "settling")
            stage.home.line.set_faults(CLEAN)
            finish(stage)
            repeats = int(stage.site.centre("/api/counters")["repeats_absorbed"])
            for process in ("agent", "centre"):
                stage.site.stop(process)
            outcome = Outcome(read_rows(stage.site.database), stage.home.promises(), stage.dead())
    return _counted(seed, kills, time.monotonic() - began_s, outcome, repeats, SYNC_MS if slow else 0)


def _slow_disk(disk: shim.Control, folder: Path) -> Mapping[str, str]:
    """What puts the gateway's disk under `disk`; nothing where there is no compiler to build it with."""
    disk.delay(SYNC_MS)
    try:
        return shim.environment(disk.path, folder)
    except Told:
        return {}


def _kill_again_and_again(stage: Stage, disk: shim.Control, kills: int, seed: int, progress: Progress) -> None:
    moments, stimuli = stream(seed, "soak/kills"), Stimuli(stage, stream(seed, "soak/stimuli"), PAUSE_S)
    for done in range(kills):
        progress(done, kills, f"{len(stage.home.promises())} events")
        stimuli.until(time.monotonic() + moments.uniform(0, ALIVE_S_MAX))
        if moments.random() < 0.5:
            disk.hold()
            stimuli.press_all()
            time.sleep(moments.uniform(0, AIMED_S_MAX))
        stage.site.kill("agent")
        disk.delay(SYNC_MS)
        stage.site.start("broker")
        stimuli.until(time.monotonic() + moments.uniform(0, DOWN_S_MAX))
        stage.site.start("agent")
        if moments.randrange(BROKER_KILLS) == 0:
            stage.site.kill("broker")
    stage.site.start("broker")


def _counted(seed: int, kills: int, seconds: float, outcome: Outcome, repeats: int, sync_ms: int) -> Soaked:
    promises, rows = outcome.promises, outcome.rows
    return Soaked(
        seed=seed,
        kills=kills,
        seconds=round(seconds, 1),
        offered=len(promises),
        acknowledged=sum(promise.acknowledged_ms is not None for promise in promises),
        held=len(still_held(outcome)),
        crowded=sum(bool(promise.gone) for promise in promises),
        committed=sum(row.link == "held" for row in rows),
        own=sum(row.link == "own" for row in rows),
        attempts_max=max((row.attempt for row in rows), default=0),
        repeats_absorbed=repeats,
        sync_ms=sync_ms,
        differences=list(invariants(outcome)),
    )
