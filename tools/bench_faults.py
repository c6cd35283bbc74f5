"""The figures of `sixkit bench faults`: which faults of sensors the home notices, and what it takes for one."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from random import Random
from statistics import median
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from sim.ambient import Ambient
from sim.in_order import InOrder
from sim.noticing import BEAT_MS, LEARNT_MS, READ_MS, Learnt, Run, pressed
from sim.recorded_signals import SOURCES, read_failures, read_rooms
from sim.recording import SOURCE, read_fire
from sim.sensor_faults.fault import Fault, Signal
from sim.sensor_faults.library import CONTACT, NAMES, SMOKE, STRENGTHS, kinds_of, made
from sim.stimuli import Curve
from sim.world.plan import SILENCES_S

from .locale import say

RECALL_MIN: Final = 0.95  # at MEDIUM
FALSE_MAX: Final = 0.005  # faults of a terminal in order, a month
MEDIUM: Final = 3
# The kinds that the home is to notice by itself, rising. Gain, clipping and a slow response show only in a fire;
# dust is the firmware's to compensate; a battery that sags is told as battery_low.
NOTICEABLE: Final = (
    *("outlier", "spike", "stuck_at", "high_noise", "offset", "drift_linear", "drift_polynomial"),
    *("out_of_range", "chatter", "stuck_button"),
)
UP_OR_DOWN: Final = ("spike", "offset", "drift_linear", "drift_polynomial")  # tried both ways; out_of_range too

HOUR_MS: Final = 3_600_000
DAY_MS: Final = 24 * HOUR_MS
MONTH_DAYS: Final = 30
# How long a fault is given to be noticed, how often its sensor is read, and heard: what is slow need not be read often.
GIVEN: Final[Mapping[str, tuple[int, int, int]]] = {
    **dict.fromkeys(("drift_linear", "drift_polynomial"), (10 * DAY_MS, BEAT_MS, BEAT_MS)),
    "contamination": (120 * DAY_MS, HOUR_MS, HOUR_MS),
    **dict.fromkeys(("gain", "clipping"), (DAY_MS, READ_MS, BEAT_MS)),
    "slow_response": (DAY_MS // 4, READ_MS, BEAT_MS),
}
GIVEN_ELSE: Final = (2 * DAY_MS, READ_MS, BEAT_MS)
GIVEN_PRESSED_MS: Final = 60_000

SIMULATED: Final = 5  # chambers
MONTHS: Final = 1000
QUICK_STRENGTHS: Final = (MEDIUM,)
QUICK_SIMULATED: Final = 2
QUICK_RECORDED: Final = 1
QUICK_MONTHS: Final = 36
HOME: Final = ("kitchen", "hall", "bedroom")  # a chamber in each
FIRE_PLACES: Final = ("SMA_1", "SMB_1", "SMD_1", "SMF_1")  # that every recording has
FIRE_LASTS_MS: Final = 6 * HOUR_MS  # it burns for minutes, and is watched for so long


def measure(data: Path | None, quick: bool) -> dict[str, Any]:
    """All figures; those of recordings only where `data` is their folder. Raises Told where it holds something else."""
    chambers = [Ambient(seed).signal() for seed in range(QUICK_SIMULATED if quick else SIMULATED)]
    recorded = read_rooms(data, SMOKE.span) if data else []
    if quick:
        recorded = recorded[:QUICK_RECORDED]
    signals = {"simulated": chambers, "recorded": [one.signal() for one in recorded]}
    learnt = {name: [Learnt(signal) for signal in group] for name, group in signals.items()}
    strengths = QUICK_STRENGTHS if quick else tuple(STRENGTHS)
    faults = {kind: _kind(kind, strengths, learnt) for kind in kinds_of(SMOKE)}
    faults["stuck_button"] = _buttons("stuck_button", strengths)
    months = _months(QUICK_MONTHS if quick else MONTHS)
    found: dict[str, Any] = {
        "faults": faults,
        "medium_recall": _pooled(faults, "up"),
        "medium_recall_plain": _pooled(faults, "up", "plain"),
        "recall_min": RECALL_MIN,
        "below": [
            kind for kind in NOTICEABLE if _share(faults[kind]["up"][str(MEDIUM)].values(), "noticed") < RECALL_MIN
        ],
        "alarms": sum(cell["runs"] for cell in _cells(faults)),
        "alarms_lost": sum(cell["alarms_lost"] for cell in _cells(faults)),
        "months": months,
        "false_max": FALSE_MAX,
        "recordings": _recordings(data, quick) if data else None,
    }
    recordings = found["recordings"] or {"false": 0, "fires_taken_for_faults": 0}
    found["within_limits"] = (
        found["medium_recall"] >= RECALL_MIN
        and months["false_a_month"] <= FALSE_MAX
        and not found["alarms_lost"]
        and not recordings["fires_taken_for_faults"]
    )
    return found


def _kind(kind: str, strengths: Sequence[int], learnt: Mapping[str, Sequence[Learnt]]) -> dict[str, Any]:
    """By direction, strength and group of signals."""
    signs = {"up": 1, "down": -1} if kind in (*UP_OR_DOWN, "out_of_range") else {"up": 1}
    return {
        name: {
            str(strength): {
                group: _cell([_one(kind, strength, sign, number, one) for number, one in enumerate(members)])
                for group, members in learnt.items()
                if members
            }
            for strength in strengths
        }
        for name, sign in signs.items()
    }


def _one(kind: str, strength: int, sign: int, number: int, learnt: Learnt) -> Run:
    random = Random(f"{kind}/{strength}/{sign}/{number}")
    return learnt.run(made(kind, strength, SMOKE, sign), random, *GIVEN.get(kind, GIVEN_ELSE))


def _buttons(kind: str, strengths: Sequence[int]) -> dict[str, Any]:
    runs = {n: pressed(made(kind, n, CONTACT), Random(n), GIVEN_PRESSED_MS) for n in strengths}
    return {"up": {str(n): {"simulated": _cell([run])} for n, run in runs.items()}}


def _cell(runs: Sequence[Run]) -> dict[str, Any]:
    """Of faults of one kind and strength, on one group of signals."""
    times = [run.noticed_ms for run in runs if run.noticed_ms is not None]
    plain = [run.plain_ms for run in runs if run.plain_ms is not None]
    return {
        "runs": len(runs),
        "noticed": len(times),
        "noticed_h": round(median(times) / HOUR_MS, 2) if times else None,
        "plain": len(plain),
        "plain_h": round(median(plain) / HOUR_MS, 2) if plain else None,
        "alarms_lost": sum(not run.alarm_kept for run in runs),
    }


def _cells(faults: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for directions in faults.values():
        for strengths in directions.values():
            for groups in strengths.values():
                yield from groups.values()


def _share(cells: Iterable[Mapping[str, Any]], what: str) -> float:
    counts = [(int(cell[what]), int(cell["runs"])) for cell in cells]
    return sum(count for count, _ in counts) / sum(runs for _, runs in counts)


def _pooled(faults: Mapping[str, Any], direction: str, what: str = "noticed") -> float:
    """The mean over the kinds of NOTICEABLE: each counts the same."""
    shares = [_share(faults[kind][direction][str(MEDIUM)].values(), what) for kind in NOTICEABLE]
    return round(sum(shares) / len(shares), 4)


# --- sensors in order ---


def _months(months: int) -> dict[str, Any]:
    """Terminals in order for so many months, at the heartbeats of homes as the explorer draws them."""
    false: dict[str, int] = {}
    plain = readings = 0
    homes = months // len(HOME)
    for number in range(homes):
        chambers = [Ambient(1000 + len(HOME) * number + place, kitchen=place == 0) for place in range(len(HOME))]
        random = Random(f"months/{number}")
        home = InOrder(HOME)
        beat_ms = SILENCES_S[number % len(SILENCES_S)] * 1000 // 3
        for t_ms in range(0, MONTH_DAYS * DAY_MS, beat_ms):
            for terminal, chamber in zip(home.roster, chambers, strict=True):
                value = max(0, round(chamber.level(t_ms) + chamber.sigma * random.gauss(0, 1)))
                home.take(terminal, value, t_ms)
                readings += 1
        for fault, count in home.false.items():
            false[fault] = false.get(fault, 0) + count
        plain += home.plain
    total = homes * len(HOME)
    return {
        "terminal_months": total,
        "readings": readings,
        "false": false,
        "false_a_month": round(sum(false.values()) / total, 5),
        "plain": plain,
        "plain_a_month": round(plain / total, 3),
    }


def _recordings(data: Path, quick: bool) -> dict[str, Any]:
    """Recordings in which all is in order, some with failures that are labelled, and real fires."""
    false, days, noticed, windows = 0, 0.0, 0, 0
    for one in read_rooms(data, SMOKE.span):
        home = InOrder(HOME[:1])
        signal, lasts_ms = one.signal(), one.points[-1][0]
        for t_ms in range(0, lasts_ms, BEAT_MS):
            false += bool(home.take(home.roster["smoke-0"], round(signal(t_ms)), t_ms))
        days += lasts_ms / DAY_MS
    for one in read_failures(data, SMOKE.span):
        home = InOrder(HOME[:1])
        begun = [t_ms for t_ms, value in one.points if home.take(home.roster["smoke-0"], round(value), t_ms)]
        inside = [window for window in one.wrong_ms if any(window[0] <= t_ms <= window[1] for t_ms in begun)]
        false += sum(not any(begin <= t_ms <= end for begin, end in one.wrong_ms) for t_ms in begun)
        noticed, windows = noticed + len(inside), windows + len(one.wrong_ms)
        days += one.points[-1][0] / DAY_MS
    fires = list(_fires(data))[: 4 if quick else None]
    runs = [Learnt(fire).run(Fault(), Random(0), FIRE_LASTS_MS) for fire in fires]
    return {
        "days": round(days, 1),
        "false": false,
        "false_a_month": round(false * MONTH_DAYS / days, 4),
        "failures": windows,
        "failures_noticed": noticed,
        "fires": len(runs),
        "fires_raised": sum(run.alarm_ms is not None for run in runs),
        "fires_taken_for_faults": sum(run.noticed_ms is not None for run in runs),
        "sources": f"{SOURCES}; {SOURCE}",
    }


def _fires(data: Path) -> Iterator[Signal]:
    """What chambers below the ceilings of rooms with real fires saw, after days of order, and order after it."""
    for path in sorted((data / "smoke_nist_tn1455").glob("NIST_*.csv*")):
        for place in FIRE_PLACES:
            fire = read_fire(path, place)
            order = Ambient(zlib.crc32(f"{path.name}/{place}".encode())).signal()
            yield _burning(order, fire.curve(), LEARNT_MS + HOUR_MS, round(fire.seconds * 1000))


def _burning(order: Signal, fire: Curve, begins_ms: int, lasts_ms: int) -> Signal:
    def value(t_ms: int) -> float:
        if begins_ms <= t_ms < begins_ms + lasts_ms:
            return min(SMOKE.most, fire(t_ms - begins_ms))  # beyond its range a chamber tells a fault too, as it must
        return order(t_ms)

    return value


# --- for a person ---


def show(found: Mapping[str, Any]) -> None:
    """The figures as tables for a person."""
    strengths = [n for n in STRENGTHS if str(n) in found["faults"]["stuck_at"]["up"]]
    title = say("Faults noticed, of those injected, and the median time", "注入的故障中被发现的比例与中位时间")
    table = Table(title=title, title_justify="left")
    table.add_column("")
    for strength in strengths:
        table.add_column(str(strength), justify="right")
    table.add_column(say("plain rules, 3", "对照规则，3"), justify="right")
    for kind, directions in found["faults"].items():
        for direction, cells in directions.items():
            name = say(*NAMES[kind]) + ("" if direction == "up" else say(", down", "（向下）"))
            shown = [_shown(cells[str(n)].values(), "noticed") for n in strengths]
            table.add_row(name, *shown, _shown(cells[str(MEDIUM)].values(), "plain"))
    console = Console()
    console.print(table)
    months = found["months"]
    order = Table(title=say("Faults found where there are none", "误报的故障"), title_justify="left")
    order.add_column("")
    for en, zh in (("here", "本项"), ("plain rules", "对照规则"), ("limit", "上限")):
        order.add_column(say(en, zh), justify="right")
    order.add_row(
        say(f"a month, of {months['terminal_months']} terminal-months", f"每月，共 {months['terminal_months']} 终端月"),
        f"{months['false_a_month']}",
        f"{months['plain_a_month']}",
        f"{found['false_max']}",
    )
    order.add_row(
        say(f"alarms lost, of {found['alarms']} amid faults", f"故障期间 {found['alarms']} 次报警中丢失"),
        str(found["alarms_lost"]),
        "",
        "0",
    )
    console.print(order)
    recall, least = found["medium_recall"], found["recall_min"]
    below = ", ".join(say(*NAMES[kind]) for kind in found["below"]) or say("none", "无")
    console.print(
        say(
            f"Recall at strength 3 of what the home is to notice: {recall} (plain rules "
            f"{found['medium_recall_plain']}; at least {least}); below that: {below}.",
            f"强度 3 时应被发现的故障召回率：{recall}（对照规则 {found['medium_recall_plain']}；下限 {least}）；"
            f"低于下限：{below}。",
        )
    )
    console.print(_of_recordings(found["recordings"]))


def _shown(cells: Any, what: str) -> str:
    cells = list(cells)
    hours = [cell[f"{what}_h"] for cell in cells if cell[f"{what}_h"] is not None]
    share = _share(cells, what)
    return f"{share:.2f}  {median(hours):.1f} h" if hours else f"{share:.2f}"


def _of_recordings(found: Mapping[str, Any] | None) -> str:
    if found is None:
        return say(
            "No recordings: give their folder with --data or SIXKIT_DATA.",
            "没有录制数据：用 --data 或 SIXKIT_DATA 指定其文件夹。",
        )
    return say(
        f"Recordings: {found['false']} false faults in {found['days']} days; {found['failures_noticed']} of "
        f"{found['failures']} labelled failures noticed; {found['fires_raised']} of {found['fires']} chambers in real "
        f"fires raised, {found['fires_taken_for_faults']} taken for a fault. Sources: {found['sources']}.",
        f"录制数据：{found['days']} 天内误报 {found['false']} 次；{found['failures']} 个标注的失效中发现 "
        f"{found['failures_noticed']} 个；真实火灾中 {found['fires']} 个感烟器有 {found['fires_raised']} 个报警，"
        f"{found['fires_taken_for_faults']} 个被误认为故障。来源：{found['sources']}。",
    )
