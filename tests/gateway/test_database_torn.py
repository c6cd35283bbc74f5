"""The outbox's database on a modelled disk that loses power: unsynced sectors survive or not, each by chance.

The product's own code writes, through SQLite's VFS (apsw carries a SQLite of its own, so its connection is made to look
like the standard library's); the product as it is, with the standard library, then opens what is left. Other than real
cuts behind a loop device, where what was handed to the device stays, this disk reorders and tears its own cache.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from gateway import database as database_module
from gateway.database import Database
from protocol.record import Event, EventId, Interval, Source, Stamp

apsw = pytest.importorskip("apsw", reason="the disk is modelled in SQLite's VFS, which apsw opens to Python")

# SQLite goes on for a few calls after the first that fails; apsw cannot pass all of those on.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

SECTOR = 512
NOW_S = 1_800_000_000
RUNS = 40
CUTS_IN_RUN = 4
OPERATIONS_MAX = 120  # of the disk, in a life: some ten transactions


class Cut(Exception):
    """The power is gone."""


class File:
    """What is on the platter, what the cache holds on top of it, and both together as the program sees it."""

    def __init__(self, disk: Disk, data: bytes):
        self.disk, self.platter, self.seen = disk, data, bytearray(data)
        self.cache: list[tuple[int, bytes] | int] = []  # writes in order; an integer: cut to this size

    def left(self, chance: random.Random, share: float) -> bytes:
        """After a cut: of each sector written and not synced, perhaps the new content; in any combination."""
        found = bytearray(self.platter)
        for change in self.cache:
            if isinstance(change, int):
                if chance.random() < share:
                    _resize(found, change)
                continue
            offset, data = change
            for start in range(offset - offset % SECTOR, offset + len(data), SECTOR):
                begin, end = max(start, offset), min(start + SECTOR, offset + len(data))
                if chance.random() < share:
                    _put(found, begin, data[begin - offset : end - offset])
        return bytes(found)

    # --- as SQLite calls it (sqlite.org/c3ref/io_methods.html) ---

    def xRead(self, amount: int, offset: int) -> bytes:
        self.disk.step()
        return bytes(self.seen[offset : offset + amount])

    def xWrite(self, data: bytes, offset: int) -> None:
        self.cache.append((offset, bytes(data)))  # first: a cut may tear this very write
        self.disk.step()
        _put(self.seen, offset, data)

    def xTruncate(self, size: int) -> None:
        self.cache.append(size)
        self.disk.step()
        _resize(self.seen, size)

    def xSync(self, flags: int) -> None:
        self.disk.step()
        self.platter = bytes(self.seen)
        self.cache.clear()

    def xFileSize(self) -> int:
        return len(self.seen)

    def xSectorSize(self) -> int:
        return 4096

    def xDeviceCharacteristics(self) -> int:
        return int(apsw.SQLITE_IOCAP_POWERSAFE_OVERWRITE)  # as on Unix

    def xFileControl(self, operation: int, pointer: int) -> bool:
        return False

    def xCheckReservedLock(self) -> bool:
        return False

    def xLock(self, level: int) -> None:
        pass

    xUnlock = xLock

    def xClose(self) -> None:
        pass


def _put(data: bytearray, offset: int, new: bytes) -> None:
    data.extend(bytes(max(0, offset - len(data))))
    data[offset : offset + len(new)] = new


def _resize(data: bytearray, size: int) -> None:
    del data[size:]
    data.extend(bytes(size - len(data)))


class Disk(apsw.VFS):  # type: ignore[misc]
    """Files in memory. Names are durable at once: SQLite syncs the folder wherever that matters to it."""

    def __init__(self, files: Mapping[str, bytes], operations: int, chance: random.Random):
        self.name = f"torn-{id(self)}"
        super().__init__(self.name, "")
        self.files = {name: File(self, data) for name, data in files.items()}
        self.operations_left: float = operations
        self.chance = chance
        self.left: dict[str, bytes] = {}  # after the cut

    def step(self) -> None:
        self.operations_left -= 1
        if self.operations_left < 0:
            if not self.left:
                share = self.chance.choice((0.0, 0.5, 0.9, 1.0))
                self.left = {name: file.left(self.chance, share) for name, file in self.files.items()}
            raise Cut

    def xOpen(self, name: Any, flags: list[int]) -> File:
        self.step()
        path = name.filename() if isinstance(name, apsw.URIFilename) else name
        flags[1] = flags[0]
        return self.files.setdefault(path, File(self, b""))

    def xAccess(self, path: str, flags: int) -> bool:
        return path in self.files

    def xDelete(self, path: str, sync: bool) -> None:
        self.step()
        self.files.pop(path, None)

    def xFullPathname(self, name: str) -> str:
        return name


class Connection:
    """apsw's connection, as far as the product uses the standard library's."""

    def __init__(self, path: Path, disk: Disk, synchronous: str):
        self._inner = apsw.Connection(str(path), vfs=disk.name)
        self._disk = disk
        self._synchronous = synchronous

    def execute(self, sql: str, values: Sequence[Any] = ()) -> Cursor:
        if sql.startswith("PRAGMA synchronous =") and self._synchronous:
            sql = f"PRAGMA synchronous = {self._synchronous}"
        return Cursor(self._inner, sql, values)

    def executemany(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        self._inner.executemany(sql, rows)

    def executescript(self, sql: str) -> None:
        self._inner.execute(sql)

    @property
    def total_changes(self) -> int:
        return int(self._inner.total_changes())

    @property
    def in_transaction(self) -> bool:
        return bool(self._inner.in_transaction)

    def close(self) -> None:
        self._disk.operations_left = float("inf")  # what a dead program does to the disk is not looked at any more
        self._inner.close(True)


class Cursor:
    def __init__(self, inner: Any, sql: str, values: Sequence[Any]):
        self._rows = inner.execute(sql, values)
        self.rowcount = inner.changes()

    def __iter__(self) -> Iterator[Any]:
        return iter(self._rows)

    def fetchone(self) -> Any:
        return next(self._rows, None)

    def fetchall(self) -> list[Any]:
        return list(self._rows)


def event(sequence: int) -> Event:
    name = EventId(7, sequence)
    return Event(
        gateway="gw-1",
        id=name,
        alarm=name,
        kind="button",
        phase="raised",
        severity="life",
        link="held",
        terminal="button-1",
        room="hall",
        time=Stamp(NOW_S * 1000 + sequence, sequence, 5, "synchronised"),
        source=Source(1, sequence),
    )


class Life:
    """One gateway between two cuts: what it was told to keep, and what it was told is safe."""

    def __init__(self) -> None:
        self.safe: set[EventId] = set()
        self.settled: set[EventId] = set()
        self.doubtful: set[EventId] = set()  # of the transaction in which the power went
        self.state = [b""]  # that may be on disk: the last that is safe, and one under way
        self.sequence = 0

    def run(self, database: Database, chance: random.Random) -> None:
        """Until the power goes: it writes and settles; each transaction says with its state which it was."""
        while True:
            events = [event(self.sequence + n + 1) for n in range(chance.randint(1, 4))]
            self.sequence += len(events)
            gone = {min(self.safe)} if self.safe and chance.random() < 0.3 else set()
            self.doubtful = {one.id for one in events} | gone
            self.state = [self.state[0], str(self.sequence).encode()]
            intervals = [Interval(one.epoch, one.sequence, one.sequence) for one in gone]
            refused, _ = database.write(events, {"part": self.state[1]}, intervals, NOW_S)
            assert not refused
            self.safe = (self.safe | {one.id for one in events}) - gone
            self.doubtful, self.state = set(), self.state[1:]


def lives(seed: int, folder: Path, patch: pytest.MonkeyPatch, synchronous: str = "") -> list[str]:
    """A few lives on one disk, with a cut after each; what was wrong afterwards."""
    chance, life, files, wrong = random.Random(seed), Life(), dict[str, bytes](), list[str]()
    for number in range(CUTS_IN_RUN):
        disk, path = Disk(files, chance.randint(0, OPERATIONS_MAX), chance), Path("/outbox/outbox.db")
        opened: list[Connection] = []

        def connect(path: Path, disk: Disk = disk, opened: list[Connection] = opened, **_: object) -> Connection:
            opened.append(Connection(path, disk, synchronous))
            return opened[-1]

        with patch.context() as patched:
            patched.setattr(database_module.sqlite3, "connect", connect)
            patched.setattr(Path, "mkdir", lambda *_, **__: None)
            with pytest.raises((Cut, apsw.Error)):
                life.run(Database(path, "gw-1"), chance)
        files = disk.left
        for one in opened:
            one.close()
        disk.unregister()
        wrong += [f"seed {seed}, cut {number}: {one}" for one in _wrong(folder / str(number), files, life)]
        life.doubtful = set()
    return wrong


def _wrong(folder: Path, files: Mapping[str, bytes], life: Life) -> list[str]:
    """Opens what is left with the product as it is, and goes on from there."""
    folder.mkdir()
    for name, data in files.items():
        (folder / Path(name).name).write_bytes(data)
    try:
        database = Database(folder / "outbox.db", "gw-1")
    except Exception as error:  # noqa: BLE001 - whatever it is, the disk was cut, not damaged
        return [f"cannot be opened: {error!r}"]
    keys = list(database.waiting())
    events, damaged = database.read(keys)
    state = database.state().get("part", b"")
    database.close()
    there = {key.id for key in keys}
    found = [f"{one} is damaged" for one in damaged] + [f"{one} is lost" for one in life.safe - life.doubtful - there]
    found += [f"{one} is not what was written" for one in events if one != event(one.id.sequence)]
    if there - life.safe - life.doubtful:
        found.append("what was settled waits again")
    if state not in life.state:
        found.append(f"the state is {state!r} and not of {life.state}")
    elif len(life.state) == 2 and life.doubtful and (state == life.state[1]) != (life.doubtful - life.safe <= there):
        found.append("half a transaction")
    life.safe, life.state = there, [state]
    return found


def all_lives(seeds: range, folder: Path, patch: pytest.MonkeyPatch, synchronous: str = "") -> list[str]:
    wrong = []
    for seed in seeds:
        (folder / str(seed)).mkdir()
        wrong += lives(seed, folder / str(seed), patch, synchronous)
    return wrong


def test_whatever_a_cut_leaves_of_unsynced_sectors_nothing_that_was_committed_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert all_lives(range(RUNS), tmp_path, monkeypatch) == []


@pytest.mark.night
@pytest.mark.timeout(600)
def test_the_same_two_thousand_times(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert all_lives(range(1000, 1500), tmp_path, monkeypatch) == []


def test_the_model_sees_what_a_weaker_setting_loses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = all_lives(range(10), tmp_path, monkeypatch, "NORMAL")
    assert sum("is lost" in one for one in wrong) > 20
