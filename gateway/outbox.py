"""The outbox: events and the core's state on disk until receipted; a worker uses the disk, step by step."""

from __future__ import annotations

import sqlite3
import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from heapq import merge
from pathlib import Path
from typing import Final

from gateway.database import Connect, Damaged, Database, Key, connect, key_of, salvage, set_aside
from gateway.home.messages import Committed
from gateway.unwritten import Unwritten, earlier
from protocol.record import Event, EventId, Interval, Now

KEEP_MS_MAX: Final = 600_000  # state without an event may be lost for so long: gaps across a restart stay that exact
SETTLE_MS_MAX: Final = 2_000  # a receipt not yet written costs one more transmission after a restart, nothing else
LOOK_S_MAX: Final = 1.0  # the thread looks at least this often: its waiting stands still in a suspended machine
RETRY_MS: Final = 100
RETRY_MS_MAX: Final = 2_000  # a disk that heals is used again within so long
UNREADABLE_TRIES: Final = 3  # reads that fail so often in a row do not heal: the database is set aside

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
    last_epoch: int = 0  # the highest of all that wait, for a start to number its own events above


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


@dataclass(frozen=True, slots=True)
class Work:
    """What a worker has taken to do."""

    writing: Unwritten | None  # None: the disk has failed and is left alone until the next retry
    loads: tuple[tuple[int, frozenset[EventId]], ...]  # limits, and what is held already
    finds: tuple[tuple[tuple[Interval, ...], int], ...]  # settled events that are asked for, and limits
    last: bool  # the database is closed after it


class Outbox:
    """The caller's methods (`commit` to `close`) are called from one thread, never block and never fail; what came of
    them is `put` as messages: Committed, Loaded, Settled, Found, Stored, Replaced.

    The worker's (`due` to `perform`) use the disk: the thread that `start` makes calls them, or a simulator does. The
    lock here is never held while the disk is used. All times are of `now`, and nothing else decides what is done.
    """

    def __init__(
        self,
        path: Path,
        gateway: str,
        put: Callable[[object], None],
        now: Callable[[], Now],
        connect: Connect = connect,
    ):
        # All names are there from the start: another thread may add these up at any time.
        self.counters: Counter[str] = Counter(
            dict.fromkeys(("outbox_dropped", "outbox_failures", "outbox_damaged_rows", "outbox_unstorable"), 0)
        )
        self._path = path
        self._gateway = gateway
        self._put = put
        self._now = now
        self._connect = connect
        self._wake = threading.Condition()
        self._waiting = Unwritten()
        self._writing = Unwritten()
        self._loads: list[tuple[int, frozenset[EventId]]] = []
        self._finds: list[tuple[tuple[Interval, ...], int]] = []
        self._closing = False
        self._thread: threading.Thread | None = None
        self._at_work = False
        # The rest belongs to the worker.
        self._database: Database | None = None
        self._owed: list[tuple[int, frozenset[EventId]]] = []  # answered without the disk
        self._ok: bool | None = None
        self._retry_ms = RETRY_MS
        self._retry_at_ms = 0
        self._closed = False
        self._unreadable = 0
        self._uncounted = True  # nobody knows what is settled on disk
        self._size_bytes = 0

    def start(self, sleep_s: Callable[[int], float]) -> None:
        """Have a thread do the work; `sleep_s` says how many real seconds so many ms of the clock take."""
        self._thread = threading.Thread(target=self._run, args=(sleep_s,), name="outbox", daemon=True)
        self._thread.start()

    def commit(self, events: Sequence[Event], state: Mapping[str, bytes | None]) -> None:
        """Write these events and this state (None: delete) in one transaction as soon as the disk is free; then
        Committed."""
        with self._wake:
            self.counters["outbox_dropped"] += self._waiting.commit(events, state, self._now().mono_ms)
            self._wake.notify()

    def keep(self, state: Mapping[str, bytes | None]) -> None:
        """Write this state with the next commit, or within KEEP_MS_MAX."""
        with self._wake:
            self._waiting.state.update(state)
            self._waiting.by(self._now().mono_ms + KEEP_MS_MAX)
            self._wake.notify()

    def settle(self, intervals: Sequence[Interval]) -> None:
        """The centre has these events: mark them with the next commit, or within SETTLE_MS_MAX."""
        with self._wake:
            self._waiting.settle(intervals)
            self._waiting.by(self._now().mono_ms + SETTLE_MS_MAX)
            self._wake.notify()

    def load(self, limit: int, held: Collection[EventId] = ()) -> None:
        """Bring, as Loaded, up to `limit` events that wait for a receipt and are not among `held`."""
        with self._wake:
            self._loads.append((limit, frozenset(held)))
            self._wake.notify()

    def find(self, intervals: Sequence[Interval], limit: int) -> None:
        """Bring, as Found, up to `limit` of these settled events, the last that were written. Nothing is changed: they
        stay settled, and a start that follows knows nothing of it."""
        with self._wake:
            self._finds.append((tuple(intervals), limit))
            self._wake.notify()

    def pending_since_ms(self) -> int | None:
        """Mono ms of the oldest commit that is not yet on disk; None where there is none."""
        with self._wake:
            return earlier(self._writing.since_ms, self._waiting.since_ms)

    def size_bytes(self) -> int:
        """Of the database and its log, as of the last commit."""
        return self._size_bytes

    def close(self) -> None:
        """What waits is due at once, and the database is closed after it."""
        with self._wake:
            self._closing = True
            self._wake.notify()

    def stop(self, timeout_s: float) -> bool:
        """Close, and wait for the thread; False where the disk did not write all of it in time."""
        self.close()
        if self._thread is not None:
            self._thread.join(timeout_s)
        return self._closed and not self._waiting

    # --- the worker ---

    def due(self) -> bool:
        """Whether there is something to do now."""
        due_ms = self.deadline()
        return due_ms is not None and due_ms <= self._now().mono_ms

    def deadline(self) -> int | None:
        """Mono ms from which there is something to do, if nothing more is asked; None: never, or not before what has
        begun is performed."""
        with self._wake:
            if self._at_work or self._closed:
                return None
            if self._closing or self._loads or self._finds:
                return 0
            opening_ms = 0 if self._database is None else None
            due_ms = earlier(opening_ms, earlier(self._waiting.since_ms, self._waiting.lazy_ms))
            return None if due_ms is None else max(due_ms, self._retry_at_ms)

    def begin(self) -> Work:
        """Take what is to be done now. `perform` does it, at any time or never; until then nothing more is due."""
        with self._wake:
            self._at_work = True
            loads, self._loads = self._loads, []
            finds, self._finds = tuple(self._finds), []
            if not self._closing and self._now().mono_ms < self._retry_at_ms:
                return Work(None, tuple(loads), finds, last=False)
            self._writing, self._waiting = self._waiting, Unwritten()
            loads, self._owed = self._owed + loads, []
            return Work(self._writing, tuple(loads), finds, self._closing)

    def perform(self, work: Work) -> None:
        """Use the disk, for as long as that takes, and say what came of it. Never fails, whatever the disk does."""
        if work.writing is not None:
            self._write(work.writing)
        for load in work.loads:
            self._load(*load)
        for find in work.finds:
            self._find(*find)
        if self._uncounted and not work.last:
            self._count()
        if work.last:
            self._close()
            self._closed = True
        self._at_work = False

    def _run(self, sleep_s: Callable[[int], float]) -> None:
        while not self._closed:
            with self._wake:
                while not self.due():
                    self._wake.wait(self._patience_s(sleep_s))
                work = self.begin()
            self.perform(work)

    def _patience_s(self, sleep_s: Callable[[int], float]) -> float | None:
        due_ms = self.deadline()
        return None if due_ms is None else min(LOOK_S_MAX, sleep_s(due_ms - self._now().mono_ms))

    def _write(self, work: Unwritten) -> None:
        try:
            opened = self._database is None
            if self._database is None:
                self._database = Database(self._path, self._gateway, self._connect)
            events = (*work.events.values(), *work.given.values())
            written = self._database.write(events, work.state, work.settled, self._now_s())
            self._size_bytes = self._database.size_bytes()
        except Exception as error:  # noqa: BLE001 - whatever it is, this thread must live to write the next alarm
            self._failed(error)
            return
        with self._wake:
            self._writing = Unwritten()
        self.counters["outbox_unstorable"] += len(written.refused)
        self._uncounted |= opened or written.pruned
        if opened or written.changed:  # a transaction that changes nothing writes nothing, and proves nothing
            self._retry_ms, self._retry_at_ms, self._unreadable = RETRY_MS, 0, 0
            self._tell(True, "")
        if committed := work.events.keys() - {event.id for event in written.refused}:
            self._put(Committed(tuple(sorted(committed))))
        if written.settled:
            self._put(Settled(tuple(written.settled), all=False))

    def _failed(self, error: Exception) -> None:
        self.counters["outbox_failures"] += 1
        self._take_back(self._writing)
        first = self._retry_ms == RETRY_MS
        self._retry_at_ms = self._now().mono_ms + self._retry_ms
        self._retry_ms = min(RETRY_MS_MAX, self._retry_ms * 2)
        self._tell(False, _detail(self._path, error))
        if self._is_damage(error):
            self._replace()
            if first:  # the new database is written at once; if that is damaged too, there is more wrong
                self._retry_at_ms = 0

    def _take_back(self, work: Unwritten) -> None:
        with self._wake:
            self.counters["outbox_dropped"] += self._waiting.put_before(work)
            self._writing = Unwritten()

    def _is_damage(self, error: Exception) -> bool:
        code = getattr(error, "sqlite_errorcode", None)
        if code in _UNREADABLE:
            self._unreadable += 1
            return self._unreadable >= UNREADABLE_TRIES
        if isinstance(error, sqlite3.Error):
            return code is None or code & 0xFF not in _TRANSIENT
        return isinstance(error, Damaged | UnicodeDecodeError)  # the latter where SQLite quotes a damaged schema

    def _replace(self) -> None:
        """Keep the damaged database aside, and begin the next one with what can still be read of it."""
        kept = self._path.with_name(f"{self._path.name}.corrupt-{self._now().wall_ms}")
        try:
            self._close()
            set_aside(self._path, kept)
        except (OSError, sqlite3.Error):
            return  # the disk's own failure has been told; this is tried again with the next retry
        events, state = salvage(kept, self._gateway, self._connect)
        self._take_back(Unwritten(events, state, since_ms=self._now().mono_ms))
        self._put(Replaced(str(kept), len(events)))

    def _close(self) -> None:
        if self._database is not None:
            self._database.close()
            self._database = None

    def _tell(self, ok: bool, detail: str) -> None:
        if ok != self._ok:
            self._ok = ok
            self._put(Stored(ok, detail))

    def _load(self, limit: int, held: frozenset[EventId]) -> None:
        """Answer with what is on disk and in memory; or with memory alone, and again when the disk can be read."""
        try:
            loaded = self._loaded(limit, held)
        except Exception as error:  # noqa: BLE001 - as in _write
            self._unread(error)
            loaded = self._loaded(limit, held)
        if self._database is None:
            self._owed = [(limit, held)]
        self._put(loaded)

    def _loaded(self, limit: int, held: frozenset[EventId]) -> Loaded:
        state = {} if self._database is None else self._database.state()
        last_epoch = 0 if self._database is None else self._database.last_epoch()
        with self._wake:
            events, newer = dict(self._waiting.events), dict(self._waiting.state)
        unwritten = sorted(map(key_of, events.values()), key=_id_of)

        def keys() -> Iterable[Key]:
            stored = () if self._database is None else self._database.waiting()
            return merge((key for key in stored if key.id not in events), unwritten, key=_id_of)

        order, more = by_urgency(keys, limit, held)
        events.update(self._read([key for key in order if key.id not in events]))
        return Loaded(
            tuple(events[key.id] for key in order if key.id in events),
            {name: value for name, value in {**state, **newer}.items() if value is not None},
            more,
            last_epoch,
        )

    def _find(self, intervals: tuple[Interval, ...], limit: int) -> None:
        """Answer with what can be read; with nothing while the disk fails, for the centre asks again."""
        found: dict[EventId, Event] = {}
        if self._database is not None:
            try:
                keys = self._database.settled_keys(intervals, limit)
                found = self._read(keys)
                self._uncounted |= len(found) < len(keys)
            except Exception as error:  # noqa: BLE001 - as in _write
                self._unread(error)
        self._put(Found(tuple(found.values())))

    def _count(self) -> None:
        """Say what is settled on disk; later, where it cannot be read now."""
        if self._database is None:
            return
        try:
            self._put(Settled(tuple(self._database.settled()), all=True))
            self._uncounted = False
        except Exception as error:  # noqa: BLE001 - as in _write
            self._unread(error)

    def _read(self, keys: Sequence[Key]) -> dict[EventId, Event]:
        if self._database is None or not keys:
            return {}
        events, damaged = self._database.read(keys)
        if damaged:
            self.counters["outbox_damaged_rows"] += len(damaged)
            self._database.move_damaged(damaged, self._now_s())
        return {event.id: event for event in events}

    def _unread(self, error: Exception) -> None:
        """Opening it again reads all of it: so it is either well after that, or set aside."""
        self._failed(error)
        self._close()

    def _now_s(self) -> int:
        return self._now().wall_ms // 1000


def by_urgency(
    keys: Callable[[], Iterable[Key]], limit: int, held: Collection[EventId] = ()
) -> tuple[list[Key], dict[str, EventId]]:
    """Up to `limit` of `keys` in the order to send them, without those `held`; and the first that each terminal has
    beyond these. `keys` gives all of them as often as it is called, their ids rising: after a long outage they are
    more than fit in memory.

    An event is as urgent as the most urgent one behind it of the same terminal, since that one may not overtake it.
    Among equals terminals take turns: a call for help does not wait for all that a wild sensor has left behind.
    """
    last = {(key.terminal, key.severity): key.id for key in keys()}
    turns: Counter[tuple[str, int]] = Counter()
    first: list[tuple[int, int, Key]] = []
    more: dict[str, EventId] = {}
    for key in keys():
        if key.id in held:
            continue
        terminal = key.terminal
        urgency = min(at for at in range(key.severity + 1) if (terminal, at) in last and last[terminal, at] >= key.id)
        turn = turns[terminal, urgency]
        turns[terminal, urgency] += 1
        if turn < limit:
            first.append((urgency, turn, key))
        else:
            more.setdefault(terminal, key.id)
    first.sort(key=lambda found: (found[0], found[1], found[2].id))
    order = [key for _, _, key in first]
    for key in order[limit:]:
        more[key.terminal] = min(key.id, more.get(key.terminal, key.id))
    return order[:limit], more


def _id_of(key: Key) -> EventId:
    return key.id


def _detail(path: Path, error: Exception) -> str:
    code = getattr(error, "sqlite_errorcode", None)
    advice = _ADVICE.get(code & 0xFF) if code is not None else None
    return f"{path}: {error}" + (f": {advice}" if advice else "")
