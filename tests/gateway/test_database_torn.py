"""The outbox's database on a modelled disk that loses power: unsynced sectors survive or not, each by chance.

The product's own code writes there; the product as it is, with the standard library, then opens what is left.
"""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from gateway.database import Database
from protocol.record import Event, EventId, Interval, Source, Stamp
from sim import vfs
from sim.disk import Cut, Disk
from sim.vfs import Connection, Cursor

NOW_S = 1_800_000_000
RUNS = 40
CUTS_IN_RUN = 4
OPERATIONS_MAX = 120  # of the disk, in a life: some ten transactions


class Weak(Connection):
    """With a setting that is not the product's."""

    def execute(self, sql: str, values: Sequence[Any] = ()) -> Cursor:
        return super().execute("PRAGMA synchronous = NORMAL" if sql.startswith("PRAGMA synchronous =") else sql, values)


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
            assert not database.write(events, {"part": self.state[1]}, intervals, NOW_S).refused
            self.safe = (self.safe | {one.id for one in events}) - gone
            self.doubtful, self.state = set(), self.state[1:]


def lives(seed: int, folder: Path, weak: bool = False) -> list[str]:
    """A few lives on one disk, with a cut after each; what was wrong afterwards."""
    chance, life, wrong = random.Random(seed), Life(), list[str]()
    disk = Disk(chance)

    def weakly(path: Path) -> sqlite3.Connection:
        return cast(sqlite3.Connection, Weak(disk, str(path)))

    connect = weakly if weak else vfs.connect
    for number in range(CUTS_IN_RUN):
        disk.cut_after = chance.randint(0, OPERATIONS_MAX)
        with pytest.raises(Cut):
            life.run(Database(disk.path("/outbox/outbox.db"), "gw-1", connect), chance)
        wrong += [f"seed {seed}, cut {number}: {one}" for one in _wrong(folder / str(number), disk, life)]
        life.doubtful = set()
    return wrong


def _wrong(folder: Path, disk: Disk, life: Life) -> list[str]:
    """Opens what is left with the product as it is."""
    folder.mkdir()
    for name, file in disk.files.items():
        (folder / Path(name).name).write_bytes(file.seen)
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


def all_lives(seeds: range, folder: Path, weak: bool = False) -> list[str]:
    wrong = []
    for seed in seeds:
        (folder / str(seed)).mkdir()
        wrong += lives(seed, folder / str(seed), weak)
    return wrong


def test_whatever_a_cut_leaves_of_unsynced_sectors_nothing_that_was_committed_is_lost(tmp_path: Path) -> None:
    assert all_lives(range(RUNS), tmp_path) == []


@pytest.mark.night
@pytest.mark.timeout(600)
def test_the_same_two_thousand_times(tmp_path: Path) -> None:
    assert all_lives(range(1000, 1500), tmp_path) == []


def test_the_model_sees_what_a_weaker_setting_loses(tmp_path: Path) -> None:
    wrong = all_lives(range(10), tmp_path, weak=True)
    assert sum("is lost" in one for one in wrong) > 20
