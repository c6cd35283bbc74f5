"""The gateway's own troubles: each with what shows it, how long that may last, when it is over (docs/troubles.md)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from gateway.bridges.strangers import Stranger
from gateway.config import Config
from gateway.delivery import PATH_LOST_MS
from gateway.home.messages import Condition
from gateway.lasting import Level, Sightings
from gateway.mains import SupplyWatch
from gateway.security import SecurityWatch
from gateway.storage import StorageWatch
from protocol.record import Now

CLOCK_UNSET_MS: Final = 90_000  # at boot it is normal; by then the first receipt, or NTP, has told the time
STRANGER_MS: Final = 90_000  # without another word of it; one that insists is told of each 10 to 20 s, after a minute


class Seen(NamedTuple):
    """What the agent sees of its parts now."""

    path_lost: bool | None  # None: not known yet
    commit_since_ms: int | None  # when the oldest commit that has not ended was asked for
    power_since_ms: int | None  # since when a read of the supply has not come back
    refused: int  # messages of terminals, since the start
    forged: int  # in the centre's name, since the start


class Troubles:
    """Watches over all of them."""

    def __init__(self, config: Config, now_ms: int):
        self.storage = StorageWatch()
        self.supply = SupplyWatch(config.power, now_ms)
        self._path_lost: bool | None = None  # unknown at the start: the trouble may stand since an earlier process
        self._clock = Level(CLOCK_UNSET_MS, 0)
        self._security = SecurityWatch(len(config.terminals), now_ms)
        self._names = ("", *(terminal.id for terminal in config.terminals))
        # By the terminal in whose name they speak; "": in nobody's.
        self._strangers: dict[str, Sightings] = {}
        self._address: dict[str, int] = {}  # of the last of them
        self._absent_ms: int | None = now_ms + STRANGER_MS  # when the others of before the start are over

    def stranger(self, stranger: Stranger, now_ms: int) -> None:
        """Somebody insists on being let in, and cannot be."""
        self._strangers.setdefault(stranger.terminal, Sightings(STRANGER_MS, now_ms)).seen(now_ms)
        self._address[stranger.terminal] = stranger.address

    def look(self, now: Now, seen: Seen) -> Iterator[Condition]:
        """What begins or ends now."""
        if seen.path_lost is not None and seen.path_lost != self._path_lost:
            self._path_lost = seen.path_lost
            yield Condition("uplink_lost", seen.path_lost, {"silent_s": PATH_LOST_MS // 1000} if seen.path_lost else {})
        if (present := self.storage.look(seen.commit_since_ms, now.mono_ms)) is not None:
            yield Condition("storage_fault", present)
        self._clock.say(now.quality == "unset", now.mono_ms)
        if (present := self._clock.look(now.mono_ms)) is not None:
            yield Condition("clock_unset", present)
        yield from self.supply.look(now.mono_ms, seen.power_since_ms)
        if (security := self._security.look(seen.refused, seen.forged, now.mono_ms)) is not None:
            yield security
        yield from self._not_enrolled(now.mono_ms)

    def _not_enrolled(self, now_ms: int) -> Iterator[Condition]:
        if self._absent_ms is not None and now_ms >= self._absent_ms:
            self._absent_ms = None
            for name in self._names:
                if name not in self._strangers:
                    yield Condition("not_enrolled", False, {}, name)
        for terminal, sightings in list(self._strangers.items()):
            present = sightings.look(now_ms)
            if present:
                yield Condition("not_enrolled", True, {"address": self._address[terminal]}, terminal)
            elif present is False:
                del self._strangers[terminal]
                yield Condition("not_enrolled", False, {}, terminal)

    def deadline(self) -> int | None:
        """When to look again, if nothing happens before (mono ms)."""
        due = [self.storage.deadline(), self.supply.deadline(), self._clock.deadline(), self._security.deadline()]
        due += [self._absent_ms, *(sightings.deadline() for sightings in self._strangers.values())]
        return min((ms for ms in due if ms is not None), default=None)

    def forget(self, now_ms: int) -> None:
        """The card tells only now what an earlier process left standing: say anew how everything is."""
        self._path_lost = None
        self._absent_ms = now_ms + STRANGER_MS
        self.supply.forget()
        self._clock.forget()
        self._security.forget()
        for sightings in self._strangers.values():
            sightings.forget()
