"""A connection to the outbox's database: how SQLite is set, what is checked first, and the schema's migrations."""

from __future__ import annotations

import contextlib
import sqlite3
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

# Small pages, because each commit writes whole pages to the log and again at the checkpoint; 1024 holds three events.
PAGE_BYTES: Final = 1024
LOG_BYTES_MAX: Final = 1 << 20  # the log keeps its length below this: overwriting in place spares the file system's own
LOG_PAGES_MAX: Final = 768  # a commit that makes the log so long copies it back itself; else that is done between them
BUSY_S_MAX: Final = 0.2  # another process has the file: fail, keep events in memory, and try again

# NNNN_what.sql, numbered from 1. One that has been released is never changed: a new one follows it.
MIGRATIONS: Final = Path(__file__).parent / "migrations"

OWNER: Final = "PRAGMA application_id"

Connect = Callable[[Path], sqlite3.Connection]


class Damaged(Exception):
    """The file is there, but it is not a database of ours that can be trusted."""


def connect(path: Path) -> sqlite3.Connection:
    """A connection that begins no transaction of itself."""
    return sqlite3.connect(path, timeout=BUSY_S_MAX, isolation_level=None)


def opened(path: Path, connect: Connect) -> sqlite3.Connection:
    """A connection that is set as ours are; what is in the file has not been looked at. Raises sqlite3.Error."""
    connection = connect(path)
    try:
        # In this order: exclusive locking first, so that the log's index lives in memory and not in a file.
        connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        connection.execute("PRAGMA journal_mode = WAL").fetchone()
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA wal_autocheckpoint = {LOG_PAGES_MAX}")
        connection.execute(f"PRAGMA journal_size_limit = {LOG_BYTES_MAX}")
        connection.execute("PRAGMA cache_size = -512")
        connection.execute("PRAGMA temp_store = MEMORY")
    except BaseException:
        connection.close()
        raise
    return connection


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Begun at once, committed at the end, rolled back where that fails."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        # The connection stays: after a failed sync SQLite writes the same frames again. A new connection would find
        # them in the page cache, take them for safe, and append behind frames that may not be on disk.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def prepare(connection: sqlite3.Connection, gateway: str) -> None:
    """Check that it is whole and of `gateway`, and bring it to this program's version. Raises sqlite3.Error, Damaged.

    The check reads all of it: what is damaged is found now, and not when an alarm is to be written.
    """
    # What an earlier process left in the log may be in the page cache only, if its sync failed: copied back and synced
    # before anything is appended to it.
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    verdict = connection.execute("PRAGMA integrity_check(1)").fetchone()
    if verdict != ("ok",):
        raise Damaged(str(verdict and verdict[0]))
    if owner(connection) not in (0, mark(gateway)):
        # A card from another home: its alarms do not stand here, and the centre would refuse its events for ever, with
        # ours behind them.
        raise Damaged("it is another gateway's")
    _migrate(connection)
    for table in ("event", "state", "damaged"):
        connection.execute(f"SELECT number FROM {table} LIMIT 1").fetchall()
    if not owner(connection):
        connection.execute(f"PRAGMA application_id = {mark(gateway)}")


def mark(gateway: str) -> int:
    """What a database of `gateway` has in its header."""
    return zlib.crc32(gateway.encode()) >> 1 or 1  # SQLite's integer there has a sign, and 0 is nobody's


def owner(connection: sqlite3.Connection) -> int:
    """The mark in its header; 0: nobody's yet."""
    (found,) = connection.execute(OWNER).fetchone()
    return int(found)


def _migrate(connection: sqlite3.Connection) -> None:
    scripts = sorted(MIGRATIONS.glob("*.sql"))
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if not 0 <= version <= len(scripts):
        raise Damaged(f"version {version}, and this program knows up to {len(scripts)}")
    for number, script in enumerate(scripts[version:], version + 1):
        text = script.read_text(encoding="utf-8")
        connection.executescript(f"BEGIN IMMEDIATE; {text}; PRAGMA user_version = {number}; COMMIT;")
