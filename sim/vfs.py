"""SQLite on a modelled disk: a VFS that hands its operations to sim.disk, and connections that look like sqlite3's.

apsw opens SQLite's VFS to Python and carries a SQLite of its own; its errors are given the product as sqlite3's.
"""

from __future__ import annotations

import contextlib
import errno
import sqlite3
import weakref
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar, cast

import apsw

from sim.disk import Cut, Disk, DiskPath, File

_Result = TypeVar("_Result")

_NAME: Final = "modelled"
_LOCK_NONE: Final = 0  # SQLITE_LOCK_NONE
_AUTOCHECKPOINT: Final = "PRAGMA wal_autocheckpoint ="
_IOERR: Final = {
    "read": apsw.SQLITE_IOERR_READ,
    "write": apsw.SQLITE_IOERR_WRITE,
    "truncate": apsw.SQLITE_IOERR_TRUNCATE,
    "sync": apsw.SQLITE_IOERR_FSYNC,
    "delete": apsw.SQLITE_IOERR_DELETE,
}
# As CPython's Modules/_sqlite/util.c has it; what is not here is a DatabaseError.
_ERRORS: Final[dict[int, type[Exception]]] = {
    apsw.SQLITE_INTERNAL: sqlite3.InternalError,
    apsw.SQLITE_NOTFOUND: sqlite3.InternalError,
    apsw.SQLITE_NOMEM: MemoryError,
    apsw.SQLITE_TOOBIG: sqlite3.DataError,
    apsw.SQLITE_CONSTRAINT: sqlite3.IntegrityError,
    apsw.SQLITE_MISMATCH: sqlite3.IntegrityError,
    apsw.SQLITE_MISUSE: sqlite3.InterfaceError,
    apsw.SQLITE_RANGE: sqlite3.InterfaceError,
    **dict.fromkeys(
        (
            apsw.SQLITE_ERROR,
            apsw.SQLITE_PERM,
            apsw.SQLITE_ABORT,
            apsw.SQLITE_BUSY,
            apsw.SQLITE_LOCKED,
            apsw.SQLITE_READONLY,
            apsw.SQLITE_INTERRUPT,
            apsw.SQLITE_IOERR,
            apsw.SQLITE_FULL,
            apsw.SQLITE_CANTOPEN,
            apsw.SQLITE_PROTOCOL,
            apsw.SQLITE_EMPTY,
            apsw.SQLITE_SCHEMA,
        ),
        sqlite3.OperationalError,
    ),
}


def connect(path: Path) -> sqlite3.Connection:
    """In place of gateway.database.connect, for a path on a modelled disk."""
    return cast(sqlite3.Connection, Connection(cast(DiskPath, path).disk, str(path)))


class Connection:
    """As much of sqlite3.Connection as the product uses, in autocommit mode."""

    def __init__(self, disk: Disk, path: str):
        self._disk = disk
        self._life = disk.life_opened = disk.life
        _vfs.disks[disk.number] = disk
        _seed(disk)
        self._inner = self._call(lambda: apsw.Connection(f"{disk.number}{path}", vfs=_NAME))

    def execute(self, sql: str, values: Sequence[Any] = ()) -> Cursor:
        rows = self._call(self._inner.execute, sql, values)
        if sql.startswith(_AUTOCHECKPOINT):
            self._inner.set_wal_hook(_checkpoint_at(int(sql.rpartition("=")[2])))
        return Cursor(self, rows, self._inner.changes())

    def executemany(self, sql: str, rows: Sequence[Sequence[Any]]) -> Cursor:
        return Cursor(self, self._call(self._inner.executemany, sql, rows), self._inner.changes())

    def executescript(self, sql: str) -> Cursor:
        return self.execute(sql)

    @property
    def total_changes(self) -> int:
        return int(self._inner.total_changes())

    @property
    def in_transaction(self) -> bool:
        return bool(self._inner.in_transaction)

    def close(self) -> None:
        """Fails no more than sqlite3's does; of a dead program it does nothing to the disk."""
        alive = self._life == self._disk.life
        with contextlib.suppress(apsw.Error):
            self._inner.close(True)
        if alive:
            self._disk.living(self._life)

    def _call(self, function: Callable[..., _Result], *values: Any) -> _Result:
        self._disk.living(self._life)
        try:
            result = function(*values)
        except apsw.Error as error:
            self._disk.living(self._life)
            raise _as_sqlite3(error) from error
        self._disk.living(self._life)
        return result


class Cursor:
    """As much of sqlite3.Cursor as the product uses."""

    def __init__(self, connection: Connection, rows: Any, changes: int):
        self.rowcount = changes
        self._call = connection._call
        self._rows = rows

    def __iter__(self) -> Iterator[Any]:
        while (row := self.fetchone()) is not None:
            yield row

    def fetchone(self) -> Any:
        return self._call(next, self._rows, None)

    def fetchall(self) -> list[Any]:
        return self._call(list, self._rows)


def _as_sqlite3(error: apsw.Error) -> Exception:
    code = getattr(error, "extendedresult", None)
    if not isinstance(code, int):
        return sqlite3.ProgrammingError(str(error))
    known = _ERRORS.get(code & 0xFF, sqlite3.DatabaseError)(str(error))
    if isinstance(known, sqlite3.Error):
        known.sqlite_errorcode = code
        known.sqlite_errorname = str(apsw.mapping_extended_result_codes.get(code) or apsw.mapping_result_codes[code])
    return known


def _checkpoint_at(pages: int) -> Callable[[apsw.Connection, str, int], int]:
    """What SQLite itself does on a commit: a checkpoint that fails there does not make the commit fail. An exception
    in its own would reach us all the same, so ours takes its place."""

    def committed(connection: apsw.Connection, name: str, logged: int) -> int:
        if logged >= pages:
            with contextlib.suppress(apsw.Error):
                connection.wal_checkpoint(name)
        return apsw.SQLITE_OK

    return committed


# --- SQLite's side (sqlite.org/c3ref/io_methods.html, sqlite.org/c3ref/vfs.html) ---


class Handle:
    """An open file. Where the power goes in the midst of an operation, and ever after, it answers with nothing: SQLite
    gives up without another word, and the connection then raises Cut. An exception here would not always get out."""

    def __init__(self, disk: Disk, name: str):
        self.file = File()
        self._disk = disk
        self._life = disk.life_opened
        self._name = name

    def _do(self, function: Callable[..., _Result], operation: str, *values: Any) -> _Result | None:
        if self._dead():
            return None
        try:
            return function(self.file, *values)
        except OSError as error:
            raise _as_apsw(error, operation) from error
        except Cut:
            return None

    def _dead(self) -> bool:
        return self._life != self._disk.life

    def xRead(self, amount: int, offset: int) -> bytes:
        return self._do(self._disk.read, "read", amount, offset) or b""

    def xWrite(self, data: bytes, offset: int) -> None:
        self._do(self._disk.write, "write", data, offset)

    def xTruncate(self, size: int) -> None:
        try:
            self._do(self._disk.resize, "truncate", size)
        except apsw.Error:
            if not (size and self._name.endswith("-wal")):  # shortening the log to its limit: SQLite takes no notice
                raise

    def xSync(self, flags: int) -> None:
        self._do(self._disk.sync, "sync")

    def xFileSize(self) -> int:
        return len(self.file.seen)

    def xLock(self, level: int) -> None:
        holder = self.file.holder
        if self._dead() or (isinstance(holder, Handle) and holder is not self and not holder._dead()):
            raise _failed(apsw.BusyError, apsw.SQLITE_BUSY, "database is locked")
        self.file.holder = self

    def xUnlock(self, level: int) -> None:
        if level == _LOCK_NONE and self.file.holder is self:
            self.file.holder = None

    def xCheckReservedLock(self) -> bool:
        return False

    def xClose(self) -> None:
        self.xUnlock(_LOCK_NONE)

    def xSectorSize(self) -> int:
        return 4096

    def xDeviceCharacteristics(self) -> int:
        return apsw.SQLITE_IOCAP_POWERSAFE_OVERWRITE  # as on Unix

    def xFileControl(self, operation: int, pointer: int) -> bool:
        return False


class _Vfs(apsw.VFS):
    """One for all disks: SQLite's name of a file is the number of its disk and its path there."""

    def __init__(self) -> None:
        super().__init__(_NAME, "")
        self.disks: weakref.WeakValueDictionary[int, Disk] = weakref.WeakValueDictionary()
        self.seeding: Disk | None = None

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> Handle:  # type: ignore[override]
        if name is None:  # a temporary file; the product keeps these in memory, and of whose disk it is nobody says
            raise _failed(apsw.CantOpenError, apsw.SQLITE_CANTOPEN, "unable to open database file")
        disk, path = self._found(name.filename() if isinstance(name, apsw.URIFilename) else name)
        handle = Handle(disk, path)
        flags[1] = flags[0]
        if disk.read_only:
            flags[1] &= ~(apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE)
            flags[1] |= apsw.SQLITE_OPEN_READONLY
        try:
            if disk.life == disk.life_opened:
                handle.file = disk.file(path)
        except Cut:
            pass
        except OSError as error:
            raise _failed(apsw.CantOpenError, apsw.SQLITE_CANTOPEN, "unable to open database file") from error
        return handle

    def xAccess(self, name: str, flags: int) -> bool:
        disk, path = self._found(name)
        return path in disk.files and len(disk.files[path].seen) > 0  # an empty log is none, as on Unix

    def xDelete(self, name: str, sync: bool) -> None:
        disk, path = self._found(name)
        try:
            if disk.life == disk.life_opened:
                disk.unlink(path)
        except (Cut, FileNotFoundError):
            pass
        except OSError as error:
            raise _as_apsw(error, "delete") from error

    def xFullPathname(self, name: str) -> str:
        return name

    def xRandomness(self, amount: int) -> bytes:
        return b"" if self.seeding is None else self.seeding.entropy.randbytes(amount)

    def _found(self, name: str) -> tuple[Disk, str]:
        number, _, path = name.partition("/")
        return self.disks[int(number)], f"/{path}"


_vfs: Final = _Vfs()


def _seed(disk: Disk) -> None:
    """SQLite takes its random numbers (a log's salts) from its default VFS, and all of its connections share them."""
    default = apsw.vfs_names()[0]
    _vfs.seeding = disk
    apsw.set_default_vfs(_NAME)
    apsw.randomness(0)  # forget
    apsw.randomness(1)  # ask anew
    apsw.set_default_vfs(default)
    _vfs.seeding = None


def _as_apsw(error: OSError, operation: str) -> apsw.Error:
    """What SQLite's VFS for Unix answers."""
    if error.errno == errno.ENOSPC:
        return _failed(apsw.FullError, apsw.SQLITE_FULL, "database or disk is full")
    return _failed(apsw.IOError, _IOERR[operation], "disk I/O error")


def _failed(kind: type[apsw.Error], code: int, text: str) -> apsw.Error:
    error = kind(text)
    error.extendedresult = code  # type: ignore[attr-defined]  # the stub leaves out what its own documentation names
    return error
