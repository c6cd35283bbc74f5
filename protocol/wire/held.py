"""The events that a terminal holds until the gateway acknowledges them, in order, within a bound."""

from collections import namedtuple

from protocol.wire import codes

# An hour of a wild sensor while the gateway is away, or 16 whole alarms; 32 entries are about 2 kB on a board.
EVENTS_MAX = 32

Held = namedtuple("Held", ("number", "kind", "phase", "value", "since_ms"))

_NOT_OF_LIFE = tuple(codes.KINDS.index(kind) for kind in ("tamper", "battery_low", "sensor_fault"))
_SECONDARY = tuple(codes.PHASES.index(phase) for phase in ("updated", "test"))


def of_life(held: "Held") -> bool:
    """Whether `held` may concern a life: everything but what ails the terminal itself."""
    return held.kind not in _NOT_OF_LIFE


class Queue:
    """Events in order; when full, the least of them makes room and `lost` counts it."""

    def __init__(self) -> None:
        self._events: list[Held] = []
        self._number = 0
        self.lost = 0

    def __len__(self) -> int:
        return len(self._events)

    def numbers(self) -> list[int]:
        """Of the events held, in order."""
        return [held.number for held in self._events]

    def add(self, kind: int, phase: int, value: int, now: int) -> int:
        """The number of the new event, which counts from 1."""
        self._number += 1
        self._events.append(Held(self._number, kind, phase, value, now))
        if len(self._events) > EVENTS_MAX:
            self._events.pop(self._least())
            self.lost += 1
        return self._number

    def first(self) -> "Held | None":
        return self._events[0] if self._events else None

    def first_of_life(self) -> "Held | None":
        for held in self._events:
            if of_life(held):
                return held
        return None

    def settle(self, number: int) -> bool:
        """Whether `number` was the first; it is forgotten then."""
        if not self._events or self._events[0].number != number:
            return False
        self._events.pop(0)
        return True

    def _least(self) -> int:
        for place, held in enumerate(self._events):
            if not of_life(held):
                return place
        for place, held in enumerate(self._events):
            if held.phase in _SECONDARY:
                return place
        return 1  # the first may be on its way, and is what began it all; the newest is how things stand now
