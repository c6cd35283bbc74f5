"""The events that terminals hold until we acknowledge them: which were taken, and which of them are safe."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from gateway.home import parts
from gateway.home.messages import Acknowledge, Receipted
from protocol.record import EventId, Source


class Held:
    """An event is safe when it is committed here or receipted by the centre, and is acknowledged then, not before.

    What was taken is only ever stored in one transaction with its event: what a later start finds taken is safe.
    """

    def __init__(self) -> None:
        self._taken: dict[str, Source] = {}  # the last of each terminal; within a boot its numbers rise
        self._unsafe: dict[EventId, Acknowledge] = {}  # one for each terminal: it sends the next after this one's ack

    def was_taken(self, terminal: str, source: Source) -> bool:
        last = self._taken.get(terminal)
        return last is not None and last.boot == source.boot and source.number <= last.number

    def is_safe(self, terminal: str, source: Source) -> bool:
        """Whether an event that was taken may be acknowledged (again)."""
        return Acknowledge(terminal, source) not in self._unsafe.values()

    def take(self, terminal: str, source: Source, event: EventId) -> Mapping[str, bytes | None]:
        """It became our event `event`; gives the state to store beside that."""
        self._taken[terminal] = source
        self._unsafe[event] = Acknowledge(terminal, source)
        return parts.stored(tuple(source), parts.SOURCE, terminal)

    def committed(self, events: Iterable[EventId]) -> list[Acknowledge]:
        return self._safe(frozenset(events).__contains__)

    def receipted(self, receipted: Receipted) -> list[Acknowledge]:
        return self._safe(receipted.covers)

    def _safe(self, is_safe: Callable[[EventId], bool]) -> list[Acknowledge]:
        return [self._unsafe.pop(event) for event in list(self._unsafe) if is_safe(event)]

    def load(self, terminal: str, numbers: tuple[int, ...]) -> bool:
        """Take what was stored; False if it can't be that."""
        if len(numbers) != 2:
            return False
        self._taken[terminal] = Source(*numbers)
        return True
