"""The demo's account: every event from the wire to the desk and back, and whether anything was lost or doubled."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from rich import box
from rich.table import Table

from protocol.words import RAISED, UNVERIFIED, Told
from sim.judge import Outcome, Row, invariants
from sim.site import Heard
from sim.terminals import Promise

from .locale import say
from .timeline import kind_name, phase_name, short


@dataclass(frozen=True, slots=True)
class Trail:
    """One event's way: wall ms of each station, None where it never passed."""

    event_id: str
    kind: str
    terminal: str
    phase: str
    held: bool  # by a terminal; else it is the gateway's own
    raised_ms: int
    stored_ms: int | None  # on the gateway's disk
    sent_ms: int | None
    committed_ms: int  # at the centre
    receipted_ms: int | None  # the gateway has the centre's receipt
    attempts: int
    position: Mapping[str, Any] | None = None  # as the centre's HTTP side gives it

    def as_json(self) -> dict[str, Any]:
        return {
            "event_id": self.event_id,
            "kind": self.kind,
            "terminal": self.terminal,
            "phase": self.phase,
            "raised_at": iso(self.raised_ms),
            "committed_at": iso(self.committed_ms),
            "receipted_at": iso(self.receipted_ms),
            "latency_ms": self.committed_ms - self.raised_ms,
            "attempts": self.attempts,
            "position": self.position,
        }


@dataclass(frozen=True, slots=True)
class Tally:
    """What the evening came to."""

    trails: Sequence[Trail]
    raised: int
    lost: int
    duplicates: int
    repeats_absorbed: int
    forged: int
    forged_refused: int
    replayed: int
    link_replays_refused: int
    clock_rate: int  # how much faster than the wall's the clock ran; all times are of that clock
    errors: int  # faults in the agent's own program that it survived
    missing: Sequence[str]  # kinds that had to be raised, and are not at the centre
    differences: Sequence[Told]

    @property
    def receipted(self) -> int:
        return sum(trail.receipted_ms is not None for trail in self.trails)

    @property
    def good(self) -> bool:
        """Whether all that the demo promises is so."""
        return (
            self.raised == self.receipted == len(self.trails) > 0
            and self.lost == self.duplicates == 0
            and self.forged == self.forged_refused > 0
            and self.link_replays_refused == self.replayed > 0
            and self.errors == 0
            and not self.missing
            and not self.differences
        )

    def as_json(self) -> dict[str, Any]:
        return {
            "good": self.good,
            "alarms": [trail.as_json() for trail in self.trails],
            "raised": self.raised,
            "receipted": self.receipted,
            "lost": self.lost,
            "duplicates": self.duplicates,
            "repeats_absorbed": self.repeats_absorbed,
            "forged_refused": self.forged_refused,
            "link_replays_refused": self.link_replays_refused,
            "clock_rate": self.clock_rate,
            "errors": self.errors,
            "missing": list(self.missing),
        }


def iso(wall_ms: int | None) -> str | None:
    """ISO 8601 in UTC with milliseconds."""
    if wall_ms is None:
        return None
    return datetime.fromtimestamp(wall_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def rows(alarms: Iterable[Mapping[str, Any]]) -> list[Row]:
    """The events as the centre's HTTP side gives them, as the judge of simulated cases takes them."""
    found = []
    for alarm in alarms:
        epoch, _, sequence = alarm["event_id"].rpartition("/")[2].partition("-")
        boot, number = alarm["source"] or (None, None)
        committed_ms = round(datetime.fromisoformat(alarm["committed_at"]).timestamp() * 1000)
        flags = tuple(alarm["flags"])
        found.append(
            Row(
                epoch=int(epoch),
                sequence=int(sequence),
                **{name: alarm[name] for name in ("kind", "phase", "severity", "link", "terminal", "room")},
                source_boot=boot,
                source_number=number,
                flags=flags,
                unverified=UNVERIFIED in flags,
                committed_ms=committed_ms,
                attempt=alarm["attempts"],
            )
        )
    return found


def trails(rows: Sequence[Row], alarms: Iterable[Mapping[str, Any]], heard: Sequence[Heard]) -> list[Trail]:
    """The way of each event that the centre holds: `rows` and `alarms` as the centre has them, `heard` the journals.

    An event that the gateway had to raise anew after a crash has another id there; its source is the same.
    """
    ids = _ids_by_row(rows, heard)
    stations = {what: _stations(heard, what) for what in ("committed", "sent", "receipted")}
    found = []
    for row, alarm in zip(rows, alarms, strict=True):
        mine = ids[row.id]

        def first(what: str, mine: set[str] = mine) -> int | None:
            return min((stations[what][i] for i in mine if i in stations[what]), default=None)

        latency_ms: int = alarm["latency_ms"]
        found.append(
            Trail(
                event_id=row.id,
                kind=row.kind,
                terminal=row.terminal,
                phase=row.phase,
                held=row.link == "held",
                raised_ms=row.committed_ms - latency_ms,
                stored_ms=first("committed"),
                sent_ms=first("sent"),
                committed_ms=row.committed_ms,
                receipted_ms=first("receipted"),
                attempts=row.attempt,
                position=alarm.get("position"),
            )
        )
    return found


def _ids_by_row(rows: Sequence[Row], heard: Sequence[Heard]) -> dict[str, set[str]]:
    """For each row, all ids under which the gateway has ever raised it."""
    by_source: dict[tuple[Any, ...], set[str]] = {}
    for entry in heard:
        if entry.line.what == "raised" and (source := entry.line.fields.get("source")):
            by_source.setdefault((entry.line.fields["terminal"], *source), set()).add(entry.line.fields["id"])
    return {row.id: {row.id} | by_source.get((row.terminal, row.source_boot, row.source_number), set()) for row in rows}


def _stations(heard: Sequence[Heard], what: str) -> dict[str, int]:
    """When each event id first passed this station, by the gateway's wall clock (ms)."""
    found: dict[str, int] = {}
    for entry in heard:
        if entry.name == "agent" and entry.line.what == what:
            for event in entry.line.fields.get("ids") or [entry.line.fields["id"]]:
                found.setdefault(event, entry.line.fields["t"])
    return found


def lost(promises: Sequence[Promise], rows: Sequence[Row]) -> int:
    """How many events that terminals gave away or still hold are not at the centre."""
    there = {(row.terminal, row.source_boot, row.source_number) for row in rows}
    return sum(
        not promise.gone and (promise.terminal, promise.boot, promise.number) not in there for promise in promises
    )


def duplicates(rows: Sequence[Row]) -> int:
    """How many rows tell of what another row told already."""
    sources = [
        (row.terminal, row.source_boot, row.source_number, row.phase) for row in rows if row.source_boot is not None
    ]
    return len(sources) - len(set(sources))


def missing(kinds: Sequence[str], rows: Sequence[Row]) -> list[str]:
    """Of these kinds, those of which no alarm is at the centre."""
    there = {row.kind for row in rows if row.phase == RAISED}
    return [kind for kind in kinds if kind not in there]


def differences(promises: Sequence[Promise], rows: Sequence[Row]) -> list[Told]:
    """Every way in which the design's invariants do not hold."""
    return list(invariants(Outcome(rows=rows, promises=promises, dead=frozenset())))


def table(found: Sequence[Trail]) -> Table:
    """The trails for a person: the first column a time of day, the stations as ms after it."""
    title = say("Every event, from the wire to the desk and back", "每个事件：从线路到调度台再返回")
    shown = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    shown.add_column(say("event", "事件"))
    shown.add_column(say("what", "内容"), no_wrap=True)
    for en, zh in (
        ("raised", "发生"),
        ("safe", "落盘"),
        ("sent", "发出"),
        ("desk", "中心"),
        ("receipt", "回执"),
        ("tries", "次数"),
    ):
        shown.add_column(say(en, zh), justify="right")
    for trail in found:
        shown.add_row(
            short(trail.event_id),
            f"{trail.terminal if trail.held else kind_name(trail.kind)} {phase_name(trail.phase)}",
            datetime.fromtimestamp(trail.raised_ms / 1000).strftime("%H:%M:%S"),
            *(
                _after(trail.raised_ms, at)
                for at in (trail.stored_ms, trail.sent_ms, trail.committed_ms, trail.receipted_ms)
            ),
            str(trail.attempts),
        )
    return shown


def verdict(found: Tally) -> list[tuple[bool, str]]:
    """The evening in sentences, each with whether it is as it must be."""
    return [
        (
            found.raised == found.receipted == len(found.trails) > 0,
            say(
                f"raised {found.raised} = receipted {found.receipted}",
                f"发生 {found.raised} = 已回执 {found.receipted}",
            ),
        ),
        (found.lost == 0, say(f"lost {found.lost}", f"丢失 {found.lost}")),
        (found.duplicates == 0, say(f"duplicates {found.duplicates}", f"重复 {found.duplicates}")),
        (True, say(f"repeats absorbed {found.repeats_absorbed}", f"并入的重复 {found.repeats_absorbed}")),
        (
            found.forged == found.forged_refused > 0,
            say(
                f"forgeries refused {found.forged_refused} of {found.forged}",
                f"拒绝伪造 {found.forged_refused}/{found.forged}",
            ),
        ),
        (
            found.link_replays_refused == found.replayed > 0,
            say(
                f"old frames refused {found.link_replays_refused} of {found.replayed}",
                f"拒绝旧帧 {found.link_replays_refused}/{found.replayed}",
            ),
        ),
        (
            not found.missing,
            say(
                f"kinds that never came: {', '.join(found.missing) or 'none'}",
                f"未出现的报警种类：{'、'.join(found.missing) or '无'}",
            ),
        ),
        (found.errors == 0, say(f"errors in the program {found.errors}", f"程序错误 {found.errors}")),
    ]


def _after(raised_ms: int, at_ms: int | None) -> str:
    if at_ms is None:
        return "-"
    ms = max(0, at_ms - raised_ms)
    if ms < 1000:
        return f"+{ms}ms"
    return f"+{ms / 1000:.1f}s" if ms < 10_000 else f"+{ms // 1000}s"  # seven columns have to fit on a phone
