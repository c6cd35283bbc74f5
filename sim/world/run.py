"""One run of a plan in a world of its own: what it came to, and where an invariant broke."""

from __future__ import annotations

import contextlib
import os
import tempfile
import traceback
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from gateway.home.stillness import Rule
from protocol.words import Told
from sim.steps import Step
from sim.story import Entry, Signal, Span
from sim.world import coverage as covering
from sim.world.acts import LANES, do
from sim.world.coverage import Coverage, Reached
from sim.world.item import DAY_MS, Item
from sim.world.plan import Plan
from sim.world.sealed import remembered
from sim.world.watch import Broken
from sim.world.world import World

SHARED_MEMORY: Final = Path("/dev/shm")  # the centre's database needs a file, not a disk
REST_MS: Final = 60_000  # a chamber in clean air at rest is read once a minute: nothing changes in between


@dataclass(frozen=True, slots=True)
class Failure:
    """An invariant that broke: `name` tells one from another, `step` is the timeline's, at `t_ms`."""

    name: str
    told: Told
    t_ms: int
    step: int


@dataclass(frozen=True, slots=True)
class Found:
    """What one run came to."""

    seed: int
    failure: Failure | None
    hash: str  # of the trace
    events: int  # entries of the timeline
    days: float
    counts: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)  # by kind
    reached: frozenset[Reached] = frozenset()
    latencies_ms: tuple[int, ...] = ()
    # Where the run was kept:
    entries: tuple[Entry, ...] = ()
    spans: tuple[Span, ...] = ()  # its faults
    signals: Mapping[str, Signal] = field(default_factory=dict)
    lasts_ms: int = 0
    begun_ms: int = 0  # when everything was online: the zero of the plan and of the spans


@contextlib.contextmanager
def centre_folder() -> Iterator[Path]:
    """A folder for a centre's database, gone afterwards."""
    place = SHARED_MEMORY if os.access(SHARED_MEMORY, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="sixkit-", dir=place) as name:
        yield Path(name)


def run(plan: Plan, keep: bool = False, until_ms: int | None = None) -> Found:
    """Play `plan` to its end, or to `until_ms`, or to the step at which an invariant breaks; with `keep`, its whole
    trace is kept."""
    coverage = Coverage()
    with centre_folder() as folder, covering.watched(coverage), remembered():
        still_ms = plan.still_s * 1000
        rule = Rule(still_ms, 2 * still_ms)
        world = World(plan.seed, plan.terminals, folder, plan.heartbeat_s, keep, REST_MS, rule)
        failure = None
        try:
            _play(world, plan, coverage, until_ms)
        except Broken as broken:
            failure = Failure(broken.name, broken.told, world.timeline.now, world.timeline.steps)
        except Exception as error:  # noqa: BLE001  whatever the product raises where nothing may be raised is a finding
            told = Told(f"{error!r}: {traceback.format_exc(limit=-4)}", f"{error!r}")
            failure = Failure(type(error).__name__, told, world.timeline.now, world.timeline.steps)
        finally:
            world.centre.stop()
    return Found(
        seed=plan.seed,
        failure=failure,
        hash=world.trace.hash(),
        events=world.timeline.steps,
        days=world.timeline.now / DAY_MS,
        counts=world.watch.counts,
        faults=Counter(item.fault for item in plan.items if item.fault),
        reached=frozenset(coverage.reached),
        latencies_ms=tuple(world.watch.latencies_ms),
        entries=tuple(world.trace.entries),
        spans=tuple(_span(item) for item in plan.items if item.fault) if keep else (),
        signals=world.signals() if keep else {},
        lasts_ms=world.timeline.now,
        begun_ms=world.begun_ms,
    )


def _play(world: World, plan: Plan, coverage: Coverage, until_ms: int | None) -> None:
    world.start()
    offset_ms = world.begun_ms
    for item in plan.items:
        _schedule(world, item, offset_ms, coverage)
    ends = [step.t_ms for item in plan.items for step in (item.begin, item.end) if step is not None]
    last_ms = offset_ms + max([int(plan.days * DAY_MS), *ends])
    if until_ms is not None and until_ms < last_ms:
        world.timeline.until(until_ms)
        return
    world.timeline.until(last_ms)
    world.settle()
    found = world.verdict()
    if found:
        raise Broken("verdict", "; ".join(told.en for told in found[:5]), "；".join(told.zh for told in found[:5]))


def _span(item: Item) -> Span:
    lane = LANES.get(item.begin.target, item.begin.target)
    about = " ".join(f"{name}={value}" for name, value in item.begin.values.items())
    return Span(item.begin.t_ms, item.end.t_ms if item.end else item.begin.t_ms, lane, item.fault, about)


def _schedule(world: World, item: Item, offset_ms: int, coverage: Coverage) -> None:
    def begin() -> None:
        if item.fault:
            coverage.active.append(item.fault)
            world.watch.disturbed(1)
        do(world, item.begin)
        if item.end is None:
            over()

    def end(step: Step) -> None:
        do(world, step)
        over()

    def over() -> None:
        if item.fault:
            coverage.active.remove(item.fault)
            world.watch.disturbed(-1)

    world.timeline.at(offset_ms + item.begin.t_ms, begin)
    if item.end is not None:
        last = item.end
        world.timeline.at(offset_ms + last.t_ms, lambda: end(last))
