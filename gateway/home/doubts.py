"""Doubt: well-formed events in a terminal's name that could not be verified, and when they become an alarm."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from gateway.home import parts
from gateway.home.messages import Doubt
from protocol.record import Source

DOUBT_MS: Final = 5_000  # time for a new hello and a verified repeat, after a restart of ours for instance
QUIET_MS: Final = 600_000  # one unverified alarm for each terminal in this time, whatever a stranger sends


@dataclass(slots=True)
class _Pending:
    source: Source
    due_ms: int
    count: int = 1


class Unverified(NamedTuple):
    """A doubt that nothing has dispelled."""

    terminal: str
    kind: str
    doubts: int


class Doubts:
    """At most one pending doubt for each (terminal, kind)."""

    def __init__(self, boot: int) -> None:
        self._boot = boot
        self._pending: dict[tuple[str, str], _Pending] = {}
        self._raised_ms: dict[str, int] = {}

    def add(self, doubt: Doubt, now_ms: int) -> None:
        pending = self._pending.get((doubt.terminal, doubt.kind))
        if pending is None:
            self._pending[doubt.terminal, doubt.kind] = _Pending(doubt.source, now_ms + DOUBT_MS)
        else:
            pending.count += 1

    def verified(self, terminal: str, source: Source) -> None:
        """This event came with a good tag: what was doubted was the terminal's own."""
        gone = [key for key, pending in self._pending.items() if key[0] == terminal and pending.source == source]
        for key in gone:
            del self._pending[key]

    def due(self, now_ms: int) -> tuple[list[Unverified], int]:
        """The doubts that become alarms now, and how many others are let go since one was raised lately."""
        ripe = [key for key, pending in self._pending.items() if now_ms >= pending.due_ms]
        found = []
        for terminal, kind in ripe:
            pending = self._pending.pop((terminal, kind))
            raised_ms = self._raised_ms.get(terminal)
            if raised_ms is None or now_ms - raised_ms >= QUIET_MS:
                self._raised_ms[terminal] = now_ms
                found.append(Unverified(terminal, kind, pending.count))
        return found, len(ripe) - len(found)

    def deadline(self) -> int | None:
        return min((pending.due_ms for pending in self._pending.values()), default=None)

    def part(self, terminal: str) -> Mapping[str, bytes | None]:
        """The state to store beside an unverified alarm."""
        return parts.stored((self._raised_ms[terminal], self._boot), parts.DOUBT, terminal)

    def load(self, terminal: str, numbers: tuple[int, ...]) -> bool:
        """Take what was stored; False if it can't be that. Another boot's time says nothing here."""
        if len(numbers) != 2:
            return False
        raised_ms, boot = numbers
        if boot == self._boot:
            self._raised_ms[terminal] = raised_ms
        return True
