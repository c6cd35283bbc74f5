"""What the database keeps and for how long, on real files; and how little of it a commit ever waits for."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from gateway import pruning
from gateway.database import CHECKPOINT_PAGES, Database
from gateway.home.messages import Committed
from gateway.outbox import Found, Outbox
from gateway.pruning import EVERY_S, ROWS_MAX, SETTLED_S_MAX, SLICE_ROWS, TROUBLES_MAX, USED_BYTES_MAX
from gateway.schema import LOG_BYTES_MAX, LOG_PAGES_MAX, PAGE_BYTES
from protocol.record import Event, EventId, Interval, Now, Stamp
from protocol.words import LIFE, PROPERTY, TROUBLE
from sim.disk import Disk, File
from sim.vfs import connect

NOW_S = 1_800_000_000
KIND = {LIFE: "smoke", PROPERTY: "flood", TROUBLE: "battery_low"}
WIDE = {f"{n:02}{'x' * 62}": n for n in range(16)}  # the most evidence that there can be
FRAME_BYTES = PAGE_BYTES + 24


def event(sequence: int, severity: str = LIFE, epoch: int = 7, wide: bool = False) -> Event:
    name = EventId(epoch, sequence)
    return Event(
        gateway="gw-1",
        id=name,
        alarm=name,
        kind=KIND[severity],
        phase="raised",
        severity=severity,
        link="held",
        terminal=f"t-{sequence % 7}",
        room="kitchen",
        time=Stamp(NOW_S * 1000, 1, 2**62, "synchronised"),
        evidence=WIDE if wide else {},
    )


def write(database: Database, events: list[Event], settled: bool = False, now_s: int = NOW_S) -> None:
    for first in range(0, len(events), 500):
        part = events[first : first + 500]
        intervals = [Interval(part[0].id.epoch, part[0].id.sequence, part[-1].id.sequence)] if settled else []
        database.write(part, {}, intervals, now_s)


def tidy(database: Database, now_s: int = NOW_S) -> int:
    """All steps that are due; how many events that waited were given up."""
    evicted = 0
    while True:
        done = database.tidy(now_s)
        evicted += done.evicted
        if not done.more:
            return evicted


def kept(database: Database, where: str = "1") -> list[int]:
    rows = database._connection.execute(f"SELECT sequence FROM event WHERE {where} ORDER BY number")
    return [row[0] for row in rows]


def used_bytes(database: Database) -> int:
    (pages,) = database._connection.execute("PRAGMA page_count").fetchone()
    (free,) = database._connection.execute("PRAGMA freelist_count").fetchone()
    return int(pages - free) * PAGE_BYTES


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return Database(tmp_path / "outbox.db", "gw-1")


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    def limits(**values: int) -> None:
        for name, value in values.items():
            monkeypatch.setattr(pruning, name, value)

    return limits


# --- what goes, and what stays ---


def test_receipted_rows_go_by_number_and_those_that_wait_stay(database: Database, small: Callable[..., None]) -> None:
    small(ROWS_MAX=200)
    tidy(database)
    write(database, [event(3)])
    for first in range(1000, 3000, 500):
        write(database, [event(first + n) for n in range(500)], settled=True)
        tidy(database)
        assert kept(database) == [3, *range(first + 300, first + 500)]


def test_receipted_rows_go_by_age_within_a_day(database: Database) -> None:
    write(database, [event(1)])
    write(database, [event(n) for n in range(10, 20)], settled=True)
    tidy(database)
    later_s = NOW_S + SETTLED_S_MAX + 1
    write(database, [event(30)], settled=True, now_s=later_s)
    tidy(database, later_s)
    assert kept(database) == [1, 30]


def test_a_clock_that_is_not_set_keeps_what_is_there(database: Database) -> None:
    write(database, [event(n) for n in range(10)], settled=True)
    tidy(database, 1_000)
    assert kept(database) == list(range(10))


def test_troubles_that_wait_are_bounded_without_a_restart_and_alarms_are_not(
    database: Database, small: Callable[..., None]
) -> None:
    small(TROUBLES_MAX=50)
    events = [event(n, (TROUBLE, LIFE, PROPERTY)[n % 3]) for n in range(900)]
    write(database, events)
    assert tidy(database) == 250
    assert kept(database, "severity < 2") == [n for n in range(900) if n % 3]
    assert kept(database, "severity = 2") == list(range(750, 900, 3))


def test_beyond_its_bytes_go_first_what_is_receipted_then_what_is_damaged_then_troubles(
    database: Database, small: Callable[..., None]
) -> None:
    tidy(database)
    write(database, [event(n, LIFE, wide=True) for n in range(100)])
    write(database, [event(n, TROUBLE, wide=True) for n in range(100, 200)])
    write(database, [event(n, PROPERTY, wide=True) for n in range(200, 300)], settled=True)
    database.move_damaged(list(database.waiting())[:50], NOW_S)
    small(SETTLED_S_MAX=2 * 10**9, SLICE_ROWS=4)

    def left(limit: int, day: int) -> tuple[int, int, int]:
        small(USED_BYTES_MAX=limit)
        tidy(database, NOW_S + day * EVERY_S)
        (damaged,) = database._connection.execute("SELECT count(*) FROM damaged").fetchone()
        severities = [key.severity for key in database.waiting()]
        assert severities.count(0) == 50
        return len(kept(database, "settled = 1")), damaged, severities.count(2)

    full = used_bytes(database)
    found = [left(limit, day) for day, limit in enumerate(range(full, 0, -10 * PAGE_BYTES), 1)]
    assert found[0] == (100, 50, 100)
    assert found[-1] == (0, 0, 0)
    assert all(not settled or damaged == 50 for settled, damaged, _ in found)
    assert all(not damaged or troubles == 100 for _, damaged, troubles in found)
    assert len({troubles for *_, troubles in found}) > 5


@pytest.mark.parametrize(
    "limit", [2 << 20, pytest.param(pruning.USED_BYTES_MAX, marks=[pytest.mark.night, pytest.mark.timeout(300)])]
)
def test_the_whole_database_keeps_its_limit_whatever_comes(
    database: Database, tmp_path: Path, small: Callable[..., None], limit: int
) -> None:
    """The widest records, receipted and waiting, twice as many as there is room for; then life, as much of it."""
    small(USED_BYTES_MAX=limit)
    count, evicted = 2 * limit // 1000, 0
    for first in range(0, count, 500):
        write(database, [event(first + n, TROUBLE, wide=True) for n in range(500)], settled=first % 1000 == 0)
        evicted += tidy(database)
        assert used_bytes(database) <= limit
    assert evicted > 0
    # The file is as long as it was at its fullest: by one transaction of ours above the limit.
    assert (tmp_path / "outbox.db").stat().st_size <= limit + 500 * 2 * PAGE_BYTES
    assert (tmp_path / "outbox.db-wal").stat().st_size <= LOG_BYTES_MAX
    write(database, [event(n, LIFE, epoch=8, wide=True) for n in range(count // 2)])
    tidy(database)
    assert used_bytes(database) > limit
    assert len(kept(database, "severity = 0")) == count // 2
    assert kept(database, "severity > 0") == []
    write(database, [event(0, LIFE, epoch=9)])
    assert not database.tidy(NOW_S).more  # what cannot be made smaller is not tried again and again


@pytest.mark.night
def test_events_of_usual_size_fit_in_the_limit_at_their_numbers(database: Database) -> None:
    write(database, [event(n, TROUBLE) for n in range(ROWS_MAX)], settled=True)
    write(database, [event(n, TROUBLE, epoch=8) for n in range(TROUBLES_MAX)])
    assert tidy(database) == 0
    assert used_bytes(database) < USED_BYTES_MAX


def test_a_pruning_that_fails_begins_again(database: Database, small: Callable[..., None]) -> None:
    small(ROWS_MAX=0)
    write(database, [event(n) for n in range(300)], settled=True)
    genuine = database._pruning._delete

    def failing(table: str, numbers: Sequence[int]) -> int:
        raise sqlite3.OperationalError("disk I/O error")

    database._pruning._delete = failing  # type: ignore[method-assign]
    with pytest.raises(sqlite3.OperationalError):
        tidy(database)
    database._pruning._delete = genuine  # type: ignore[method-assign]
    tidy(database)
    assert kept(database) == []


# --- what a commit waits for ---


class Slow:
    """An outbox on a modelled disk, driven step by step, that counts what is written."""

    def __init__(self, files: Mapping[str, bytes]):
        self.disk = Disk(random.Random(1))
        self.disk.files.update((name, File(data)) for name, data in files.items())
        self.wall_s = NOW_S
        self.quality = "synchronised"
        self.committed_at = 0
        self.found: list[EventId] = []
        self.outbox = Outbox(self.disk.path("/data/outbox.db"), "gw-1", self.put, self.now, connect)
        self.run()

    def now(self) -> Now:
        return Now(self.wall_s * 1000, 1_000, self.quality)

    def put(self, message: object) -> None:
        if isinstance(message, Committed):
            self.committed_at = self.disk.bytes_written
        elif isinstance(message, Found):
            self.found = [event.id for event in message.rows]

    def run(self) -> None:
        while self.outbox.due():
            self.step()

    def step(self) -> int:
        """One piece of work; the bytes that it wrote."""
        before = self.disk.bytes_written
        self.outbox.perform(self.outbox.begin())
        return self.disk.bytes_written - before


@pytest.fixture(scope="module")
def full_files() -> dict[str, bytes]:
    """As many events as may be kept, receipted and waiting in turns: each slice then touches many pages."""
    disk = Disk(random.Random(1))
    database = Database(disk.path("/data/outbox.db"), "gw-1", connect)
    for first in range(0, ROWS_MAX, 500):
        events = [event(n, TROUBLE) for n in range(first, first + 500)]
        database.write(events, {}, [Interval(7, n, n) for n in range(first, first + 500, 2)], NOW_S)
    database.close()
    return {name: bytes(file.seen) for name, file in disk.files.items()}


@pytest.fixture
def full(full_files: Mapping[str, bytes]) -> Slow:
    return Slow(full_files)


def test_no_step_of_a_big_pruning_writes_more_than_a_slice_or_a_checkpoint(full: Slow) -> None:
    full.wall_s += SETTLED_S_MAX + 1
    full.outbox.commit([event(0, LIFE, epoch=8)], {})
    steps = []
    while full.outbox.due():
        steps.append(full.step())
    assert len(steps) > ROWS_MAX // 2 // SLICE_ROWS
    assert max(steps) <= (CHECKPOINT_PAGES + 2 * SLICE_ROWS) * FRAME_BYTES


def test_a_commit_that_comes_in_the_midst_of_a_big_pruning_is_written_in_the_next_step(full: Slow) -> None:
    full.wall_s += SETTLED_S_MAX + 1
    full.outbox.commit([event(0, LIFE, epoch=8)], {})
    full.step()
    waited = []
    for n in range(1, 40):
        full.step()  # of the pruning
        before = full.disk.bytes_written
        full.outbox.commit([event(n, LIFE, epoch=8)], {"a": bytes([n])})
        full.step()
        waited.append(full.committed_at - before)
    assert full.outbox.due()  # the pruning is not at its end yet
    assert max(waited) <= 12 * FRAME_BYTES


def test_a_commit_does_not_wait_for_the_checkpoint_that_it_makes_due(full: Slow) -> None:
    waited, whole = [], []
    for n in range(400):
        before = full.disk.bytes_written
        full.outbox.commit([event(n, LIFE, epoch=8)], {"a": bytes([n % 251]) * 150})
        whole.append(full.step())
        waited.append(full.committed_at - before)
    assert max(waited) <= 12 * FRAME_BYTES
    assert max(whole) > 30 * FRAME_BYTES  # there was one


def test_the_log_stays_short(full: Slow) -> None:
    sizes = []
    for n in range(0, 6000, 20):
        full.outbox.commit([event(n + k, LIFE, epoch=8) for k in range(20)], {})
        full.step()
        sizes.append(len(full.disk.files["/data/outbox.db-wal"].seen))
    assert max(sizes) <= LOG_PAGES_MAX * FRAME_BYTES


# --- what is old, where nobody knows the time ---


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param((11_097, "unset"), (NOW_S, "synchronised"), id="written in 1970, and then it is set"),
        pytest.param((NOW_S, "synchronised"), (NOW_S + 2 * SETTLED_S_MAX, "unset"), id="ahead after a power cut"),
    ],
)
def test_a_clock_that_is_not_set_makes_nothing_old(before: tuple[int, str], after: tuple[int, str]) -> None:
    """A centre that was put back to its copy of an hour ago may yet ask for it."""
    slow = Slow({})
    for sequence, (slow.wall_s, slow.quality) in enumerate((before, after)):
        slow.outbox.commit([event(sequence)], {})
        slow.outbox.settle([Interval(7, sequence, sequence)])
        slow.run()
    slow.outbox.find([Interval(7, 0, 1)], 10)
    slow.run()
    assert slow.found == [EventId(7, 0), EventId(7, 1)]
