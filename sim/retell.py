"""The story of a case that was played for real: from its steps, promises, journals and the centre's rows."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from devices.flood import WET_US
from devices.gas import ALARM_PML
from devices.smoke import ALARM_MDB_M
from protocol.words import KINDS, PHASE_NAMES
from sim.judge import Mark
from sim.result import Result
from sim.sensor_faults.library import HEALED, made
from sim.sensor_faults.library import NAMES as SENSOR_FAULTS
from sim.sensors import PINS, SENSORS
from sim.site import Heard
from sim.steps import Step
from sim.story import Entry, Signal, Span, Story
from sim.stranger import MANNERS

NEAR_MS: Final = 2000  # a journal's own time counts where it is this near to when we read it: its clock may be unset

# The lane of what a step is done to, where it has no lane of its own.
_LANES: Final = {
    "broker": "network",
    "agent": "gateway",
    "power": "gateway",
    "clock": "gateway",
    "forge": "network",
    "stranger": "line",
}
# (target, "" for a terminal; action): the word for the step where that is not the action itself.
_WORDS: Final = {
    ("agent", "kill"): "killed",
    ("centre", "kill"): "killed",
    ("line", "replay"): "replayed",
    ("line", "unplug"): "down",
    ("line", "plug"): "up",
    ("forge", ""): "forged",
    ("power", "cut"): "power_cut",
    ("power", "up"): "power_up",
    ("network", "faults"): "network_faults",
    ("network", "clean"): "up",
    ("clock", "step"): "clock_step",
    ("clock", "drift"): "clock_drift",
    ("clock", "1970"): "clock_1970",
    ("clock", "2000"): "clock_2000",
    ("clock", "ntp"): "clock_set",
    ("", HEALED): "healed",
}
_DISK_FAULTS: Final = ("hold", "slow", "eio", "unreadable", "enospc", "read_only")
# (target, "" for a terminal; action that begins a fault): (its kind, the actions that end it).
_FAULTS: Final[dict[tuple[str, str], tuple[str, tuple[str, ...]]]] = {
    ("broker", "down"): ("broker_down", ("up", "restart")),
    ("agent", "kill"): ("killed", ("start", "restart")),
    ("centre", "kill"): ("killed", ("start", "restart")),
    ("line", "unplug"): ("unplugged", ("plug",)),
    ("line", "faults"): ("faults", ("clean", "faults")),
    **{("stranger", manner): ("stranger", ("quiet",)) for manner in MANNERS},
    **{
        ("disk", fault): (fault, ("release", *(other for other in _DISK_FAULTS if other != fault)))
        for fault in _DISK_FAULTS
    },
    ("agent", "pause"): ("paused", ("resume", "kill", "restart")),
    ("power", "cut"): ("power_cut", ("up",)),
    ("power", "mains_lost"): ("mains_lost", ("mains", "up")),
    ("power", "backup_low"): ("backup_low", ("mains", "up")),
    ("network", "outage"): ("outage", ("up",)),
    ("network", "faults"): ("network_faults", ("clean", "faults")),
    **{("clock", fault): (f"clock_{fault}", ("ntp",)) for fault in ("step", "drift", "1970", "2000")},
    ("", "dead"): ("dead", ("alive",)),
    ("", "tamper"): ("tamper", ("untamper",)),
    ("", "battery_low"): ("battery_low", ("battery_changed",)),
    ("", "worn_out"): ("worn_out", ("replaced",)),
    ("", "no_fix"): ("no_fix", ("fix",)),
    ("", "garble"): ("garbled", ("clear",)),
    **{("", kind): (kind, (*SENSOR_FAULTS, HEALED)) for kind in SENSOR_FAULTS},
}
# What a sensor of this kind is read in, and where its alarm is.
SENSED: Final[dict[str, tuple[str, float | None]]] = {
    "smoke": ("mdB/m", ALARM_MDB_M),
    "gas": ("‰ LEL", ALARM_PML),
    "flood": ("µS", WET_US),
    **dict.fromkeys(("button", "motion", "door"), ("", None)),
    "bracelet": ("m", None),
}


def retell(result: Result, command: str, language: str) -> Story:
    """The story of `result`, which `command` plays again; times are those of the site's clock from the case's zero."""
    return _Retelling(result, language).story(command)


class _Retelling:
    def __init__(self, result: Result, language: str):
        self._result = result
        self._outcome = result.outcome
        self._wall_ms, self._mono_ms = result.outcome.begun
        self._zh = language == "zh"
        self._kinds = {terminal.id: terminal.kind for terminal in result.case.terminals}
        self._boots: dict[str, list[int]] = {}  # of each terminal, in the order in which they are met
        self._names: dict[str, str] = {}  # of events, by the gateway's id for them

    def story(self, command: str) -> Story:
        case, outcome = self._result.case, self._outcome
        entries = [*self._steps(), *self._promises(), *self._heard(), *self._rows()]
        entries = sorted((entry for entry in entries if entry.t_ms >= 0), key=lambda entry: entry.t_ms)
        lasts_ms = max([case.lasts_ms, *(entry.t_ms for entry in entries)])
        counts = {"offered": len(outcome.promises), "committed": len(outcome.rows), **outcome.counters}
        return Story(
            title=case.title,
            seed=case.seed,
            lasts_ms=lasts_ms,
            differences=self._result.differences,
            entries=entries,
            faults=list(self._faults(lasts_ms)),
            signals={name: self._signal(name, points, lasts_ms) for name, points in self._result.samples.items()},
            counts=counts,
            command=command,
            wall_ms0=self._wall_ms,
        )

    # --- entries ---

    def _steps(self) -> Iterator[Entry]:
        for mark in self._outcome.marks:
            step = mark.step
            about = "" if _lane(step) == step.target else step.target
            about += "".join(f" {name} {value}" for name, value in step.values.items())
            what = _WORDS.get((self._target(step), step.action), step.action)
            yield Entry(mark.mono_ms - self._mono_ms, _lane(step), what, about.strip())

    def _promises(self) -> Iterator[Entry]:
        for promise in self._outcome.promises:
            name = self._source(promise.terminal, promise.boot, promise.number)
            about = self._event(promise.kind, promise.phase) + (f" ({promise.gone})" if promise.gone else "")
            yield Entry(promise.offered_ms - self._mono_ms, promise.terminal, "offered", about, name)
            if promise.acknowledged_ms is not None:
                yield Entry(promise.acknowledged_ms - self._mono_ms, promise.terminal, "acknowledged", about, name)

    def _rows(self) -> Iterator[Entry]:
        for row in self._outcome.rows:
            name = self._name(row.id, row.terminal, (row.source_boot, row.source_number))
            about = self._event(row.kind, row.phase) + "".join(f" [{flag}]" for flag in row.flags)
            yield Entry(row.committed_ms - self._wall_ms, "centre", "committed", about, name)

    def _heard(self) -> Iterator[Entry]:
        well = {"uplink": False, "storage": True}  # as it is when nothing has been said
        for heard in sorted(self._result.heard, key=self._at):
            what, fields = heard.line.what, heard.line.fields
            if heard.name == "agent" and what in well:
                before, well[what] = well[what], bool(fields.get("up", fields.get("ok")))
                if before == well[what]:
                    continue  # as it was, for another reason
            yield from self._line(self._at(heard), heard.name, what, fields)

    def _line(self, t_ms: int, whose: str, what: str, fields: Mapping[str, Any]) -> Iterator[Entry]:
        match whose, what:
            case "agent", "raised":
                name = self._name(fields["id"], fields["terminal"], fields["source"] or (None, None))
                about = f"{self._kind(fields['kind'])} {fields['terminal']}".strip()
                yield Entry(t_ms, "gateway", fields["phase"], about, name)
            case "agent", "sent":
                about = "" if fields["attempt"] == 1 else f"#{fields['attempt']}"
                yield Entry(t_ms, "network", "sent", about, self._names.get(fields["id"], fields["id"]))
            case "agent", "committed" | "receipted":
                lane = "disk" if what == "committed" else "gateway"
                yield from (Entry(t_ms, lane, what, "", self._names.get(one, one)) for one in fields["ids"])
            case "agent", "siren":
                yield Entry(t_ms, "resident", "siren", f"{fields['state']} {self._kind(fields['kind'])}")
            case "agent", "tell":
                yield Entry(t_ms, "resident", "told", f"{fields['text']} ({fields['terminal']})")
            case "agent", "uplink":
                yield Entry(t_ms, "network", "up" if fields["up"] else "down", str(fields["detail"]))
            case "agent", "storage":
                yield Entry(t_ms, "disk", "healed" if fields["ok"] else "fault", str(fields["detail"]))
            case "agent" | "centre", "ready":
                yield Entry(t_ms, _LANES.get(whose, whose), "started")
            case "agent", "error":
                yield Entry(t_ms, "gateway", "fault", str(fields["trace"]))
            case "centre", "refused":
                yield Entry(t_ms, "centre", "refused", f"{fields['reason']} × {fields['count']}")
            case "centre", "repeat":
                yield Entry(t_ms, "centre", "absorbed", self._event(fields["kind"], fields["phase"]))

    def _at(self, heard: Heard) -> int:
        """When a process says that it wrote the line; when we read it, where its clock is another."""
        read_ms = heard.mono_ms - self._mono_ms
        written_ms = heard.line.fields.get("t")
        if isinstance(written_ms, int) and abs(written_ms - self._wall_ms - read_ms) <= NEAR_MS:
            return written_ms - self._wall_ms
        return read_ms

    # --- faults and signals ---

    def _faults(self, lasts_ms: int) -> Iterator[Span]:
        marks = self._outcome.marks
        for n, mark in enumerate(marks):
            step = mark.step
            kind, ends = _FAULTS.get((self._target(step), step.action), ("", ()))
            if kind:
                begin_ms = mark.mono_ms - self._mono_ms
                about = ", ".join(f"{name} {value}" for name, value in step.values.items())
                end_ms = self._end_ms(marks[n + 1 :], step.target, ends, lasts_ms)
                if (ends_ms := self._ends_ms(step)) is not None:
                    end_ms = min(end_ms, begin_ms + ends_ms)
                yield Span(begin_ms, end_ms, _lane(step), kind, about)

    def _end_ms(self, later: Sequence[Mark], target: str, ends: Sequence[str], lasts_ms: int) -> int:
        ended = (mark.mono_ms for mark in later if mark.step.target == target and mark.step.action in ends)
        return next((mono_ms - self._mono_ms for mono_ms in ended), lasts_ms)

    def _ends_ms(self, step: Step) -> int | None:
        """When a sensor's fault is over by itself."""
        if step.action not in SENSOR_FAULTS:
            return None
        sensor = SENSORS[self._kinds[step.target]].SENSOR
        return made(step.action, int(step.values["strength"]), sensor).ends_ms()

    def _signal(self, name: str, points: Sequence[tuple[int, int]], lasts_ms: int) -> Signal:
        unit, threshold = SENSED[self._kinds[name]]
        seen = [(mono_ms - self._mono_ms, float(value)) for mono_ms, value in points]
        shown = [(t_ms, value) for t_ms, value in seen if 0 <= t_ms <= lasts_ms]
        if not shown and seen:  # a contact that did not move
            shown = [(0, seen[-1][1])]
        if shown and self._kinds[name] in PINS:
            shown = [(0, shown[0][1]), *shown, (lasts_ms, shown[-1][1])]
        return Signal(unit, shown or [(0, math.nan)], threshold)

    # --- names ---

    def _target(self, step: Step) -> str:
        return "" if step.target in self._kinds else step.target

    def _name(self, event: str, terminal: str, source: Sequence[int | None]) -> str:
        boot, number = source
        known = event if boot is None or number is None else self._source(terminal, boot, number)
        return self._names.setdefault(event, known)

    def _source(self, terminal: str, boot: int, number: int) -> str:
        """ "button-1 1-3": the third event of its first boot; the boots themselves are random numbers."""
        boots = self._boots.setdefault(terminal, [])
        if boot not in boots:
            boots.append(boot)
        return f"{terminal} {boots.index(boot) + 1}-{number}"

    def _event(self, kind: str, phase: str) -> str:
        phases = PHASE_NAMES.get(phase, (phase, phase))
        return f"{self._kind(kind)} {phases[self._zh]}"

    def _kind(self, kind: str) -> str:
        return KINDS[kind][1 + self._zh] if kind in KINDS else kind


def _lane(step: Step) -> str:
    return _LANES.get(step.target, step.target)
