"""The outbox on real disks, real faults and real processes: what is committed stays, what fails is kept and retried."""

from __future__ import annotations

import contextlib
import os
import queue
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import pruning
from gateway.database import Database, Key
from gateway.home.messages import Committed
from gateway.outbox import KEEP_MS_MAX, SETTLE_MS_MAX, Found, Loaded, Outbox, Replaced, Settled, Stored
from gateway.salvage import ASIDE_MAX, set_aside
from gateway.store import RETRY_MS_MAX
from gateway.urgency import by_urgency
from protocol.record import INT_MAX, Event, EventId, Interval, Now, Source, Stamp
from protocol.words import LIFE, PROPERTY, TROUBLE, Told
from sim import shim

KIND = {LIFE: "smoke", PROPERTY: "flood", TROUBLE: "battery_low"}
Message = TypeVar("Message")
# A mutant that says nothing is waited for in test after test.
PATIENCE_S = 3.0 if os.environ.get("HYPOTHESIS_PROFILE") == "mutants" else 30.0


def event(sequence: int, severity: str = LIFE, terminal: str = "smoke-1", epoch: int = 7) -> Event:
    name = EventId(epoch, sequence)
    return Event(
        gateway="gw-1",
        id=name,
        alarm=name,
        kind=KIND[severity],
        phase="raised",
        severity=severity,
        link="held",
        terminal=terminal,
        room="kitchen",
        time=Stamp(1_800_000_000_000 + sequence, 5_000 + sequence, 2**62, "synchronised"),
        source=Source(2**31, sequence),
        evidence={"obscuration_mdb_m": 150, "background_mdb_m": 20, "temperature_c": 23, "threshold_mdb_m": 140},
        flags=("unverified", "late", "unstored"),
    )


class Bench:
    """An outbox, the messages it puts, and a clock that is set by hand."""

    def __init__(self, path: Path, gateway: str = "gw-1"):
        self.path = path
        self.mono_ms = 1_000
        self.wall_ms = 1_800_000_000_000
        self.batches = 0
        self.messages: queue.SimpleQueue[object] = queue.SimpleQueue()
        self.outbox = Outbox(path, gateway, self.messages.put, lambda: Now(self.wall_ms, self.mono_ms))
        self.outbox.start(lambda ms: ms / 1000)

    def wait(self, kind: type[Message], timeout_s: float = PATIENCE_S) -> Message:
        """The next message of this kind; others before it are passed over."""
        until = time.monotonic() + timeout_s
        while True:
            message = self.messages.get(timeout=max(0.0, until - time.monotonic()))
            if isinstance(message, kind):
                return message

    def commit(self, *events: Event, state: dict[str, bytes | None] | None = None) -> Committed:
        self.outbox.commit(events, state or {})
        return self.wait(Committed)

    def committed(self, count: int) -> list[int]:
        """The sequence numbers of the next `count` events that are committed."""
        found: list[int] = []
        self.batches = 0
        while len(found) < count:
            found += [one.sequence for one in self.wait(Committed).events]
            self.batches += 1
        return found

    def loaded(self, limit: int = 100, held: tuple[EventId, ...] = ()) -> Loaded:
        self.outbox.load(limit, held)
        return self.wait(Loaded)

    def stop(self) -> bool:
        return self.outbox.stop(10.0)


@pytest.fixture
def open_bench(tmp_path: Path) -> Iterator[Callable[[], Bench]]:
    benches: list[Bench] = []

    def make() -> Bench:
        benches.append(Bench(tmp_path / "data" / "outbox.db"))
        return benches[-1]

    yield make
    for bench in benches:
        bench.stop()


@pytest.fixture
def bench(open_bench: Callable[[], Bench]) -> Bench:
    return open_bench()


def again(bench: Bench, open_bench: Callable[[], Bench]) -> Bench:
    assert bench.stop()
    return open_bench()


# --- what is committed ---


def test_a_new_outbox_says_that_it_works_and_is_empty(bench: Bench) -> None:
    assert bench.wait(Stored) == Stored(True)
    assert bench.loaded() == Loaded((), {}, {})


def test_what_is_committed_is_there_after_a_restart_with_its_state(
    bench: Bench, open_bench: Callable[[], Bench]
) -> None:
    assert bench.commit(event(1), event(2), state={"a": b"one", "b": b"two"}) == Committed(
        (EventId(7, 1), EventId(7, 2))
    )
    bench.commit(event(3), state={"a": b"three", "b": None})
    loaded = again(bench, open_bench).loaded()
    assert loaded.rows == (event(1), event(2), event(3))
    assert loaded.state == {"a": b"three"}


def test_an_event_of_every_field_comes_back_as_it_was(bench: Bench, open_bench: Callable[[], Bench]) -> None:
    one = Event(
        "gw-1", EventId(2**63 - 1, 3), EventId(7, 1), "smoke", "updated", LIFE, "heard", "rauch-ü", "厨房",
        Stamp(0, 0, 0, "unset"), None, (399_000_000, -1_163_000_000), {"x": -5}, (),
    )  # fmt: skip
    bench.commit(one)
    assert again(bench, open_bench).loaded().rows == (one,)


def test_everything_that_waits_goes_into_one_transaction(bench: Bench) -> None:
    bench.wait(Stored)
    before = bench.outbox.size_bytes()
    for sequence in range(200):
        bench.outbox.commit([event(sequence)], {})
    assert bench.committed(200) == list(range(200))
    assert bench.batches < 100
    assert bench.outbox.size_bytes() > before


def test_a_commit_asked_for_twice_is_one_row(bench: Bench) -> None:
    bench.commit(event(1))
    bench.commit(event(1))
    assert bench.loaded().rows == (event(1),)


def test_what_is_receipted_is_not_loaded_again(bench: Bench, open_bench: Callable[[], Bench]) -> None:
    bench.commit(*map(event, range(6)))
    bench.outbox.settle([Interval(7, 0, 1), Interval(7, 4, 2**64 - 1), Interval(2**64 - 1, 0, 9), Interval(6, 0, 9)])
    assert [one.id.sequence for one in again(bench, open_bench).loaded().rows] == [2, 3]


def test_numbers_as_large_as_they_can_be_are_committed_and_receipted(bench: Bench) -> None:
    names = (EventId(7, INT_MAX - 1), EventId(7, INT_MAX), EventId(INT_MAX, INT_MAX))
    bench.commit(*(replace(event(1), id=name, alarm=name) for name in names))
    bench.outbox.settle([Interval(7, INT_MAX, INT_MAX), Interval(INT_MAX, 0, INT_MAX)])
    bench.commit(event(1))
    assert [one.id.sequence for one in bench.loaded().rows] == [1, INT_MAX - 1]


def test_receipts_are_written_within_their_time_without_a_commit(bench: Bench) -> None:
    bench.commit(event(1))
    bench.outbox.settle([Interval(7, 1, 1)])
    assert rows_on_disk(bench.path, "settled = 0") == [1]
    bench.mono_ms += SETTLE_MS_MAX
    wait_until(lambda: rows_on_disk(bench.path, "settled = 0") == [])


def test_state_alone_waits_for_the_next_commit(bench: Bench, open_bench: Callable[[], Bench]) -> None:
    bench.loaded()
    bench.outbox.keep({"a": b"kept"})
    assert bench.outbox.pending_since_ms() is None
    bench.mono_ms += KEEP_MS_MAX - 1
    time.sleep(1.2)
    bench.commit(event(1))
    assert bench.loaded().state == {"a": b"kept"}
    assert again(bench, open_bench).loaded().state == {"a": b"kept"}


def test_the_thread_sleeps_until_what_is_due(tmp_path: Path) -> None:
    asked_ms: list[int] = []

    def sleep_s(ms: int) -> float:
        asked_ms.append(ms)
        return 0.01

    outbox = Outbox(tmp_path / "outbox.db", "gw-1", lambda message: None, lambda: Now(1_800_000_000_000, 1_000))
    outbox.start(sleep_s)
    outbox.keep({"a": b"kept"})
    wait_until(lambda: KEEP_MS_MAX in asked_ms)
    assert outbox.stop(10.0)


def test_state_alone_is_written_within_its_time(bench: Bench) -> None:
    bench.loaded()
    bench.outbox.keep({"a": b"kept"})
    bench.mono_ms += KEEP_MS_MAX
    wait_until(lambda: on_disk(bench.path, "SELECT name FROM state") == [("a",)])


def test_stopping_writes_what_waits(bench: Bench, open_bench: Callable[[], Bench]) -> None:
    bench.outbox.commit([event(1)], {})
    bench.outbox.keep({"a": b"kept"})
    loaded = again(bench, open_bench).loaded()
    assert loaded.rows == (event(1),)
    assert loaded.state == {"a": b"kept"}


def on_disk(path: Path, query: str) -> list[Any]:
    """Read from copies, since there may be one connection to a database only."""
    aside = path.parent.parent / "copy"
    aside.mkdir(exist_ok=True)
    for one in path.parent.glob("outbox.db*"):
        shutil.copy(one, aside / one.name)
    connection = sqlite3.connect(aside / path.name)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


def rows_on_disk(path: Path, where: str) -> list[int]:
    return [row[0] for row in on_disk(path, f"SELECT sequence FROM event WHERE {where}")]


def wait_until(holds: Callable[[], bool], timeout_s: float = PATIENCE_S) -> None:
    until = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.02)


# --- the order of loading ---


def test_life_comes_before_property_before_trouble(bench: Bench) -> None:
    bench.commit(event(1, TROUBLE, "a"), event(2, PROPERTY, "b"), event(3, LIFE, "c"), event(4, LIFE, "d", epoch=6))
    assert [one.id.sequence for one in bench.loaded().rows] == [4, 3, 2, 1]


def test_the_highest_epoch_that_waits_is_told(bench: Bench, open_bench: Callable[[], Bench]) -> None:
    bench.commit(event(1, epoch=2**62), *(event(n, epoch=7) for n in range(5)))
    after = again(bench, open_bench)
    assert after.loaded(2).last_epoch == 2**62
    after.outbox.settle([Interval(2**62, 1, 1)])
    after.commit(event(1, epoch=8))
    assert after.loaded(2).last_epoch == 8


def test_among_equals_terminals_take_turns(bench: Bench) -> None:
    bench.commit(*(event(n, LIFE, "wild") for n in range(1, 9)), event(9, LIFE, "button"), event(10, LIFE, "button"))
    assert [one.id.sequence for one in bench.loaded(5).rows] == [1, 9, 2, 10, 3]


def test_what_is_left_out_is_named_with_its_first_event(bench: Bench) -> None:
    bench.commit(*(event(n, TROUBLE, "a") for n in range(5)), event(9, LIFE, "b"))
    first = bench.loaded(3)
    assert [one.id.sequence for one in first.rows] == [9, 0, 1]
    assert first.more == {"a": EventId(7, 2)}
    rest = bench.loaded(100, tuple(one.id for one in first.rows))
    assert [one.id.sequence for one in rest.rows] == [2, 3, 4]
    assert not rest.more


keys = st.lists(
    st.builds(
        lambda epoch, sequence, severity, terminal: Key(0, EventId(epoch, sequence), severity, terminal),
        st.integers(0, 2), st.integers(0, 30), st.integers(0, 2), st.sampled_from("abc"),
    ),
    unique_by=lambda key: key.id,
)  # fmt: skip


@given(keys)
def test_urgency_keeps_the_order_within_a_terminal_and_hurries_what_stands_before_an_alarm(found: list[Key]) -> None:
    order, more = by_urgency(lambda: sorted(found, key=lambda key: key.id), len(found))
    assert sorted(order) == sorted(found)
    assert not more
    for terminal in "abc":
        ids = [key.id for key in order if key.terminal == terminal]
        assert ids == sorted(ids)
    for place, key in enumerate(order):  # whatever stands before a life event is life, or in its way or in another's
        for other in order[:place]:
            behind = [one.severity for one in found if one.terminal == other.terminal and one.id >= other.id]
            assert min(behind) <= key.severity or other.terminal == key.terminal


@given(keys, st.integers(0, 10), st.sets(st.integers(0, 30)))
def test_a_part_is_the_beginning_of_the_whole_and_says_where_each_terminal_goes_on(
    found: list[Key], limit: int, numbers: set[int]
) -> None:
    rising = sorted(found, key=lambda key: key.id)
    held = {key.id for key in found if key.id.sequence in numbers}
    whole, _ = by_urgency(lambda: rising, len(found), held)
    order, more = by_urgency(lambda: rising, limit, held)
    assert order == whole[:limit]
    assert more == {key.terminal: key.id for key in reversed(whole[limit:])}


# --- the disk fails ---


@pytest.fixture
def control(tmp_path: Path) -> shim.Control:
    try:
        shim.build()
    except Told as why:
        pytest.skip(why.en)
    return shim.Control(tmp_path / "control")


SCRIPT = """
import sys
sys.path[:0] = {paths!r}
from test_outbox import *
bench = Bench(Path({path!r}))
def say(*words): print(*words, flush=True)
def hear(): return sys.stdin.readline().strip()
"""


def played(body: str, path: Path, control: shim.Control) -> subprocess.Popen[str]:
    """A process of its own that has an outbox, on a disk that `control` governs."""
    here = Path(__file__).resolve()
    head = SCRIPT.format(paths=[str(here.parent), str(here.parents[2])], path=str(path))
    path.parent.mkdir(exist_ok=True)
    return subprocess.Popen(
        [sys.executable, "-c", head + body],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **shim.environment(control.path, path.parent)},
    )


def line_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def tell(process: subprocess.Popen[str], word: str = "go") -> None:
    assert process.stdin is not None
    process.stdin.write(word + "\n")
    process.stdin.flush()


HELD = """
bench.wait(Stored); say("ready"); hear()
began = time.monotonic()
bench.outbox.commit([event(1)], {"a": b"x"})
bench.mono_ms += 700
bench.outbox.commit([event(2)], {"a": b"y"})
bench.outbox.settle([Interval(7, 9, 9)]); bench.outbox.keep({"b": b"z"}); bench.outbox.load(9)
say(int((time.monotonic() - began) * 1000), bench.outbox.pending_since_ms())
hear()
say(bench.committed(2), bench.outbox.pending_since_ms())
say(bench.stop())
"""


def test_while_the_disk_hangs_nothing_blocks_and_the_wait_is_told(tmp_path: Path, control: shim.Control) -> None:
    process = played(HELD, tmp_path / "data" / "outbox.db", control)
    assert line_of(process) == "ready"
    control.hold()
    tell(process)
    took_ms, since_ms = line_of(process).split()
    assert int(took_ms) < 100
    assert since_ms == "1000"
    control.release()
    tell(process)
    assert line_of(process) == "[1, 2] None"
    assert process.communicate()[0] == "True\n"


def test_a_disk_that_hangs_does_not_hold_up_stopping_for_ever(
    tmp_path: Path, control: shim.Control, open_bench: Callable[[], Bench]
) -> None:
    process = played(
        "bench.wait(Stored); say('ready'); hear(); bench.outbox.commit([event(1)], {})\nsay(bench.outbox.stop(0.3))\n",
        tmp_path / "data" / "outbox.db",
        control,
    )
    assert line_of(process) == "ready"
    control.hold()
    tell(process)
    try:
        assert line_of(process) == "False"
        process.communicate(timeout=PATIENCE_S)  # nor the end of the process
    finally:
        process.kill()
    control.release()
    assert open_bench().loaded().rows in ((), (event(1),))  # whatever of it was written: the next start is well


def test_stopping_waits_no_longer_than_it_may(tmp_path: Path) -> None:
    free = threading.Event()

    def put(message: object) -> None:
        free.wait(PATIENCE_S)

    outbox = Outbox(tmp_path / "outbox.db", "gw-1", put, lambda: Now(1_800_000_000_000, 1_000))
    outbox.start(lambda ms: ms / 1000)
    assert not outbox.stop(0.05)
    free.set()
    assert outbox.stop(10.0)


FAILS = """
bench.wait(Stored); say("ready"); hear()
bench.outbox.commit([event(1)], {"a": b"x"})
told = bench.wait(Stored); say(told.ok, told.detail)
bench.outbox.commit([event(2)], {"a": b"y"}); bench.outbox.settle([Interval(7, 3, 3)])
bench.outbox.commit([event(3)], {}); bench.outbox.settle([Interval(7, 3, 3)])
say([one.id.sequence for one in bench.loaded().rows], bench.outbox.pending_since_ms())
hear()
bench.mono_ms += RETRY_MS_MAX
say(bench.committed(2), bench.outbox.pending_since_ms())
os.kill(os.getpid(), 9)
"""


@pytest.mark.parametrize(("fault", "advice"), [("enospc", "make room"), ("eio", "replace the card")])
def test_a_commit_that_fails_is_told_kept_and_written_when_the_disk_heals(
    tmp_path: Path, control: shim.Control, fault: str, advice: str, open_bench: Callable[[], Bench]
) -> None:
    process = played(FAILS, tmp_path / "data" / "outbox.db", control)
    assert line_of(process) == "ready"
    getattr(control, fault)()
    tell(process)
    told = line_of(process)
    assert told.startswith("False ")
    assert advice in told
    assert line_of(process) == "[1, 2] 1000"  # 3 has its receipt: it need not be written any more
    control.release()
    tell(process)
    assert line_of(process) == "[1, 2] None"
    process.communicate()
    loaded = open_bench().loaded()
    assert loaded.rows == (event(1), event(2))
    assert loaded.state == {"a": b"y"}


COMMITS = """
for sequence in range(100_000):
    say(*bench.commit(event(sequence)).events)
"""


@pytest.mark.parametrize("after", [1, 40, 300])
def test_what_was_told_to_be_committed_survives_a_kill(tmp_path: Path, control: shim.Control, after: int) -> None:
    path = tmp_path / "data" / "outbox.db"
    process = played(COMMITS, path, control)
    told = [line_of(process) for _ in range(after)]
    process.send_signal(signal.SIGKILL)
    assert process.stdout is not None
    told += process.stdout.read().split("\n")[:-1]  # communicate() passes over what readline() has buffered
    process.communicate()
    bench = Bench(path)
    found = {str(one.id) for one in bench.loaded(10**6).rows}
    bench.stop()
    assert found >= set(told)
    assert len(found) <= len(told) + 1


def test_another_process_that_has_the_file_is_named_and_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "data" / "outbox.db"
    first = Bench(path)
    first.commit(event(1))
    second = Bench(path)
    told = second.wait(Stored)
    assert not told.ok
    assert "another process" in told.detail
    second.outbox.commit([event(2)], {})
    assert second.loaded().rows == (event(2),)
    assert first.stop()
    second.mono_ms += RETRY_MS_MAX
    assert second.wait(Committed).events == (EventId(7, 2),)
    # The disk was not asked then; now it is, without being asked again.
    assert [one.id.sequence for one in second.wait(Loaded).rows] == [1, 2]
    assert second.stop()


def test_a_folder_that_cannot_be_made_is_told_and_tried_again(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file is in the way")
    bench = Bench(tmp_path / "data" / "outbox.db")
    detail = bench.wait(Stored).detail
    assert detail == f"{bench.path}: [Errno 17] File exists: '{bench.path.parent}'"
    bench.outbox.commit([event(1)], {"a": b"x"})
    assert bench.loaded() == Loaded((event(1),), {"a": b"x"}, {}, whole=False)
    (tmp_path / "data").unlink()
    bench.mono_ms += RETRY_MS_MAX
    assert bench.wait(Committed).events == (EventId(7, 1),)
    assert bench.stop()


def test_an_event_that_can_never_be_stored_does_not_hold_up_others(bench: Bench) -> None:
    bad = event(2**63)
    assert bench.commit(bad, event(1)).events == (EventId(7, 1),)
    assert bench.outbox.counters["outbox_unstorable"] == 1
    assert bench.outbox.pending_since_ms() is None


# --- the database is damaged ---


def test_a_file_that_is_no_database_is_kept_aside(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    path.write_bytes(b"not a database at all, " * 100)
    bench = Bench(path)
    assert not bench.wait(Stored).ok
    assert bench.wait(Stored).ok
    replaced = bench.wait(Replaced)
    assert replaced.salvaged == 0
    kept = Path(replaced.kept)
    assert kept.name == "outbox.db.corrupt-1800000000000"
    assert kept.read_bytes().startswith(b"not a database")
    assert bench.commit(event(1)).events
    assert bench.stop()


@pytest.mark.parametrize("header", ["user_version = 999", "user_version = 999; PRAGMA application_id = 0"])
def test_a_database_of_a_later_version_is_kept_aside_with_what_waits(bench: Bench, header: str) -> None:
    bench.commit(event(1), event(2), state={"a": b"one"})
    bench.outbox.settle([Interval(7, 2, 2)])
    bench.stop()
    connection = sqlite3.connect(bench.path)
    connection.executescript(f"PRAGMA {header}")
    connection.close()
    newer = Bench(bench.path)
    assert newer.wait(Replaced).salvaged == 1
    assert (newer.loaded().rows, newer.loaded().state) == ((event(1),), {"a": b"one"})
    assert newer.stop()


def test_a_schema_that_is_not_even_text_is_kept_aside(bench: Bench) -> None:
    bench.commit(event(1))
    bench.stop()
    data = bench.path.read_bytes()
    assert b"terminal TEXT" in data
    bench.path.write_bytes(data.replace(b"terminal TEXT NOT NULL", b"terminal TEXT NOT NUL\xf8"))
    after = Bench(bench.path)
    after.wait(Replaced)
    assert after.commit(event(2)).events == (EventId(7, 2),)
    assert after.stop()


def test_a_card_from_another_home_is_kept_aside_and_nothing_of_it_is_taken(tmp_path: Path) -> None:
    other = Bench(tmp_path / "outbox.db", "gw-2")
    other.commit(event(1), state={"alarm/smoke-1/smoke": b"standing"})
    assert other.stop()
    bench = Bench(tmp_path / "outbox.db")
    assert "another gateway's" in bench.wait(Stored).detail
    assert bench.wait(Replaced).salvaged == 1  # of gw-1, as `event` makes them
    assert bench.loaded().state == {}
    assert bench.stop()
    third = Bench(tmp_path / "outbox.db", "gw-3")
    assert third.wait(Replaced).salvaged == 0
    assert third.loaded() == Loaded((), {}, {})
    assert third.stop()


def test_the_oldest_databases_kept_aside_are_removed(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    for round_number in range(5):
        path.write_bytes(b"x" * 5000)
        bench = Bench(path)
        bench.wall_ms += round_number
        bench.wait(Replaced)
        bench.stop()
    kept = [one for one in tmp_path.iterdir() if "corrupt" in one.name and not one.name.endswith(("-wal", "-shm"))]
    assert len(kept) <= ASIDE_MAX


def test_what_is_kept_aside_keeps_its_log_and_goes_with_it(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    for number in range(5):
        for beside in ("", "-wal", "-shm"):
            (tmp_path / f"outbox.db{beside}").write_text(f"{number}{beside}")
        set_aside(path, tmp_path / f"outbox.db.corrupt-{number}")
    left = {one.name: one.read_text() for one in tmp_path.iterdir()}
    newest = range(5 - ASIDE_MAX, 5)
    assert left == {f"outbox.db.corrupt-{n}{beside}": f"{n}{beside}" for n in newest for beside in ("", "-wal", "-shm")}


def test_a_database_that_breaks_while_it_runs_is_replaced_and_loses_only_what_was_hit(bench: Bench) -> None:
    for first in range(0, 3000, 500):
        bench.commit(*map(event, range(first, first + 500)))
    bench.stop()
    running = Bench(bench.path)
    running.loaded(1)
    size = bench.path.stat().st_size
    with bench.path.open("r+b") as file:
        file.seek(size // 2)
        file.write(random.Random(1).randbytes(4096))
    running.outbox.load(4000)
    assert running.wait(Replaced).salvaged > 1500
    rows = running.wait(Loaded).rows
    assert len(rows) > 1500
    assert all(one == event(one.id.sequence) for one in rows)
    assert running.stop()


def test_a_file_that_was_removed_is_begun_again_and_nothing_is_told_committed_in_vain(bench: Bench) -> None:
    bench.commit(event(1))
    bench.path.unlink()
    bench.outbox.commit([event(2)], {})
    assert bench.wait(Committed).events == (EventId(7, 2),)
    assert bench.wait(Replaced).salvaged == 0
    assert bench.stop()
    assert rows_on_disk(bench.path, "1") == [2]


def test_a_row_whose_record_is_damaged_is_put_aside_and_counted(bench: Bench, open_bench: Callable[[], Bench]) -> None:
    bench.commit(event(1), event(2), event(3))
    bench.stop()
    connection = sqlite3.connect(bench.path)
    connection.execute("UPDATE event SET record = ? WHERE sequence = 2", (event(5).to_record(),))
    connection.execute("UPDATE event SET record = 17 WHERE sequence = 3")
    connection.commit()
    connection.close()
    after = open_bench()
    assert after.loaded(2).rows == (event(1),)
    assert after.outbox.counters["outbox_damaged_rows"] == 1
    assert after.loaded().rows == (event(1),)
    assert after.outbox.counters["outbox_damaged_rows"] == 2
    assert after.loaded().rows == (event(1),)
    assert after.outbox.counters["outbox_damaged_rows"] == 2
    assert on_disk(bench.path, "SELECT count(*) FROM damaged") == [(2,)]


def test_a_row_that_the_index_has_and_the_table_has_not_is_damaged(tmp_path: Path) -> None:
    one = Database(tmp_path / "outbox.db", "gw-1")
    one.write([event(1)], {}, [], 0)
    (key,) = one.waiting()
    gone = Key(99, EventId(7, 2), key.severity, key.terminal)
    assert one.read([key, gone]) == ([event(1)], [gone])
    one.close()


def test_state_that_is_damaged_is_left_out(bench: Bench, open_bench: Callable[[], Bench]) -> None:
    bench.commit(event(1), state={"a": b"one", "b": b"two", "c": b"three"})
    bench.stop()
    connection = sqlite3.connect(bench.path)
    connection.execute("UPDATE state SET value = x'6f6e66' WHERE name = 'a'")
    connection.execute("UPDATE state SET name = 'd' WHERE name = 'c'")
    connection.commit()
    connection.close()
    assert open_bench().loaded().state == {"b": b"two"}


@pytest.mark.parametrize("change", ["severity = 3", "severity = -1", "terminal = x'ff'"])
def test_a_key_that_cannot_be_ours_has_the_database_replaced(bench: Bench, change: str) -> None:
    bench.commit(event(1), event(2))
    bench.stop()
    connection = sqlite3.connect(bench.path)
    connection.execute(f"UPDATE event SET {change} WHERE sequence = 2")
    connection.commit()
    connection.close()
    after = Bench(bench.path)
    assert after.wait(Stored).ok
    after.outbox.load(9)
    assert "a key that is not one" in after.wait(Stored).detail
    assert after.wait(Replaced).salvaged == 2
    assert after.wait(Loaded).rows == (event(1), event(2))
    assert after.stop()


def written(n: int) -> Event:
    return event(n, (LIFE, TROUBLE)[n % 2], f"t-{n % 7}")


@pytest.fixture(scope="module")
def real_files(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, bytes]:
    """A database of 60 events and its log, as a killed process leaves them: half of it in each."""
    folder = tmp_path_factory.mktemp("real")
    one = Database(folder / "outbox.db", "gw-1")
    for first in range(0, 60, 5):
        one.write(map(written, range(first, first + 5)), {"a": b"x" * 200}, [], 0)
        if first == 30:
            one._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    files = (folder / "outbox.db").read_bytes(), (folder / "outbox.db-wal").read_bytes()
    one.close()
    assert all(len(data) > 8000 for data in files)
    return files


@pytest.mark.timeout(900)  # the night's examples, each with a real file and its syncs
@given(data=st.data())
def test_whatever_bytes_are_flipped_it_opens_and_what_it_loads_is_true(
    data: st.DataObject, real_files: tuple[bytes, bytes], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("flipped")
    for name, content in zip(("outbox.db", "outbox.db-wal"), real_files, strict=True):
        changed = bytearray(content)
        # The first page and the pages' heads are where a flip does most.
        places = (
            st.integers(0, 200)
            | st.integers(0, len(content) - 1).map(lambda at: at - at % 1024)
            | st.integers(0, len(content) - 1)
        )
        for at in data.draw(st.lists(places, max_size=8)):
            changed[at] = data.draw(st.integers(0, 255))
        cut = data.draw(st.none() | st.integers(0, len(content)))
        (folder / name).write_bytes(changed[:cut])
    bench = Bench(folder / "outbox.db")
    try:
        rows = bench.loaded(1000).rows
        assert all(one == written(one.id.sequence) for one in rows)
        bench.outbox.commit([event(1000)], {})
        while EventId(7, 1000) not in bench.wait(Committed).events:
            pass  # what was salvaged is committed again first
        assert event(1000) in bench.loaded(1000).rows
    finally:
        assert bench.stop()
        shutil.rmtree(folder)


# --- what is settled, and kept ---


def settle(bench: Bench, *sequences: int) -> None:
    bench.outbox.settle([Interval(7, sequence, sequence) for sequence in sequences])
    bench.mono_ms += SETTLE_MS_MAX
    bench.outbox.keep({})  # wakes it


def found(bench: Bench, *intervals: Interval, limit: int = 100) -> list[int]:
    bench.outbox.find(intervals, limit)
    return [one.id.sequence for one in bench.wait(Found).rows]


def test_what_is_settled_is_told_at_the_start_and_as_it_becomes_so(
    bench: Bench, open_bench: Callable[[], Bench]
) -> None:
    assert bench.wait(Settled) == Settled((), all=True)
    bench.commit(*(event(n) for n in range(1, 7)))
    settle(bench, 1, 2, 3, 5)
    assert bench.wait(Settled) == Settled((Interval(7, 1, 3), Interval(7, 5, 5)), all=False)
    settle(bench, 2, 6)  # 2 is no news
    assert bench.wait(Settled) == Settled((Interval(7, 6, 6),), all=False)
    assert again(bench, open_bench).wait(Settled) == Settled((Interval(7, 5, 6), Interval(7, 1, 3)), all=True)


def test_what_is_settled_is_told_anew_when_some_of_it_was_pruned(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pruning, "ROWS_MAX", 3)
    monkeypatch.setattr(pruning, "EVERY_ROWS", 12)
    bench.wait(Settled)
    bench.commit(*(event(n) for n in range(1, 7)))
    settle(bench, *range(1, 7))
    assert bench.wait(Settled) == Settled((Interval(7, 1, 6),), all=False)
    assert bench.wait(Settled) == Settled((Interval(7, 4, 6),), all=True)


def test_settled_events_are_found_again_and_stay_settled(bench: Bench, open_bench: Callable[[], Bench]) -> None:
    bench.commit(*(event(n) for n in range(1, 9)), event(3, epoch=9))
    settle(bench, *range(1, 8))
    assert found(bench, Interval(7, 2, 3), Interval(7, 6, 99), Interval(8, 1, 9)) == [2, 3, 6, 7]
    assert found(bench, Interval(7, 1, 9), limit=3) == [5, 6, 7]  # those that were written last
    assert found(bench, Interval(9, 3, 3)) == []  # waits for its receipt: it is sent anyway
    after = again(bench, open_bench).loaded()
    assert [one.id for one in after.rows] == [EventId(7, 8), EventId(9, 3)]


def test_a_settled_event_that_cannot_be_read_any_more_is_told_no_more(bench: Bench, tmp_path: Path) -> None:
    bench.commit(event(1), event(2), event(3))
    settle(bench, 1, 2, 3)
    assert found(bench, Interval(7, 1, 3)) == [1, 2, 3]
    assert bench.stop()
    with contextlib.closing(sqlite3.connect(bench.path)) as disk, disk:
        disk.execute("UPDATE event SET crc = crc + 1 WHERE sequence = 2")
    after = Bench(bench.path)
    assert after.wait(Settled).intervals == (Interval(7, 1, 3),)
    assert found(after, Interval(7, 1, 3)) == [1, 3]
    assert after.wait(Settled) == Settled((Interval(7, 3, 3), Interval(7, 1, 1)), all=True)
    assert after.outbox.counters["outbox_damaged_rows"] == 1
    after.stop()


def test_an_event_that_is_receipted_before_it_is_written_is_there_to_be_sent_again(
    tmp_path: Path, open_bench: Callable[[], Bench]
) -> None:
    early = Outbox(tmp_path / "data" / "outbox.db", "gw-1", [].append, lambda: Now(1_800_000_000_000, 1_000))
    early.commit([event(1), event(2)], {})
    early.settle([Interval(7, 1, 1)])
    early.start(lambda ms: ms / 1000)
    assert early.stop(10.0)
    bench = open_bench()
    assert bench.wait(Settled) == Settled((Interval(7, 1, 1),), all=True)
    assert bench.loaded().rows == (event(2),)
    assert found(bench, Interval(7, 1, 1)) == [1]


@given(
    sequences=st.sets(st.tuples(st.integers(1, 3), st.integers(0, 25)), max_size=30),
    waiting=st.sets(st.tuples(st.integers(1, 3), st.integers(0, 25)), max_size=10),
)
def test_the_intervals_of_what_is_settled_hold_it_and_nothing_else(
    sequences: set[tuple[int, int]], waiting: set[tuple[int, int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    one = Database(tmp_path_factory.mktemp("settled") / "outbox.db", "gw-1")
    events = [event(sequence, epoch=epoch) for epoch, sequence in sequences | waiting]
    one.write(events, {}, [Interval(epoch, at, at) for epoch, at in sequences - waiting], 0)
    intervals = one.settled()
    held = [(epoch, at) for epoch, first, last in intervals for at in range(first, last + 1)]
    assert sorted(held) == sorted(sequences - waiting)
    assert not any(two.last + 1 == after.first for two, after in pairs(intervals))
    assert intervals == sorted(intervals, reverse=True)
    one.close()


def test_what_is_settled_has_numbers_up_to_the_largest_and_no_others(tmp_path: Path) -> None:
    one = Database(tmp_path / "outbox.db", "gw-1")
    largest = replace(event(1), id=EventId(INT_MAX, INT_MAX), alarm=EventId(INT_MAX, INT_MAX))
    one.write([largest, event(1), event(2)], {}, [Interval(INT_MAX, INT_MAX, INT_MAX), Interval(7, 1, 2)], 0)
    one._connection.execute("UPDATE event SET epoch = -1 WHERE epoch = 7 AND sequence = 2")  # a flipped bit
    assert one.settled() == [Interval(INT_MAX, INT_MAX, INT_MAX), Interval(7, 1, 1)]
    one.close()


def test_a_settled_event_has_the_key_that_it_had_while_it_waited(tmp_path: Path) -> None:
    one = Database(tmp_path / "outbox.db", "gw-1")
    one.write([event(3, TROUBLE, "b"), event(1, LIFE, "a"), event(2, PROPERTY, "c")], {}, [], 0)
    before = list(one.waiting())
    one.write([], {}, [Interval(7, 1, 3)], 0)
    assert one.settled_keys([Interval(7, 1, 3)], 9, centre=0) == before
    one.close()


def pairs(intervals: list[Interval]) -> list[tuple[Interval, Interval]]:
    return [(two, after) for two in intervals for after in intervals if two.epoch == after.epoch and two is not after]


# --- what it costs ---


def written_bytes() -> int:
    text = Path("/proc/self/io").read_text()
    return int(text.split("\nwrite_bytes: ")[1].split()[0])


def test_bytes_written_for_an_alarm_are_within_their_budget(tmp_path: Path) -> None:
    one = Database(tmp_path / "outbox.db", "gw-1")

    def alarm(first: int, count: int) -> None:
        state = {"smoke-1": bytes([first % 251]) * 150, "sequence": str(first).encode()}
        one.write(map(event, range(first, first + count)), state, [], 0)

    alone, burst, size = 200, 30, 20
    before = written_bytes()
    for n in range(alone):  # the receipt is written on its own: nothing follows that it could go with
        alarm(n, 1)
        one.write([], {}, [Interval(7, n, n)], 0)
    between = written_bytes()
    for n in range(burst):
        alarm(1000 + n * size, size)
        one.write([], {}, [Interval(7, 1000 + n * size, 1000 + n * size + size)], 0)
    after = written_bytes()
    one.close()
    print(
        f"\nbytes written: alone {(between - before) // alone}, in a burst {(after - between) // (burst * size)} each"
    )
    assert (between - before) // alone <= 20_000
    assert (after - between) // (burst * size) <= 6_000


def test_an_outbox_at_its_limits_opens_and_loads_in_good_time(tmp_path: Path) -> None:
    one = Database(tmp_path / "outbox.db", "gw-1")
    one.write([event(n, TROUBLE, f"t-{n % 50}") for n in range(10_000)], {}, [], 0)
    one.write([event(n, TROUBLE, f"t-{n % 50}") for n in range(10_000, 20_000)], {}, [Interval(7, 0, 9_999)], 0)
    one.close()
    began = time.monotonic()
    bench = Bench(tmp_path / "outbox.db")
    assert len(bench.loaded(1000).rows) == 1000
    took_s = time.monotonic() - began
    print(f"\nopen and load: {took_s:.3f} s, {bench.path.stat().st_size} bytes")
    assert took_s < 3
    assert threading.active_count() < 20
    assert bench.stop()
