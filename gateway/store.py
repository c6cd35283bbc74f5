"""The disk's side of the outbox: the database opened, written, read and tidied, and what becomes of it when that fails.

A failure is told once and tried again; a damaged database is set aside for a new one, into which goes what can be read.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from heapq import merge
from pathlib import Path
from typing import Final, NamedTuple

from gateway.database import Database, Key, key_of
from gateway.faults import is_damage, is_full, is_unreadable, told
from gateway.reserve import RESERVE_FILE, Reserve
from gateway.salvage import is_readable, salvage, set_aside
from gateway.schema import Connect
from gateway.unwritten import Unwritten, earlier
from gateway.urgency import by_urgency
from protocol.record import Event, EventId, Interval, Now

RETRY_MS: Final = 100
RETRY_MS_MAX: Final = 2_000  # a disk that heals is used again within so long
TIDY_RETRY_MS: Final = 60_000  # what is not urgent waits so long: a full disk is not asked for more all the time
UNREADABLE_MS: Final = 60_000  # what cannot be read for so long does not heal: the database is set aside

COUNTERS: Final = ("outbox_damaged_rows", "outbox_dropped", "outbox_evicted", "outbox_failures", "outbox_unstorable")


@dataclass(frozen=True, slots=True)
class Loaded:
    """Events that wait for a receipt, in the order to send them, and the core's state as last written."""

    rows: tuple[Event, ...]
    state: Mapping[str, bytes]
    more: Mapping[str, EventId]  # terminals of which more events wait here, and the first of each
    last_epoch: int = 0  # the highest of all that wait, for a start to number its own events above
    whole: bool = True  # False: what is on the disk cannot be read now, or not all of it as yet
    centre: int = 0  # whose receipt they wait for


@dataclass(frozen=True, slots=True)
class Settled:
    """Events that are on disk and receipted: all that there are, or those that have become so."""

    intervals: tuple[Interval, ...]
    all: bool


@dataclass(frozen=True, slots=True)
class Found:
    """Of the settled events that were asked for, those that can still be read."""

    rows: tuple[Event, ...]


@dataclass(frozen=True, slots=True)
class Stored:
    """The store works from now on, or it does not and `detail` says why, where, and what to do."""

    ok: bool
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Replaced:
    """The database was damaged: it is kept aside under this name, and a new one has begun with what could be read."""

    kept: str
    salvaged: int


class Load(NamedTuple):
    """Events to load."""

    limit: int
    held: frozenset[EventId]  # known already
    centre: int  # those that wait for its receipt


class Done(NamedTuple):
    """What is on the disk now and was not before."""

    committed: tuple[EventId, ...]
    settled: tuple[Interval, ...]


NOTHING: Final = Done((), ())


class Store:
    """Used by the worker alone. Its methods use the disk and never fail; what is to be told is `put`."""

    def __init__(
        self,
        path: Path,
        gateway: str,
        put: Callable[[object], None],
        now: Callable[[], Now],
        connect: Connect,
        counters: Counter[str],
        others: Sequence[bytes],
    ):
        self.size_bytes = 0  # of the database and its log, as of the last write
        self.retry_at_ms = 0  # the disk has failed and is left alone until then
        self._path = path
        self._gateway = gateway
        self._put = put
        self._now = now
        self._connect = connect
        self._counters = counters
        self._others = tuple(others)
        self._database: Database | None = None
        self._reserve = Reserve(path.with_name(RESERVE_FILE))
        self._aside: list[Path] = []  # damaged databases from which nothing has been taken yet
        self._written = False  # the last attempt to write went well
        self._tidied = True  # and so did the last to tidy up
        self._reserved = True  # and the reserve has not been given up, nor could it not be made
        self._full = False  # there was no room for it: what there is belongs to alarms
        self._told: bool | None = None
        self._retry_ms = RETRY_MS
        self._unreadable_ms: int | None = None  # since when it cannot be read
        self._untidy = False  # there may be something to tidy up
        self._uncounted = True  # nobody knows what is settled on disk
        self._tidy_at_ms = 0
        self._reserve_at_ms = 0

    def due_ms(self) -> int | None:
        """Mono ms from which there is something to do without being asked; None: there is not."""
        if self._database is None:
            return self.retry_at_ms
        tidy_ms = max(self._tidy_at_ms, self.retry_at_ms) if self._untidy or self._aside else None
        return earlier(tidy_ms, None if self._reserve.made else self._reserve_at_ms)

    def hurry(self) -> None:
        """Try the disk at once. The one method that another thread may call."""
        self.retry_at_ms = 0

    def whole(self) -> bool:
        """Whether all that is on the disk can be loaded from it."""
        return self._database is not None and not self._aside

    def write(self, work: Unwritten) -> tuple[Done, Unwritten]:
        """What of `work` is on the disk now, and what of it is not."""
        if self._full and work:
            return self._write_alarms(work)
        try:
            return self._write(work), Unwritten()
        except Exception as error:  # noqa: BLE001 - whatever it is, this must go on to write the next alarm
            if is_full(error) and (work.split()[0].events or self._database is None):
                self._reserve.give_up()
                self._not_reserved(error)
                return self._write_alarms(work)
            self._failed(error)
            return NOTHING, work

    def salvage(self) -> None:
        """Take what can be read of databases that were set aside, if any."""
        while self._aside and self._database is not None and self._now().mono_ms >= self._tidy_at_ms:
            try:
                count = salvage(self._aside[0], self._gateway, self._database, self._now_s(), self._connect)
            except Exception as error:  # noqa: BLE001 - as in write
                self._untidily(error)
                return
            self._put(Replaced(str(self._aside.pop(0)), count))

    def tidy(self) -> None:
        """One step of what keeps the database small; a write that is asked for now waits no longer than for that."""
        now_ms = self._now().mono_ms
        if self._database is None:
            return
        if self._untidy and now_ms >= max(self._tidy_at_ms, self.retry_at_ms):
            try:
                done = self._database.tidy(self._now_s())
            except Exception as error:  # noqa: BLE001 - as in write
                self._untidily(error)
                return
            self._counters["outbox_evicted"] += done.evicted
            self._uncounted |= done.pruned > 0
            self._untidy, self._tidied = done.more, True
        elif not self._reserve.made and now_ms >= self._reserve_at_ms:
            try:
                self._reserve.make()
            except OSError as error:
                self._not_reserved(error)
                return
            self._reserved, self._full, self.retry_at_ms = True, False, 0
        self._tell("")

    def load(self, load: Load, unwritten: Unwritten) -> Loaded:
        """What is on the disk and in memory; or in memory alone, where the disk cannot be read."""
        try:
            return self._loaded(load, unwritten)
        except Exception as error:  # noqa: BLE001 - as in write
            # Opening it again reads all of it: so it is either well after that, or set aside.
            self._failed(error)
            self.close()
            return self._loaded(load, unwritten)

    def find(self, intervals: tuple[Interval, ...], limit: int, centre: int) -> Found:
        """What can be read of these settled events; nothing while the disk fails, for the centre asks again."""
        found: dict[EventId, Event] = {}
        if self._database is not None:
            try:
                keys = self._database.settled_keys(intervals, limit, centre)
                found = self._read(keys)
                self._uncounted |= len(found) < len(keys)
            except Exception as error:  # noqa: BLE001 - as in write
                self._failed(error)
                self.close()
        return Found(tuple(found.values()))

    def count(self) -> None:
        """Say what is settled on the disk, if nobody knows; once it is tidy, or later where it cannot be read now."""
        if self._uncounted and self._database is not None and not self._untidy and not self.retry_at_ms:
            try:
                self._put(Settled(tuple(self._database.settled()), all=True))
                self._uncounted = False
            except Exception as error:  # noqa: BLE001 - as in write
                self._failed(error)
                self.close()

    def close(self) -> None:
        if self._database is not None:
            self._database.close()
            self._database = None

    # --- parts ---

    def _write_alarms(self, work: Unwritten) -> tuple[Done, Unwritten]:
        """As `write`, while what room there is belongs to alarms: the rest waits until the reserve is there again."""
        alarms, rest = work.split()
        try:
            if alarms.events or self._database is None:
                return self._write(alarms), rest
        except Exception as error:  # noqa: BLE001 - as in write
            self._failed(error)
        else:
            self.retry_at_ms = self._now().mono_ms + RETRY_MS_MAX
        return NOTHING, work

    def _write(self, work: Unwritten) -> Done:
        opened = self._database is None
        database = self._database = self._database or Database(self._path, self._gateway, self._connect, self._others)
        events = (*work.events.values(), *work.given.values())
        written = database.write(events, work.state, work.settled, self._now_s(), work.received)
        self.size_bytes = database.size_bytes()
        self._counters["outbox_unstorable"] += len(written.refused)
        self._uncounted |= opened
        if opened or written.changed:  # a transaction that changes nothing writes nothing, and proves nothing
            self._retry_ms, self.retry_at_ms, self._unreadable_ms = RETRY_MS, 0, None
            self._untidy = self._written = True
            self._tell("")
        committed = work.events.keys() - {event.id for event in written.refused}
        return Done(tuple(sorted(committed)), tuple(written.settled))

    def _failed(self, error: Exception) -> None:
        first = self._retry_ms == RETRY_MS
        self._written = False
        self.retry_at_ms = self._now().mono_ms + self._retry_ms
        self._retry_ms = min(RETRY_MS_MAX, self._retry_ms * 2)
        if self._report(error) and first:
            self.retry_at_ms = 0  # the new database is written at once; if that is damaged too, there is more wrong

    def _untidily(self, error: Exception) -> None:
        self._untidy, self._tidied = True, False
        self._tidy_at_ms = self._now().mono_ms + TIDY_RETRY_MS
        self._report(error)

    def _not_reserved(self, error: Exception) -> None:
        self._reserved, self._full = False, is_full(error)
        self._reserve_at_ms = self._now().mono_ms + TIDY_RETRY_MS
        self._report(error)

    def _report(self, error: Exception) -> bool:
        """Count and tell it; True where the database was damaged and is out of the way."""
        self._counters["outbox_failures"] += 1
        self._tell(told(self._path, error))
        return self._is_damage(error) and self._set_aside()

    def _tell(self, detail: str) -> None:
        ok = self._written and self._tidied and self._reserved
        if ok != self._told:
            self._told = ok
            self._put(Stored(ok, detail))

    def _is_damage(self, error: Exception) -> bool:
        if not is_unreadable(error):
            return is_damage(error)
        now_ms = self._now().mono_ms
        if self._unreadable_ms is None:
            self._unreadable_ms = now_ms
        # Where the disk reads nothing at all the file is not at fault, and what is in it may be there again.
        return now_ms - self._unreadable_ms >= UNREADABLE_MS and is_readable(self._path, self._connect)

    def _set_aside(self) -> bool:
        aside = self._path.with_name(f"{self._path.name}.corrupt-{self._now().wall_ms}")
        try:
            self.close()
            set_aside(self._path, aside)
        except (OSError, sqlite3.Error):
            return False  # the disk's own failure has been told; this is tried again with the next retry
        self._aside.append(aside)
        return True

    def _loaded(self, load: Load, unwritten: Unwritten) -> Loaded:
        limit, held, centre = load
        state = {} if self._database is None else self._database.state()
        last_epoch = 0 if self._database is None else self._database.last_epoch()
        events = dict(unwritten.events)
        in_memory = sorted(map(key_of, events.values()))  # by their ids, for none has a number

        def keys() -> Iterable[Key]:
            stored = () if self._database is None else self._database.waiting(centre)
            return merge((key for key in stored if key.id not in events), in_memory, key=lambda key: key.id)

        order, more = by_urgency(keys, limit, held)
        events.update(self._read([key for key in order if key.id not in events]))
        return Loaded(
            tuple(events[key.id] for key in order if key.id in events),
            {name: value for name, value in {**state, **unwritten.state}.items() if value is not None},
            more,
            last_epoch,
            self.whole(),
            centre,
        )

    def _read(self, keys: Sequence[Key]) -> dict[EventId, Event]:
        if self._database is None:
            return {}
        events, damaged = self._database.read(keys)
        if damaged:
            self._counters["outbox_damaged_rows"] += len(damaged)
            self._database.move_damaged(damaged, self._now_s())
        return {event.id: event for event in events}

    def _now_s(self) -> int:
        """Wall time in s; 0 while the clock is not set. Else all that was written in 1970 would be old, and gone, as
        soon as it is."""
        now = self._now()
        return 0 if now.quality == "unset" else now.wall_ms // 1000
