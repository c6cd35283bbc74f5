"""The outbox on disk: one SQLite file, its schema, its transactions, and what is left of it when it is damaged."""

from __future__ import annotations

import contextlib
import sqlite3
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from gateway.inventory import INTERVALS_MAX, intervals_of
from protocol.record import INT_MAX, Event, EventId, Interval, RecordError, Sent, decode
from protocol.words import SEVERITIES, TROUBLE

# Small pages, because each commit writes whole pages to the log and again at the checkpoint; 1024 holds three events.
PAGE_BYTES: Final = 1024
CHECKPOINT_PAGES: Final = 256  # the log is copied back at 256 kB, so that hot pages are copied once for many commits
LOG_BYTES_MAX: Final = 1 << 20  # the log keeps its length below this: overwriting in place spares the file system's own
BUSY_S_MAX: Final = 0.2  # another process has the file: fail, keep events in memory, and try again

SETTLED_ROWS_MAX: Final = 10_000  # receipted events kept for looking back: a year of a home, about 4 MB
SETTLED_S_MAX: Final = 30 * 86_400  # and no longer than a month
UNSETTLED_TROUBLES_MAX: Final = 10_000  # of an outage of months; life and property are never dropped from disk
DAMAGED_ROWS_MAX: Final = 1_000  # kept for looking at, about 400 kB
PRUNE_EVERY_ROWS: Final = 500  # rows settled between two prunings, so that pruning costs next to nothing

ASIDE_MAX: Final = 3  # damaged databases that are kept; a card that rots must not fill itself with them

_STATE: Final = "SELECT name, crc, value FROM state NOT INDEXED"

# Gaps and islands: within a run of sequences, sequence less rank is the same.
_ISLANDS: Final = """
    SELECT epoch, min(sequence), max(sequence) FROM (
        SELECT epoch, sequence, sequence - dense_rank() OVER (PARTITION BY epoch ORDER BY sequence) AS island
        FROM event NOT INDEXED WHERE settled = 1
    ) GROUP BY epoch, island ORDER BY epoch DESC, min(sequence) DESC LIMIT ?
"""

# Rows are read once, after a start or an outage, and written one by one for ever: so one index, of what waits only.
# `settled` is 0 or 1, which SQLite stores in no bytes at all: a receipt never makes a row grow and its page split.
MIGRATIONS: Final = (
    """
    CREATE TABLE event (
        number INTEGER PRIMARY KEY,
        epoch INTEGER NOT NULL,
        sequence INTEGER NOT NULL,
        severity INTEGER NOT NULL,
        terminal TEXT NOT NULL,
        written_s INTEGER NOT NULL,
        settled INTEGER NOT NULL DEFAULT 0,
        crc INTEGER NOT NULL,
        record BLOB NOT NULL
    );
    CREATE UNIQUE INDEX unsettled ON event (epoch, sequence, severity, terminal) WHERE settled = 0;
    CREATE TABLE state (
        number INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,
        crc INTEGER NOT NULL,
        value BLOB NOT NULL
    );
    CREATE TABLE damaged (number INTEGER PRIMARY KEY, noticed_s INTEGER NOT NULL, record BLOB);
    """,
)


Connect = Callable[[Path], sqlite3.Connection]


class Damaged(Exception):
    """The file is there, but it is not a database of ours that can be trusted."""


class Key(NamedTuple):
    """What is known of an event without reading its record."""

    number: int  # its place on disk; 0 while it is in memory only
    id: EventId
    severity: int  # its place in SEVERITIES
    terminal: str


class Written(NamedTuple):
    """What came of a transaction."""

    refused: list[Event]  # can never be stored
    settled: list[Interval]  # were not before
    changed: bool  # whether anything was written at all
    pruned: bool  # rows that were settled may be gone


def connect(path: Path) -> sqlite3.Connection:
    """A connection that begins no transaction of itself."""
    return sqlite3.connect(path, timeout=BUSY_S_MAX, isolation_level=None)


def key_of(event: Event) -> Key:
    """The key of an event that is in memory."""
    return Key(0, event.id, SEVERITIES.index(event.severity), event.terminal)


class Database:
    """The one connection to the file. Raises sqlite3.Error, OSError or Damaged; used by one thread.

    What is done to files here goes through `connect` and through `path` and its like: a disk can be played."""

    def __init__(self, path: Path, gateway: str, connect: Connect = connect):
        self._path = path
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._settled_rows = PRUNE_EVERY_ROWS  # prune at the first write
        self._connection = _opened(path, connect)
        try:
            _prepare(self._connection, gateway)
        except BaseException:
            self._connection.close()
            raise

    def close(self) -> None:
        self._connection.close()

    def write(
        self,
        events: Iterable[Event],
        state: Mapping[str, bytes | None],
        settled: Sequence[Interval],
        now_s: int,
    ) -> Written:
        """All of it in one synced transaction.

        `now_s` is wall time. A row that is there already is left as it is.
        """
        rows, refused = _rows(events, now_s)
        before = self._connection.total_changes
        with self._transaction():
            self._connection.executemany(
                "INSERT OR IGNORE INTO event (epoch, sequence, severity, terminal, written_s, crc, record)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                rows,
            )
            for name, value in state.items():
                self._write_state(name, value)
            ids = [one for interval in settled for one in self._settle(interval)]
            pruned = self._settled_rows >= PRUNE_EVERY_ROWS
            if pruned:
                self._prune(now_s)
        return Written(refused, intervals_of(ids), self._connection.total_changes > before, pruned)

    def waiting(self) -> Iterator[Key]:
        """Of all events that wait for a receipt, their ids rising."""
        rows = self._connection.execute(
            "SELECT number, epoch, sequence, severity, terminal FROM event INDEXED BY unsettled WHERE settled = 0"
            " ORDER BY epoch, sequence"
        )
        for row in rows:
            if tuple(map(type, row)) != (int, int, int, int, str) or not 0 <= row[3] < len(SEVERITIES):
                raise Damaged("a key that is not one")
            yield Key(row[0], EventId(row[1], row[2]), row[3], row[4])

    def last_epoch(self) -> int:
        """The highest epoch of the events that wait for a receipt; 0 where none does."""
        (epoch,) = self._connection.execute(
            "SELECT max(epoch) FROM event INDEXED BY unsettled WHERE settled = 0"
        ).fetchone()
        return epoch if isinstance(epoch, int) else 0

    def read(self, keys: Sequence[Key]) -> tuple[list[Event], list[Key]]:
        """The events of `keys` in that order, and the keys of rows that do not decode or are not what they should."""
        events, damaged = [], []
        for key in keys:
            row = self._connection.execute("SELECT crc, record FROM event WHERE number = ?", (key.number,)).fetchone()
            event = _event(*row) if row else None
            if event is not None and event.id == key.id:
                events.append(event)
            else:
                damaged.append(key)
        return events, damaged

    def settled(self) -> list[Interval]:
        """The events that are settled and still here, the newest epochs first; of more than INTERVALS_MAX, these."""
        rows = self._connection.execute(_ISLANDS, (INTERVALS_MAX,)).fetchall()
        return [Interval(*row) for row in rows if all(type(n) is int and 0 <= n <= INT_MAX for n in row)]

    def settled_keys(self, intervals: Sequence[Interval], limit: int) -> list[Key]:
        """Of the settled rows within `intervals` up to `limit`: the last that were written, but in the order of their
        ids. There is no index of them: all rows are looked at."""
        rows = self._connection.execute(
            "SELECT number, epoch, sequence, severity, terminal FROM event NOT INDEXED WHERE settled = 1"
            " ORDER BY number DESC"
        )
        found = []
        for number, epoch, sequence, severity, terminal in rows:
            if any(one.epoch == epoch and one.first <= sequence <= one.last for one in intervals):
                found.append(Key(number, EventId(epoch, sequence), severity, terminal))
                if len(found) == limit:
                    break
        return sorted(found, key=lambda key: key.id)

    def move_damaged(self, keys: Sequence[Key], now_s: int) -> None:
        """Move rows that cannot be read out of the way, into the table `damaged`."""
        run = self._connection.execute
        with self._transaction():
            for key in keys:
                run(
                    "INSERT INTO damaged (noticed_s, record) SELECT ?, record FROM event WHERE number = ?",
                    (now_s, key.number),
                )
                run("DELETE FROM event WHERE number = ?", (key.number,))
            run("DELETE FROM damaged WHERE number <= (SELECT max(number) FROM damaged) - ?", (DAMAGED_ROWS_MAX,))

    def state(self) -> dict[str, bytes]:
        """The core's state as last written; a part that is not what was written is left out."""
        return dict(_state(self._connection.execute(_STATE)))

    def size_bytes(self) -> int:
        """Of the file and its log. Raises Damaged where somebody has removed the file: what is written is lost then."""
        try:
            return sum(path.stat().st_size for path in _files(self._path)[:2])
        except FileNotFoundError as error:
            raise Damaged("the file has been removed") from error

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        run = self._connection.execute
        run("BEGIN IMMEDIATE")
        try:
            yield
            run("COMMIT")
        except BaseException:
            # The connection stays: after a failed sync SQLite writes the same frames again. A new connection would
            # find them in the page cache, take them for safe, and append behind frames that may not be on disk.
            if self._connection.in_transaction:
                run("ROLLBACK")
            raise

    def _write_state(self, name: str, value: bytes | None) -> None:
        if value is None:
            self._connection.execute("DELETE FROM state WHERE name = ?", (name,))
        else:
            self._connection.execute(
                "INSERT INTO state (name, crc, value) VALUES (?, ?, ?) ON CONFLICT (name)"
                " DO UPDATE SET crc = excluded.crc, value = excluded.value WHERE value <> excluded.value",
                (name, _state_crc(name, value), value),
            )

    def _settle(self, interval: Interval) -> list[EventId]:
        if max(interval.epoch, interval.first) > INT_MAX:
            return []  # no event of ours: what SQLite cannot number was never stored
        rows = self._connection.execute(
            "UPDATE event SET settled = 1 WHERE settled = 0 AND epoch = ? AND sequence BETWEEN ? AND ?"
            " RETURNING epoch, sequence",
            (interval.epoch, interval.first, min(interval.last, INT_MAX)),
        ).fetchall()
        self._settled_rows += len(rows)
        return [EventId(*row) for row in rows]

    def _prune(self, now_s: int) -> None:
        self._settled_rows = 0
        run = self._connection.execute
        run("DELETE FROM event WHERE settled = 1 AND written_s < ?", (now_s - SETTLED_S_MAX,))
        run(
            "DELETE FROM event WHERE settled = 1 AND number <= (SELECT max(number) FROM event) - ?", (SETTLED_ROWS_MAX,)
        )
        run(
            "DELETE FROM event WHERE number IN (SELECT number FROM event WHERE settled = 0 AND severity = ?"
            " ORDER BY number DESC LIMIT -1 OFFSET ?)",
            (SEVERITIES.index(TROUBLE), UNSETTLED_TROUBLES_MAX),
        )


def _files(path: Path) -> tuple[Path, Path, Path]:
    """The database at `path` and what SQLite may put beside it."""
    return path, path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")


def set_aside(path: Path, kept: Path) -> None:
    """Rename the database at `path`, with what is beside it, to `kept`; the oldest of those kept before are removed."""
    for old, new in zip(_files(path), _files(kept), strict=True):
        if old.exists():
            old.replace(new)
    before = sorted(
        one for one in path.parent.glob(f"{path.name}.corrupt-*") if one.suffix[-4:] not in ("-wal", "-shm")
    )
    for gone in before[:-ASIDE_MAX]:
        for one in _files(gone):
            one.unlink(missing_ok=True)


def salvage(
    path: Path, gateway: str, connect: Connect = connect
) -> tuple[dict[EventId, Event], dict[str, bytes | None]]:
    """What can still be read of a damaged database: events that wait for a receipt, and the core's state.

    Rows are read from both ends, so that one bad page costs what is on it alone. Never raises for what is in the file.
    Nothing is taken of another gateway's.
    """
    events: dict[EventId, Event] = {}
    state: dict[str, bytes | None] = {}
    if path.exists():
        with contextlib.suppress(sqlite3.Error, ValueError), contextlib.closing(_opened(path, connect)) as connection:
            for order in ("ASC", "DESC"):
                query = f"SELECT crc, record FROM event NOT INDEXED WHERE settled = 0 ORDER BY number {order}"
                found = (_event(*row) for row in _readable(connection, query))
                events.update((event.id, event) for event in found if event is not None and event.gateway == gateway)
            if _owner(connection) in (0, _mark(gateway)):
                state.update(_state(_readable(connection, _STATE)))
    return dict(sorted(events.items())), state


def _readable(connection: sqlite3.Connection, query: str) -> list[tuple[object, ...]]:
    """The rows up to the first that cannot be read."""
    rows: list[tuple[object, ...]] = []
    with contextlib.suppress(sqlite3.Error, ValueError, OverflowError):
        for row in connection.execute(query):
            rows.append(row)
    return rows


def _state(rows: Iterable[Sequence[object]]) -> Iterator[tuple[str, bytes]]:
    for name, crc, value in rows:
        if isinstance(name, str) and isinstance(value, bytes) and _state_crc(name, value) == crc:
            yield name, value


def _state_crc(name: str, value: bytes) -> int:
    return zlib.crc32(value, zlib.crc32(name.encode()))


def _opened(path: Path, connect: Connect) -> sqlite3.Connection:
    connection = connect(path)
    try:
        # In this order: exclusive locking first, so that the log's index lives in memory and not in a file.
        connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        connection.execute("PRAGMA journal_mode = WAL").fetchone()
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
        connection.execute(f"PRAGMA journal_size_limit = {LOG_BYTES_MAX}")
        connection.execute("PRAGMA cache_size = -512")
        connection.execute("PRAGMA temp_store = MEMORY")
    except BaseException:
        connection.close()
        raise
    return connection


def _mark(gateway: str) -> int:
    """What a database of `gateway` has in its header."""
    return zlib.crc32(gateway.encode()) >> 1 or 1  # SQLite's integer there has a sign, and 0 is nobody's


def _owner(connection: sqlite3.Connection) -> int:
    (mark,) = connection.execute("PRAGMA application_id").fetchone()
    return int(mark)


def _prepare(connection: sqlite3.Connection, gateway: str) -> None:
    # What an earlier process left in the log may be in the page cache only, if its sync failed: copied back and synced
    # before anything is appended to it.
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    verdict = connection.execute("PRAGMA integrity_check(1)").fetchone()
    if verdict != ("ok",):
        raise Damaged(str(verdict and verdict[0]))
    if _owner(connection) not in (0, _mark(gateway)):
        # A card from another home: its alarms do not stand here, and the centre would refuse its events for ever, with
        # ours behind them.
        raise Damaged("it is another gateway's")
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if not 0 <= version <= len(MIGRATIONS):
        raise Damaged(f"version {version}, and this program knows up to {len(MIGRATIONS)}")
    for number, script in enumerate(MIGRATIONS[version:], version + 1):
        connection.executescript(f"BEGIN IMMEDIATE; {script}; PRAGMA user_version = {number}; COMMIT;")
    for table in ("event", "state", "damaged"):
        connection.execute(f"SELECT number FROM {table} LIMIT 1").fetchall()
    if not _owner(connection):
        connection.execute(f"PRAGMA application_id = {_mark(gateway)}")


def _rows(events: Iterable[Event], now_s: int) -> tuple[list[tuple[object, ...]], list[Event]]:
    rows: list[tuple[object, ...]] = []
    refused = []
    for event in events:
        try:
            record = event.to_record()
            stored = _event(zlib.crc32(record), record) is not None and max(event.id) <= INT_MAX
        except (ValueError, TypeError, OverflowError):
            stored = False
        if stored:
            key = key_of(event)
            rows.append((*key.id, key.severity, key.terminal, now_s, zlib.crc32(record), record))
        else:
            refused.append(event)  # what could never be read again must not hold up what is beside it
    return rows, refused


def _event(crc: object, record: object) -> Event | None:
    """The event in a row, if it is what was written: flipped bits in an alarm must not be signed and sent."""
    if not isinstance(record, bytes) or zlib.crc32(record) != crc:
        return None
    try:
        decoded = decode(record)
    except RecordError:
        return None
    return decoded.event if isinstance(decoded, Sent) else None
