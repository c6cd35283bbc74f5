"""What an error of the store means: a failure that may heal, a full disk, or damage; and what a person can do."""

from __future__ import annotations

import errno
import sqlite3
from pathlib import Path
from typing import Final

from gateway.schema import Damaged

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
_NO_ROOM: Final = frozenset((errno.ENOSPC, errno.EDQUOT))
_FULL_ADVICE: Final = "the disk is full; make room"
_ADVICE: Final = {
    sqlite3.SQLITE_BUSY: "another process has it open; stop that one",
    sqlite3.SQLITE_READONLY: "it cannot be written; remount the disk or check the card's switch and the owner",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened; check that the folder exists and belongs to this user",
    sqlite3.SQLITE_IOERR: "the disk fails; replace the card",
}


def is_damage(error: Exception) -> bool:
    """What is in the file is at fault, and trying again is of no use."""
    if isinstance(error, sqlite3.Error):
        return _code(error) not in _TRANSIENT
    return isinstance(error, Damaged | UnicodeDecodeError)  # the latter where SQLite quotes a damaged schema


def is_unreadable(error: Exception) -> bool:
    """The disk cannot read what is in the file: for a moment, or for ever."""
    return getattr(error, "sqlite_errorcode", None) in _UNREADABLE


def is_full(error: Exception) -> bool:
    """The disk, or what this user may have of it, is full."""
    if isinstance(error, OSError):
        return error.errno in _NO_ROOM
    return _code(error) == sqlite3.SQLITE_FULL


def told(path: Path, error: Exception) -> str:
    """What a person is told of it."""
    advice = _FULL_ADVICE if is_full(error) else _ADVICE.get(_code(error))
    return f"{path}: {error}" + (f": {advice}" if advice else "")


def _code(error: Exception) -> int:
    """SQLite's primary result code; 0 where the error has none, for it is not SQLite's own."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF
