"""A story: what happened in a played case or a simulated day, as the data that a report is made of."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from protocol.words import Told

# The lanes that are no terminal's, in the order in which they are shown, from the home to the centre and back.
PLACES: Final = ("line", "gateway", "disk", "network", "centre", "resident")

# What neither XML 1.0 (section 2.2) nor a UTF-8 file can hold, and C1 controls, which no person can read.
_UNPRINTABLE: Final = re.compile("[^\t\n\r\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class Entry(NamedTuple):
    """Something that happened, in a short word."""

    t_ms: int  # of the case or the day
    lane: str  # a terminal's id, or one of PLACES
    what: str
    about: str = ""  # a few words more
    event: str = ""  # what event this is a station of: the stations of one event are joined


class Span(NamedTuple):
    """A fault while it lasts."""

    begin_ms: int
    end_ms: int
    lane: str
    kind: str
    about: str = ""


@dataclass(frozen=True, slots=True)
class Signal:
    """What a sensor saw: points of (t_ms, value) in the order of time; a value that is not finite is a gap."""

    unit: str
    points: Sequence[tuple[int, float]]
    threshold: float | None = None  # where its alarm is


@dataclass(frozen=True, slots=True)
class Story:
    """One case or one simulated day, from its beginning to its verdict."""

    title: str
    seed: int
    lasts_ms: int
    differences: Sequence[Told]  # what is not as it must be; none: it is good
    entries: Sequence[Entry]
    faults: Sequence[Span] = ()
    signals: Mapping[str, Signal] = field(default_factory=dict)  # by lane
    counts: Mapping[str, int] = field(default_factory=dict)
    command: str = ""  # how to replay it
    wall_ms0: int = 0  # the wall clock at its zero, ms since 1970

    def lanes(self) -> list[str]:
        """Every lane that anything is about: terminals first, then PLACES."""
        named = {entry.lane for entry in self.entries} | {span.lane for span in self.faults} | set(self.signals)
        terminals = sorted(named - set(PLACES), key=_natural)
        return [*terminals, *(place for place in PLACES if place in named)]

    def range_ms(self) -> tuple[int, int]:
        """From when to when anything happens; at least one second."""
        times = [0, self.lasts_ms, *(entry.t_ms for entry in self.entries)]
        times += [at for span in self.faults for at in (span.begin_ms, span.end_ms)]
        begin = min(times)
        return begin, max(begin + 1000, *times)


def printable(text: str) -> str:
    """`text` without what XML or UTF-8 cannot hold; each such character becomes U+FFFD."""
    return _UNPRINTABLE.sub("\ufffd", text)


def thinned(points: Sequence[tuple[int, float]], most: int) -> list[tuple[int, float]]:
    """At most `most` of the points (four or more), with the first, last, least and greatest of each stretch: what
    sticks out is never thinned away. Gaps stay where a stretch holds nothing else."""
    if len(points) <= most:
        return list(points)
    stretches = max(1, most // 4)
    kept: list[tuple[int, float]] = []
    for n in range(stretches):
        stretch = points[n * len(points) // stretches : (n + 1) * len(points) // stretches]
        finite = [point for point in stretch if math.isfinite(point[1])] or list(stretch[:1])
        least, greatest = min(finite, key=_value), max(finite, key=_value)
        kept += sorted({finite[0], least, greatest, finite[-1]})
    return kept


def _value(point: tuple[int, float]) -> float:
    return point[1]


def _natural(name: str) -> list[tuple[int, str]]:
    """So that "smoke-2" comes before "smoke-10"."""
    return [(int(part[:18]), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", name)]
