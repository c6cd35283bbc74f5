"""The order of sending on one uplink: which event goes next, which waits for its receipt, which is sent again."""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from protocol.record import Event, EventId, Interval
from protocol.words import LIFE, PROPERTY, SEVERITIES, TROUBLE

WINDOW: Final = 8  # events that wait for a receipt at once: 40 a second at 200 ms a round trip, and little held up
HELD_MAX: Final = 1024  # events in memory, about 1.5 MB; the others stay in the outbox until there is room
RESEND_MS: Final = 2_000  # the first wait for a receipt: a centre that was away for a moment gets the event soon
RESEND_MS_MAX: Final = 10_000  # doubled up to this: an answer has 10 s (GB/T 26875.3-2011, 6.5.4)
AGAIN_HELD_MAX: Final = HELD_MAX // 2  # nothing is held for a centre that has lost it beyond this: the rest is for news
AGAIN_TRIES_MAX: Final = 3  # of what the centre has lost; it asks once more for what it still lacks then

# How many eighths of the window may be taken when an event of this severity is to go; live life takes the last one.
_EIGHTHS: Final = {LIFE: 7, PROPERTY: 6, TROUBLE: 4}

_Name = tuple[str, bool]  # of a queue: the terminal, and whether it holds what the centre has lost
_Rank = tuple[int, int]  # the severity's place, and 0 for live or 1 for backlog: the lower, the sooner
_LAST: Final[_Rank] = (len(SEVERITIES) - 1, 1)


@dataclass(slots=True)
class _Held:
    """An event that has no receipt yet."""

    event: Event
    live: bool
    since_ms: int  # mono ms from which it counts as waiting
    attempts: int = 0
    unanswered: int = 0  # times that no receipt came in time although the connection stood
    sent_ms: int | None = None  # in flight since then; None while it waits
    again: bool = False  # it was receipted before, and the centre has lost it

    def queue(self) -> _Name:
        return self.event.terminal, self.again

    def rank(self) -> _Rank:
        return SEVERITIES.index(self.event.severity), 0 if self.live else 1

    def due_ms(self) -> int | None:
        """When it is sent again without a receipt (mono ms); None while it waits to be sent."""
        if self.sent_ms is None:
            return None
        return self.sent_ms + min(RESEND_MS_MAX, RESEND_MS << min(self.unanswered, 8))


@dataclass(slots=True)
class _Queue:
    """The events of one terminal, in order; as urgent as the most urgent of them, which may not overtake the others.

    What a centre has lost of a terminal makes a queue of its own: the order is lost with it, and news must not wait."""

    ids: list[EventId] = field(default_factory=list)
    rank: _Rank = _LAST
    flying: EventId | None = None


class Sending:
    """Pure: holds events and says what to send. At most one event of a queue is in flight, `window` in all."""

    def __init__(self, window: int = WINDOW):
        self._window = window
        self._held: dict[EventId, _Held] = {}
        self._queues: dict[_Name, _Queue] = {}
        # Of each terminal, the first event that is in the outbox and not here: nothing later of it is taken.
        self._behind: dict[str, EventId] = {}
        self._refused: dict[str, EventId] = {}  # what came to be so since the outbox was last asked

    def add(self, event: Event, live: bool, since_ms: int | None = None) -> bool:
        """Take `event` (`live`: it happened just now), which waits since `since_ms` (its own time, if not given).

        False where it has to stay in the outbox: there is no room, or older events of its terminal wait there.
        """
        if event.id in self._held:
            return True
        held = _Held(event, live, event.time.mono_ms if since_ms is None else since_ms)
        overtakes = event.id > self._behind.get(event.terminal, event.id)
        if overtakes or not self._make_room(held):
            self._refuse(event)
            return False
        self._hold(held)
        return True

    def again(self, events: Iterable[Event], now_ms: int) -> list[EventId]:
        """Take what the centre has lost, as far as there is room; it asks again for the rest. What was taken."""
        taken = []
        for event in events:
            if event.id not in self._held and len(self._held) < AGAIN_HELD_MAX:
                self._hold(_Held(event, live=False, since_ms=now_ms, again=True))
                taken.append(event.id)
        return taken

    def behind(self) -> bool:
        """Whether events wait in the outbox that are not here."""
        return bool(self._behind)

    def held(self) -> frozenset[EventId]:
        """What is here, for asking the outbox for more; `loaded` takes the answer."""
        self._refused.clear()
        return frozenset(self._held)

    def loaded(self, events: Iterable[Event], more: Mapping[str, EventId], now_ms: int) -> None:
        """Take what the outbox loaded, in its order; `more` is the first event that it still has of each terminal."""
        self._behind = dict(more)
        for terminal, first in self._refused.items():
            self._behind[terminal] = min(first, self._behind.get(terminal, first))
        for event in events:
            self.add(event, live=False, since_ms=now_ms)
        for terminal, first in more.items():
            self._leave(terminal, first)

    def ready(self, now_ms: int) -> list[tuple[Event, int]]:
        """What to send now, with the number of the attempt; it is in flight from now on."""
        if not self._held:
            return []
        self._expire(now_ms)
        flying = sum(queue.flying is not None for queue in self._queues.values())
        chosen = []
        for _, _, held, queue in self._candidates():
            if flying < self._share(queue.rank):
                held.sent_ms, queue.flying = now_ms, held.event.id
                held.attempts += 1
                flying += 1
                chosen.append((held.event, held.attempts))
        return chosen

    def settle(self, intervals: Sequence[Interval]) -> list[EventId]:
        """The centre has these: let go of them. What was here of them, in order."""
        settled = sorted(one for one in self._held if any(span.holds(one) for span in intervals))
        queues = {one: self._held[one].queue() for one in settled}
        for name in set(queues.values()):
            self._drop(name, {one for one in settled if queues[one] == name})
        return settled

    def lost(self) -> None:
        """The connection is gone, and what was in flight with it; the next one is tried without patience."""
        for queue in self._queues.values():
            self._land(queue)
        for held in self._held.values():
            held.unanswered = 0

    def deadline(self) -> int | None:
        """When `ready` has something more, if nothing else happens (mono ms)."""
        return min((ms for held in self._flying() if (ms := held.due_ms()) is not None), default=None)

    def room(self) -> int:
        """How many more events find room."""
        return HELD_MAX - len(self._held)

    def waiting(self) -> int:
        """How many events here wait for a receipt, sent or not."""
        return len(self._held)

    def oldest_ms(self) -> int | None:
        """Mono ms since when the oldest of them waits; one that was loaded waits since then."""
        return min((held.since_ms for held in self._held.values()), default=None)

    # --- parts ---

    def _candidates(self) -> list[tuple[tuple[int, int, int], EventId, _Held, _Queue]]:
        """The next event of each terminal that has none in flight, in order.

        One that the centre does not answer steps back behind its equals, so that it cannot block them.
        """
        found = []
        for queue in self._queues.values():
            if queue.flying is None:
                held = self._held[queue.ids[0]]
                severity, backlog = queue.rank
                found.append(((severity, held.unanswered, backlog), queue.ids[0], held, queue))
        return sorted(found, key=lambda candidate: candidate[:2])

    def _share(self, rank: _Rank) -> int:
        severity, backlog = rank
        if severity == SEVERITIES.index(LIFE) and not backlog:
            return self._window
        return max(1, self._window * _EIGHTHS[SEVERITIES[severity]] // 8)

    def _flying(self) -> list[_Held]:
        return [self._held[queue.flying] for queue in self._queues.values() if queue.flying is not None]

    def _expire(self, now_ms: int) -> None:
        for name, queue in list(self._queues.items()):
            held = self._held[queue.flying] if queue.flying is not None else None
            if held is not None and (due_ms := held.due_ms()) is not None and now_ms >= due_ms:
                held.unanswered += 1
                self._land(queue)
                if held.again and held.attempts >= AGAIN_TRIES_MAX:
                    self._drop(name, {held.event.id})

    def _land(self, queue: _Queue) -> None:
        if queue.flying is not None:
            self._held[queue.flying].sent_ms = None
            queue.flying = None

    def _hold(self, held: _Held) -> None:
        self._held[held.event.id] = held
        queue = self._queues.setdefault(held.queue(), _Queue())
        insort(queue.ids, held.event.id)
        queue.rank = min(queue.rank, held.rank())

    def _drop(self, name: _Name, gone: set[EventId]) -> None:
        queue = self._queues[name]
        if queue.flying in gone:
            self._land(queue)
        for event_id in gone:
            del self._held[event_id]
        queue.ids = [one for one in queue.ids if one not in gone]
        queue.rank = min((self._held[one].rank() for one in queue.ids), default=_LAST)
        if not queue.ids:
            del self._queues[name]

    def _refuse(self, event: Event) -> None:
        for outside in (self._behind, self._refused):
            outside[event.terminal] = min(event.id, outside.get(event.terminal, event.id))

    def _make_room(self, held: _Held) -> bool:
        """Room for this event: where there is none, the last event of the least urgent other terminal goes back to the
        outbox, if it is less urgent; or as urgent, and that terminal has more events here than ours. What a centre has
        lost goes first: it asks again."""
        if self.room() > 0:
            return True
        rank = held.rank()
        mine = len(self._queues[held.queue()].ids) if held.queue() in self._queues else 0
        others = [
            (again, queue.rank, len(queue.ids), terminal)
            for (terminal, again), queue in self._queues.items()
            if (again or terminal != held.event.terminal)
            and (again or queue.rank > rank or (queue.rank == rank and len(queue.ids) > mine + 1))
            and queue.ids[-1] != queue.flying
        ]
        if not others:
            return False
        again, *_, terminal = max(others)
        last = self._queues[terminal, again].ids[-1]
        if not again:
            self._refuse(self._held[last].event)
        self._drop((terminal, again), {last})
        return True

    def _leave(self, terminal: str, first: EventId) -> None:
        """Events of `terminal` later than `first`, which is still in the outbox, go back there and wait behind it."""
        queue = self._queues.get((terminal, False))
        if queue is not None:
            self._drop((terminal, False), {one for one in queue.ids if one > first and one != queue.flying})
