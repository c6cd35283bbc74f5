"""Where bracelets are: the last fix of each, which goes along with its calls, and what follows from the next one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from gateway.home.book import Book
from gateway.home.fence import INSIDE, OUTSIDE, FenceWatch
from gateway.home.roster import Roster, Terminal
from gateway.home.turn import Turn
from protocol.geo import Position, distance_m

CALLS: Final = ("bracelet_sos", "bracelet_fall")  # kinds for which somebody goes to where the bracelet is
EXIT: Final = "fence_exit"
FRESH_MS: Final = 10_000  # an older fix is the last known position, and a new one is told as soon as it comes
FOLLOW_MS: Final = 30 * 60_000  # after a call its bracelet is followed for so long: help is promised within 18 min
MOVED_M: Final = 50  # is told,
MOVED_MS: Final = 60_000  # but not sooner after the last: some 3 kB for each call
BETTER: Final = 2  # so many times as accurate is told at once


@dataclass(frozen=True, slots=True)
class _Fix:
    position: Position
    at_ms: int


@dataclass(slots=True)
class _Told:
    """What the centre was last told of where a call is."""

    position: Position | None
    at_ms: int


class Whereabouts:
    """By terminal; forgotten with a restart, after which a call that is still fresh is followed as if it had had no
    position."""

    def __init__(self, roster: Roster, boot: int):
        self._boot = boot
        self._fences = {terminal.id: FenceWatch(terminal.fence) for terminal in roster if terminal.fence}
        self._fixes: dict[str, _Fix] = {}
        self._told: dict[tuple[str, str], _Told] = {}

    def last(self, terminal: str, now_ms: int) -> Position | None:
        """Its last known position, with its age."""
        fix = self._fixes.get(terminal)
        return None if fix is None else fix.position.aged(now_ms - fix.at_ms)

    def called(self, terminal: str, kind: str, now_ms: int) -> Position | None:
        """A call of it becomes an event now: the position that goes along."""
        if kind not in CALLS:
            return None
        position = self.last(terminal, now_ms)
        self._told[terminal, kind] = _Told(position, now_ms)
        return position

    def fixed(self, turn: Turn, book: Book, terminal: Terminal, position: Position) -> None:
        """It has a fix: calls are followed, the fence is looked at."""
        now_ms = turn.now.mono_ms
        self._fixes[terminal.id] = _Fix(position, now_ms)
        for kind in CALLS:
            if self._is_news(book, terminal.id, kind, position, now_ms):
                self._told[terminal.id, kind] = _Told(position, now_ms)
                book.follow(turn, terminal, kind, position)
        watch = self._fences.get(terminal.id)
        if watch is None:
            book.level(turn, terminal, EXIT, present=False)  # of a fence that was taken away
            return
        state = watch.fixed(position, now_ms)
        if state in (INSIDE, OUTSIDE):
            evidence = {"distance_m": round(watch.fence.distance_m(position)), "radius_m": watch.fence.radius_m}
            book.level(turn, terminal, EXIT, state == OUTSIDE, evidence, position)

    def _is_news(self, book: Book, terminal: str, kind: str, position: Position, now_ms: int) -> bool:
        """Whether `position` is to be told of a call of this kind."""
        alarm = book.alarms.get(terminal, kind)
        if alarm is None or alarm.boot != self._boot or now_ms - alarm.happened_ms > FOLLOW_MS:
            return False
        told = self._told.get((terminal, kind))
        if told is None or told.position is None or told.position.age_ms > FRESH_MS:
            return True
        before, now = told.position.accuracy_dm, position.accuracy_dm
        if now and now * BETTER <= before:
            return True
        return now_ms - told.at_ms >= MOVED_MS and distance_m(told.position, position) > MOVED_M
