"""What the gateway still has of what the centre has receipted, told to the centre a few intervals at a time."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from typing import Final

from protocol.record import SETTLED_MAX, EventId, Interval

INTERVALS_MAX: Final = 1_024  # the newest, 150 kB: a month in which the process starts every 40 min; older go untold


class Inventory:
    """Pure: the events that are settled on disk, as intervals that neither touch nor overlap, rising."""

    def __init__(self) -> None:
        self._intervals: list[Interval] = []
        self._below: Interval | None = None  # what comes next is below it; None: begin with the newest

    def __iter__(self) -> Iterator[Interval]:
        return iter(self._intervals)

    def replace(self, intervals: Iterable[Interval]) -> None:
        """These are all."""
        self._intervals = merged(intervals)[-INTERVALS_MAX:]

    def add(self, intervals: Iterable[Interval]) -> None:
        """These too."""
        self.replace([*self._intervals, *intervals])

    def window(self) -> tuple[Interval, ...]:
        """The next few to tell: the newest first, then on, and round again."""
        end = 0 if self._below is None else bisect_left(self._intervals, self._below)
        end = end or len(self._intervals)
        told = self._intervals[max(0, end - SETTLED_MAX) : end]
        self._below = told[0] if told else None
        return tuple(reversed(told))


def merged(intervals: Iterable[Interval]) -> list[Interval]:
    """The same events in as few intervals as hold them, rising."""
    found: list[Interval] = []
    for epoch, first, last in sorted(intervals):
        if found and found[-1].epoch == epoch and first <= found[-1].last + 1:
            found[-1] = Interval(epoch, found[-1].first, max(last, found[-1].last))
        else:
            found.append(Interval(epoch, first, last))
    return found


def intervals_of(events: Iterable[EventId]) -> list[Interval]:
    """These events in as few intervals as hold them, rising."""
    return merged(Interval(event.epoch, event.sequence, event.sequence) for event in events)
