"""What is left of a damaged database, and what is not."""

from __future__ import annotations

import contextlib
import sqlite3
import zlib
from pathlib import Path

import pytest

from gateway.database import Database
from gateway.salvage import salvage


@pytest.fixture
def into(tmp_path: Path) -> Database:
    return Database(tmp_path / "outbox.db", "gw-1")


@pytest.mark.parametrize("content", [None, b"", b"not a database at all, " * 100], ids=repr)
def test_where_there_is_nothing_nothing_is_taken(tmp_path: Path, into: Database, content: bytes | None) -> None:
    path = tmp_path / "outbox.db.corrupt-1"
    if content is not None:
        path.write_bytes(content)
    assert salvage(path, "gw-1", into, 0) == 0
    assert list(into.waiting()) == []


def test_a_part_of_the_schema_that_is_not_even_text_costs_that_part(tmp_path: Path, into: Database) -> None:
    path = tmp_path / "outbox.db.corrupt-1"
    with contextlib.closing(sqlite3.connect(path)) as made, made:
        made.execute("CREATE VIEW event AS SELECT crc, record, settled, owed, number FROM quite_lost")
        made.execute("CREATE TABLE state (number INTEGER PRIMARY KEY, name, crc, value)")
        made.execute("INSERT INTO state VALUES (1, 'a', ?, x'31')", (zlib.crc32(b"1", zlib.crc32(b"a")),))
    path.write_bytes(path.read_bytes().replace(b"quite_lost", b"quite_los\xff"))
    assert salvage(path, "gw-1", into, 0) == 0
    assert into.state() == {"a": b"1"}
