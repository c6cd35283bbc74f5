"""Virtual time: one queue of what is due, in order; nothing happens between two entries of it."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from typing import Final

AT_ONCE_MAX: Final = 100_000  # entries at one moment; a restart with a day's backlog has some hundreds


class Stuck(Exception):
    """Virtual time does not advance: something asks to be called now, again and again. For real it would take all of
    a processor."""


class Timeline:
    """`now` is true time in ms, from 0 on. What is due at one moment happens in the order in which it was asked for."""

    def __init__(self) -> None:
        self.now = 0
        self.steps = 0
        self._due: list[tuple[int, int, Callable[[], None]]] = []
        self._asked = 0

    def at(self, t_ms: int, call: Callable[[], None]) -> None:
        """Call it at `t_ms`, or now if that is past."""
        self._asked += 1
        heappush(self._due, (max(t_ms, self.now), self._asked, call))

    def after(self, ms: int, call: Callable[[], None]) -> None:
        """Call it in `ms`."""
        self.at(self.now + ms, call)

    def until(self, t_ms: int) -> None:
        """Go on to `t_ms`, with everything that is due by then. Raises Stuck."""
        due, at_once = self._due, 0
        while due and due[0][0] <= t_ms:
            at_ms, _, call = heappop(due)
            at_once = at_once + 1 if at_ms == self.now else 0
            if at_once > AT_ONCE_MAX:
                raise Stuck(f"{AT_ONCE_MAX} things at {self.now} ms, and more to come")
            self.now = at_ms
            self.steps += 1
            call()
        self.now = max(self.now, t_ms)


class Wake:
    """One part's alarm clock: set anew as often as it likes, it rings at the last moment it was set to."""

    __slots__ = ("_at_ms", "_call", "_queued_ms", "_timeline")

    def __init__(self, timeline: Timeline, call: Callable[[], None]):
        self._timeline = timeline
        self._call = call
        self._at_ms: int | None = None
        self._queued_ms: int | None = None  # the earliest entry of the queue that is ours, and not past

    def set(self, at_ms: int | None) -> None:
        """Ring at `at_ms` (None: not at all) and at no other time."""
        if at_ms is None:
            self._at_ms = None
            return
        self._at_ms = max(at_ms, self._timeline.now)
        if self._queued_ms is None or self._at_ms < self._queued_ms:
            self._queue(self._at_ms)

    def _queue(self, at_ms: int) -> None:
        self._queued_ms = at_ms
        self._timeline.at(at_ms, self._ring)

    def _ring(self) -> None:
        now = self._timeline.now
        if self._queued_ms is not None and self._queued_ms <= now:
            self._queued_ms = None
        if self._at_ms is None:
            return
        if self._at_ms <= now:
            self._at_ms = None
            self._call()
        elif self._queued_ms is None:  # it was put off since
            self._queue(self._at_ms)
