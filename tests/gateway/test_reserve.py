"""Room for alarms on a full disk: on real small file systems where this user may mount them, and on a modelled disk."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gateway import schema
from gateway.home.messages import Committed
from gateway.outbox import Loaded, Outbox, Stored
from gateway.reserve import RESERVE_BYTES, RESERVE_FILE, Reserve
from gateway.schema import Connect
from gateway.store import TIDY_RETRY_MS
from protocol.record import Event, EventId, Now, Stamp
from protocol.words import LIFE, TROUBLE
from sim import vfs
from sim.disk import Disk


def event(sequence: int, severity: str = LIFE) -> Event:
    name = EventId(7, sequence)
    kind = "smoke" if severity == LIFE else "battery_low"
    time = Stamp(1_800_000_000_000, 1, 2**62, "synchronised")
    return Event("gw-1", name, name, kind, "raised", severity, "held", "smoke-1", "kitchen", time)


class Bench:
    """An outbox, stepped; `fill` takes all the room that is left on its disk, `free` gives it back."""

    def __init__(self, path: Path, connect: Connect, fill: Callable[[], None], free: Callable[[], None]):
        self.path, self.fill, self.free = path, fill, free
        self.mono_ms = 1_000
        self.messages: list[object] = []
        self.connect = connect
        self.open()

    def open(self) -> None:
        self.outbox = Outbox(
            self.path, "gw-1", self.messages.append, lambda: Now(1_800_000_000_000, self.mono_ms), self.connect
        )
        self.work()

    def work(self) -> list[object]:
        self.messages.clear()
        while self.outbox.due():
            self.outbox.perform(self.outbox.begin())
        return list(self.messages)

    def commit(self, *events: Event) -> list[int]:
        """The sequence numbers of what is on the disk after it."""
        self.outbox.commit(events, {"a": b"%d" % events[0].id.sequence})
        found = [message for message in self.work() if isinstance(message, Committed)]
        return [one.sequence for message in found for one in message.events]

    def waiting(self) -> list[int]:
        self.outbox.load(10_000)
        return next([one.id.sequence for one in m.rows] for m in self.work() if isinstance(m, Loaded))

    @property
    def reserve(self) -> Path:
        return self.path.with_name(RESERVE_FILE)


def on_the_model(folder: Path) -> Iterator[Bench]:
    disk = Disk(random.Random(1))
    bench = Bench(disk.path("/data/outbox.db"), vfs.connect, lambda: None, lambda: None)

    def fill() -> None:
        disk.room_bytes = sum(len(file.seen) for file in disk.files.values()) + 1500

    def free() -> None:
        disk.room_bytes = None

    bench.fill, bench.free = fill, free
    yield bench
    disk.kill()  # or the connection would still want to write to it


def mounted(folder: Path, *options: str) -> Iterator[Bench]:
    if os.geteuid() != 0:
        pytest.skip("mounting needs root")
    data = folder / "data"
    data.mkdir()
    made = subprocess.run(["mount", *options, str(data)], capture_output=True, text=True)
    if made.returncode != 0:
        pytest.skip(f"mount: {made.stderr.strip()}")
    filler = data / "filler"

    def fill() -> None:
        with filler.open("ab", buffering=0) as file:
            for size in (65536, 4096):
                with contextlib.suppress(OSError):
                    while file.write(random.randbytes(size)):
                        os.fsync(file.fileno())

    try:
        bench = Bench(data / "outbox.db", schema.connect, fill, filler.unlink)
        yield bench
        bench.outbox.close()
        bench.work()
    finally:
        subprocess.run(["umount", str(data)], check=True)


def on_tmpfs(folder: Path) -> Iterator[Bench]:
    yield from mounted(folder, "-t", "tmpfs", "-o", "size=4m", "none")


def on_ext4(folder: Path) -> Iterator[Bench]:
    if shutil.which("mke2fs") is None:
        pytest.skip("there is no mke2fs")
    image = folder / "image"
    with image.open("xb") as file:
        file.truncate(16 << 20)
    subprocess.run(["mke2fs", "-q", "-F", "-t", "ext4", "-m", "0", str(image)], check=True, capture_output=True)
    yield from mounted(folder, "-o", "loop", str(image))


@pytest.fixture(params=[on_the_model, on_tmpfs, on_ext4])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    yield from request.param(tmp_path)


def test_the_reserve_is_made_at_the_first_start_and_is_not_zeros(bench: Bench) -> None:
    data = bench.reserve.read_bytes()
    assert len(data) == RESERVE_BYTES
    assert len(set(data)) == 256


def test_alarms_take_the_reserve_and_troubles_alone_do_not(bench: Bench) -> None:
    bench.commit(event(0))
    bench.fill()
    committed = []
    for n in range(1, 120):
        committed += bench.commit(*(event(n * 10 + k, TROUBLE) for k in range(10)))
    assert len(committed) < 1_190  # it is full
    assert bench.reserve.exists()
    assert bench.commit(event(5_000)) == [5_000]
    assert not bench.reserve.exists()
    assert all(bench.commit(event(n)) == [n] for n in range(5_001, 5_300))
    assert bench.commit(event(9_000, TROUBLE)) == []  # the room that was made is for alarms
    bench.mono_ms += 10 * TIDY_RETRY_MS
    assert bench.work() == []
    bench.free()
    bench.mono_ms += TIDY_RETRY_MS
    written = [message for message in bench.work() if isinstance(message, Committed)]
    assert {9_000, *range(10, 1_200)} - {one.sequence for message in written for one in message.events} <= {*committed}


def test_a_full_disk_is_told_until_there_is_room_and_the_reserve_is_made_again(bench: Bench) -> None:
    bench.fill()
    told: list[Stored] = []
    for n in range(300):
        bench.outbox.commit([event(n)], {})
        told += [message for message in bench.work() if isinstance(message, Stored)]
    assert [one.ok for one in told] == [False]
    assert "make room" in told[0].detail
    bench.mono_ms += TIDY_RETRY_MS
    assert bench.work() == []  # still no room: nothing of it is left, and nothing more is told
    assert not bench.reserve.exists()
    bench.free()
    bench.mono_ms += TIDY_RETRY_MS
    assert bench.work() == [Stored(True)]
    assert bench.reserve.stat().st_size == RESERVE_BYTES


def test_a_disk_that_never_had_room_for_the_reserve_takes_alarms_to_the_last_byte(tmp_path: Path) -> None:
    bench = next(on_the_model(tmp_path))
    bench.outbox.close()
    bench.work()
    bench.reserve.unlink()
    bench.fill()
    disk = bench.path.disk  # type: ignore[attr-defined]
    disk.room_bytes += RESERVE_BYTES // 2
    bench.open()
    bench.outbox.commit([event(n, TROUBLE) for n in range(3_000)], {})
    bench.work()
    assert bench.commit(event(5_000)) == [5_000]
    disk.kill()


@pytest.fixture
def modelled(tmp_path: Path) -> Iterator[Bench]:
    yield from on_the_model(tmp_path)


def on_a_full_disk(bench: Bench) -> None:
    """Until the reserve has gone to alarms."""
    bench.fill()
    n = 0
    while bench.reserve.exists():
        n += 1
        bench.commit(event(n))


def test_alarms_that_overtake_troubles_on_a_full_disk_are_sent_in_their_place(modelled: Bench) -> None:
    on_a_full_disk(modelled)
    modelled.outbox.commit([event(5_000, TROUBLE), event(5_001)], {})
    assert Committed((EventId(7, 5_001),)) in modelled.work()
    assert modelled.waiting()[-2:] == [5_000, 5_001]  # of one terminal, the one from memory and the other from the disk


def test_troubles_that_came_with_an_alarm_are_written_when_there_is_room(modelled: Bench) -> None:
    on_a_full_disk(modelled)
    modelled.outbox.commit([event(5_000), event(5_001, TROUBLE)], {})
    modelled.work()
    assert modelled.outbox.pending_since_ms() == modelled.mono_ms
    modelled.free()
    modelled.mono_ms += TIDY_RETRY_MS
    assert Committed((EventId(7, 5_001),)) in modelled.work()
    assert modelled.outbox.pending_since_ms() is None


def test_the_state_beside_an_alarm_takes_the_reserve_too(modelled: Bench) -> None:
    on_a_full_disk(modelled)
    modelled.commit(event(5_000))
    assert modelled.outbox.stop(0) is False
    modelled.work()
    assert modelled.outbox.stop(0)
    modelled.open()
    modelled.outbox.load(10_000)
    assert [message.state for message in modelled.work() if isinstance(message, Loaded)] == [{"a": b"5000"}]


def test_a_database_that_is_removed_while_the_disk_is_full_is_begun_again_with_the_alarm(modelled: Bench) -> None:
    on_a_full_disk(modelled)
    modelled.path.unlink()
    assert modelled.commit(event(5_000)) == [5_000]
    assert modelled.waiting() == [5_000]


def test_a_start_on_a_full_disk_brings_what_waits(bench: Bench) -> None:
    for n in range(100):
        bench.commit(event(n))
    bench.fill()
    while bench.reserve.exists():  # until the log itself has no room
        n += 1
        bench.commit(event(n))
    bench.outbox.close()
    bench.work()
    bench.open()
    assert bench.waiting() == list(range(n + 1))
    assert bench.commit(event(n + 1)) == [n + 1]


@pytest.mark.parametrize("left", [0, 1, RESERVE_BYTES - 1])
def test_what_a_power_cut_left_of_it_is_made_again(tmp_path: Path, left: int) -> None:
    path = tmp_path / RESERVE_FILE
    path.write_bytes(bytes(left))
    Reserve(path).make()
    assert path.stat().st_size == RESERVE_BYTES


def test_it_is_written_once(tmp_path: Path) -> None:
    path = tmp_path / RESERVE_FILE
    Reserve(path).make()
    path.write_bytes(bytes(RESERVE_BYTES))
    again = Reserve(path)
    again.make()
    assert path.read_bytes() == bytes(RESERVE_BYTES)


def test_what_is_not_there_can_be_given_up(tmp_path: Path) -> None:
    reserve = Reserve(tmp_path / RESERVE_FILE)
    reserve.give_up()
    reserve.make()
    reserve.give_up()
    assert not reserve.made
    assert list(tmp_path.iterdir()) == []
