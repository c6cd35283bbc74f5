"""The figures of `sixkit bench sim`: a home-month in virtual time beside a bare event queue, and where it goes."""

from __future__ import annotations

import cProfile
import pstats
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from sim.compiled import COMPILED
from sim.world.month import Month
from sim.world.timeline import Timeline

from .locale import say

MONTH_DAYS: Final = 30
SEED: Final = 1
PROFILED_DAYS: Final = 0.5  # under a profiler everything takes several times as long
# Where time may go, by the beginning of a file's path within the project; the first that fits.
PARTS: Final = {
    "devices": ("devices/",),
    "link": ("protocol/wire/", "gateway/bridges/"),
    "core": ("gateway/home/",),
    "outbox": (
        *("gateway/outbox", "gateway/store", "gateway/database", "gateway/schema", "gateway/pruning"),
        *("gateway/unwritten", "gateway/urgency", "gateway/reserve", "gateway/salvage", "protocol/"),
    ),
    "modelled disk": ("sim/disk", "sim/vfs"),
    "played line and terminals": ("sim/line", "sim/terminals", "sim/stimuli", "sim/sensor_faults"),
    "event queue and glue": ("sim/",),
}
_HERE: Final = Path(__file__).resolve().parents[1]


def measure(days: int) -> dict[str, Any]:
    """All figures; seconds are of this process's own CPU time, so that other work on the machine counts less."""
    month = Month(SEED)
    began_s = time.process_time()
    passed = month.run(days)
    month_s = time.process_time() - began_s
    bare_s = _bare_s(passed.steps)
    return {
        "days": days,
        "compiled": COMPILED,
        "month_s": round(month_s * MONTH_DAYS / days, 2),
        "steps": passed.steps,
        "steps_per_s": round(passed.steps / month_s),
        "bare_steps_per_s": round(passed.steps / bare_s),
        "times_real": round(days * 86_400 / month_s),
        **passed.counters,
        "shares_pct": {} if COMPILED else _shares(),  # a profiler does not see compiled functions
    }


def _bare_s(steps: int) -> float:
    """The same number of entries through the queue alone, each asking for the next."""
    timeline = Timeline()

    def again() -> None:
        timeline.after(1, again)

    timeline.after(1, again)
    began_s = time.process_time()
    timeline.until(steps)
    return time.process_time() - began_s


def _shares() -> dict[str, float]:
    """Of a shorter run, how much of its time each part takes; what the standard library and C code take is counted to
    the part that calls it."""
    profile = cProfile.Profile()
    month = Month(SEED)
    profile.runcall(month.run, PROFILED_DAYS)
    found: Counter[str] = Counter()
    stats: Any = pstats.Stats(profile)
    for (path, _, _), (_, _, own_s, _, callers) in stats.stats.items():
        part = _part(path)
        if part:
            found[part] += own_s
        else:
            for (caller, _, _), (_, _, called_s, _) in callers.items():
                found[_part(caller) or "other"] += called_s
    total = sum(found.values())
    return {part: round(100 * seconds / total, 1) for part, seconds in found.most_common()}


def _part(path: str) -> str:
    try:
        inside = Path(path).resolve().relative_to(_HERE).as_posix()
    except ValueError:
        return ""
    return next((part for part, starts in PARTS.items() if inside.startswith(starts)), "")


def show(found: Mapping[str, Any]) -> None:
    """The figures as tables for a person."""
    table = Table(title=say("A home-month in virtual time", "一个家庭一个月（虚拟时间）"), title_justify="left")
    table.add_column("")
    for en, zh in (("here", "本项"), ("compared with", "对照"), ("ratio", "比值")):
        table.add_column(say(en, zh), justify="right")
    steps, bare = found["steps_per_s"], found["bare_steps_per_s"]
    table.add_row(
        say("steps a second (a bare event queue)", "每秒步数（裸事件队列）"),
        str(steps),
        str(bare),
        f"1/{bare / steps:.0f}",
    )
    table.add_row(
        say("a month in (CPU time)", "一个月用时（CPU 时间）"),
        f"{found['month_s']} s",
        f"{MONTH_DAYS} d",
        f"{found['times_real']:,} x",
    )
    console = Console()
    console.print(table)
    if found["shares_pct"]:
        shares = Table(title=say("Where it goes", "时间去向"), title_justify="left")
        shares.add_column("")
        shares.add_column("%", justify="right")
        for part, share in found["shares_pct"].items():
            shares.add_row(part, str(share))
        console.print(shares)
    console.print(
        say(
            f"{found['days']} days: {found['messages']} messages of six terminals, {found['events']} events, "
            f"{found['syncs']} syncs and {found['bytes_written']} bytes of the card. CPU time of one process.",
            f"{found['days']} 天：六个终端共 {found['messages']} 条消息、{found['events']} 个事件，"
            f"存储卡同步 {found['syncs']} 次、写入 {found['bytes_written']} 字节。单进程 CPU 时间。",
        )
    )
    if found["compiled"]:
        console.print(say("Compiled: by tools/compiled.", "已编译（tools/compiled）。"))
    else:
        console.print(say("Not compiled; tools/compiled is faster.", "未编译；用 tools/compiled 运行更快。"))
