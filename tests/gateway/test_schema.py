"""Migrations: each version's database opens with what is in it, and what fails half-way has not happened."""

from __future__ import annotations

import shutil
import sqlite3
import zlib
from pathlib import Path

import pytest

from gateway import schema
from gateway.database import Database
from gateway.schema import MIGRATIONS, Damaged
from protocol.record import Event, EventId, Interval, Stamp


def event(sequence: int) -> Event:
    name = EventId(7, sequence)
    time = Stamp(1_800_000_000_000, 1, 2**62, "synchronised")
    return Event("gw-1", name, name, "smoke", "raised", "life", "held", "smoke-1", "kitchen", time)


def written_by(version: int, path: Path) -> None:
    """A database as the program of that version left it: three events, of which the second has its receipt."""
    connection = sqlite3.connect(path)
    for number, script in enumerate(sorted(MIGRATIONS.glob("*.sql"))[:version], 1):
        connection.executescript(script.read_text() + f"; PRAGMA user_version = {number};")
    for sequence in (1, 2, 3):
        record = event(sequence).to_record()
        connection.execute(
            "INSERT INTO event (epoch, sequence, severity, terminal, written_s, settled, crc, record)"
            " VALUES (7, ?, 0, 'smoke-1', 1800000000, ?, ?, ?)",
            (sequence, sequence == 2, zlib.crc32(record), record),
        )
    connection.execute(
        "INSERT INTO state (name, crc, value) VALUES ('a', ?, ?)", (zlib.crc32(b"one", zlib.crc32(b"a")), b"one")
    )
    connection.commit()
    connection.close()


def version_of(path: Path) -> int:
    connection = sqlite3.connect(path)
    try:
        return int(connection.execute("PRAGMA user_version").fetchone()[0])
    finally:
        connection.close()


def test_migrations_are_numbered_from_one_without_a_gap() -> None:
    names = [path.name for path in sorted(MIGRATIONS.glob("*.sql"))]
    assert [int(name[:4]) for name in names] == list(range(1, len(names) + 1))
    assert all(name[4] == "_" for name in names)


@pytest.mark.parametrize("version", range(1, len(list(MIGRATIONS.glob("*.sql"))) + 1))
def test_a_database_of_each_version_opens_and_keeps_what_is_in_it(tmp_path: Path, version: int) -> None:
    path = tmp_path / "outbox.db"
    written_by(version, path)
    database = Database(path, "gw-1")
    keys = list(database.waiting())
    assert database.read(keys) == ([event(1), event(3)], [])
    assert database.state() == {"a": b"one"}
    database.write([event(4)], {}, [Interval(7, 1, 1)], 1_800_000_000)
    assert [key.id.sequence for key in database.waiting()] == [3, 4]
    database.close()
    assert version_of(path) == len(list(MIGRATIONS.glob("*.sql")))


def test_a_migration_that_fails_half_way_leaves_the_version_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "outbox.db"
    Database(path, "gw-1").close()
    before = version_of(path)
    scripts = shutil.copytree(MIGRATIONS, tmp_path / "migrations")
    (scripts / "9998_good.sql").write_text("CREATE TABLE good (a);")
    (scripts / "9999_bad.sql").write_text("CREATE TABLE half (a); INSERT INTO none VALUES (1);")
    monkeypatch.setattr(schema, "MIGRATIONS", scripts)
    with pytest.raises(sqlite3.OperationalError, match="no such table: none"):
        Database(path, "gw-1")
    assert version_of(path) == before + 1
    connection = sqlite3.connect(path)
    names = {row[0] for row in connection.execute("SELECT name FROM sqlite_schema")}
    connection.close()
    assert "good" in names
    assert "half" not in names


def test_a_database_of_a_later_version_is_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    Database(path, "gw-1").close()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 999")
    connection.close()
    with pytest.raises(Damaged, match="version 999"):
        Database(path, "gw-1")
    assert version_of(path) == 999
