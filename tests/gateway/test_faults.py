"""Errors as the system and SQLite raise them: which is damage, which a full disk, and what a person is told to do."""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
from pathlib import Path

import pytest

from gateway.faults import is_damage, is_full, told


def of_sqlite(*statements: str) -> sqlite3.Error:
    """What the last of these raises."""
    *before, last = statements
    with contextlib.closing(sqlite3.connect(":memory:")) as connection:
        for statement in before:
            connection.execute(statement)
        with pytest.raises(sqlite3.Error) as raised:
            connection.execute(last).fetchall()
    return raised.value


def test_text_that_is_none_is_damage_though_sqlite_itself_says_nothing_of_it() -> None:
    error = of_sqlite("SELECT CAST(x'ff' AS TEXT)")
    assert not hasattr(error, "sqlite_errorcode")
    assert is_damage(error)
    assert not is_full(error)
    assert told(Path("outbox.db"), error) == f"outbox.db: {error}"


def full_in_sqlite() -> Exception:
    return of_sqlite("PRAGMA max_page_count = 1", "CREATE TABLE a (b)")


def failing(number: int) -> Exception:
    return OSError(number, os.strerror(number))


@pytest.mark.parametrize("error", [full_in_sqlite(), failing(errno.ENOSPC), failing(errno.EDQUOT)], ids=repr)
def test_a_full_disk_is_no_damage_and_needs_room(error: Exception) -> None:
    assert is_full(error)
    assert not is_damage(error)
    assert told(Path("outbox.db"), error).endswith(": the disk is full; make room")


def test_another_failure_of_the_disk_is_told_as_it_is() -> None:
    error = failing(errno.EIO)
    assert not is_full(error)
    assert not is_damage(error)
    assert told(Path("outbox.db"), error) == f"outbox.db: {error}"
