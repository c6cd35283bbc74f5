"""The centre's SQLite database: one connection, synced commits, and what is known about each event id."""

from __future__ import annotations

import json
import os
import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from dispatch.schema import STEPS
from protocol.record import Event, EventId, Interval, Sent
from protocol.words import RAISED, UNVERIFIED, UPDATED, Unavailable

BUSY_S: Final = 2.0  # at opening, for a centre before this one that is about to end
WAL_BYTES_MAX: Final = 16 * 2**20  # what the log is cut back to after a burst
KEPT_ASIDE_MAX: Final = 8  # damaged databases kept; the last one is replaced by later ones
_DAMAGED: Final = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


class StoreError(Exception):
    """Nothing of this was committed: the disk is full or failing, or the database is locked or damaged."""


class Store:
    """The open database. One thread at a time may use it; no other process can while it is open."""

    def __init__(self, path: Path):
        """Open `path` or begin it; a damaged one is kept aside. Raises Unavailable where neither works."""
        self.path = path
        self.kept_aside: list[Path] = []  # databases put aside since this was last emptied
        self.unwritten: Counter[str] = Counter()  # counts that go along with the next commit
        self._db: sqlite3.Connection | None = None
        try:
            self._connection()
        except StoreError as error:
            raise Unavailable(
                f"the centre's database {path} cannot be used: {error}. Is another centre running on it, "
                "is the disk full, may this user write there?",
                f"无法使用中心数据库 {path}：{error}。是否有另一个中心正在使用它？磁盘是否已满？当前用户是否有写权限？",
            ) from error

    def close(self) -> None:
        """Give the database up; it may be used again, which opens it again."""
        if self._db is not None:
            self._db.close()
            self._db = None

    # --- SQL ---

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing, on disk and synced when it ends well. Raises StoreError when it did not."""
        try:
            self.run("BEGIN IMMEDIATE")
            yield
            for name, value in self.unwritten.items():
                self.count(name, value)
            self.run("COMMIT")
        except BaseException:
            self._roll_back()
            raise
        self.unwritten.clear()

    def rows(self, sql: str, *values: Any) -> list[sqlite3.Row]:
        """What `sql` finds. Raises StoreError."""
        try:
            return self._connection().execute(sql, values).fetchall()
        except sqlite3.Error as error:
            raise self._failure(error) from error

    def row(self, sql: str, *values: Any) -> sqlite3.Row | None:
        """The first that `sql` finds. Raises StoreError."""
        found = self.rows(sql, *values)
        return found[0] if found else None

    def run(self, sql: str, *values: Any) -> int:
        """Do `sql`; the id of the row that it inserted. Raises StoreError."""
        try:
            return self._connection().execute(sql, values).lastrowid or 0
        except sqlite3.Error as error:
            raise self._failure(error) from error

    def _roll_back(self) -> None:
        if self._db is not None and self._db.in_transaction:
            try:
                self._db.execute("ROLLBACK")
            except sqlite3.Error:  # a failing disk: the connection is of no use any more, the log is recovered anew
                self.close()

    # --- opening ---

    def _connection(self) -> sqlite3.Connection:
        if self._db is None:
            try:
                self._db = _open(self.path)
            except sqlite3.Error as error:
                failure = self._failure(error)
                if self.path.exists():
                    raise failure from error
        if self._db is None:  # it was damaged and is out of the way
            try:
                self._db = _open(self.path)
            except sqlite3.Error as error:
                raise StoreError(str(error)) from error
        return self._db

    def _failure(self, error: sqlite3.Error) -> StoreError:
        """What to raise for `error`; a damaged database is put aside, so that the next use begins a new one."""
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the primary code
        if code not in _DAMAGED:
            return StoreError(str(error))
        self.close()
        try:
            self.kept_aside.append(_put_aside(self.path))
        except OSError as failure:
            return StoreError(f"{error}, and it cannot be put aside: {failure}")
        return StoreError(f"{error}; kept as {self.kept_aside[-1].name}")

    # --- event ids ---

    def stored_id(self, gateway: str, event: EventId) -> EventId:
        """The id under which `event` is stored: its own, or that of the event which it repeats."""
        row = self.row(
            "SELECT stored_epoch, stored_sequence FROM aliases WHERE gateway = ? AND epoch = ? AND sequence = ?",
            gateway,
            *event,
        )
        return EventId(*row) if row else event

    def interval(self, gateway: str, event: EventId) -> Interval | None:
        """The committed interval that contains `event`; None: never seen."""
        row = self.row(
            "SELECT epoch, first, last FROM intervals WHERE gateway = ? AND epoch = ? AND first <= ?"
            " ORDER BY first DESC LIMIT 1",
            gateway,
            *event,
        )
        return Interval(*row) if row and row["last"] >= event.sequence else None

    def committed(self, gateway: str, within: Interval, limit: int) -> list[Interval]:
        """Up to `limit` of the committed intervals that `within` touches, the highest first; the last of them may lie
        below it."""
        rows = self.rows(
            "SELECT epoch, first, last FROM intervals WHERE gateway = ?1 AND epoch = ?2 AND first <= ?4 AND first >="
            " (SELECT coalesce(max(first), 0) FROM intervals WHERE gateway = ?1 AND epoch = ?2 AND first <= ?3)"
            " ORDER BY first DESC LIMIT ?5",
            *(gateway, *within, limit),
        )
        return [Interval(*row) for row in rows]

    def lacking(self, gateway: str, intervals: Sequence[Interval]) -> list[Interval]:
        """Those of these `intervals` that are not committed as a whole."""
        if not intervals:
            return []
        rows = self.rows(
            f"WITH told (epoch, first, last) AS (VALUES {', '.join(['(?, ?, ?)'] * len(intervals))})"
            " SELECT * FROM told WHERE last > coalesce((SELECT last FROM intervals"
            " WHERE gateway = ? AND epoch = told.epoch AND first <= told.first ORDER BY first DESC LIMIT 1), -1)",
            *(number for interval in intervals for number in interval),
            gateway,
        )
        return [Interval(*row) for row in rows]

    def mark(self, gateway: str, event: EventId) -> None:
        """Add `event`, which is in no interval yet, to the committed ones, merging with its neighbours."""
        first, last = event.sequence, event.sequence
        before = self.interval(gateway, EventId(event.epoch, event.sequence - 1))
        if before:
            first = before.first
        after = self.row(
            "SELECT first, last FROM intervals WHERE gateway = ? AND epoch = ? AND first > ? ORDER BY first LIMIT 1",
            gateway,
            *event,
        )
        if after and after["first"] == event.sequence + 1:
            last = after["last"]
            self.run(
                "DELETE FROM intervals WHERE gateway = ? AND epoch = ? AND first = ?",
                *(gateway, event.epoch, after["first"]),
            )
        self.run("INSERT OR REPLACE INTO intervals VALUES (?, ?, ?, ?)", gateway, event.epoch, first, last)

    def same_source(self, event: Event) -> EventId | None:
        """The stored event that came of the same event of the terminal; None also where either is in doubt.

        Raised or updated is the same to the terminal: a gateway that lost its memory in between calls a second press
        of a button a first one.
        """
        if event.source is None or UNVERIFIED in event.flags:
            return None
        phases = (RAISED, UPDATED) if event.phase in (RAISED, UPDATED) else (event.phase, event.phase)
        row = self.row(
            "SELECT epoch, sequence FROM events WHERE gateway = ? AND terminal = ? AND source_boot = ?"
            " AND source_number = ? AND phase IN (?, ?) AND kind = ? AND unverified = 0",
            *(event.gateway, event.terminal, *event.source, *phases, event.kind),
        )
        return EventId(*row) if row else None

    def alias(self, gateway: str, event: EventId, stored: EventId) -> None:
        """Note that `event` is another id of `stored`."""
        self.run("INSERT INTO aliases VALUES (?, ?, ?, ?, ?)", gateway, *event, *stored)

    def insert(
        self, sent: Sent, alarm: EventId, late: bool, committed_ms: int, incident: int | None, envelope: bytes
    ) -> None:
        """Store an event that is not there yet."""
        event = sent.event
        row = {
            "gateway": event.gateway,
            "epoch": event.id.epoch,
            "sequence": event.id.sequence,
            "alarm_epoch": alarm.epoch,
            "alarm_sequence": alarm.sequence,
            "kind": event.kind,
            "phase": event.phase,
            "severity": event.severity,
            "link": event.link,
            "terminal": event.terminal,
            "room": event.room,
            "raised_ms": event.time.wall_ms,
            "raised_mono_ms": event.time.mono_ms,
            "boot": event.time.boot,
            "clock": event.time.quality,
            "source_boot": event.source.boot if event.source else None,
            "source_number": event.source.number if event.source else None,
            "position": json.dumps(event.position) if event.position is not None else None,
            "evidence": json.dumps(dict(event.evidence)),
            "flags": json.dumps(event.flags),
            "unverified": UNVERIFIED in event.flags,
            "attempt": sent.attempt,
            "age_ms": sent.age_ms,
            "late": late,
            "committed_ms": committed_ms,
            "incident": incident,
            "envelope": envelope,
        }
        self.run(f"INSERT INTO events ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})", *row.values())

    # --- counters ---

    def count(self, name: str, more: int = 1) -> None:
        """Add to a counter, within a transaction."""
        self.run(
            "INSERT INTO counters VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = value + excluded.value",
            name,
            more,
        )

    def counters(self) -> Counter[str]:
        """All counters, those that are not written yet included."""
        return Counter({row["name"]: row["value"] for row in self.rows("SELECT * FROM counters")}) + self.unwritten


def _open(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
    try:
        db.row_factory = sqlite3.Row
        # One connection to a database: up to 3.51.2 two can corrupt a WAL.
        db.execute("PRAGMA locking_mode = EXCLUSIVE")
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")  # a receipt may follow each commit
        db.execute(f"PRAGMA journal_size_limit = {WAL_BYTES_MAX}")
        db.execute("PRAGMA foreign_keys = ON")
        found = db.execute("PRAGMA quick_check(1)").fetchone()[0]
        if found != "ok":
            damage = sqlite3.DatabaseError(found)
            damage.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
            raise damage
        _migrate(db)
    except BaseException:
        db.close()
        raise
    return db


def _migrate(db: sqlite3.Connection) -> None:
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if version > len(STEPS):
        raise sqlite3.OperationalError(f"it is of version {version}, made by a later release than this one")
    for number, step in enumerate(STEPS[version:], start=version + 1):
        db.executescript(f"BEGIN IMMEDIATE; {step} PRAGMA user_version = {number}; COMMIT;")


def _put_aside(path: Path) -> Path:
    """Rename the database with its log to a name that is free; the last such name is used again and again."""
    names = [path.with_name(f"{path.name}.damaged-{number}") for number in range(1, KEPT_ASIDE_MAX + 1)]
    aside = next((name for name in names if not name.exists()), names[-1])
    for suffix in ("", "-wal", "-shm"):
        if Path(f"{path}{suffix}").exists():
            os.replace(f"{path}{suffix}", f"{aside}{suffix}")
    return aside
