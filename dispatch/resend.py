"""What the centre lacks of what its gateways still have: a centre that was put back to an old copy asks for it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from dispatch.store import Store
from protocol.record import INTERVALS_MAX, RESEND, Command, Heartbeat, Interval, Now

ASK_MS: Final = 4_000  # between two commands to a gateway: below its shortest heartbeat, so that no heartbeat is missed


class Resend:
    """Compares and asks, within the intake's transaction. A gateway that lies gets a command now and then for it."""

    def __init__(self, store: Store):
        self._store = store
        self._asked_ms: dict[str, int] = {}  # by gateway; only those whose keys are known get here

    def command(self, heartbeat: Heartbeat, now: Now) -> Command | None:
        """What to answer to `heartbeat`, if the centre lacks any of what it tells."""
        asked_ms = self._asked_ms.get(heartbeat.gateway)
        if asked_ms is not None and now.mono_ms - asked_ms < ASK_MS:
            return None
        lacking: list[Interval] = []
        for interval in self._store.lacking(heartbeat.gateway, heartbeat.settled):
            committed = self._store.committed(heartbeat.gateway, interval, INTERVALS_MAX)
            if len(committed) == INTERVALS_MAX:  # what is below them is for another time
                interval = interval._replace(first=max(interval.first, committed[-1].first))
            lacking += gaps(interval, committed)
        if not lacking:
            return None
        self._asked_ms[heartbeat.gateway] = now.mono_ms
        self._store.count("asked_again")
        return Command(heartbeat.gateway, heartbeat.number, now.wall_ms, RESEND, tuple(lacking[:INTERVALS_MAX]))


def gaps(interval: Interval, committed: Iterable[Interval]) -> list[Interval]:
    """What `interval` holds and none of `committed` does, the highest first; these are of its epoch, do not overlap,
    and come the highest first too."""
    found = []
    last = interval.last
    for one in committed:
        if max(one.last + 1, interval.first) <= last:
            found.append(Interval(interval.epoch, max(one.last + 1, interval.first), last))
        last = min(last, one.first - 1)
    if interval.first <= last:
        found.append(Interval(interval.epoch, interval.first, last))
    return found
