"""What is left of a damaged database: it is set aside, and what can still be read of it is taken."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Final

from gateway.database import STATE, Database, event_of, files, state_of
from gateway.schema import OWNER, Connect, connect, mark, opened
from protocol.record import EventId

ASIDE_MAX: Final = 3  # damaged databases that are kept; a card that rots must not fill itself with them
CHUNK_ROWS: Final = 256  # taken in one transaction: there may be more than fit in memory


def set_aside(path: Path, kept: Path) -> None:
    """Rename the database at `path`, with what is beside it, to `kept`; the oldest of those kept before are removed."""
    for old, new in zip(files(path), files(kept), strict=True):
        if old.exists():
            old.replace(new)
    before = sorted(
        one for one in path.parent.glob(f"{path.name}.corrupt-*") if one.suffix[-4:] not in ("-wal", "-shm")
    )
    for gone in before[:-ASIDE_MAX]:
        for one in files(gone):
            one.unlink(missing_ok=True)


def is_readable(path: Path, connect: Connect = connect) -> bool:
    """Whether the disk can read the database's beginning at least."""
    try:
        with contextlib.closing(opened(path, connect)) as connection:
            connection.execute("SELECT name FROM sqlite_schema").fetchall()
    except (sqlite3.Error, ValueError):  # the latter where SQLite quotes a damaged schema
        return False
    return True


def salvage(path: Path, gateway: str, into: Database, now_s: int, connect: Connect = connect) -> int:
    """Put what can still be read of a damaged database `into` a new one: events that wait for a receipt, and the core's
    state. How many events that were. Raises what `into` raises, and nothing for what is in the file.

    Rows are read from both ends, so that one bad page costs what is on it alone. Nothing is taken of another gateway's.
    """
    if not path.exists():
        return 0
    try:
        connection = opened(path, connect)
    except (sqlite3.Error, ValueError):  # the latter where SQLite quotes a damaged schema
        return 0
    found: set[EventId] = set()
    with contextlib.closing(connection):
        for settled, owing in ((False, "settled = 0"), (True, "settled = 1 AND owed <> 0")):
            for order in ("ASC", "DESC"):
                rows = _readable(
                    connection, f"SELECT crc, record FROM event NOT INDEXED WHERE {owing} ORDER BY number {order}"
                )
                while chunk := list(islice(rows, CHUNK_ROWS)):
                    events = [one for row in chunk if (one := event_of(*row)) is not None and one.gateway == gateway]
                    fresh = {event.id: event for event in events if event.id not in found}
                    if not fresh and events:
                        break  # the other way came as far
                    into.take(fresh.values(), now_s, settled)
                    found.update(fresh)
        if any(owner in (0, mark(gateway)) for (owner,) in _readable(connection, OWNER)):
            into.take_state(dict(state_of(_readable(connection, STATE))))
    return len(found)


def _readable(connection: sqlite3.Connection, query: str) -> Iterator[tuple[object, ...]]:
    """The rows up to the first that cannot be read."""
    with contextlib.suppress(sqlite3.Error, ValueError):  # as above
        yield from connection.execute(query)
