"""The explorer: many seeds, each a home with its people, faults and crashes, on all cores; what fails is shrunk."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from multiprocessing import active_children, get_context
from typing import Any, Final

from protocol.words import Told
from sim.world import coverage, lives
from sim.world.coverage import Reached
from sim.world.defects import planted
from sim.world.plan import KINDS, Plan, draw
from sim.world.run import Failure, Found, run
from sim.world.shrink import shrink

SHRINK_S_MAX: Final = 120.0  # of each failure; what is left then still fails
GRACE_MS: Final = 600_000  # what fails later without an item than with it counts as the same failure
WAITING_MAX: Final = 4  # seeds handed to each process ahead of time

Progress = Callable[[int, "Explored"], None]  # seeds done, and what was found so far


@dataclass(frozen=True, slots=True)
class Broken:
    """A seed that fails, and the shortest list of its items that still does."""

    seed: int
    failure: Failure
    items: tuple[int, ...]  # numbers of the plan's items
    about: tuple[str, ...]  # what these are
    tries: int  # runs that shrinking took
    command: str


@dataclass(slots=True)
class Explored:
    """What many seeds came to."""

    seeds: int = 0
    days: float = 0.0
    events: int = 0
    seconds: float = 0.0
    counts: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    reached: Counter[Reached] = field(default_factory=Counter)  # in how many seeds
    broken: list[Broken] = field(default_factory=list)
    unlike: list[int] = field(default_factory=list)  # seeds whose two runs were not the same
    latencies_ms: list[int] = field(default_factory=list)

    @property
    def good(self) -> bool:
        return not self.broken and not self.unlike

    def add(self, found: Found) -> None:
        self.seeds += 1
        self.days += found.days
        self.events += found.events
        self.counts.update(found.counts)
        self.faults.update(found.faults)
        self.reached.update(found.reached)
        self.latencies_ms += found.latencies_ms

    def rows(self) -> tuple[int, int]:
        """How many rows of all transition tables were reached, and how many there are."""
        reached = {(one.table, one.row) for one in self.reached}
        return len(reached), sum(len(rows) for rows in coverage.rows().values())

    def pairs(self) -> tuple[int, int]:
        """The same for rows under each kind of fault, and under none."""
        return len(self.reached), sum(len(rows) for rows in coverage.rows().values()) * (len(fault_kinds()) + 1)

    def never(self) -> list[tuple[str, str]]:
        """The rows that no seed has reached, whatever went wrong in it, as table and row."""
        reached = {(one.table, one.row) for one in self.reached}
        return [(table, row) for table, rows in coverage.rows().items() for row in rows if (table, row) not in reached]

    def missed(self) -> list[Reached]:
        """The rows that no seed has reached, each with the kinds of fault under which it was not."""
        return [
            one
            for table, rows in coverage.rows().items()
            for row in rows
            for fault in (coverage.CALM, *fault_kinds())
            if (one := Reached(table, row, fault)) not in self.reached
        ]

    def as_json(self) -> dict[str, Any]:
        rows, pairs = self.rows(), self.pairs()
        return {
            "good": self.good,
            "seeds": self.seeds,
            "days": round(self.days, 2),
            "events": self.events,
            "seconds": round(self.seconds, 1),
            "counts": dict(sorted(self.counts.items())),
            "faults": dict(sorted(self.faults.items())),
            "transitions": {"reached": rows[0], "of": rows[1]},
            "transitions_under_faults": {"reached": pairs[0], "of": pairs[1]},
            "missed": ["/".join(one) for one in self.missed()],
            "live_latency_ms": _quantiles(self.latencies_ms),
            "unlike": self.unlike,
            "broken": [
                {
                    "seed": one.seed,
                    "invariant": one.failure.name,
                    "en": one.failure.told.en,
                    "zh": one.failure.told.zh,
                    "t_ms": one.failure.t_ms,
                    "step": one.failure.step,
                    "items": list(one.items),
                    "about": list(one.about),
                    "command": one.command,
                }
                for one in self.broken
            ],
        }


def fault_kinds() -> tuple[str, ...]:
    """All that a plan can draw."""
    return (*KINDS, *sorted(lives.fault_kinds()))


def _quantiles(values: Sequence[int]) -> dict[str, int]:
    ordered = sorted(values)
    if not ordered:
        return {}
    return {
        name: ordered[min(len(ordered) - 1, int(len(ordered) * q))]
        for name, q in (("p50", 0.5), ("p99", 0.99), ("max", 1))
    }


@dataclass(frozen=True, slots=True)
class Wish:
    """How seeds are to be run."""

    days: float
    verify: bool = False  # run each twice, and compare
    defect: str = ""  # planted in the product
    keep: frozenset[int] | None = None  # items of the plan; None: all


def explore(seeds: range, wish: Wish, jobs: int, failures_max: int, progress: Progress) -> Explored:
    """Run `seeds`, and shrink what fails; ends early after `failures_max` failures."""
    began_s = time.monotonic()
    total = Explored()
    # Processes of their own, with a hash seed of their own: what depends on the order of a set is found by --verify.
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), initializer=_ignore_interrupts) as pool:
        try:
            for seed, found, again in _results(pool, seeds, wish, jobs):
                total.add(found)
                if wish.verify and again is not None and (found.hash, found.events) != again:
                    total.unlike.append(seed)
                if found.failure is not None:
                    total.broken.append(_shrunk(draw(seed, wish.days), wish, found.failure))
                total.seconds = time.monotonic() - began_s
                progress(total.seeds, total)
                if len(total.broken) >= failures_max:
                    break
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
            for worker in active_children():  # what they have begun nobody waits for any more
                worker.kill()
    return total


_Result = tuple[int, Found, tuple[str, int] | None]


def _results(pool: ProcessPoolExecutor, seeds: range, wish: Wish, jobs: int) -> Iterator[_Result]:
    """In the order of the seeds, so that what is printed does not depend on who was faster."""
    waiting: dict[int, Future[_Result]] = {}
    ahead = iter(seeds)
    for seed in seeds:
        while len(waiting) < jobs * WAITING_MAX and (more := next(ahead, None)) is not None:
            waiting[more] = pool.submit(one_seed, more, wish)
        yield waiting.pop(seed).result()


def one_seed(seed: int, wish: Wish) -> _Result:
    """One seed, once or twice."""
    plan = planned(seed, wish)
    with planted(wish.defect):
        found = run(plan)
        again = run(plan) if wish.verify else None
    return seed, found, None if again is None else (again.hash, again.events)


def planned(seed: int, wish: Wish) -> Plan:
    """What happens in this seed."""
    plan = draw(seed, wish.days)
    if wish.keep is None:
        return plan
    if beyond := sorted(number for number in wish.keep if number >= len(plan.items)):
        raise Told(
            f"--only {beyond[0]}: seed {seed} has {len(plan.items)} items in {wish.days:g} days, counted from 0",
            f"--only {beyond[0]}：种子 {seed} 在 {wish.days:g} 天内共有 {len(plan.items)} 项，从 0 数起",
        )
    return plan.only(wish.keep)


def command_of(seed: int, wish: Wish) -> str:
    """What runs this seed again."""
    words = ["sixkit sim explore", f"--seeds {seed}", f"--days {wish.days:g}"]
    if wish.keep is not None:
        words.append("--only " + (",".join(map(str, sorted(wish.keep))) or "none"))
    if wish.defect:
        words.append(f"--plant {wish.defect}")
    return " ".join(words)


def _shrunk(plan: Plan, wish: Wish, failure: Failure) -> Broken:
    """With the same invariant broken, by a little later at the latest."""
    end_s = time.monotonic() + SHRINK_S_MAX

    def fails(keep: frozenset[int]) -> bool:
        if time.monotonic() > end_s:
            return False
        with planted(wish.defect):
            found = run(plan.only(keep), until_ms=failure.t_ms + GRACE_MS)
        return found.failure is not None and found.failure.name == failure.name

    numbers = [n for n in range(len(plan.items)) if wish.keep is None or n in wish.keep]
    # What begins after the failure has no part in it, as long as that came in the course of the plan.
    earlier = [n for n in numbers if plan.items[n].begin.t_ms <= failure.t_ms]
    left, tries = shrink(earlier, fails)
    command = command_of(plan.seed, replace(wish, keep=frozenset(left)))
    return Broken(plan.seed, failure, tuple(left), tuple(_about(plan, n) for n in left), tries, command)


def _about(plan: Plan, number: int) -> str:
    item = plan.items[number]
    values = " ".join(f"{name}={value}" for name, value in item.begin.values.items())
    until = f" until {item.end.t_ms / 1000:.1f} s" if item.end else ""
    return f"{number}: {item.begin.t_ms / 1000:.1f} s {item.begin.target} {item.begin.action} {values}".rstrip() + until


def _ignore_interrupts() -> None:
    """Ctrl-C is the parent's to handle."""
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)
