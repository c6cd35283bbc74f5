"""The modelled disk: what a cut leaves, what fails and heals, and paths that the product takes for real ones."""

from __future__ import annotations

import errno
import random
import sqlite3
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.database import Database
from gateway.salvage import set_aside
from sim.disk import SECTOR_BYTES, Cut, Disk
from sim.vfs import connect

changes = st.lists(
    st.tuples(st.integers(0, 3000), st.binary(min_size=1, max_size=1500)) | st.integers(0, 3000) | st.just("sync"),
    max_size=20,
)


def disk(seed: int = 1) -> Disk:
    return Disk(random.Random(seed))


def opened(one: Disk, name: str = "/data/outbox.db") -> sqlite3.Connection:
    connection = connect(one.path(name))
    for pragma in ("page_size = 1024", "locking_mode = EXCLUSIVE", "journal_mode = WAL", "synchronous = FULL"):
        connection.execute(f"PRAGMA {pragma}").fetchall()
    return connection


def fill(one: Disk, connections: list[sqlite3.Connection]) -> None:
    """Until the power goes."""
    connections.append(opened(one))
    connections[0].execute("CREATE TABLE IF NOT EXISTS t (a)")
    while True:
        connections[0].execute("INSERT INTO t VALUES (7)")


def applied(data: bytearray, change: tuple[int, bytes] | int) -> None:
    size = change if isinstance(change, int) else max(len(data), change[0] + len(change[1]))
    del data[size:]
    data.extend(bytes(size - len(data)))
    if not isinstance(change, int):
        data[change[0] : change[0] + len(change[1])] = change[1]


# --- what a cut leaves ---


@given(changes)
def test_a_cut_takes_all_that_was_not_synced_or_leaves_all_of_it(script: list[tuple[int, bytes] | int | str]) -> None:
    for share in (0.0, 1.0):
        one, seen, platter = disk(), bytearray(), b""
        file = one.file("/a")
        for change in script:
            if isinstance(change, str):
                one.sync(file)
                platter = bytes(seen)
                continue
            applied(seen, change)
            if isinstance(change, int):
                one.resize(file, change)
            else:
                one.write(file, change[1], change[0])
        assert one.read(file, 10_000, 0) == seen
        one.cut(share)
        assert one.path("/a").read_bytes() == (platter if share == 0.0 else seen)


@given(changes, st.integers(0, 2**32))
def test_a_cut_never_touches_what_was_synced_and_not_written_since(
    script: list[tuple[int, bytes] | int | str], seed: int
) -> None:
    one = disk(seed)
    file = one.file("/a")
    one.write(file, b"s" * 8000, 0)
    one.sync(file)
    written = [change for change in script if isinstance(change, tuple)]
    for offset, data in written:
        one.write(file, data, offset)
    one.cut(0.5)
    found = one.path("/a").read_bytes()
    assert len(found) == 8000
    assert all(
        found[at] == ord("s") or any(offset <= at < offset + len(data) for offset, data in written)
        for at in range(len(found))
    )


def test_a_write_is_torn_between_sectors_and_not_within_them() -> None:
    kinds = set()
    for seed in range(50):
        one = disk(seed)
        file = one.file("/a")
        one.write(file, bytes(4 * SECTOR_BYTES), 0)
        one.sync(file)
        one.write(file, b"n" * 4 * SECTOR_BYTES, 0)
        one.cut(0.5)
        data = one.path("/a").read_bytes()
        sectors = [data[at : at + SECTOR_BYTES] for at in range(0, len(data), SECTOR_BYTES)]
        assert all(sector in (bytes(SECTOR_BYTES), b"n" * SECTOR_BYTES) for sector in sectors)
        kinds.add(tuple(sector[0] for sector in sectors))
    assert len(kinds) > 8


def test_the_power_goes_in_the_midst_of_the_operation_after_so_many() -> None:
    one = disk()
    file = one.file("/a")
    one.cut_after = 2
    one.write(file, b"1", 0)
    one.sync(file)
    with pytest.raises(Cut):
        one.write(file, b"2", 1)
    assert (one.cuts, one.cut_after) == (1, None)
    assert one.path("/a").read_bytes() in (b"1", b"12")


@pytest.mark.parametrize("operations", range(40))
def test_a_program_on_a_disk_without_power_is_at_its_end_wherever_that_is(operations: int) -> None:
    one = disk(operations)
    one.cut_after = operations
    connections: list[sqlite3.Connection] = []
    with pytest.raises(Cut):
        fill(one, connections)
    left = {name: bytes(file.seen) for name, file in one.files.items()}
    for connection in connections:
        for _ in range(2):
            with pytest.raises(Cut):
                connection.execute("INSERT INTO t VALUES (-1)")
        connection.close()
    assert {name: bytes(file.seen) for name, file in one.files.items()} == left
    again = opened(one)
    assert again.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_a_killed_program_leaves_what_it_wrote_and_touches_nothing_more() -> None:
    one = disk()
    first = opened(one)
    first.execute("CREATE TABLE t (a)")
    first.execute("INSERT INTO t VALUES (7)")
    one.kill()
    second = opened(one)
    assert second.execute("SELECT a FROM t").fetchall() == [(7,)]
    left = {name: bytes(file.seen) for name, file in one.files.items()}
    first.close()
    assert {name: bytes(file.seen) for name, file in one.files.items()} == left
    with pytest.raises(Cut):
        first.execute("SELECT a FROM t")


def test_the_same_calls_leave_the_same_bytes() -> None:
    def bytes_left() -> list[bytes]:
        one = disk(5)
        for _ in range(3):
            one.cut_after = 30
            with pytest.raises(Cut):
                fill(one, [])
        return [bytes(file.seen) for file in one.files.values()]

    assert bytes_left() == bytes_left()


# --- what fails, and heals ---


def test_two_programs_cannot_have_one_database() -> None:
    one = disk()
    opened(one).execute("CREATE TABLE t (a)")
    first = opened(one)
    first.execute("INSERT INTO t VALUES (1)")
    with pytest.raises(sqlite3.OperationalError, match="locked") as found:
        opened(one)
    assert found.value.sqlite_errorcode == sqlite3.SQLITE_BUSY
    first.close()
    assert opened(one).execute("SELECT a FROM t").fetchall() == [(1,)]


@pytest.mark.parametrize(
    ("operation", "code"),
    [("write", sqlite3.SQLITE_IOERR_WRITE), ("sync", sqlite3.SQLITE_IOERR_FSYNC)],
)
def test_a_failing_disk_fails_a_commit_as_the_standard_library_would_tell_it(operation: str, code: int) -> None:
    one = disk()
    connection = opened(one)
    connection.execute("CREATE TABLE t (a)")
    one.failing = frozenset({operation})
    with pytest.raises(sqlite3.OperationalError, match="disk I/O error") as found:
        connection.execute("INSERT INTO t VALUES (1)")
    assert found.value.sqlite_errorcode == code
    one.failing = frozenset()
    connection.execute("INSERT INTO t VALUES (2)")
    assert connection.execute("SELECT a FROM t").fetchall() == [(2,)]


def test_a_disk_that_cannot_be_read_says_so() -> None:
    one = disk()
    connection = opened(one)
    connection.execute("CREATE TABLE t (a)")
    connection.executemany("INSERT INTO t VALUES (?)", [(bytes(900),)] * 50)
    connection.close()
    connection = opened(one)
    one.failing = frozenset({"read"})
    with pytest.raises(sqlite3.OperationalError) as found:
        connection.execute("SELECT a FROM t").fetchall()
    assert found.value.sqlite_errorcode == sqlite3.SQLITE_IOERR_READ


def test_a_full_disk_and_one_with_room_again() -> None:
    one = disk()
    connection = opened(one)
    connection.execute("CREATE TABLE t (a)")
    one.room_bytes = sum(len(file.seen) for file in one.files.values()) + 3000
    with pytest.raises(sqlite3.OperationalError, match="full") as found:
        connection.execute("INSERT INTO t VALUES (?)", (bytes(5000),))
    assert found.value.sqlite_errorcode == sqlite3.SQLITE_FULL
    one.room_bytes = None
    connection.execute("INSERT INTO t VALUES (?)", (bytes(5000),))


def test_what_is_removed_makes_room() -> None:
    one = disk()
    one.room_bytes = 1000
    one.path("/a").write_bytes(bytes(900))
    with pytest.raises(OSError, match="No space") as found:
        one.path("/b").write_bytes(bytes(200))
    assert found.value.errno == errno.ENOSPC
    one.path("/a").unlink()
    one.path("/b").write_bytes(bytes(1000))


def test_a_disk_that_becomes_read_only_is_read_and_not_written() -> None:
    one = disk()
    connection = opened(one)
    connection.execute("CREATE TABLE t (a)")
    connection.execute("INSERT INTO t VALUES (1)")
    one.read_only = True
    with pytest.raises(sqlite3.OperationalError):
        connection.execute("INSERT INTO t VALUES (2)")
    one.kill()
    connection = opened(one)
    assert connection.execute("SELECT a FROM t").fetchall() == [(1,)]
    with pytest.raises(sqlite3.OperationalError) as found:
        connection.execute("INSERT INTO t VALUES (2)")
    assert (found.value.sqlite_errorcode or 0) & 0xFF == sqlite3.SQLITE_READONLY
    with pytest.raises(OSError, match="Read-only"):
        one.path("/other").write_bytes(b"")
    with pytest.raises(sqlite3.OperationalError) as found:
        opened(one, "/data/none.db")
    assert found.value.sqlite_errorcode == sqlite3.SQLITE_CANTOPEN


def test_a_checkpoint_that_fails_does_not_fail_the_commit_before_it() -> None:
    one = disk()
    connection = opened(one)
    connection.execute("PRAGMA wal_autocheckpoint = 10")
    connection.execute("CREATE TABLE t (a)")
    size = one.path("/data/outbox.db").stat().st_size
    database = one.files["/data/outbox.db"]
    genuine = one.write

    def write(file: object, data: bytes, offset: int) -> None:
        if file is database:
            raise OSError(errno.EIO, "only the database fails, and not its log")
        genuine(file, data, offset)  # type: ignore[arg-type]

    one.write = write  # type: ignore[assignment,method-assign]
    for n in range(40):
        connection.execute("INSERT INTO t VALUES (?)", (bytes([n]) * 500,))
    assert one.path("/data/outbox.db").stat().st_size == size
    one.write = genuine  # type: ignore[method-assign]
    connection.execute("INSERT INTO t VALUES (1)")
    assert one.path("/data/outbox.db").stat().st_size > size
    assert connection.execute("SELECT count(*) FROM t").fetchone() == (41,)


def test_rot_is_found_by_the_product_as_damage() -> None:
    one = disk()
    path = one.path("/data/outbox.db")
    Database(path, "gw-1", connect).close()
    one.rot(path, 400)
    with pytest.raises(Exception) as found:  # noqa: PT011 - which of them depends on what was hit
        Database(path, "gw-1", connect)
    assert isinstance(found.value, sqlite3.DatabaseError) or type(found.value).__name__ == "Damaged"


def test_what_is_written_and_synced_is_counted() -> None:
    one = disk()
    connection = opened(one)
    connection.execute("CREATE TABLE t (a)")
    before = (one.bytes_written, one.syncs)
    connection.execute("INSERT INTO t VALUES (1)")
    assert one.bytes_written - before[0] == 24 + 1024  # one frame of the log
    assert one.syncs - before[1] == 1


# --- paths ---


def test_a_path_is_as_pathlibs_where_the_outbox_uses_it(tmp_path: Path) -> None:
    one = disk()
    for path in (one.path("/data/outbox.db"), tmp_path / "data" / "outbox.db"):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        assert not path.exists()
        with pytest.raises(FileNotFoundError):
            path.stat()
        with pytest.raises(FileNotFoundError):
            path.read_bytes()
        with pytest.raises(FileNotFoundError):
            path.unlink()
        path.unlink(missing_ok=True)
        assert path.write_bytes(b"one") == 3
        assert (path.read_bytes(), path.stat().st_size, path.exists()) == (b"one", 3, True)
        kept = path.with_name(f"{path.name}.corrupt-5")
        kept.write_bytes(b"older")
        assert path.replace(kept) == kept
        assert (kept.read_bytes(), kept.suffix, kept.parent == path.parent) == (b"one", ".corrupt-5", True)
        other = path.parent / "outbox.db.corrupt-4"
        other.write_bytes(b"")
        assert sorted(path.parent.glob("outbox.db.corrupt-*")) == [other, kept]
        assert [one.name for one in path.parent.glob("*-4")] == ["outbox.db.corrupt-4"]


def test_a_damaged_database_is_set_aside_on_it_with_its_log() -> None:
    one = disk()
    path = one.path("/data/outbox.db")
    path.write_bytes(b"a")
    path.with_name("outbox.db-wal").write_bytes(b"b")
    set_aside(path, path.with_name("outbox.db.corrupt-7"))
    assert sorted(one.files) == ["/data/outbox.db.corrupt-7", "/data/outbox.db.corrupt-7-wal"]


def test_a_path_is_of_its_disk() -> None:
    one = disk()
    assert one.path("/a") == one.path("/a") != disk().path("/a")
    assert len({one.path("/a"), one.path("/a")}) == 1
