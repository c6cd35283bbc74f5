"""The figures of `sixkit bench disk`: bytes that the gateway writes, each beside what bare SQLite writes in the run."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from gateway.home.core import Home
from gateway.home.messages import Commit, Committed, Effect, Input, Keep, Reading, Receipted
from gateway.home.roster import Roster, Terminal
from gateway.outbox import Outbox
from gateway.schema import Connect, connect
from protocol.record import Interval, Now, Source
from sim import vfs
from sim.case import TerminalSpec
from sim.disk import Disk
from sim.world.clock import BEGUN_WALL_MS
from sim.world.run import centre_folder
from sim.world.world import World

from .locale import say

# The limits of the design, in bytes: for each event of an alarm, and for a day.
ALONE_MAX: Final = 20_000
BURST_MAX: Final = 6_000
DAY_MAX: Final = 2_000_000

BURST: Final = 20  # alarms at once
ALONE: Final = 200  # alarms, so that checkpoints have their share
BURSTS: Final = 20
PAUSE_MS: Final = 60_000  # between alarms: nothing of one is written together with another
QUIET: Final = (
    TerminalSpec("button-1", "button", "bedroom"),
    TerminalSpec("button-2", "button", "bathroom"),
    TerminalSpec("button-3", "button", "hall"),
    TerminalSpec("smoke-1", "smoke", "kitchen"),
    TerminalSpec("smoke-2", "smoke", "bedroom"),
    TerminalSpec("smoke-3", "smoke", "hall"),
)
HOUR_MS: Final = 3_600_000
DAY_MS: Final = 24 * HOUR_MS
REST_MS: Final = 60_000  # a chamber in clean air is read so often; it says nothing of that
IO: Final = Path("/proc/self/io")  # proc(5): write_bytes, what this process caused to be sent to a disk
EVIDENCE: Final = {"obscuration_mdb_m": 150, "background_mdb_m": 20, "temperature_c": 23, "threshold_mdb_m": 140}


def measure(folder: Path) -> dict[str, Any]:
    """Bytes for an event of an alarm, alone and as one of a burst, and for a quiet day: of the modelled disk; and under
    `real` of the file system that `folder` is on, where the kernel counts them."""
    disk = Disk(Random(1))
    found = _alarms(disk.path("/data"), vfs.connect, lambda: disk.bytes_written)
    found["day"] = _quiet_day()
    for name, limit in (("alone", ALONE_MAX), ("burst", BURST_MAX), ("day", DAY_MAX)):
        found[name]["limit_bytes"] = limit
    with tempfile.TemporaryDirectory(prefix="sixkit-", dir=folder) as name:
        real = _alarms(Path(name), connect, _written_bytes) if os.access(IO, os.R_OK) else {}
        counts = bool(real and real["alone"]["bytes"])  # nothing is counted of what stays in memory
        found["real"] = {"file_system": _file_system(Path(name)), **real} if counts else None
    found["within_limits"] = all(
        figures[name]["bytes"] <= found[name]["limit_bytes"]
        for figures in (found, found["real"] or {})
        for name in ("alone", "burst", "day")
        if name in figures
    )
    return found


def _alarms(folder: Path, connect: Connect, written: Callable[[], int]) -> dict[str, Any]:
    """`written` says how many bytes have been written so far."""
    gateway = _Gateway(folder / "outbox.db", connect)
    gateway.burst(1)  # what is written once in a life of the database
    alone = _each(written, ALONE, lambda: gateway.burst(1))
    burst = _each(written, BURSTS, lambda: gateway.burst(BURST))
    gateway.close()
    floor = _Floor(folder / "floor.db", connect, gateway.record_bytes())
    floor.rows(1)
    return {
        "record_bytes": gateway.record_bytes(),
        "alone": {"bytes": alone // 2, "floor_bytes": _each(written, 2 * ALONE, lambda: floor.rows(1))},
        "burst": {
            "bytes": burst // (2 * BURST),
            "floor_bytes": _each(written, 2 * BURSTS, lambda: floor.rows(BURST)) // BURST,
        },
    }


def _each(written: Callable[[], int], count: int, act: Callable[[], None]) -> int:
    before = written()
    for _ in range(count):
        act()
    return (written() - before) // count


class _Gateway:
    """The real core and the real outbox, with as many chambers as a burst has alarms; all that happens is receipted."""

    def __init__(self, path: Path, connect: Connect):
        self._chambers = [Terminal(f"smoke-{n}", "smoke", f"room {n}", "native") for n in range(BURST)]
        self._now = Now(BEGUN_WALL_MS, 0)
        self._number = 0
        self._records: list[int] = []
        self._home = Home("gw-1", 2**40, 1, Roster(tuple(self._chambers)), now=self._now)
        self._outbox = Outbox(path, "gw-1", self._said, lambda: self._now, connect)
        self._pass(PAUSE_MS)

    def burst(self, count: int) -> None:
        """So many chambers raise an alarm at one moment, and restore it at another: two events of each."""
        for phase in ("raised", "restored"):
            for number, chamber in enumerate(self._chambers[:count]):
                self._number += 1
                source = Source(1, self._number)
                self._take(Reading(chamber.id, "smoke", phase, "held", source, evidence=EVIDENCE))
                if number == 0:
                    work = self._outbox.begin()  # the disk is busy with the first while the others come
            self._outbox.perform(work)
            self._pass(PAUSE_MS)

    def record_bytes(self) -> int:
        """Of an event, on average."""
        return sum(self._records) // len(self._records)

    def close(self) -> None:
        self._outbox.close()
        self._pass(0)

    def _pass(self, ms: int) -> None:
        end_ms = self._now.mono_ms + ms
        while True:
            due = [one for one in (self._outbox.deadline(), self._home.deadline()) if one is not None]
            at_ms = min(due, default=end_ms + 1)
            if at_ms > end_ms:
                break
            self._now = Now(BEGUN_WALL_MS + max(at_ms, self._now.mono_ms), max(at_ms, self._now.mono_ms))
            self._perform(self._home.tick(self._now))
            if self._outbox.due():
                self._outbox.perform(self._outbox.begin())
        self._now = Now(BEGUN_WALL_MS + end_ms, end_ms)

    def _take(self, message: Input) -> None:
        self._perform(self._home.handle(message, self._now))

    def _perform(self, effects: list[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, Commit):
                self._outbox.commit(effect.events, effect.state)
                self._records += [len(event.to_record()) for event in effect.events]
            elif isinstance(effect, Keep):
                self._outbox.keep(effect.state)

    def _said(self, message: object) -> None:
        if isinstance(message, Committed):
            self._take(message)
            intervals = tuple(Interval(one.epoch, one.sequence, one.sequence) for one in message.events)
            self._outbox.settle(intervals)
            self._take(Receipted(intervals))


class _Floor:
    """A bare table, as synced as the outbox, with rows of the size of an event and nothing else."""

    def __init__(self, path: Path, connect: Connect, row_bytes: int):
        self._connection = connect(path)
        for pragma in ("locking_mode = EXCLUSIVE", "journal_mode = WAL", "synchronous = FULL"):
            self._connection.execute(f"PRAGMA {pragma}").fetchone()
        self._connection.execute("CREATE TABLE event (record BLOB)")
        self._row = bytes(row_bytes)

    def rows(self, count: int) -> None:
        self._connection.execute("BEGIN IMMEDIATE")
        self._connection.executemany("INSERT INTO event VALUES (?)", [(self._row,)] * count)
        self._connection.execute("COMMIT")


def _quiet_day() -> dict[str, Any]:
    """The whole system in virtual time, six terminals with heartbeats, the gateway's own answered by the centre; the
    first hour is not counted."""
    with centre_folder() as folder:
        world = World(1, QUIET, folder, rest_ms=REST_MS)
        world.start()
        world.timeline.until(world.timeline.now + HOUR_MS)
        before, syncs = world.disk.bytes_written, world.disk.syncs
        world.timeline.until(world.timeline.now + DAY_MS)
        found = {"bytes": world.disk.bytes_written - before, "syncs": world.disk.syncs - syncs, "floor_bytes": 0}
        world.centre.stop()
    return found


def _written_bytes() -> int:
    """What this process has caused to be sent to disks so far."""
    return int(next(line for line in IO.read_text().splitlines() if line.startswith("write_bytes:")).split()[1])


def _file_system(folder: Path) -> str:
    """Its kind, by the longest of the mount points (proc(5), mounts) above `folder`."""
    mounts = [line.split()[1:3] for line in Path("/proc/self/mounts").read_text().splitlines()]
    above = [(len(point), kind) for point, kind in mounts if folder.resolve().is_relative_to(point)]
    return max(above)[1] if above else "?"


def show(found: dict[str, Any]) -> None:
    """The figures as a table for a person."""
    table = Table(title=say("Bytes that the gateway writes", "网关写入的字节数"), title_justify="left")
    table.add_column("")
    for en, zh in (("here", "本项"), ("bare SQLite", "裸 SQLite"), ("ratio", "比值"), ("limit", "上限")):
        table.add_column(say(en, zh), justify="right")
    names = {
        "alone": say("an event alone", "单个事件"),
        "burst": say(f"one of {BURST} at once", f"{BURST} 个同时发生中的一个"),
        "day": say("a quiet day of six terminals", "六个终端的平静一天"),
    }
    real = found["real"] or {}
    for name, text in names.items():
        limit = found[name]["limit_bytes"]
        _row(table, text, found[name], limit)
        if name in real:
            _row(table, say(f"the same on {real['file_system']}", f"同上，{real['file_system']}"), real[name], limit)
    console = Console()
    console.print(table)
    console.print(
        say(
            f"An alarm has two events, raised and restored, of some {found['record_bytes']} bytes: each is synced, "
            "with the core's state, its receipt and its share of checkpoints. Counted on the modelled disk, where each "
            "write of SQLite is seen; of a real file system by the kernel (write_bytes of this process), in whole "
            "pages.",
            f"一个报警有触发与恢复两个事件，每个约 {found['record_bytes']} 字节：各自同步，"
            "含核心状态、回执和检查点的份额。在模拟磁盘上计数，SQLite 的每次写入均可见；"
            "真实文件系统上取内核为本进程统计的 write_bytes，以整页计。",
        )
    )
    if not real:
        console.print(
            say("The kernel does not count them for this folder.", "内核未统计此文件夹的写入，请用 --folder 另选一个。")
        )


def _row(table: Table, text: str, figures: dict[str, int], limit: int) -> None:
    floor = figures["floor_bytes"]
    table.add_row(
        text,
        f"{figures['bytes']:,}",
        f"{floor:,}",
        f"{figures['bytes'] / floor:.2f}" if floor else "",
        f"{limit:,}",
    )
