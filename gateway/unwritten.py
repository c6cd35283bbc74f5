"""What waits to be written to the outbox in one transaction, within bounds, while the disk is busy or fails."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from protocol.record import Event, EventId, Interval
from protocol.words import SEVERITIES, TROUBLE

EVENTS_MAX: Final = 4_096  # in memory while the disk fails, about 4 MB; then the oldest trouble is dropped first
GIVEN_MAX: Final = 512  # receipted before they were written, 500 kB: the centre has them and may one day ask for them
INTERVALS_MAX: Final = 4_096  # receipts in memory while the disk fails; a lost one costs one more transmission


@dataclass(slots=True)
class Unwritten:
    """Pure. Times are mono ms."""

    events: dict[EventId, Event] = field(default_factory=dict)
    state: dict[str, bytes | None] = field(default_factory=dict)
    settled: list[Interval] = field(default_factory=list)
    given: dict[EventId, Event] = field(default_factory=dict)  # the first centre has these already
    received: list[tuple[int, Interval]] = field(default_factory=list)  # what the others have, by their number
    since_ms: int | None = None  # when the oldest commit in it was asked for
    lazy_ms: int | None = None  # when the rest of it must be written too

    def __bool__(self) -> bool:
        return bool(self.events or self.given or self.state or self.settled or self.received)

    def commit(self, events: Sequence[Event], state: Mapping[str, bytes | None], now_ms: int) -> int:
        """Take what is to be written at once; how many events were dropped to keep within bounds."""
        self.since_ms = earlier(self.since_ms, now_ms)
        self.events.update((event.id, event) for event in events)
        self.state.update(state)
        return self._bound()

    def settle(self, intervals: Sequence[Interval]) -> None:
        """The first centre has these events: those that are not written are not owed to it any more."""
        self.settled.extend(intervals)
        del self.settled[:-INTERVALS_MAX]
        for event_id in [one for one in self.events if any(span.holds(one) for span in intervals)]:
            self.given[event_id] = self.events.pop(event_id)
        for event_id in list(self.given)[:-GIVEN_MAX]:
            del self.given[event_id]

    def receive(self, intervals: Sequence[Interval], centre: int) -> None:
        """Another centre has these events."""
        self.received.extend((centre, interval) for interval in intervals)
        del self.received[:-INTERVALS_MAX]

    def owed_to(self, centre: int) -> Unwritten:
        """The events of it that this centre lacks, and the state."""
        events = self.events
        if centre:
            had = [interval for other, interval in self.received if other == centre]
            both = {**self.given, **self.events}
            events = {name: event for name, event in both.items() if not any(span.holds(name) for span in had)}
        return Unwritten(dict(events), dict(self.state))

    def by(self, due_ms: int) -> None:
        """Write it by then at the latest."""
        self.lazy_ms = earlier(self.lazy_ms, due_ms)

    def put_before(self, older: Unwritten) -> int:
        """Take back `older`, which could not be written; how many events were dropped to keep within bounds."""
        settled, self.settled = self.settled, older.settled
        self.events = older.events | self.events
        self.given = older.given | self.given
        self.state = older.state | self.state
        self.since_ms = earlier(older.since_ms, self.since_ms)
        self.lazy_ms = earlier(older.lazy_ms, self.lazy_ms)
        self.settle(settled)
        self.received = (older.received + self.received)[-INTERVALS_MAX:]
        return self._bound()

    def split(self) -> tuple[Unwritten, Unwritten]:
        """What must be on disk even if little room is left, which is life and property with the state; and the rest."""
        urgent = {name: event for name, event in self.events.items() if event.severity != TROUBLE}
        rest = {name: event for name, event in self.events.items() if event.severity == TROUBLE}
        return (
            Unwritten(urgent, self.state),
            replace(self, events=rest, state={}, since_ms=self.since_ms if rest else None),
        )

    def _bound(self) -> int:
        dropped = max(0, len(self.events) - EVENTS_MAX)
        for _ in range(dropped):
            del self.events[self._least()]
        return dropped

    def _least(self) -> EventId:
        """What can best be spared: the oldest trouble, or property where there is none, or life; of these what no
        terminal repeats, for the state beside it says that a terminal's event was taken; and of these what the terminal
        that says most has said, so that a wild one costs no other its alarm."""
        events = self.events.values()
        said = Counter((event.severity, event.terminal) for event in events)
        rank = {
            event.id: (SEVERITIES.index(event.severity), event.source is None, said[event.severity, event.terminal])
            for event in events
        }
        return max(rank, key=rank.__getitem__)  # of equals the first


def earlier(one: int | None, other: int | None) -> int | None:
    """The earlier of two moments, of which either may be none."""
    if one is None or other is None:
        return other if one is None else one
    return min(one, other)
