"""A case: a home, what happens to it and when, and what must come out at the centre; read strictly from TOML."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from gateway.config import BRACELET, NATIVE, RADIUS_M, clock_ms, stillness
from gateway.home.book import SUSPECT
from gateway.home.lifecycle import NO_RAISE
from gateway.home.roster import TERMINALS_MAX
from gateway.home.stillness import DAY_MS, ORDINARY, Rule
from protocol.record import LINKS
from protocol.table import Table
from protocol.topic import ID
from protocol.words import KINDS, PHASES, RAISED, RESTORED, SEVERITIES, UNSTORED, UNVERIFIED, UPDATED, Told
from sim.line import stream
from sim.people import PASS, RESIDENT, deeds, sensed, terminals_for
from sim.steps import ACTIONS, KINDS_OF_TERMINAL, Step, duration, duration_ms, read_step

GATEWAY: Final = "gw-1"  # of every played home
CASE_BYTES_MAX: Final = 1 << 18  # a long evening takes 5 kB
STEPS_MAX: Final = 1000
BEGINS: Final = "10:00"  # local time at the beginning of a case

FLAGS: Final = (UNVERIFIED, UNSTORED, SUSPECT, NO_RAISE)
POSITIONS: Final = ("live", "last_known", "none")
TOLD: Final = ("sending", "received", "not_received", "calling", "question", "answered")
# Why a bracelet's link refuses a sentence that a line has damaged.
NMEA_REFUSED: Final = ("bad_checksum", "truncated", "oversize", "malformed", "bad_coordinate", "bad_time", "disagree")
# Counters a case may ask for: (whose, the names that are summed).
COUNTERS: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    "forged_refused": ("centre", ("forged_refused",)),
    "foreign_refused": ("centre", ("foreign_refused",)),
    "malformed_refused": ("centre", ("malformed_refused",)),
    "repeats_absorbed": ("centre", ("repeats_absorbed",)),
    "asked_again": ("centre", ("asked_again",)),
    "resent": ("agent", ("resent",)),
    "link_replays_refused": ("agent", ("native.replays",)),
    "link_foreign_refused": ("agent", ("native.foreign",)),
    "link_damaged": ("agent", ("native.bad_crc", "native.bad_cobs", "native.oversize", "native.bad_form")),
    "link_repeats": ("agent", ("native.repeats",)),
    "nmea_refused": ("agent", tuple(f"bracelet-1.{reason}" for reason in NMEA_REFUSED)),
    "nmea_unused": ("agent", ("bracelet-1.unused",)),
}


@dataclass(frozen=True, slots=True)
class TerminalSpec:
    """One terminal of the home."""

    id: str
    kind: str
    room: str
    silence_s_max: int | None = None  # None: what the gateway takes by itself
    fence_m: int | None = None  # of a bracelet: the radius of the fence around the home


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `ms` after the step `target action`, or after the moment `at_ms`, or after the terminal saw it."""

    ms: int
    target: str = ""
    action: str = ""
    at_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Expected:
    """Events like `event` are at the centre `times` times, in time, with siren and resident as they should be."""

    event: Mapping[str, str | tuple[str, ...]]
    times: int = 1
    committed_within: Limit | None = None
    siren_within_ms: int | None = None
    told: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ExpectedIncident:
    """The desk ends with `times` incidents like `incident`, opened in time."""

    incident: Mapping[str, str]
    times: int = 1
    opened_within: Limit | None = None  # after a step or a moment


@dataclass(frozen=True, slots=True)
class CounterBounds:
    """A counter ends between `least` and `most`."""

    name: str
    least: int
    most: int | None


@dataclass(frozen=True, slots=True)
class Case:
    """One case, as its file says it."""

    title: str
    source: str
    seed: int
    terminals: tuple[TerminalSpec, ...]
    steps: tuple[Step, ...]
    lasts_ms: int  # the last "t", which may be there for its own sake
    expected: tuple[Expected, ...]
    incidents: tuple[ExpectedIncident, ...] = ()
    counters: tuple[CounterBounds, ...] = ()
    nothing_else: bool = False  # no event at the centre that is not expected
    clock: str = ""  # "1970": the gateway starts with its clock unset
    clock_rate: int = 1
    heartbeat_s: int | None = None
    stillness: Rule = ORDINARY  # its local time is that of `at`

    def needs_virtual_time(self) -> Step | None:
        """The first step that real processes cannot be put through, if there is one."""
        return next((step for step in self.steps if step.virtual), None)


def load(path: Path) -> Case:
    """The case in the file at `path`. Raises Told: the file, the key, the value, what is allowed."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise Told(f"{path}: cannot be read: {error.strerror}", f"{path}：无法读取：{error.strerror}") from error
    return parse(data, str(path))


def parse(data: bytes, where: str) -> Case:
    """The case in the TOML bytes `data`, called `where` in errors. Raises Told for anything else."""
    top = Table.parsed(data, where, CASE_BYTES_MAX)
    home = top.table("home")
    terminals = _terminals(home)
    seed = top.number("seed", 0, 2**32 - 1, 0)
    rule, begins_ms = _stillness(home.table("stillness", {}))
    steps, lasts_ms = _steps(top, {terminal.id: terminal.kind for terminal in terminals}, seed, begins_ms)
    rows = top.tables("expect")
    case = Case(
        title=top.text("title"),
        source=top.text("source", ""),
        seed=seed,
        terminals=terminals,
        steps=steps,
        lasts_ms=lasts_ms,
        clock=home.choice("clock", ("1970", ""), ""),
        clock_rate=home.number("clock_rate", 1, 1000, 1),
        heartbeat_s=home.number_or_none("heartbeat_s", 5, 3600),
        stillness=rule,
        **_expectations(rows, steps, terminals),
    )
    home.finish()
    top.finish()
    return case


def _terminals(home: Table) -> tuple[TerminalSpec, ...]:
    terminals: list[TerminalSpec] = []
    for row in home.tables("terminals"):
        kind = row.choice("kind", KINDS_OF_TERMINAL)
        bridge = BRACELET if kind == BRACELET else NATIVE
        row.choice("bridge", (bridge,), bridge)
        name = row.text("id", pattern=ID)
        if name in ACTIONS or name in [terminal.id for terminal in terminals]:
            raise row.wrong("id", name, "an id used once, and no word of the steps", "不重复且不与步骤用词相同的名称")
        terminals.append(
            TerminalSpec(
                name,
                kind,
                row.text("room", ""),
                row.number_or_none("silence_s_max", 10, 7200),
                row.number_or_none("fence_m", *RADIUS_M) if kind == BRACELET else None,
            )
        )
        row.finish()
    if not 1 <= len(terminals) <= TERMINALS_MAX:
        raise home.wrong("terminals", len(terminals), f"1 to {TERMINALS_MAX} terminals", f"1 到 {TERMINALS_MAX} 个终端")
    return tuple(terminals)


def _stillness(table: Table) -> tuple[Rule, int]:
    """The gateway's rule, and when in the day the case begins, ms after local midnight."""
    text = table.text("begins", BEGINS)
    begins_ms = clock_ms(text)
    if begins_ms is None:
        raise table.wrong("begins", text, 'a time of day like "22:00"', "时刻，形如 “22:00”")
    rule = stillness(table)
    return replace(rule, offset_ms=begins_ms), begins_ms


def at(rule: Rule, wall_ms: int) -> Rule:
    """The rule of a case that begins at `wall_ms`: the time zone in which its local time is as the case says, to the
    minute."""
    ahead_min = (rule.offset_ms - wall_ms) % DAY_MS // 60_000
    return replace(rule, offset_ms=(ahead_min if ahead_min < 720 else ahead_min - 1440) * 60_000)


def _steps(top: Table, kinds: Mapping[str, str], seed: int, begins_ms: int) -> tuple[tuple[Step, ...], int]:
    steps: list[Step] = []
    lasts_ms = 0
    for row in top.tables("at", ()):
        t_ms = duration(row, "t", row.text("t"))
        lasts_ms = max(lasts_ms, t_ms)
        found = [read_step(row, t_ms, target, kinds) for target in row.left()]
        if any(step.target == RESIDENT for step in found) and not terminals_for(PASS, kinds):
            raise row.wrong(RESIDENT, found[0].action, "only with a motion sensor", "须有活动传感器")
        steps += found
        row.finish()
    if len(steps) > STEPS_MAX:
        raise top.wrong("at", len(steps), f"at most {STEPS_MAX} steps", f"最多 {STEPS_MAX} 个步骤")
    steps.sort(key=lambda step: step.t_ms)
    steps += _lived(steps, lasts_ms, kinds, seed, begins_ms)
    return tuple(sorted(steps, key=lambda step: step.t_ms)), lasts_ms


def _lived(steps: Sequence[Step], lasts_ms: int, kinds: Mapping[str, str], seed: int, begins_ms: int) -> Iterator[Step]:
    """What the terminals sense of what the resident does in these steps."""
    random = stream(seed, RESIDENT)
    words = [(step.t_ms, step.action) for step in steps if step.target == RESIDENT]
    for deed, name in sensed(deeds(words, lasts_ms, -begins_ms, random), kinds, random.choice):
        yield Step(deed.t_ms, name, deed.what)


def _expectations(rows: list[Table], steps: tuple[Step, ...], terminals: Sequence[TerminalSpec]) -> dict[str, Any]:
    expected: list[Expected] = []
    incidents: list[ExpectedIncident] = []
    counters: list[CounterBounds] = []
    nothing_else = False
    for row in rows:
        keys = row.left()
        if "event" in keys:
            expected.append(_expected(row, steps, terminals))
        elif "incident" in keys:
            incidents.append(_incident(row, steps, terminals))
        elif "counter" in keys:
            counters += _counters(row.table("counter"))
        else:
            nothing_else = row.flag("nothing_else")
        row.finish()
    found = {"expected": tuple(expected), "incidents": tuple(incidents), "counters": tuple(counters)}
    return {**found, "nothing_else": nothing_else}


def _expected(row: Table, steps: tuple[Step, ...], terminals: Sequence[TerminalSpec]) -> Expected:
    within = row.text("committed_within", "")
    siren = row.text("siren_within", "")
    told = row.texts("told", ())
    if not set(told) <= set(TOLD):
        raise row.wrong("told", told, "a list of " + ", ".join(TOLD), "、".join(TOLD) + " 的列表")
    return Expected(
        event=_pattern(row.table("event"), terminals),
        times=row.number("times", 0, 10_000, 1),
        committed_within=_limit(row, "committed_within", within, steps) if within else None,
        siren_within_ms=duration(row, "siren_within", siren) if siren else None,
        told=told,
    )


def _pattern(table: Table, terminals: Sequence[TerminalSpec]) -> dict[str, str | tuple[str, ...]]:
    allowed = {
        "kind": tuple(KINDS),
        "phase": PHASES,
        "severity": SEVERITIES,
        "link": LINKS,
        "terminal": _names(terminals),
        "position": POSITIONS,
        "room": tuple(dict.fromkeys((*(one.room for one in terminals), ""))),
    }
    pattern: dict[str, str | tuple[str, ...]] = {}
    for key in table.left():
        if key in allowed:
            pattern[key] = table.choice(key, allowed[key])
        elif key == "flags":
            flags = table.texts(key)
            if not set(flags) <= set(FLAGS):
                raise table.wrong(key, flags, "a list of " + ", ".join(FLAGS), "、".join(FLAGS) + " 的列表")
            pattern[key] = flags
    table.finish()
    return pattern


def _incident(row: Table, steps: tuple[Step, ...], terminals: Sequence[TerminalSpec]) -> ExpectedIncident:
    within = row.text("opened_within", "")
    limit = _limit(row, "opened_within", within, steps) if within else None
    if limit is not None and limit == Limit(limit.ms):
        raise row.wrong("opened_within", within, '"... after" a step or a moment', "“... after” 某步骤或时刻")
    table = row.table("incident")
    allowed = {"kind": tuple(KINDS), "phase": (RAISED, UPDATED, RESTORED), "terminal": _names(terminals)}
    incident = {key: table.choice(key, allowed[key]) for key in table.left() if key in allowed}
    table.finish()
    return ExpectedIncident(incident, row.number("times", 0, 10_000, 1), limit)


def _names(terminals: Sequence[TerminalSpec]) -> tuple[str, ...]:
    return (*(one.id for one in terminals), GATEWAY)


def _limit(row: Table, key: str, text: str, steps: tuple[Step, ...]) -> Limit:
    within, _, after = text.partition(" after ")
    ms = duration(row, key, within)
    if not after:
        return Limit(ms)
    at_ms = duration_ms(after)
    if at_ms is not None:
        return Limit(ms, at_ms=at_ms)
    target, _, action = after.partition(" ")
    if not any(step.target == target and action in ("", step.action) for step in steps):
        known = ", ".join(sorted({f"{step.target} {step.action}".strip() for step in steps}))
        raise row.wrong(key, text, f'"... after" one of: {known}', f"“... after” 之后为：{known}")
    return Limit(ms, target, action)


def _counters(table: Table) -> list[CounterBounds]:
    bounds = []
    for name in table.left():
        if name not in COUNTERS:
            raise table.wrong(name, name, "one of " + ", ".join(COUNTERS), "以下之一：" + "、".join(COUNTERS))
        text = table.text(name, pattern=r"(>=)?\d{1,9}")
        count = int(text.removeprefix(">="))
        bounds.append(CounterBounds(name, count, None if text.startswith(">=") else count))
    return bounds
