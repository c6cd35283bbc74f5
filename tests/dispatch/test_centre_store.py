"""The centre's database keeps what it committed, and survives damage, locks and full disks without a crash."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatch import store as store_module
from dispatch.schema import STEPS
from dispatch.store import KEPT_ASIDE_MAX, Store, StoreError
from protocol.record import INT_MAX, Event, EventId, Interval, Now, Sent, Source, Stamp
from protocol.words import Told


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "centre.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    opened = Store(path)
    yield opened
    opened.close()


def event(sequence: int, source: Source | None = None, flags: tuple[str, ...] = (), kind: str = "smoke") -> Event:
    return Event(
        gateway="gw-1",
        id=EventId(1, sequence),
        alarm=EventId(1, sequence),
        kind=kind,
        phase="raised",
        severity="life",
        link="held",
        terminal="smoke-1",
        room="kitchen",
        time=Stamp.of(Now(1_790_000_000_000, 60_000), boot=1),
        source=source,
        flags=flags,
    )


def insert(store: Store, found: Event) -> None:
    store.insert(Sent(found, 1, 0), found.alarm, late=False, committed_ms=1, incident=None, envelope=b"signed")


def commit(store: Store, *found: Event) -> None:
    """Insert them in one transaction."""
    with store.transaction():
        for one in found:
            insert(store, one)


def ids(store: Store) -> list[int]:
    return [row["sequence"] for row in store.rows("SELECT sequence FROM events ORDER BY sequence")]


def test_what_was_committed_is_there_after_opening_again(path: Path, store: Store) -> None:
    with store.transaction():
        insert(store, event(1))
        store.count("events_committed")
    store.close()
    again = Store(path)
    assert ids(again) == [1]
    assert again.counters() == {"events_committed": 1}
    again.close()


def test_an_event_is_kept_to_its_last_field(store: Store) -> None:
    found = replace(event(1, Source(9, 2), ("late",)), position=(399_000_000, 1_163_000_000), evidence={"x": -5})
    with store.transaction():
        store.insert(Sent(found, 3, 70_000), EventId(1, 1), True, 1_790_000_070_000, None, b"signed")
        store.insert(Sent(event(2), 1, None), EventId(1, 1), False, 1_790_000_000_001, None, b"too")
    first, second = (dict(row) for row in store.rows("SELECT * FROM events ORDER BY sequence"))
    same = {
        "gateway": "gw-1",
        "epoch": 1,
        "alarm_epoch": 1,
        "alarm_sequence": 1,
        "kind": "smoke",
        "phase": "raised",
        "severity": "life",
        "link": "held",
        "terminal": "smoke-1",
        "room": "kitchen",
        "raised_ms": 1_790_000_000_000,
        "raised_mono_ms": 60_000,
        "boot": 1,
        "clock": "synchronised",
        "unverified": 0,
        "incident": None,
    }
    assert first == same | {
        "sequence": 1,
        "source_boot": 9,
        "source_number": 2,
        "position": "[399000000, 1163000000]",
        "evidence": '{"x": -5}',
        "flags": '["late"]',
        "attempt": 3,
        "age_ms": 70_000,
        "late": 1,
        "committed_ms": 1_790_000_070_000,
        "envelope": b"signed",
    }
    assert second == same | {
        "sequence": 2,
        "source_boot": None,
        "source_number": None,
        "position": None,
        "evidence": "{}",
        "flags": "[]",
        "attempt": 1,
        "age_ms": None,
        "late": 0,
        "committed_ms": 1_790_000_000_001,
        "envelope": b"too",
    }


def test_a_transaction_that_fails_leaves_nothing_and_the_next_one_works(store: Store) -> None:
    store.unwritten["refused.signature"] = 2
    with pytest.raises(StoreError):
        commit(store, event(1), event(1))
    assert ids(store) == []
    commit(store, event(2))
    assert ids(store) == [2]
    assert store.counters() == {"refused.signature": 2}
    assert not store.unwritten


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 30) | st.integers(INT_MAX - 3, INT_MAX)), max_size=60))
def test_intervals_hold_exactly_what_was_marked_and_are_merged(marks: list[tuple[int, int]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder) / "centre.db")
        marked: set[EventId] = set()
        with store.transaction():
            for one in (EventId(*mark) for mark in marks):
                found = store.interval("gw-1", one)
                assert (found is not None) == (one in marked)
                if found is None:
                    store.mark("gw-1", one)
                    marked.add(one)
        rows = [Interval(*row) for row in store.rows("SELECT epoch, first, last FROM intervals ORDER BY epoch, first")]
        store.close()
    held = {EventId(row.epoch, n) for row in rows for n in range(row.first, row.last + 1)}
    assert held == marked
    apart = [b.first - a.last for a, b in pairwise(rows) if a.epoch == b.epoch]
    assert all(gap > 1 for gap in apart)


def test_intervals_of_gateways_are_apart(store: Store) -> None:
    with store.transaction():
        store.mark("gw-1", EventId(1, 5))
    assert store.interval("gw-1", EventId(1, 5)) == Interval(1, 5, 5)
    assert store.interval("gw-2", EventId(1, 5)) is None
    assert store.interval("gw-1", EventId(2, 5)) is None


def test_a_source_finds_its_event_but_not_one_in_doubt(store: Store) -> None:
    with store.transaction():
        insert(store, event(1, Source(9, 1), flags=("unverified",)))
        assert store.same_source(event(2, Source(9, 1))) is None
        insert(store, event(2, Source(9, 1)))
    assert store.same_source(event(3, Source(9, 1))) == EventId(1, 2)
    assert store.same_source(event(3, Source(9, 1), flags=("unverified",))) is None
    assert store.same_source(event(3, Source(9, 1), kind="tamper")) is None
    assert store.same_source(event(3, Source(8, 1))) is None
    assert store.same_source(event(3)) is None


def test_the_database_itself_refuses_a_source_twice(store: Store) -> None:
    with pytest.raises(StoreError, match="UNIQUE"):
        commit(store, event(1, Source(9, 1)), event(2, Source(9, 1)))


def test_an_alias_leads_to_the_stored_event(store: Store) -> None:
    with store.transaction():
        store.alias("gw-1", EventId(2, 1), EventId(1, 7))
    assert store.stored_id("gw-1", EventId(2, 1)) == EventId(1, 7)
    assert store.stored_id("gw-1", EventId(2, 2)) == EventId(2, 2)
    assert store.stored_id("gw-2", EventId(2, 1)) == EventId(2, 1)


@pytest.mark.parametrize("content", [b"garbage" * 1000, b"SQLite format 3\x00" + b"\xff" * 8000])
def test_a_database_that_is_garbage_is_kept_aside_and_a_new_one_begun(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    store = Store(path)
    commit(store, event(1))
    assert ids(store) == [1]
    assert [aside.read_bytes() for aside in store.kept_aside] == [content]
    store.close()


def test_a_damaged_database_that_cannot_be_put_aside_is_told(path: Path) -> None:
    path.write_bytes(b"garbage" * 1000)
    for number in range(1, KEPT_ASIDE_MAX + 1):
        path.with_name(f"centre.db.damaged-{number}").mkdir()
    with pytest.raises(Told, match=r"it cannot be put aside: .*Is a directory"):
        Store(path)
    assert path.read_bytes() == b"garbage" * 1000


def damage(path: Path) -> None:
    """Overwrite all pages after the first."""
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xa5" * (path.stat().st_size - 4096))


def test_a_database_with_damaged_pages_is_kept_aside_at_opening(path: Path, store: Store) -> None:
    commit(store, event(1))
    store.close()
    damage(path)
    again = Store(path)
    assert len(again.kept_aside) == 1
    assert ids(again) == []
    again.close()


def test_a_database_damaged_while_it_is_open_is_replaced_and_the_next_batch_committed(path: Path, store: Store) -> None:
    store.close()
    store.rows("PRAGMA cache_size = 0")
    damage(path)
    with pytest.raises(StoreError, match="kept as"):
        commit(store, *(event(sequence) for sequence in range(9)))
    assert len(store.kept_aside) == 1
    commit(store, event(20))
    assert ids(store) == [20]


def test_the_number_of_databases_kept_aside_is_bounded(path: Path) -> None:
    for number in range(KEPT_ASIDE_MAX + 2):
        path.write_bytes(b"garbage %d" % number * 1000)
        Store(path).close()
    kept = {aside.name: aside.read_bytes()[:9] for aside in path.parent.glob("centre.db.damaged-*")}
    first = {f"centre.db.damaged-{number + 1}": b"garbage %d" % number for number in range(KEPT_ASIDE_MAX - 1)}
    assert kept == {**first, f"centre.db.damaged-{KEPT_ASIDE_MAX}": b"garbage %d" % (KEPT_ASIDE_MAX + 1)}


def test_a_damaged_database_is_kept_with_what_is_beside_it(path: Path) -> None:
    """A log that stayed behind would be written into the new database."""
    for beside in ("", "-wal", "-shm"):
        Path(f"{path}{beside}").write_text(f"old{beside}")
    store_module._put_aside(path)
    left = {one.name: one.read_text() for one in path.parent.iterdir()}
    assert left == {f"centre.db.damaged-1{beside}": f"old{beside}" for beside in ("", "-wal", "-shm")}


def test_another_thread_may_go_on_with_it(store: Store) -> None:
    with ThreadPoolExecutor(1) as pool:
        pool.submit(commit, store, event(1)).result()
    assert ids(store) == [1]


def test_what_is_no_sql_is_told_as_it_is(store: Store) -> None:
    for ask in (store.rows, store.row, store.run):
        with pytest.raises(StoreError, match="no such table: nowhere"):
            ask("SELECT 1 FROM nowhere")
    assert store.row("SELECT sequence FROM events") is None


def test_a_full_disk_is_a_failed_commit_and_afterwards_all_is_well(store: Store) -> None:
    [[pages]] = store.rows("PRAGMA page_count")
    store.rows(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StoreError, match="full"):
        commit(store, *(event(sequence) for sequence in range(200)))
    assert ids(store) == []
    store.rows(f"PRAGMA max_page_count = {pages + 1000}")
    commit(store, event(1))
    assert ids(store) == [1]


def test_a_second_centre_on_the_same_database_is_told_so(path: Path, store: Store) -> None:
    code = (
        "import sys; from pathlib import Path; from dispatch import store; from protocol.words import Told\n"
        "store.BUSY_S = 0.1\n"
        "try: store.Store(Path(sys.argv[1]))\n"
        "except Told as told: print(told.en, told.zh)"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True, cwd=Path.cwd(), timeout=20
    )
    assert "locked" in answer.stdout
    assert answer.stdout.count(str(path)) == 2  # in English and in Chinese
    commit(store, event(1))


def test_a_folder_that_is_missing_or_a_database_of_a_later_release_is_told(tmp_path: Path, path: Path) -> None:
    with pytest.raises(Told, match="unable to open"):
        Store(tmp_path / "nowhere" / "centre.db")
    db = sqlite3.connect(path)
    db.execute(f"PRAGMA user_version = {len(STEPS) + 1}")
    db.close()
    with pytest.raises(Told, match="later release"):
        Store(path)
    assert list(tmp_path.iterdir()) == [path]


def test_commits_are_synced_and_in_a_log(store: Store) -> None:
    assert store.rows("PRAGMA journal_mode")[0][0] == "wal"
    assert store.rows("PRAGMA synchronous")[0][0] == 2
