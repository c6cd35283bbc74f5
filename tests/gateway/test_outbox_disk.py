"""The outbox on a modelled disk, step by step in a time that is set by hand: no thread, no real disk."""

from __future__ import annotations

import errno
import random
import sqlite3
from pathlib import Path

import pytest

from gateway import pruning
from gateway import unwritten as unwritten_module
from gateway.home.messages import Committed
from gateway.outbox import KEEP_MS_MAX, SETTLE_MS_MAX, Found, Loaded, Outbox, Replaced, Settled, Stored
from gateway.schema import PAGE_BYTES
from gateway.store import RETRY_MS, RETRY_MS_MAX, TIDY_RETRY_MS, UNREADABLE_MS
from protocol.record import Event, EventId, Interval, Now, Source, Stamp
from protocol.words import LIFE, TROUBLE
from sim.disk import Cut, Disk, File
from sim.vfs import connect


def event(sequence: int, severity: str = LIFE) -> Event:
    name = EventId(7, sequence)
    return Event(
        gateway="gw-1",
        id=name,
        alarm=name,
        kind="button" if severity == LIFE else "battery_low",
        phase="raised",
        severity=severity,
        link="held",
        terminal="button-1",
        room="hall",
        time=Stamp(1_800_000_000_000 + sequence, sequence, 5, "synchronised"),
        source=Source(1, sequence),
    )


class Bench:
    """An outbox, its disk, and its worker's steps."""

    def __init__(self, disk: Disk | None = None):
        self.mono_ms = 1_000
        self.disk = disk or Disk(random.Random(1))
        self.messages: list[object] = []
        self.outbox = Outbox(
            self.disk.path("/data/outbox.db"),
            "gw-1",
            self.messages.append,
            lambda: Now(1_800_000_000_000 + self.mono_ms, self.mono_ms, "synchronised"),
            self._opened,
        )

    def _opened(self, path: Path) -> sqlite3.Connection:
        self.connection = connect(path)
        return self.connection

    def work(self) -> list[object]:
        """Do all that is due now; what came of it, without what is said of receipts."""
        self.messages.clear()
        while self.outbox.due():
            self.outbox.perform(self.outbox.begin())
        return [message for message in self.messages if not isinstance(message, Settled)]

    def wait(self, until_ms: int) -> list[object]:
        """Let time pass, and do what is due when it is due; what came of it."""
        came: list[object] = []
        while (due_ms := self.outbox.deadline()) is not None and due_ms <= until_ms:
            self.mono_ms = max(self.mono_ms, due_ms)
            came += self.work()
        self.mono_ms = until_ms
        return came

    def waiting(self, limit: int = 1_000) -> list[int]:
        """The sequence numbers of what waits for a receipt."""
        self.outbox.load(limit)
        loaded = [message for message in self.work() if isinstance(message, Loaded)]
        return [one.id.sequence for one in loaded[-1].rows]


@pytest.fixture
def bench() -> Bench:
    made = Bench()
    assert made.work() == [Stored(True)]
    return made


# --- steps ---


def test_before_anything_is_done_nothing_is_pending_and_all_counters_are_there() -> None:
    outbox = Bench().outbox
    assert outbox.pending_since_ms() is None
    assert outbox.size_bytes() == 0
    assert dict(outbox.counters) == {
        "outbox_dropped": 0,
        "outbox_evicted": 0,
        "outbox_failures": 0,
        "outbox_damaged_rows": 0,
        "outbox_unstorable": 0,
    }


def test_nothing_is_due_until_something_is_asked(bench: Bench) -> None:
    assert not bench.outbox.due()
    assert bench.outbox.deadline() is None
    bench.outbox.commit([event(1)], {})
    assert bench.outbox.due()
    assert bench.work() == [Committed((EventId(7, 1),))]
    assert bench.outbox.deadline() is None


def test_lazy_work_is_due_at_its_time(bench: Bench) -> None:
    bench.outbox.keep({"a": b"x"})
    assert not bench.outbox.due()
    assert bench.outbox.deadline() == 1_000 + KEEP_MS_MAX
    bench.outbox.settle([Interval(7, 1, 1)])
    assert not bench.outbox.due()
    assert bench.outbox.deadline() == 1_000 + SETTLE_MS_MAX
    bench.mono_ms += SETTLE_MS_MAX
    assert bench.outbox.due()


def test_what_was_begun_counts_as_pending_until_it_is_performed(bench: Bench) -> None:
    bench.outbox.commit([event(1)], {"a": b"x"})
    work = bench.outbox.begin()
    bench.mono_ms += 700
    bench.outbox.commit([event(2)], {})
    bench.outbox.load(9)
    assert not bench.outbox.due()
    assert bench.outbox.deadline() is None
    assert bench.outbox.pending_since_ms() == 1_000
    bench.messages.clear()
    bench.outbox.perform(work)
    assert bench.messages == [Committed((EventId(7, 1),))]
    assert bench.outbox.pending_since_ms() == 1_700
    assert Committed((EventId(7, 2),)) in bench.work()
    assert bench.outbox.pending_since_ms() is None


def test_what_was_begun_and_never_performed_is_not_there_after_the_cut(bench: Bench) -> None:
    bench.outbox.commit([event(1)], {})
    bench.work()
    bench.outbox.commit([event(2)], {})
    bench.outbox.begin()
    bench.disk.cut()
    after = Bench(bench.disk)
    assert after.waiting() == [1]


def test_a_cut_ends_the_work_and_says_nothing_more(bench: Bench) -> None:
    bench.outbox.commit([event(1)], {})
    bench.work()
    bench.outbox.commit([event(2)], {})
    bench.disk.cut_after = 1  # the log is written and not yet synced
    bench.messages.clear()
    with pytest.raises(Cut):
        bench.outbox.perform(bench.outbox.begin())
    assert bench.messages == []
    assert Bench(bench.disk).waiting() in ([1], [1, 2])


def test_closing_writes_what_waits_and_nothing_is_due_after_it(bench: Bench) -> None:
    bench.outbox.keep({"a": b"kept"})
    bench.outbox.settle([Interval(7, 1, 1)])
    bench.outbox.close()
    bench.work()
    bench.outbox.commit([event(1)], {})
    assert not bench.outbox.due()
    after = Bench(bench.disk)
    after.outbox.load(9)
    assert any(isinstance(one, Loaded) and one.state == {"a": b"kept"} for one in after.work())


def test_to_stop_is_no_success_before_all_is_written(bench: Bench) -> None:
    bench.outbox.commit([event(1)], {})
    work = bench.outbox.begin()
    assert not bench.outbox.stop(0)
    bench.outbox.perform(work)
    assert not bench.outbox.stop(0)
    bench.work()
    assert bench.outbox.stop(0)


def test_to_stop_on_a_disk_that_fails_is_no_success(bench: Bench) -> None:
    bench.outbox.commit([event(1)], {})
    bench.disk.failing = frozenset({"sync"})
    bench.outbox.close()
    bench.work()
    assert not bench.outbox.due()
    assert not bench.outbox.stop(0)
    bench.disk.failing = frozenset()


def test_the_same_steps_write_the_same_bytes() -> None:
    def left() -> dict[str, bytes]:
        one = Bench()
        for n in range(50):
            one.outbox.commit([event(n)], {"a": bytes([n]), "b": None})
            one.outbox.settle([Interval(7, n - 5, n - 5)])
            one.wait(one.mono_ms + 700)
        return {name: bytes(file.seen) for name, file in one.disk.files.items()}

    assert left() == left()


# --- the disk fails, and heals ---


@pytest.mark.parametrize("fault", ["write", "sync", "full", "read_only"])
def test_a_commit_that_fails_is_kept_and_written_when_the_disk_heals(bench: Bench, fault: str) -> None:
    bench.outbox.commit([event(1)], {})
    bench.work()
    if fault == "full":
        bench.disk.room_bytes = 0
    elif fault == "read_only":
        bench.disk.read_only = True
    else:
        bench.disk.failing = frozenset({fault})
    bench.outbox.commit([event(2)], {"a": b"x"})
    (told,) = bench.work()
    assert isinstance(told, Stored)
    assert not told.ok
    assert "/data/outbox.db" in told.detail
    assert bench.outbox.deadline() == 1_000 + RETRY_MS
    assert bench.wait(60_000) == []  # it goes on failing, and is told once
    assert bench.outbox.pending_since_ms() == 1_000
    assert bench.waiting() == [1, 2]
    bench.disk.room_bytes, bench.disk.read_only, bench.disk.failing = None, False, frozenset()
    came = bench.wait(60_000 + RETRY_MS_MAX)
    assert Committed((EventId(7, 2),)) in came
    assert Stored(True) in came + bench.wait(60_000 + TIDY_RETRY_MS)
    assert bench.outbox.pending_since_ms() is None
    bench.disk.cut(share=0.0)
    assert Bench(bench.disk).waiting() == [1, 2]


def test_a_disk_that_goes_on_failing_is_tried_less_and_less_often_and_each_time_is_counted(bench: Bench) -> None:
    bench.disk.failing = frozenset({"sync"})
    bench.outbox.commit([event(1)], {})
    waits_ms = []
    for _ in range(8):
        bench.work()
        due_ms = bench.outbox.deadline()
        assert due_ms is not None
        waits_ms.append(due_ms - bench.mono_ms)
        bench.mono_ms = due_ms
    assert waits_ms == [min(RETRY_MS_MAX, RETRY_MS * 2**n) for n in range(8)]
    assert bench.outbox.counters["outbox_failures"] == 8
    bench.disk.failing = frozenset()
    assert Committed((EventId(7, 1),)) in bench.work()
    bench.disk.failing = frozenset({"sync"})
    bench.outbox.commit([event(2)], {})
    bench.work()
    assert bench.outbox.deadline() == bench.mono_ms + RETRY_MS  # it was well in between
    bench.disk.failing = frozenset()


def test_what_there_is_no_memory_for_while_the_disk_fails_is_counted(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unwritten_module, "EVENTS_MAX", 3)
    bench.disk.failing = frozenset({"sync"})
    bench.outbox.commit([event(n) for n in range(5)], {})  # two too many at once
    for n in (5, 6):
        work = bench.outbox.begin()
        bench.outbox.commit([event(n)], {})  # one too many when the others come back
        bench.outbox.perform(work)
        bench.mono_ms += RETRY_MS_MAX
    assert bench.outbox.counters["outbox_dropped"] == 4
    bench.disk.failing = frozenset()
    assert Committed(tuple(EventId(7, n) for n in (4, 5, 6))) in bench.work()


def test_reads_that_fail_now_and_then_set_nothing_aside(bench: Bench) -> None:
    bench.outbox.commit([event(1)], {})
    bench.work()
    for _ in range(6):
        bench.disk.cut()
        after = Bench(bench.disk)
        bench.disk.failing = frozenset({"read"})
        after.work()
        bench.disk.failing = frozenset()
        after.mono_ms += RETRY_MS_MAX
        assert after.work() == [Stored(True)]
        assert after.waiting() == [1]


def test_a_damaged_database_is_replaced_at_once_by_what_can_still_be_read_of_it(bench: Bench) -> None:
    bench.outbox.commit([event(n) for n in range(400)], {"a": b"x"})
    bench.work()
    bench.outbox.close()
    bench.work()
    data = bench.disk.files["/data/outbox.db"].seen
    at = data.index(event(200).to_record()) // PAGE_BYTES * PAGE_BYTES
    data[at : at + PAGE_BYTES] = b"\xa5" * PAGE_BYTES
    after = Bench(bench.disk)
    after.outbox.commit([event(1_000)], {})
    after.outbox.perform(after.outbox.begin())
    (told,) = after.messages
    assert isinstance(told, Stored)
    assert not told.ok
    assert after.outbox.due()  # the new one is written at once
    assert after.outbox.pending_since_ms() == 1_000  # and a disk that hangs over that is noticed
    came = after.work()
    (replaced,) = [message for message in came if isinstance(message, Replaced)]
    assert 390 <= replaced.salvaged < 400  # read from both ends, so that only what was on that page is lost
    assert Committed((EventId(7, 1_000),)) in came
    assert len(after.waiting()) == replaced.salvaged + 1
    assert after.waiting(100) == list(range(100))  # as many as asked for


def test_an_alarm_does_not_wait_for_the_next_retry(bench: Bench) -> None:
    bench.disk.failing = frozenset({"sync"})
    bench.outbox.commit([event(1, TROUBLE)], {})
    bench.work()
    bench.wait(10_000)
    bench.disk.failing = frozenset()
    bench.outbox.commit([event(2, TROUBLE)], {})
    assert not bench.outbox.due()
    bench.outbox.commit([event(3)], {})
    assert Committed((EventId(7, 1), EventId(7, 2), EventId(7, 3))) in bench.work()


def test_a_disk_that_cannot_be_read_at_the_start_leaves_memory_and_heals(bench: Bench) -> None:
    bench.outbox.commit([event(1)], {})
    bench.work()
    bench.disk.cut()
    bench.disk.failing = frozenset({"read"})
    after = Bench(bench.disk)
    after.outbox.commit([event(2)], {})
    assert after.waiting() == [2]
    bench.disk.failing = frozenset()
    came = after.wait(after.mono_ms + RETRY_MS_MAX)
    assert Committed((EventId(7, 2),)) in came
    assert [one.id.sequence for message in came if isinstance(message, Loaded) for one in message.rows] == [1, 2]


def test_a_disk_that_cannot_be_read_while_it_runs_leaves_memory_and_heals(bench: Bench) -> None:
    bench.outbox.commit([event(n) for n in range(3000)], {"a": b"x"})  # more than SQLite has in memory
    bench.work()
    bench.disk.failing = frozenset({"read"})
    bench.outbox.load(100)
    told, loaded = bench.work()
    assert isinstance(told, Stored)
    assert (told.ok, bench.outbox.counters["outbox_failures"]) == (False, 1)
    assert "I/O error" in told.detail
    assert loaded == Loaded((), {}, {}, whole=False)
    assert bench.outbox.deadline() == 1_000 + RETRY_MS
    bench.outbox.commit([event(5000), event(5001)], {"b": b"y"})
    bench.outbox.load(100, (EventId(7, 5000),))
    assert bench.work()[-1] == Loaded((event(5001),), {"b": b"y"}, {}, whole=False)
    bench.disk.failing = frozenset()
    well, committed, loaded = bench.wait(1_000 + RETRY_MS_MAX)
    assert well == Stored(True)
    assert committed == Committed((EventId(7, 5000), EventId(7, 5001)))
    assert isinstance(loaded, Loaded)
    assert (len(loaded.rows), loaded.state) == (100, {"a": b"x", "b": b"y"})


def test_nothing_settled_is_found_while_the_disk_cannot_be_read(bench: Bench) -> None:
    bench.outbox.commit([event(n) for n in range(3000)], {})  # more than SQLite has in memory
    bench.work()
    bench.outbox.settle([Interval(7, 0, 99)])
    bench.wait(1_000 + SETTLE_MS_MAX)
    bench.disk.failing = frozenset({"read"})
    bench.outbox.find((Interval(7, 0, 9),), 5)
    told, found = bench.work()
    assert isinstance(told, Stored)
    assert (told.ok, "I/O error" in told.detail, found) == (False, True, Found(()))
    assert bench.outbox.counters["outbox_failures"] == 1
    bench.disk.failing = frozenset()
    assert bench.wait(bench.mono_ms + RETRY_MS_MAX) == [Stored(True)]
    bench.outbox.find((Interval(7, 0, 9),), 5)
    assert bench.work() == [Found(tuple(event(n) for n in range(5, 10)))]


def test_what_is_settled_is_told_once_after_a_start_whatever_is_looked_for(bench: Bench) -> None:
    bench.outbox.commit([event(1)], {})
    bench.work()
    bench.outbox.settle([Interval(7, 1, 1)])
    bench.outbox.close()
    bench.work()
    after = Bench(bench.disk)
    after.outbox.find((Interval(7, 1, 1),), 5)
    after.work()
    assert after.messages == [Stored(True), Found((event(1),)), Settled((Interval(7, 1, 1),), all=True)]
    after.outbox.find((Interval(7, 1, 1),), 5)
    after.work()
    assert after.messages == [Found((event(1),))]


def test_a_disk_that_can_be_neither_written_nor_read_leaves_what_is_in_memory(bench: Bench) -> None:
    bench.outbox.commit([event(n) for n in range(3000)], {})
    bench.work()
    bench.disk.failing = frozenset({"read", "sync"})
    bench.outbox.commit([event(n) for n in (5000, 5001, 5002)], {})
    bench.outbox.load(1, (EventId(7, 5000),))
    loaded = bench.work()[-1]
    assert loaded == Loaded((event(5001),), {}, {"button-1": EventId(7, 5002)}, whole=False)
    bench.disk.failing = frozenset()


def test_a_disk_that_is_read_only_at_the_start_leaves_memory_and_heals(bench: Bench) -> None:
    bench.outbox.commit([event(1)], {})
    bench.work()
    bench.outbox.close()
    bench.work()
    bench.disk.read_only = True
    after = Bench(bench.disk)
    after.outbox.commit([event(2)], {})
    found = after.waiting()
    bench.disk.read_only = False
    came = after.wait(after.mono_ms + 2 * RETRY_MS_MAX)
    assert Committed((EventId(7, 2),)) in came
    assert after.waiting() == [1, 2]
    assert found == [2]


@pytest.mark.parametrize("at_the_start", [True, False])
def test_a_disk_that_reads_nothing_for_an_hour_loses_nothing(bench: Bench, at_the_start: bool) -> None:
    for n in range(200):
        bench.outbox.commit([event(n)], {"a": b"%d" % n})
        bench.work()
    bench.disk.failing = frozenset({"read"})
    if at_the_start:
        bench.disk.kill()
        bench = Bench(bench.disk)
    bench.outbox.commit([event(1_000)], {})
    assert bench.waiting()[-1] == 1_000
    bench.wait(bench.mono_ms + 3_600_000)
    bench.disk.failing = frozenset()
    bench.wait(bench.mono_ms + RETRY_MS_MAX)
    assert bench.waiting() == [*range(200), 1_000]
    assert list(bench.disk.path("/data").glob("*corrupt*")) == []


@pytest.fixture
def with_a_bad_sector(bench: Bench) -> Disk:
    """A disk of an outbox that has stopped: 200 events, and a sector amid them that cannot be read any more."""
    for n in range(200):
        bench.outbox.commit([event(n)], {"a": b"%d" % n})
        bench.work()
    bench.outbox.close()
    bench.work()
    database = bench.disk.files["/data/outbox.db"]
    bad = len(database.seen) // 2 // 1024 * 1024
    genuine = bench.disk.read

    def read(file: File, amount: int, offset: int) -> bytes:
        if file is database and offset <= bad < offset + amount:
            raise OSError(errno.EIO, "a sector is bad")
        return genuine(file, amount, offset)

    bench.disk.read = read  # type: ignore[method-assign]
    return bench.disk


def test_what_cannot_be_read_is_tried_again_for_its_time_before_it_is_set_aside(with_a_bad_sector: Disk) -> None:
    def aside() -> list[Path]:
        return list(with_a_bad_sector.path("/data").glob("*corrupt*"))

    after = Bench(with_a_bad_sector)
    after.mono_ms = 10 * UNREADABLE_MS
    end_ms = after.mono_ms + UNREADABLE_MS
    after.wait(end_ms - 1)
    assert not aside()
    after.mono_ms = end_ms
    after.outbox.commit([event(1_000)], {})  # an alarm is tried at once
    after.work()
    assert aside()


def test_a_damaged_database_that_cannot_be_set_aside_is_tried_again(bench: Bench) -> None:
    bench.outbox.commit([event(1)], {})
    bench.outbox.close()
    bench.work()
    bench.disk.files["/data/outbox.db"].seen[60:64] = (999).to_bytes(4, "big")  # of a later version
    genuine = bench.disk.rename

    def rename(name: str, new: str) -> None:
        raise OSError(errno.EIO, "the folder cannot be written")

    bench.disk.rename = rename  # type: ignore[method-assign]
    after = Bench(bench.disk)
    (told,) = after.work()
    assert isinstance(told, Stored)
    assert "version 999" in told.detail
    assert after.outbox.deadline() == after.mono_ms + RETRY_MS
    bench.disk.rename = genuine  # type: ignore[method-assign]
    came = after.wait(after.mono_ms + RETRY_MS_MAX)
    assert [message.salvaged for message in came if isinstance(message, Replaced)] == [1]


def test_a_page_that_cannot_be_read_any_more_costs_what_is_on_it(with_a_bad_sector: Disk) -> None:
    after = Bench(with_a_bad_sector)
    after.outbox.commit([event(1_000)], {})
    assert after.waiting() == [1_000]
    came = after.wait(after.mono_ms + UNREADABLE_MS + 2 * RETRY_MS_MAX)
    (replaced,) = [message for message in came if isinstance(message, Replaced)]
    assert 190 < replaced.salvaged < 200
    assert Committed((EventId(7, 1_000),)) in came
    loaded = [message for message in came if isinstance(message, Loaded)][-1]  # without being asked again
    assert len(loaded.rows) == replaced.salvaged + 1
    assert loaded.state == {"a": b"199"}
    lost = set(range(200)) - set(after.waiting())
    assert max(lost) - min(lost) < 10


def test_what_was_salvaged_goes_on_where_the_new_database_fails_half_way(bench: Bench) -> None:
    for n in range(0, 3_000, 100):
        bench.outbox.commit([event(n + k) for k in range(100)], {"a": b"%d" % n})
        bench.work()
    bench.outbox.close()
    bench.work()
    path = bench.disk.path("/data/outbox.db")
    bench.disk.files[str(path)].seen[60:64] = (999).to_bytes(4, "big")  # of a later version
    bench.disk.room_bytes = sum(len(file.seen) for file in bench.disk.files.values()) + 300_000
    after = Bench(bench.disk)
    after.outbox.commit([event(5_000)], {"b": b"new"})
    came = after.work()
    assert Committed((EventId(7, 5_000),)) in came  # it is not held up
    assert not any(isinstance(message, Replaced) for message in came)
    assert 100 < len(after.waiting(10_000)) < 3_000  # what has been taken can be sent already
    bench.disk.room_bytes = None
    came = after.wait(after.mono_ms + 2 * TIDY_RETRY_MS)
    assert [message.salvaged for message in came if isinstance(message, Replaced)] == [3_000]
    assert Stored(True) in came
    after.outbox.load(9)
    loaded = [message for message in after.work() if isinstance(message, Loaded)][-1]
    assert loaded.state == {"a": b"2900", "b": b"new"}
    assert after.waiting(10_000) == [*range(3_000), 5_000]


def test_state_that_is_newer_than_a_damaged_database_is_kept(bench: Bench) -> None:
    bench.outbox.commit([event(1)], {"a": b"old", "b": b"old"})
    bench.work()
    bench.disk.rot(bench.disk.path("/data/outbox.db-wal"), 0)
    bench.disk.files["/data/outbox.db"].seen[:] = b"x" * 4096
    bench.disk.files.pop("/data/outbox.db-wal")
    bench.outbox.commit([event(2)], {"a": b"new"})
    bench.work()
    bench.outbox.load(9)
    (loaded,) = [message for message in bench.work() if isinstance(message, Loaded)]
    assert loaded.state["a"] == b"new"
    assert event(2) in loaded.rows


# --- what is settled on disk ---


def settled(bench: Bench) -> list[Settled]:
    """What the last work said of it."""
    return [message for message in bench.messages if isinstance(message, Settled)]


def test_what_is_settled_is_told_whole_once_it_is_tidy_and_then_as_it_grows(bench: Bench) -> None:
    bench.outbox.commit([event(n) for n in range(10)], {})
    bench.work()
    bench.outbox.settle([Interval(7, 2, 4), Interval(7, 8, 8)])
    bench.wait(bench.mono_ms + SETTLE_MS_MAX)
    assert settled(bench) == [Settled((Interval(7, 2, 4), Interval(7, 8, 8)), all=False)]
    bench.disk.kill()
    after = Bench(bench.disk)
    after.work()
    assert settled(after) == [Settled((Interval(7, 8, 8), Interval(7, 2, 4)), all=True)]


def test_what_is_pruned_is_no_longer_told(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pruning, "ROWS_MAX", 100)
    bench.outbox.commit([event(n) for n in range(1_000)], {})
    bench.outbox.settle([])
    bench.work()
    bench.outbox.settle([Interval(7, 0, 999)])
    bench.wait(bench.mono_ms + SETTLE_MS_MAX)
    assert settled(bench)[-1] == Settled((Interval(7, 900, 999),), all=True)
    bench.outbox.find([Interval(7, 890, 905)], 4)
    bench.work()
    (found,) = [message for message in bench.messages if isinstance(message, Found)]
    assert [one.id.sequence for one in found.rows] == [902, 903, 904, 905]


def test_a_pruning_that_fails_is_told_and_tried_again_after_its_time(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pruning, "ROWS_MAX", 100)
    bench.outbox.commit([event(n) for n in range(1_000)], {})
    bench.work()
    bench.outbox.settle([Interval(7, 0, 999)])
    bench.mono_ms += SETTLE_MS_MAX
    bench.outbox.perform(bench.outbox.begin())
    assert bench.outbox.due()  # the pruning has begun
    bench.disk.failing = frozenset({"sync"})
    (told,) = bench.work()
    assert isinstance(told, Stored)
    assert (told.ok, "I/O error" in told.detail) == (False, True)
    assert bench.outbox.counters["outbox_failures"] == 1
    assert bench.outbox.deadline() == bench.mono_ms + TIDY_RETRY_MS
    bench.disk.failing = frozenset()
    assert bench.wait(bench.mono_ms + TIDY_RETRY_MS) == [Stored(True)]
    assert settled(bench) == [Settled((Interval(7, 900, 999),), all=True)]
