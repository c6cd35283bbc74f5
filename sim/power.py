"""Cuts the agent's power again and again under load, and then counts: nothing lost, nothing doubled."""

from __future__ import annotations

import os
import tempfile
import threading
import time
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from protocol.words import Told
from sim.card import Boots, Card
from sim.freeze import freeze, until_at_disk
from sim.judge import Outcome, counted, held, invariants, read_rows, still_held
from sim.line import stream
from sim.load import SETTLE_S_MAX, Stimuli, finish, home_of, settle
from sim.stage import Stage

RATE: Final = 5  # of the clock: a minute of clean air after smoke takes 12 s
BUTTONS: Final = 6
SMOKES: Final = 2
PAUSE_S: Final = {"button": 0.12, "smoke": 20.0}  # real, on average, between two stimuli of one terminal
# When a cut comes, and how many of 20 do so: while a commit is under way (all buttons have just been pressed, and a
# thread waits for the disk), at any moment of a life, or while the agent starts (epoch, recovery, check, migration).
AIMS: Final = {"commit": 10, "any": 7, "start": 3}
ALIVE_S_MAX: Final = 0.3  # real: how long the agent lives at most after its first acknowledgement
FIRST_S_MAX: Final = 1.0  # for that one; where it does not come the cut comes without it
START_S_MAX: Final = 0.25  # a start takes some 0.17 s
AT_DISK_S_MAX: Final = 0.05
# A round: four fifths of its cuts with the broker away, so that what was acknowledged rests on the card alone; then
# with it, while the backlog goes out and receipts come in; then until nothing is owed.
ROUND_CUTS: Final = 50
ALONE_FIFTHS: Final = 4
WORLD_CUTS: Final = 100  # then a new card, broker and centre: all journals and databases stay small

# Read by Python in each process that it starts with this folder on its path. The product's own line is left alone.
_WEAKNESS: Final = """\
import sqlite3

class Weak(sqlite3.Connection):
    def execute(self, sql, *values):
        return super().execute("PRAGMA synchronous = {how}" if sql.startswith("PRAGMA synchronous =") else sql, *values)

genuine = sqlite3.connect
sqlite3.connect = lambda *values, **names: genuine(*values, **{{"factory": Weak, **names}})
"""

Progress = Callable[[int, int, str], None]  # cuts done, cuts in all, what was found so far


@dataclass(frozen=True, slots=True)
class Cut:
    """One cut: when the power failed and when the agent was started again, in mono ms of the world's clock."""

    aim: str
    alone: bool  # there was no broker since the start
    began_ms: int  # of the life that it ended
    at_ms: int
    until_ms: int
    at_disk: bool  # a thread was inside the kernel for a sync
    took: bool  # something that had not been synced was gone afterwards


@dataclass(frozen=True, slots=True)
class Found:
    """What the cuts of one world, or of all, came to."""

    counts: Counter[str]
    differences: Sequence[Told]
    seed: int = 0
    synchronous: str = ""
    seconds: float = 0.0

    @property
    def good(self) -> bool:
        return not self.differences

    @property
    def bound(self) -> float | None:
        """The share of cuts that lose something is below this, with 95 % confidence: the rule of three (Hanley and
        Lippman-Hand 1983). Only cuts in which something could be lost count; None where something was."""
        risky = self.counts["at_stake"]
        return 3 / risky if risky and self.good else None

    @property
    def cuts_per_s(self) -> float:
        return self.counts["cuts"] / self.seconds if self.seconds else 0.0

    def as_json(self) -> dict[str, Any]:
        return {
            "good": self.good,
            "seed": self.seed,
            "synchronous": self.synchronous or "as it is",
            "seconds": round(self.seconds, 1),
            "cuts_per_s": round(self.cuts_per_s, 2),
            "bound_95": self.bound,
            **{name: self.counts[name] for name in COUNTS},
            "differences": [{"en": one.en, "zh": one.zh} for one in self.differences],
        }


COUNTS: Final = (
    "cuts",
    "alone",  # of the cuts, those with no broker since the agent started
    "aimed_commit",
    "aimed_any",
    "aimed_start",
    "at_disk",
    "took",
    "fresh",  # cuts before which something was acknowledged in that very life that the centre did not have yet
    "at_stake",  # the same, in that life or any before it
    "acknowledged_at_stake",  # such events, summed over the cuts
    "offered",
    "acknowledged",
    "held",  # by terminals, at the end
    "crowded",  # made room in a terminal's full queue, unacknowledged
    "committed",  # at the centre, those of terminals
    "own",  # at the centre, the gateway's own
    "repeats_absorbed",
    "lost",
    "doubled",
    "losing_cuts",
    "damaged",  # databases that were set aside
    "errors",  # of the agent's loop
)


def power_cuts(
    cuts: int,
    seed: int,
    jobs: int,
    synchronous: str = "",
    progress: Progress = lambda done, of, doing: None,
) -> Found:
    """`cuts` cuts in worlds of at most WORLD_CUTS, `jobs` of them at a time; with `synchronous`, SQLite's setting of
    that name is put in place of the product's. After card.be_alone(). Raises Unavailable where this machine cannot."""
    began_s = time.monotonic()
    sizes = [min(WORLD_CUTS, cuts - first) for first in range(0, cuts, WORLD_CUTS)]
    watch = _Watch(cuts, progress)
    with tempfile.TemporaryDirectory(prefix="sixkit-") as name, Boots(Path(name) / "boot_id") as boots:
        environment = _environment(Path(name), synchronous)

        def one(number: int) -> Found:
            found = _World(number, seed, boots, environment, watch).run(sizes[number])
            watch.count(0, found.counts)
            return found

        with ThreadPoolExecutor(jobs) as pool:
            try:
                worlds = list(pool.map(one, range(len(sizes))))
            except BaseException:  # Ctrl-C reaches this thread only; the worlds end their processes and follow
                watch.stopping.set()
                pool.shutdown(cancel_futures=True)
                raise
    counts = sum((world.counts for world in worlds), Counter[str]())
    differences = [told for world in worlds for told in world.differences]
    return Found(counts, differences, seed, synchronous, time.monotonic() - began_s)


def _environment(folder: Path, synchronous: str) -> Mapping[str, str]:
    if not synchronous:
        return {}
    (folder / "sitecustomize.py").write_text(_WEAKNESS.format(how=synchronous))
    return {"PYTHONPATH": os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)}


class _Watch:
    """Adds up the worlds' progress, and stops them."""

    def __init__(self, cuts: int, progress: Progress):
        self.stopping = threading.Event()
        self._lock = threading.Lock()
        self._cuts = cuts
        self._done = 0
        self._counts: Counter[str] = Counter()
        self._progress = progress

    def count(self, cuts: int, counts: Mapping[str, int] | None = None) -> None:
        """So many more cuts are done, or a world has these counts. Raises KeyboardInterrupt where all must stop."""
        if self.stopping.is_set():
            raise KeyboardInterrupt
        with self._lock:
            self._done += cuts
            self._counts.update(counts or {})
            at_centre, lost, doubled = (self._counts[name] for name in ("committed", "lost", "doubled"))
            self._progress(self._done, self._cuts, f"{at_centre} events, {lost} lost, {doubled} doubled")


class _World:
    """A home, its gateway with a card of its own, a broker and a centre."""

    def __init__(self, number: int, seed: int, boots: Boots, environment: Mapping[str, str], watch: _Watch):
        self._number = number
        self._random = stream(seed, f"power/{number}")
        self._boots = boots
        self._environment = environment
        self._watch = watch
        self._late: list[Told] = []

    def run(self, cuts: int) -> Found:
        seed = self._random.getrandbits(32)
        with tempfile.TemporaryDirectory(prefix="sixkit-") as name:
            folder = Path(name) / "site"
            stage = Stage(folder, home_of(BUTTONS, SMOKES), seed, RATE, agent_environment=self._environment)
            with Card(Path(name) / "card", stage.site.gateway_folder / "data") as card, stage:
                self._stage, self._card = stage, card
                self._stimuli = Stimuli(stage, self._random, PAUSE_S)
                begun = stage.site.clock.now()
                made = self._cut_again_and_again(cuts)
                return self._verdict(made, (begun.wall_ms, begun.mono_ms))

    def _cut_again_and_again(self, cuts: int) -> list[Cut]:
        made: list[Cut] = []
        round_cuts = min(ROUND_CUTS, cuts)
        for done in range(cuts):
            alone = done % round_cuts < round_cuts * ALONE_FIFTHS // 5
            if alone:
                self._stage.site.kill("broker")
            else:
                self._stage.site.start("broker")
            made.append(self._cut(alone))
            if done % round_cuts == round_cuts - 1:
                self._settle(settle)
            self._watch.count(1)
        self._settle(finish)
        return made

    def _cut(self, alone: bool) -> Cut:
        began_ms = self._stage.mono_ms()
        (aim,) = self._random.choices(tuple(AIMS), tuple(AIMS.values()))
        self._live(aim)
        self._card.bear_witness()
        if aim == "commit":
            self._stimuli.press_all()
            until_at_disk(self._stage.site.process("agent").pid, AT_DISK_S_MAX)
        at_disk = freeze(self._stage.site.process("agent").pid)
        self._card.cut()
        at_ms = self._stage.mono_ms()
        self._stage.site.kill("agent")
        took = self._card.power_up()
        self._boots.next()
        return Cut(aim, alone, began_ms, at_ms, self._stage.mono_ms(), at_disk, took)

    def _live(self, aim: str) -> None:
        """The agent's life, until shortly before its end."""
        site = self._stage.site
        if aim == "start":
            site.launch_agent()
            self._stimuli.until(time.monotonic() + self._random.uniform(0, START_S_MAX))
            return
        site.start("agent")
        end_s = time.monotonic() + FIRST_S_MAX
        while time.monotonic() < end_s and site.process("agent").find("acknowledged") is None:
            self._stimuli.until(time.monotonic() + 0.01)
        self._stimuli.until(time.monotonic() + self._random.uniform(0, ALIVE_S_MAX))

    def _settle(self, how: Callable[[Stage], bool]) -> None:
        for name in ("broker", "agent"):
            self._stage.site.start(name)
        if not how(self._stage):
            self._late.append(
                Told(
                    f"not everything had arrived after {SETTLE_S_MAX:g} s without a cut",
                    f"{SETTLE_S_MAX:g} 秒内未断电，仍未全部送达",
                )
            )

    def _verdict(self, cuts: Sequence[Cut], begun: tuple[int, int]) -> Found:
        site = self._stage.site
        repeats = int(site.centre("/api/counters")["repeats_absorbed"])
        for name in ("agent", "centre"):
            site.stop(name)
        outcome = Outcome(read_rows(site.database), self._stage.home.promises(), self._stage.dead(), begun=begun)
        damaged = len(list((site.gateway_folder / "data").glob("outbox.db.corrupt-*[0-9]")))
        errors = [str(heard.line.fields.get("trace")) for heard in site.lines("agent", "error")]
        differences = [*self._late, *invariants(outcome)]
        if damaged:
            differences.append(Told(f"{damaged} databases were found damaged", f"{damaged} 个数据库被发现损坏"))
        differences += [Told(f"error in the agent: {trace}", f"网关程序出错：{trace}") for trace in errors]
        counts = Counter({"repeats_absorbed": repeats, "damaged": damaged, "errors": len(errors)})
        counts.update(count_cuts(cuts))
        counts.update(count_events(outcome))
        counts.update(count_stakes(cuts, outcome))
        where = Told(f"world {self._number}", f"世界 {self._number}")
        return Found(counts, [Told(f"{where.en}: {one.en}", f"{where.zh}：{one.zh}") for one in differences])


def count_cuts(cuts: Sequence[Cut]) -> Counter[str]:
    """Pure: how many there were, of which sort."""
    counts = Counter(f"aimed_{cut.aim}" for cut in cuts)
    counts["cuts"] = len(cuts)
    for name in ("alone", "at_disk", "took"):
        counts[name] = sum(getattr(cut, name) for cut in cuts)
    return counts


def count_events(outcome: Outcome) -> Counter[str]:
    """Pure: what became of the events."""
    times, _ = counted(outcome)
    both = list(zip(outcome.promises, times, strict=True))
    return Counter(
        offered=len(both),
        acknowledged=sum(promise.acknowledged_ms is not None for promise, _ in both),
        held=len(still_held(outcome)),
        crowded=sum(bool(promise.gone) for promise, _ in both),
        committed=len(held(outcome.rows)),
        own=sum(row.link == "own" for row in outcome.rows),
        lost=sum(promise.acknowledged_ms is not None and count == 0 for promise, count in both),
        doubled=sum(count > 1 for _, count in both),
    )


def count_stakes(cuts: Sequence[Cut], outcome: Outcome) -> Counter[str]:
    """Pure: before how many of the cuts something was acknowledged that the centre did not have yet, and how many lost
    some of it: an event that is lost was so in the cut after its acknowledgement."""
    at_centre = {(row.terminal, row.source_boot, row.source_number): row.committed_ms for row in held(outcome.rows)}
    counts: Counter[str] = Counter()
    ends = [cut.until_ms for cut in cuts]  # what was acknowledged before the cut is read from the line a little later
    stakes, fresh, losing = [0] * (len(cuts) + 1), set(), set()
    for promise in outcome.promises:
        if promise.acknowledged_ms is None:
            continue
        first = bisect_left(ends, promise.acknowledged_ms)
        committed_ms = at_centre.get((promise.terminal, promise.boot, promise.number))
        if committed_ms is None:
            losing.add(first)
            last = first + 1
        else:
            last = bisect_right(cuts, committed_ms, key=lambda cut: outcome.wall_ms(cut.at_ms))
        if last > first:
            fresh.add(first)
            stakes[first] += 1
            stakes[last] -= 1
    standing = 0
    for change in stakes[:-1]:
        standing += change
        counts["at_stake"] += standing > 0
        counts["acknowledged_at_stake"] += standing
    counts["fresh"] = len(fresh - {len(cuts)})
    counts["losing_cuts"] = len(losing)
    return counts
