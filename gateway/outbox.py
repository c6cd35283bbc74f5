"""The outbox: events and the core's state on disk until receipted, written by a thread of its own."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from gateway.database import Damaged, Database, Key, files_of, key_of, salvage
from gateway.home.messages import Committed
from protocol.record import Event, EventId, Interval, Now
from protocol.words import SEVERITIES

KEEP_MS_MAX: Final = 600_000  # state without an event may be lost for so long: gaps across a restart stay that exact
SETTLE_MS_MAX: Final = 2_000  # a receipt not yet written costs one more transmission after a restart, nothing else
LOOK_S: Final = 1.0  # how often lazy work is looked at: the clock may run faster than the machine's
EVENTS_MAX: Final = 4_096  # in memory while the disk fails, about 4 MB; then the oldest trouble is dropped first
INTERVALS_MAX: Final = 4_096  # receipts in memory while the disk fails; a lost one costs one more transmission
RETRY_S: Final = 0.1
RETRY_S_MAX: Final = 2.0  # a disk that heals is used again within so long
UNREADABLE_TRIES: Final = 3  # reads that fail so often in a row do not heal: the database is set aside
ASIDE_MAX: Final = 3  # damaged databases that are kept; a card that rots must not fill itself with them

_TRANSIENT: Final = frozenset(
    (
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_AUTH,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_INTERRUPT,
        sqlite3.SQLITE_NOLFS,
    )
)
_UNREADABLE: Final = frozenset((sqlite3.SQLITE_IOERR_READ, sqlite3.SQLITE_IOERR_SHORT_READ))
_ADVICE: Final = {
    sqlite3.SQLITE_BUSY: "another process has it open; stop that one",
    sqlite3.SQLITE_FULL: "the disk is full; make room",
    sqlite3.SQLITE_READONLY: "it cannot be written; remount the disk or check the card's switch and the owner",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened; check that the folder exists and belongs to this user",
    sqlite3.SQLITE_IOERR: "the disk fails; replace the card",
}


@dataclass(frozen=True, slots=True)
class Loaded:
    """Events that wait for a receipt, in the order to send them, and the core's state as last written."""

    rows: tuple[Event, ...]
    state: Mapping[str, bytes]
    more: Mapping[str, EventId]  # terminals of which more events wait here, and the first of each


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


@dataclass(slots=True)
class _Work:
    """What waits to be written in one transaction."""

    events: dict[EventId, Event] = field(default_factory=dict)
    state: dict[str, bytes | None] = field(default_factory=dict)
    settled: list[Interval] = field(default_factory=list)
    since_ms: int | None = None  # mono ms of the oldest commit in it
    lazy_ms: int | None = None  # mono ms at which the rest of it must be written too


class Outbox:
    """Methods are called from one thread, never block and never fail; what came of them is `put` as messages:
    Committed, Loaded, Stored, Replaced. The lock here is never held while the disk is used."""

    def __init__(self, path: Path, put: Callable[[object], None], now: Callable[[], Now]):
        # All names are there from the start: another thread may add these up at any time.
        self.counters: Counter[str] = Counter(
            dict.fromkeys(("outbox_dropped", "outbox_failures", "outbox_damaged_rows", "outbox_unstorable"), 0)
        )
        self._path = path
        self._put = put
        self._now = now
        self._wake = threading.Condition()
        self._work = _Work()
        self._writing = _Work()
        self._loads: list[tuple[int, frozenset[EventId]]] = []
        self._stopping = False
        # The rest belongs to the thread.
        self._database: Database | None = None
        self._ok: bool | None = None
        self._retry_s = RETRY_S
        self._retry_at_s = 0.0
        self._unreadable = 0
        self._size_bytes = 0
        self._thread = threading.Thread(target=self._run, name="outbox", daemon=True)
        self._thread.start()

    def commit(self, events: Sequence[Event], state: Mapping[str, bytes | None]) -> None:
        """Write these events and this state in one transaction as soon as the disk is free; then Committed."""
        now_ms = self._now().mono_ms
        with self._wake:
            work = self._work
            work.since_ms = now_ms if work.since_ms is None else work.since_ms
            work.events.update((event.id, event) for event in events)
            work.state.update(state)
            self._bound(work)
            self._wake.notify()

    def keep(self, state: Mapping[str, bytes | None]) -> None:
        """Write this state with the next commit, or within KEEP_MS_MAX."""
        with self._wake:
            self._work.state.update(state)
            self._lazily(KEEP_MS_MAX)

    def settle(self, intervals: Sequence[Interval]) -> None:
        """The centre has these events: mark them with the next commit, or within SETTLE_MS_MAX."""
        with self._wake:
            self._work.settled.extend(intervals)
            del self._work.settled[:-INTERVALS_MAX]
            _forget(self._work, intervals)
            self._lazily(SETTLE_MS_MAX)

    def load(self, limit: int, held: Collection[EventId] = ()) -> None:
        """Bring, as Loaded, up to `limit` events that wait for a receipt and are not among `held`."""
        with self._wake:
            self._loads.append((limit, frozenset(held)))
            self._wake.notify()

    def pending_since_ms(self) -> int | None:
        """Mono ms of the oldest commit that is not yet on disk; None where there is none."""
        with self._wake:
            return _earlier(self._writing.since_ms, self._work.since_ms)

    def size_bytes(self) -> int:
        """Of the database and its log, as of the last commit."""
        return self._size_bytes

    def stop(self, timeout_s: float) -> bool:
        """Write what waits and close; False where the disk did not do so in time."""
        with self._wake:
            self._stopping = True
            self._wake.notify()
        self._thread.join(timeout_s)
        return not self._thread.is_alive() and not self._work.events and not self._work.state

    def _lazily(self, within_ms: int) -> None:
        due_ms = self._now().mono_ms + within_ms
        self._work.lazy_ms = _earlier(self._work.lazy_ms, due_ms)
        self._wake.notify()

    def _bound(self, work: _Work) -> None:
        while len(work.events) > EVENTS_MAX:
            del work.events[_least(work.events)]
            self.counters["outbox_dropped"] += 1

    # --- the thread ---

    def _run(self) -> None:
        stopping = False
        while not stopping:
            with self._wake:
                while not self._due():
                    self._wake.wait(self._patience_s())
                stopping = self._stopping
                loads, self._loads = self._loads, []
                if stopping or time.monotonic() >= self._retry_at_s:
                    self._writing, self._work = self._work, _Work()
            self._write(self._writing)
            for limit, held in loads:
                self._put(self._loaded(limit, held))
        if self._database is not None:
            self._database.close()

    def _due(self) -> bool:
        if self._stopping or self._loads:
            return True
        if time.monotonic() < self._retry_at_s:
            return False
        lazy_ms = self._work.lazy_ms
        return (
            self._database is None
            or self._work.since_ms is not None
            or (lazy_ms is not None and self._now().mono_ms >= lazy_ms)
        )

    def _patience_s(self) -> float | None:
        retry_s = self._retry_at_s - time.monotonic()
        if retry_s > 0:
            return retry_s
        return None if self._work.lazy_ms is None else LOOK_S

    def _write(self, work: _Work) -> None:
        try:
            if self._database is None:
                self._database = Database(self._path)
            if work.events or work.state or work.settled:
                refused = self._database.write(
                    work.events.values(), work.state, work.settled, self._now().wall_ms // 1000
                )
                self.counters["outbox_unstorable"] += len(refused)
                for event in refused:
                    del work.events[event.id]
            self._size_bytes = self._database.size_bytes()
        except Exception as error:  # noqa: BLE001 - whatever it is, this thread must live to write the next alarm
            self._failed(work, error)
            return
        with self._wake:
            self._writing = _Work()
        self._retry_s, self._retry_at_s, self._unreadable = RETRY_S, 0.0, 0
        self._tell(True, "")
        if work.events:
            self._put(Committed(tuple(work.events)))

    def _failed(self, work: _Work, error: Exception) -> None:
        self.counters["outbox_failures"] += 1
        self._give_back(work)
        self._retry_at_s = time.monotonic() + self._retry_s
        self._retry_s = min(RETRY_S_MAX, self._retry_s * 2)
        self._tell(False, _detail(self._path, error))
        if self._is_damage(error):
            self._replace()

    def _give_back(self, work: _Work) -> None:
        """What was not written goes before what has come since."""
        with self._wake:
            newer = self._work
            self._work = _Work(
                work.events | newer.events,
                work.state | newer.state,
                (work.settled + newer.settled)[-INTERVALS_MAX:],
                _earlier(work.since_ms, newer.since_ms),
                _earlier(work.lazy_ms, newer.lazy_ms),
            )
            _forget(self._work, newer.settled)
            self._bound(self._work)
            self._writing = _Work()

    def _is_damage(self, error: Exception) -> bool:
        code = getattr(error, "sqlite_errorcode", None)
        if code in _UNREADABLE:
            self._unreadable += 1
            return self._unreadable >= UNREADABLE_TRIES
        if isinstance(error, sqlite3.Error):
            return code is None or code & 0xFF not in _TRANSIENT
        return isinstance(error, Damaged)

    def _replace(self) -> None:
        """Keep the damaged database aside, and begin the next one with what can still be read of it."""
        if self._database is not None:
            self._database.close()
            self._database = None
        kept = f"{self._path}.corrupt-{self._now().wall_ms}"
        try:
            for old, new in zip(files_of(self._path), files_of(Path(kept)), strict=True):
                if old.exists():
                    old.replace(new)
            _remove_oldest(self._path)
        except OSError:
            return  # said already; tried again with the next retry
        events, state = salvage(Path(kept))
        self._give_back(_Work(events, state, since_ms=self._now().mono_ms))
        self._put(Replaced(kept, len(events)))

    def _tell(self, ok: bool, detail: str) -> None:
        if ok != self._ok:
            self._ok = ok
            self._put(Stored(ok, detail))

    def _loaded(self, limit: int, held: frozenset[EventId]) -> Loaded:
        with self._wake:
            memory, state = dict(self._work.events), dict(self._work.state)
        try:
            keys, state_on_disk = self._read_keys()
        except Exception as error:  # noqa: BLE001 - as in _write: a database that cannot be read leaves what is in memory
            self._failed(_Work(), error)
            keys, state_on_disk = [], {}
        keys += [key_of(event) for event in memory.values()]
        order = [key for key in by_urgency(keys) if key.id not in held]
        return Loaded(
            tuple(self._read(order[:limit], memory)),
            {name: value for name, value in {**state_on_disk, **state}.items() if value is not None},
            {key.terminal: key.id for key in reversed(order[limit:])},
        )

    def _read_keys(self) -> tuple[list[Key], dict[str, bytes]]:
        return (self._database.keys(), self._database.state()) if self._database is not None else ([], {})

    def _read(self, keys: Sequence[Key], memory: Mapping[EventId, Event]) -> list[Event]:
        found = {key.id: memory[key.id] for key in keys if key.id in memory}
        on_disk = [key for key in keys if key.id not in memory]
        if self._database is not None and on_disk:
            try:
                events, damaged = self._database.read(on_disk)
                found.update((event.id, event) for event in events)
                if damaged:
                    self.counters["outbox_damaged_rows"] += len(damaged)
                    self._database.set_aside(damaged, self._now().wall_ms // 1000)
            except Exception as error:  # noqa: BLE001 - as in _write
                self._failed(_Work(), error)
        return [found[key.id] for key in keys if key.id in found]


def by_urgency(keys: Sequence[Key]) -> list[Key]:
    """`keys` in the order to send them: an event is as urgent as the most urgent one behind it of the same terminal,
    since that one may not overtake it."""
    urgency: dict[EventId, int] = {}
    most: dict[str, int] = {}
    for key in sorted(keys, key=lambda key: key.id, reverse=True):
        most[key.terminal] = urgency[key.id] = min(key.severity, most.get(key.terminal, len(SEVERITIES)))
    return sorted(keys, key=lambda key: (urgency[key.id], key.id))


def _least(events: Mapping[EventId, Event]) -> EventId:
    """What can best be spared: the oldest trouble, or property where there is none, or life."""
    for severity in reversed(SEVERITIES):
        for event in events.values():
            if event.severity == severity:
                return event.id
    raise AssertionError("an event without a severity")


def _forget(work: _Work, intervals: Sequence[Interval]) -> None:
    """Events that the centre has need not be written any more."""
    for event_id in [one for one in work.events if any(i.__contains__(one) for i in intervals)]:
        del work.events[event_id]


def _earlier(one: int | None, other: int | None) -> int | None:
    return min((ms for ms in (one, other) if ms is not None), default=None)


def _detail(path: Path, error: Exception) -> str:
    code = getattr(error, "sqlite_errorcode", None)
    advice = _ADVICE.get(code & 0xFF) if code is not None else None
    return f"{path}: {error}" + (f": {advice}" if advice else "")


def _remove_oldest(path: Path) -> None:
    kept = sorted(one for one in path.parent.glob(f"{path.name}.corrupt-*") if one.suffix[-4:] not in ("-wal", "-shm"))
    for old in kept[:-ASIDE_MAX]:
        for one in files_of(old):
            one.unlink(missing_ok=True)
