"""The verdict on a played case: what came out, beside what must; values in, differences out."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

from gateway.home.whereabouts import FRESH_MS
from protocol.geo import Position, position_of
from protocol.words import RESTORED, TEST, Told, Unavailable
from sim.case import Case, CounterBounds, Expected, ExpectedIncident, Limit
from sim.steps import Step
from sim.terminals import Promise

COLUMNS: Final = (
    "epoch, sequence, kind, phase, severity, link, terminal, room, source_boot, source_number, flags, "
    "unverified, committed_ms, attempt, position"
)


# Terminal, its boot, its number for the event, kind, and whether it ends the alarm.
_Key = tuple[str, int | None, int | None, str, bool]


class Row(NamedTuple):
    """One event as the centre committed it."""

    epoch: int
    sequence: int
    kind: str
    phase: str
    severity: str
    link: str
    terminal: str
    room: str
    source_boot: int | None
    source_number: int | None
    flags: tuple[str, ...]
    unverified: bool
    committed_ms: int  # wall clock
    attempt: int
    position: Position | None = None

    @property
    def id(self) -> str:
        return f"{self.epoch}-{self.sequence}"


class Mark(NamedTuple):
    """When a step was done, by both clocks of the site."""

    step: Step
    wall_ms: int
    mono_ms: int


class Incident(NamedTuple):
    """One incident as the desk ends with it."""

    kind: str
    terminal: str
    phase: str
    opened_ms: int  # wall clock


class Said(NamedTuple):
    """What the agent said of siren and resident: `what` is "siren" or "tell", `word` their state or message."""

    what: str
    word: str
    kind: str
    terminal: str
    mono_ms: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """Everything that a played case left behind."""

    rows: Sequence[Row]  # in the order of their commits
    promises: Sequence[Promise]
    dead: frozenset[str]  # terminals that cannot repeat anything at the end
    marks: Sequence[Mark] = ()
    begun: tuple[int, int] = (0, 0)  # wall and mono ms of the case's zero
    said: Sequence[Said] = ()
    counters: Mapping[str, int] = field(default_factory=dict)
    incidents: Sequence[Incident] = ()
    restored_ms: int = 0  # mono ms when the centre last went on from an old copy: what it lost came in any order

    def wall_ms(self, mono_ms: int) -> int:
        return self.begun[0] + mono_ms - self.begun[1]


def read_rows(database: Path) -> list[Row]:
    """The centre's events in the order of their commits. Only while the centre does not run. Raises Unavailable."""
    return [row_of(row) for row in _read(database, f"SELECT {COLUMNS} FROM events ORDER BY rowid")]


def read_incidents(database: Path) -> list[Incident]:
    """The desk's incidents in the order in which they were opened. As `read_rows`."""
    return [
        Incident(*row) for row in _read(database, "SELECT kind, terminal, phase, opened_ms FROM incidents ORDER BY id")
    ]


def _read(database: Path, sql: str) -> list[Sequence[Any]]:
    try:
        connection = sqlite3.connect(f"file:{database}?mode=rw", uri=True)
        try:
            return connection.execute(sql).fetchall()
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise Unavailable(f"{database}: cannot be read: {error}", f"{database}：无法读取：{error}") from error


def row_of(row: Sequence[Any]) -> Row:
    """The values of COLUMNS as a row."""
    position = position_of(json.loads(row[14])) if row[14] else None
    return Row._make((*row[:10], tuple(json.loads(row[10])), bool(row[11]), *row[12:14], position))


def differences(case: Case, outcome: Outcome) -> list[Told]:
    """Every way in which the outcome is not what the case, or the invariants, ask for; none: it is good."""
    found = list(invariants(outcome))
    for expected in case.expected:
        found += _expectation(expected, outcome)
    for incident in case.incidents:
        found += _incident(incident, outcome)
    for bounds in case.counters:
        found += _counter(bounds, outcome.counters)
    if case.nothing_else:
        found += _nothing_else(case, outcome)
    return found


def matches(event: Mapping[str, Any], like: Mapping[str, str | tuple[str, ...]]) -> bool:
    """Whether a committed event is like the one that is asked for; of its flags those asked for must be there."""
    return all(_MATCHES.get(name, _same)(event[name], wanted) for name, wanted in like.items())


def _same(found: Any, wanted: Any) -> bool:
    return bool(found == wanted)


def _position_word(position: Any) -> str:
    """Of a row, or as the centre's interface says it: "live", "last_known" or "none"."""
    if position is None:
        return "none"
    age_ms = position["age_ms"] if isinstance(position, Mapping) else position.age_ms
    return "live" if age_ms <= FRESH_MS else "last_known"


_MATCHES: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "flags": lambda found, wanted: set(wanted) <= set(found),
    "position": lambda found, wanted: _position_word(found) == wanted,
}


def invariants(outcome: Outcome) -> Iterator[Told]:
    """What must hold whatever happened: nothing lost, doubled, out of order, or out of nowhere."""
    times, foreign = counted(outcome)
    waiting = still_held(outcome)
    for promise, count in zip(outcome.promises, times, strict=True):
        safe = promise.acknowledged_ms is not None
        if count > 1 or (count == 0 and (safe or promise in waiting)):
            yield _not_once(promise, count, safe)
    for terminal, boot, number, kind, restored in foreign:
        what = f"{kind}{' restored' if restored else ''} ({boot}, {number})"
        yield Told(
            f"{terminal}: {what} is at the centre, but the terminal never sent it",
            f"{terminal}：中心有 {what}，但该终端从未发送",
        )
    yield from _disorder(outcome)


def counted(outcome: Outcome) -> tuple[list[int], list[_Key]]:
    """How many times each of the promises is at the centre, and what is there that nobody promised."""
    # Of the phase only whether it ends the alarm: a second press during a call becomes its update.
    # A gateway that died before the answer to its question was on the card takes the same press for a call: that is the
    # safe side, and the answer is not counted beside it.
    rows = held(outcome.rows)
    calls = {_key(row) for row in rows if row.phase != TEST}
    stored = Counter(_key(row) for row in rows if row.phase != TEST or _key(row) not in calls)
    times = [stored.pop((p.terminal, p.boot, p.number, p.kind, p.phase == RESTORED), 0) for p in outcome.promises]
    return times, list(stored)


def _key(row: Row) -> _Key:
    return row.terminal, row.source_boot, row.source_number, row.kind, row.phase == RESTORED


def still_held(outcome: Outcome) -> list[Promise]:
    """What a terminal that can still repeat it has not got acknowledged."""
    return [p for p in outcome.promises if p.acknowledged_ms is None and not p.gone and p.terminal not in outcome.dead]


def held(rows: Sequence[Row]) -> list[Row]:
    """The events that a terminal vouches for; an unverified one vouches for nothing."""
    return [row for row in rows if row.link == "held" and row.source_boot is not None and not row.unverified]


def _not_once(promise: Promise, times: int, safe: bool) -> Told:
    en, zh = ("was acknowledged", "已获确认") if safe else ("is still held", "仍被保留")
    what = f"{promise.kind} {promise.phase} ({promise.boot}, {promise.number})"
    return Told(
        f"{promise.terminal}: {what} {en}, and is at the centre {times} times; exactly once is right",
        f"{promise.terminal}：{what} {zh}，中心有 {times} 条；应恰好一条",
    )


def _disorder(outcome: Outcome) -> Iterator[Told]:
    offered_ms = {(one.terminal, one.boot, one.number): one.offered_ms for one in outcome.promises}
    last: dict[tuple[str, int | None], int] = defaultdict(int)
    for row in held(outcome.rows):
        name = (row.terminal, row.source_boot or 0, row.source_number or 0)
        if offered_ms.get(name, outcome.restored_ms) < outcome.restored_ms:
            continue
        number = row.source_number or 0
        if number < last[row.terminal, row.source_boot]:
            yield Told(
                f"{row.terminal}: event {number} came after event {last[row.terminal, row.source_boot]}",
                f"{row.terminal}：事件 {number} 晚于事件 {last[row.terminal, row.source_boot]} 到达",
            )
        last[row.terminal, row.source_boot] = max(number, last[row.terminal, row.source_boot])


def _expectation(expected: Expected, outcome: Outcome) -> Iterator[Told]:
    found = [row for row in outcome.rows if matches(row._asdict(), expected.event)]
    if len(found) != expected.times:
        yield Told(
            f"{_shown(expected.event)}: at the centre {len(found)} times instead of {expected.times}",
            f"{_shown(expected.event)}：中心有 {len(found)} 条，应为 {expected.times} 条",
        )
    for row in found:
        if expected.committed_within is not None:
            yield from _in_time(expected.committed_within, row, outcome)
        if expected.siren_within_ms is not None:
            yield from _siren_in_time(expected.siren_within_ms, row, outcome)
    if expected.told:
        yield from _told(expected, outcome)


def _incident(expected: ExpectedIncident, outcome: Outcome) -> Iterator[Told]:
    found = [one for one in outcome.incidents if matches(one._asdict(), expected.incident)]
    what = _shown(expected.incident)
    if len(found) != expected.times:
        yield Told(
            f"{what}: {len(found)} incidents at the desk instead of {expected.times}",
            f"{what}：席位有 {len(found)} 条警情，应为 {expected.times} 条",
        )
    limit = expected.opened_within
    if limit is None:
        return
    for one in found:
        if (took_ms := one.opened_ms - _marked_ms(limit, outcome)) > limit.ms:
            yield Told(
                f"{what}: opened after {took_ms} ms; at most {limit.ms} ms allowed",
                f"{what}：{took_ms} 毫秒后出现；最多 {limit.ms} 毫秒",
            )


def _in_time(limit: Limit, row: Row, outcome: Outcome) -> Iterator[Told]:
    base_ms = _base_ms(limit, row, outcome)
    if base_ms is None:
        yield Told(
            f'{row.kind} {row.phase} {row.id}: no terminal saw it; committed_within needs an "after"',
            f"{row.kind} {row.phase} {row.id}：并非来自终端；committed_within 需注明 “after”",
        )
    elif (took_ms := row.committed_ms - base_ms) > limit.ms:
        yield Told(
            f"{row.kind} {row.phase} of {row.terminal}: committed after {took_ms} ms; at most {limit.ms} ms allowed",
            f"{row.terminal} 的 {row.kind} {row.phase}：{took_ms} 毫秒后提交；最多 {limit.ms} 毫秒",
        )


def _base_ms(limit: Limit, row: Row, outcome: Outcome) -> int | None:
    """The moment by the wall clock from which the limit counts."""
    if limit.target or limit.at_ms is not None:
        return _marked_ms(limit, outcome)
    promise = _promise(row, outcome)
    return None if promise is None else outcome.wall_ms(promise.offered_ms)


def _marked_ms(limit: Limit, outcome: Outcome) -> int:
    """The moment by the wall clock of the step or the time of the case that the limit names."""
    if limit.at_ms is not None:
        return outcome.begun[0] + limit.at_ms
    return next(
        mark.wall_ms
        for mark in reversed(outcome.marks)
        if mark.step.target == limit.target and limit.action in ("", mark.step.action)
    )


def _promise(row: Row, outcome: Outcome) -> Promise | None:
    return next(
        (
            p
            for p in outcome.promises
            if (p.terminal, p.boot, p.number) == (row.terminal, row.source_boot, row.source_number)
        ),
        None,
    )


def _siren_in_time(most_ms: int, row: Row, outcome: Outcome) -> Iterator[Told]:
    promise = _promise(row, outcome)
    seen_ms = promise.offered_ms if promise else None
    sounded = [
        said.mono_ms for said in outcome.said if said.what == "siren" and said.word == "on" and said.kind == row.kind
    ]
    took = [at - seen_ms for at in sounded if seen_ms is not None and at >= seen_ms]
    if not took or min(took) > most_ms:
        en, zh = (f"after {min(took)} ms", f"{min(took)} 毫秒后响起") if took else ("never", "未响起")
        yield Told(
            f"siren for {row.kind} of {row.terminal}: {en}; at most {most_ms} ms allowed",
            f"{row.terminal} 的 {row.kind} 警号：{zh}；最多 {most_ms} 毫秒",
        )


def _told(expected: Expected, outcome: Outcome) -> Iterator[Told]:
    kind, terminal = expected.event.get("kind"), expected.event.get("terminal")
    heard = tuple(
        said.word
        for said in outcome.said
        if said.what == "tell" and kind in (None, said.kind) and terminal in (None, said.terminal)
    )
    if heard != expected.told:
        yield Told(
            f"{_shown(expected.event)}: the resident was told {', '.join(heard) or 'nothing'} instead of "
            + ", ".join(expected.told),
            f"{_shown(expected.event)}：住户收到 {'、'.join(heard) or '无'}，应为 {'、'.join(expected.told)}",
        )


def _counter(bounds: CounterBounds, counters: Mapping[str, int]) -> Iterator[Told]:
    value = counters.get(bounds.name, 0)
    if value < bounds.least or (bounds.most is not None and value > bounds.most):
        wanted = f"{'' if bounds.most is not None else '>='}{bounds.least}"
        yield Told(
            f"counter {bounds.name} is {value} instead of {wanted}", f"计数 {bounds.name} 为 {value}，应为 {wanted}"
        )


def _nothing_else(case: Case, outcome: Outcome) -> Iterator[Told]:
    for row in outcome.rows:
        if not any(matches(row._asdict(), expected.event) for expected in case.expected):
            yield Told(
                f"{row.kind} {row.phase} of {row.terminal} is at the centre; nothing like it was expected",
                f"中心有 {row.terminal} 的 {row.kind} {row.phase}；不应出现",
            )


def _shown(event: Mapping[str, Any]) -> str:
    return " ".join(",".join(value) if isinstance(value, tuple) else value for value in event.values()) or "any event"
