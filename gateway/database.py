"""The outbox on disk: one SQLite file and its transactions."""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from gateway.inventory import INTERVALS_MAX, intervals_of
from gateway.pruning import DAMAGED_ROWS_MAX, Pruning
from gateway.schema import Connect, Damaged, connect, opened, prepare, transaction
from protocol.record import INT_MAX, Event, EventId, Interval, RecordError, Sent, decode
from protocol.words import SEVERITIES

CHECKPOINT_PAGES: Final = 256  # the log is copied back at 256 kB, so that hot pages are copied once for many commits
TRANSACTION_PAGES: Final = 2  # that it writes beside one for each row, which is never too little

STATE: Final = "SELECT name, crc, value FROM state NOT INDEXED"
CENTRES_MAX: Final = 32  # beside the first, a bit each

# Gaps and islands: within a run of sequences, sequence less rank is the same.
_ISLANDS: Final = """
    SELECT epoch, min(sequence), max(sequence) FROM (
        SELECT epoch, sequence, sequence - dense_rank() OVER (PARTITION BY epoch ORDER BY sequence) AS island
        FROM event NOT INDEXED WHERE settled = 1
    ) GROUP BY epoch, island ORDER BY epoch DESC, min(sequence) DESC LIMIT ?
"""
_INSERT: Final = (
    "INSERT OR IGNORE INTO event (epoch, sequence, severity, terminal, written_s, settled, crc, record, owed)"
    " VALUES (?, ?, ?, ?, ?, {settled}, ?, ?, ?)"
)


class Key(NamedTuple):
    """What is known of an event without reading its record."""

    number: int  # its place on disk; 0 while it is in memory only
    id: EventId
    severity: int  # its place in SEVERITIES
    terminal: str


def key_of(event: Event) -> Key:
    """The key of an event that is in memory."""
    return Key(0, event.id, SEVERITIES.index(event.severity), event.terminal)


class Written(NamedTuple):
    """What came of a transaction."""

    refused: list[Event]  # can never be stored
    settled: list[Interval]  # were not before
    changed: bool  # whether anything was written at all


class Tidied(NamedTuple):
    """What a step of tidying came to."""

    more: bool = False  # there is more to do
    pruned: int = 0  # receipted events that are gone
    evicted: int = 0  # events that waited for a receipt and are given up


class Database:
    """The one connection to the file. Raises sqlite3.Error, OSError or Damaged; used by one thread.

    What is done to files here goes through `connect` and through `path` and its like: a disk can be played."""

    def __init__(self, path: Path, gateway: str, connect: Connect = connect, others: Sequence[bytes] = ()):
        """`others` are the keys of centres beside the first; the first has number 0, these are numbered from 1."""
        self._files = files(path)[:2]
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._connection = opened(path, connect)
        self._pruning = Pruning(self._connection)
        self._logged_pages = 0  # about; since the log was last copied back
        try:
            prepare(self._connection, gateway)
            self._bits = _bits(self._connection, others)
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
        received: Sequence[tuple[int, Interval]] = (),
    ) -> Written:
        """All of it in one synced transaction.

        `now_s` is wall time; `received` is what other centres have, by their number. A row that is there already is
        left as it is.
        """
        rows, refused = _rows(events, now_s, sum(self._bits))
        before = self._connection.total_changes
        with transaction(self._connection):
            self._connection.executemany(_INSERT.format(settled=0), rows)
            for name, value in state.items():
                self._write_state(name, value)
            ids = [one for interval in settled for one in self._settle(interval)]
            for centre, interval in received:
                self._receive(self._bits[centre - 1], interval)
        rows_changed = self._connection.total_changes - before
        self._count(rows_changed)
        return Written(refused, intervals_of(ids), rows_changed > 0)

    def take(self, events: Iterable[Event], now_s: int, settled: bool) -> None:
        """What another database held, in one synced transaction; what is here already is left as it is. `settled`: the
        first centre has these events, and others may lack them."""
        rows, _ = _rows(events, now_s, sum(self._bits))
        with transaction(self._connection):
            self._connection.executemany(_INSERT.format(settled=int(settled)), rows)

    def take_state(self, state: Mapping[str, bytes]) -> None:
        """As `take`, of the core's state."""
        with transaction(self._connection):
            self._connection.executemany(
                "INSERT OR IGNORE INTO state (name, crc, value) VALUES (?, ?, ?)",
                [(name, _state_crc(name, value), value) for name, value in state.items()],
            )

    def tidy(self, now_s: int) -> Tidied:
        """One step of what keeps it small, which writes and reads so little that a commit can wait for it.

        Copies the log back if it is long, or else deletes a slice of what need not be kept any more.
        """
        if self._logged_pages >= CHECKPOINT_PAGES:
            self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            self._logged_pages = 0
            return Tidied(self._pruning.due(now_s))
        pruned = evicted = 0
        if self._pruning.due(now_s):
            before = self._connection.total_changes
            pruned, evicted = self._pruning.step(now_s)
            self._logged_pages += self._connection.total_changes - before
        return Tidied(self._pruning.due(now_s) or self._logged_pages >= CHECKPOINT_PAGES, pruned, evicted)

    def waiting(self, centre: int = 0) -> Iterator[Key]:
        """Of all events that wait for a receipt of this centre, their ids rising."""
        waits = f"owed WHERE owed <> 0 AND owed & {self._bits[centre - 1]}" if centre else "unsettled WHERE settled = 0"
        rows = self._connection.execute(
            f"SELECT number, epoch, sequence, severity, terminal FROM event INDEXED BY {waits} ORDER BY epoch, sequence"
        )
        for row in rows:
            if tuple(map(type, row)) != (int, int, int, int, str) or not 0 <= row[3] < len(SEVERITIES):
                raise Damaged("a key that is not one")
            yield Key(row[0], EventId(row[1], row[2]), row[3], row[4])

    def last_epoch(self) -> int:
        """The highest epoch of the events that wait for a receipt of any centre; 0 where none does."""
        found = [
            self._connection.execute(f"SELECT max(epoch) FROM event INDEXED BY {waits}").fetchone()[0]
            for waits in ("unsettled WHERE settled = 0", "owed WHERE owed <> 0")
        ]
        return max((epoch for epoch in found if isinstance(epoch, int)), default=0)

    def read(self, keys: Sequence[Key]) -> tuple[list[Event], list[Key]]:
        """The events of `keys` in that order, and the keys of rows that do not decode or are not what they should."""
        events, damaged = [], []
        for key in keys:
            row = self._connection.execute("SELECT crc, record FROM event WHERE number = ?", (key.number,)).fetchone()
            event = event_of(*row) if row else None
            if event is not None and event.id == key.id:
                events.append(event)
            else:
                damaged.append(key)
        return events, damaged

    def settled(self) -> list[Interval]:
        """The events that are settled and still here, the newest epochs first; of more than INTERVALS_MAX, these."""
        rows = self._connection.execute(_ISLANDS, (INTERVALS_MAX,)).fetchall()
        return [Interval(*row) for row in rows if all(type(n) is int and 0 <= n <= INT_MAX for n in row)]

    def settled_keys(self, intervals: Sequence[Interval], limit: int, centre: int) -> list[Key]:
        """Of the settled rows within `intervals` up to `limit`, without what waits for a receipt of this centre: the
        last that were written, but in the order of their ids. There is no index of them: all rows are looked at."""
        rows = self._connection.execute(
            "SELECT number, epoch, sequence, severity, terminal FROM event NOT INDEXED WHERE settled = 1"
            " AND owed & ? = 0 ORDER BY number DESC",
            (self._bits[centre - 1] if centre else 0,),
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
        with transaction(self._connection):
            for key in keys:
                run(
                    "INSERT INTO damaged (noticed_s, record) SELECT ?, record FROM event WHERE number = ?",
                    (now_s, key.number),
                )
                run("DELETE FROM event WHERE number = ?", (key.number,))
            run("DELETE FROM damaged WHERE number <= (SELECT max(number) FROM damaged) - ?", (DAMAGED_ROWS_MAX,))

    def state(self) -> dict[str, bytes]:
        """The core's state as last written; a part that is not what was written is left out."""
        return dict(state_of(self._connection.execute(STATE)))

    def size_bytes(self) -> int:
        """Of the file and its log. Raises Damaged where somebody has removed the file: what is written is lost then."""
        try:
            return sum(path.stat().st_size for path in self._files)
        except FileNotFoundError as error:
            raise Damaged("the file has been removed") from error

    def _count(self, rows_changed: int) -> None:
        self._pruning.changed(rows_changed)
        self._logged_pages += rows_changed and rows_changed + TRANSACTION_PAGES

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
        return [EventId(*row) for row in rows]

    def _receive(self, bit: int, interval: Interval) -> None:
        if max(interval.epoch, interval.first) <= INT_MAX:
            self._connection.execute(
                "UPDATE event SET owed = owed & ~? WHERE owed <> 0 AND epoch = ? AND sequence BETWEEN ? AND ?",
                (bit, interval.epoch, interval.first, min(interval.last, INT_MAX)),
            )


def _bits(connection: sqlite3.Connection, others: Sequence[bytes]) -> tuple[int, ...]:
    """The bit of each of these centres. What is owed to any that is not among them any more is given up; to one that
    is new, only what happens from now on is owed."""
    known = {bytes(key): bit for bit, key in connection.execute("SELECT bit, key FROM centre")}
    if known.keys() != set(others):
        with transaction(connection):
            for gone in known.keys() - set(others):
                bit = known.pop(gone)
                connection.execute("UPDATE event SET owed = owed & ~? WHERE owed <> 0", (bit,))
                connection.execute("DELETE FROM centre WHERE bit = ?", (bit,))
            free = iter(sorted({1 << n for n in range(CENTRES_MAX)} - set(known.values())))
            for key in others:
                if key not in known:
                    known[key] = next(free)
                    connection.execute("INSERT INTO centre (bit, key) VALUES (?, ?)", (known[key], key))
    return tuple(known[key] for key in others)


def files(path: Path) -> tuple[Path, Path, Path]:
    """The database at `path` and what SQLite may put beside it."""
    return path, path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")


def state_of(rows: Iterable[Sequence[object]]) -> Iterator[tuple[str, bytes]]:
    for name, crc, value in rows:
        if isinstance(name, str) and isinstance(value, bytes) and _state_crc(name, value) == crc:
            yield name, value


def _state_crc(name: str, value: bytes) -> int:
    return zlib.crc32(value, zlib.crc32(name.encode()))


def _rows(events: Iterable[Event], now_s: int, owed: int) -> tuple[list[tuple[object, ...]], list[Event]]:
    rows: list[tuple[object, ...]] = []
    refused = []
    for event in events:
        try:
            record = event.to_record()
            stored = event_of(zlib.crc32(record), record) is not None and max(event.id) <= INT_MAX
        except (ValueError, TypeError, OverflowError):
            stored = False
        if stored:
            key = key_of(event)
            rows.append((*key.id, key.severity, key.terminal, now_s, zlib.crc32(record), record, owed))
        else:
            refused.append(event)  # what could never be read again must not hold up what is beside it
    return rows, refused


def event_of(crc: object, record: object) -> Event | None:
    """The event in a row, if it is what was written: flipped bits in an alarm must not be signed and sent."""
    if not isinstance(record, bytes) or zlib.crc32(record) != crc:
        return None
    try:
        decoded = decode(record)
    except RecordError:
        return None
    return decoded.event if isinstance(decoded, Sent) else None
