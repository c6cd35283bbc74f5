"""The story of one run of a seed, for the report that people look at."""

from __future__ import annotations

from sim.story import Entry, Signal, Span, Story
from sim.world.clock import BEGUN_WALL_MS
from sim.world.plan import Plan
from sim.world.run import Found


def story_of(plan: Plan, found: Found, title: str, command: str) -> Story:
    """`found` must have been kept. Times count from the moment when everything was online, as those of the plan do."""
    zero_ms = found.begun_ms
    signals = {
        name: Signal(one.unit, [(t_ms - zero_ms, value) for t_ms, value in one.points], one.threshold)
        for name, one in found.signals.items()
    }
    lasts_ms = found.lasts_ms - zero_ms
    return Story(
        title=title,
        seed=plan.seed,
        lasts_ms=lasts_ms,
        differences=[found.failure.told] if found.failure else [],
        entries=[Entry(one.t_ms - zero_ms, *one[1:]) for one in found.entries],
        faults=[
            Span(one.begin_ms, min(one.end_ms, lasts_ms), *one[2:]) for one in found.spans if one.begin_ms <= lasts_ms
        ],
        signals=signals,
        counts=dict(sorted(found.counts.items())),
        command=command,
        wall_ms0=BEGUN_WALL_MS + zero_ms,
    )
