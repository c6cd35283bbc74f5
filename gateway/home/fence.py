"""The circle around a home that a bracelet should not leave unseen: fixes in, whether it is outside out.

A receiver behind walls is wrong by a street or two for minutes, so that one fix says little: of three fixes, some time
apart, two must be clearly outside, or clearly inside; a leap that nobody walks is no fix until three in a row bear it
out, for an elder may sit in a car.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final

from protocol.geo import Position, distance_m

SAMPLE_MS: Final = 30_000  # errors of one receiver are alike for a while: what lies closer says nothing new
MARGIN_M: Final = 20  # beyond the circle's edge: back at its edge nobody flutters in and out
ACCURACY_M_MAX: Final = 50  # of an inaccuracy, so much is taken off: who is a kilometre away is outside all the same
ACCURACY_M_UNKNOWN: Final = 20
WALK_M_S: Final = 2.5  # a brisk walk, against the last fix that was believed
VOTES: Final = 3  # fixes that are looked at,
VOTES_NEEDED: Final = 2  # and how many of them decide
VOTE_MS_MAX: Final = 180_000  # what is older says nothing of now
LEAPS_BELIEVED: Final = 3  # in a row, each further away than the one before or near it

# What one fix says of the fence, and the states of a bracelet.
IN: Final = "in"
OUT: Final = "out"
UNCLEAR: Final = "unclear"
UNKNOWN: Final = "unknown"
INSIDE: Final = "inside"
OUTSIDE: Final = "outside"

# (state, what the votes say): the next state.
TABLE: Final[dict[tuple[str, str], str]] = {
    (UNKNOWN, IN): INSIDE,
    (UNKNOWN, OUT): OUTSIDE,
    (UNKNOWN, UNCLEAR): UNKNOWN,
    (INSIDE, IN): INSIDE,
    (INSIDE, OUT): OUTSIDE,
    (INSIDE, UNCLEAR): INSIDE,
    (OUTSIDE, IN): INSIDE,
    (OUTSIDE, OUT): OUTSIDE,
    (OUTSIDE, UNCLEAR): OUTSIDE,
}


@dataclass(frozen=True, slots=True)
class Fence:
    """A circle, in WGS-84 (a map of China shows places some 500 m off: GCJ-02)."""

    latitude_e7: int
    longitude_e7: int
    radius_m: int

    def distance_m(self, position: Position) -> float:
        """From its centre."""
        return distance_m((self.latitude_e7, self.longitude_e7), position)

    def verdict(self, position: Position) -> str:
        """What one fix says: IN, OUT or UNCLEAR."""
        away_m = self.distance_m(position)
        if away_m <= self.radius_m:
            return IN
        return OUT if away_m - _accuracy_m(position) > self.radius_m + MARGIN_M else UNCLEAR


@dataclass(frozen=True, slots=True)
class _Seen:
    at_ms: int
    position: Position


class FenceWatch:
    """One bracelet and its fence. Times are monotonic ms and do not run backwards."""

    def __init__(self, fence: Fence):
        self.fence = fence
        self.state = UNKNOWN
        self._next_ms: int | None = None
        self._believed: _Seen | None = None
        self._leaps: list[_Seen] = []
        self._votes: deque[tuple[int, str]] = deque(maxlen=VOTES)

    def fixed(self, position: Position, now_ms: int) -> str:
        """The bracelet is at `position` at `now_ms`; its state then."""
        if self._next_ms is not None and now_ms < self._next_ms:
            return self.state
        self._next_ms = now_ms + SAMPLE_MS
        if self._is_believed(_Seen(now_ms, position)):
            self._votes.append((now_ms, self.fence.verdict(position)))
            self.state = TABLE[self.state, self._voted(now_ms)]
        return self.state

    def _voted(self, now_ms: int) -> str:
        fresh = [verdict for at_ms, verdict in self._votes if now_ms - at_ms <= VOTE_MS_MAX]
        return next((verdict for verdict in (OUT, IN) if fresh.count(verdict) >= VOTES_NEEDED), UNCLEAR)

    def _is_believed(self, seen: _Seen) -> bool:
        believed = self._believed
        if believed is not None and not _walked(believed, seen):
            if self._leaps and not self._bears_out(believed, seen):
                self._leaps.clear()
            self._leaps.append(seen)
            if len(self._leaps) < LEAPS_BELIEVED:
                return False
        self._believed = seen
        self._leaps.clear()
        return True

    def _bears_out(self, believed: _Seen, seen: _Seen) -> bool:
        """Whether a leap goes on where the last one was: near it, or further away still."""
        last = self._leaps[-1]
        further = distance_m(believed.position, seen.position) > distance_m(believed.position, last.position)
        return further or _walked(last, seen)


def _walked(before: _Seen, after: _Seen) -> bool:
    """Whether a walk leads from one to the other, errors allowed for."""
    reach_m = WALK_M_S * (after.at_ms - before.at_ms) / 1000
    return distance_m(before.position, after.position) <= reach_m + _accuracy_m(after.position)


def _accuracy_m(position: Position) -> float:
    accuracy_m = position.accuracy_dm / 10 if position.accuracy_dm else ACCURACY_M_UNKNOWN
    return min(accuracy_m, ACCURACY_M_MAX)
