"""The core of the gateway: what its terminals and shells say goes in with the time, effects come out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from gateway.home import parts
from gateway.home.actions import action, loudest
from gateway.home.calls import Calls
from gateway.home.doubts import Doubts
from gateway.home.lifecycle import ABSENT, LAPSING, PRESENT, STANDING, Alarms, Row
from gateway.home.messages import (
    Acknowledge,
    Alive,
    Commit,
    Committed,
    Condition,
    Doubt,
    Effect,
    Input,
    Keep,
    Reading,
    Receipted,
    Siren,
    Tell,
)
from gateway.home.pace import Pace
from gateway.home.roster import Roster, Terminal
from gateway.home.supervision import Supervision
from protocol.record import EVIDENCE_MAX, Event, EventId, Now, Source, Stamp
from protocol.words import (
    KINDS,
    LIFE,
    PHASES,
    RAISED,
    RESTORED,
    TEST,
    TROUBLE,
    UNSTORED,
    UNVERIFIED,
    UPDATED,
    severity_of,
)

CONDITIONS: Final = ("tamper", "battery_low", "sensor_fault")  # of a terminal; fields of Alive and kinds alike
SILENT: Final = "terminal_silent"
SUSPECT: Final = "suspect"  # flag: the terminal's sensor is at fault; its alarm is marked, never dropped
_OWN_EVIDENCE: Final = 1  # entries that are added here, so a terminal has that many fewer


@dataclass(slots=True)
class _Turn:
    """The effects of one turn, as they come together."""

    now: Now
    sirens: list[Siren] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    state: dict[str, bytes | None] = field(default_factory=dict)  # beside the events
    acknowledgements: list[Acknowledge] = field(default_factory=list)
    tells: list[Tell] = field(default_factory=list)
    kept: dict[str, bytes | None] = field(default_factory=dict)  # can wait
    commit: bool = False  # store at once, even without an event

    def effects(self) -> list[Effect]:
        """In the order of urgency: the siren waits for nothing, and telling is worth nothing before the commit."""
        stored: list[Effect] = []
        if self.events or self.commit:
            stored.append(Commit(tuple(self.events), {**self.kept, **self.state}))
        elif self.kept:
            stored.append(Keep(self.kept))
        return [*self.sirens, *stored, *self.acknowledgements, *self.tells]


@dataclass(frozen=True, slots=True)
class _Waiting:
    reading: Reading
    arrived_ms: int


class Home:
    """One home. `handle` and `tick` never raise, whatever a terminal says; perform their effects in order."""

    def __init__(
        self,
        gateway: str,
        epoch: int,
        boot: int,
        roster: Roster,
        *,
        now: Now,
        state: Mapping[str, bytes] | None = None,
        unsettled: Container[EventId] = (),
        unstored: bool = False,
    ):
        """Begin the epoch `epoch` of `gateway` in its boot `boot`.

        `state` is what earlier epochs stored; `unsettled` are the events that wait for their receipt from then;
        `unstored` says that nothing can be stored now. Raises ValueError if a terminal has the gateway's id.
        """
        if gateway in roster:
            raise ValueError(f"{gateway} is both the gateway and a terminal")
        self._own = Terminal(gateway, "gateway", "", "")
        self._epoch = epoch
        self._boot = boot
        self._roster = roster
        self._unstored = unstored
        self._sequence = 0
        self._alarms = Alarms(boot)
        self._supervision = Supervision(roster, now.mono_ms)
        self._doubts = Doubts(boot)
        self._calls = Calls()
        self._paces = {terminal.id: Pace(now.mono_ms) for terminal in roster}
        self._taken: dict[str, Source] = {}  # the last held event of each terminal that became an event of ours
        self._unsafe: dict[EventId, tuple[str, Source]] = {}  # neither committed nor receipted; one for each terminal
        self._waiting: dict[str, _Waiting] = {}  # beyond its terminal's pace
        self._battery_pct: dict[str, int | None] = {}
        self.counters: Counter[str] = Counter()
        self._opening: _Turn | None = _Turn(now)
        self._load(state or {}, now.mono_ms)
        self._resume(self._opening, unsettled)
        if not self._opening.effects():
            self._opening = None

    # --- in ---

    def handle(self, message: Input, now: Now) -> list[Effect]:
        """What follows from `message` at `now`."""
        turn = self._turn(now)
        match message:
            case Reading():
                self._reading(turn, message)
            case Alive():
                self._alive(turn, message)
            case Doubt():
                self._doubt(turn, message)
            case Committed(events):
                self._safe(turn, [event for event in events if event in self._unsafe])
            case Receipted():
                self._safe(turn, [event for event in self._unsafe if message.covers(event)])
                turn.tells += self._calls.receipted(message)
            case Condition():
                self._condition(turn, message)
        return turn.effects()

    def tick(self, now: Now) -> list[Effect]:
        """What follows from the time alone; nothing before `deadline`, and nothing twice."""
        turn = self._turn(now)
        for terminal in [name for name in self._waiting if self._paces[name].left(now.mono_ms)]:
            self._take_waiting(turn, terminal)
        self._unverified(turn)
        for missed in self._supervision.missed(now.mono_ms):
            evidence = {"silent_s": missed.silent_s}
            self._level(turn, self._terminal(missed.terminal), SILENT, present=True, evidence=evidence)
        growing = self._supervision.growing(now.mono_ms)
        turn.state.update(growing)
        turn.commit |= bool(growing)
        turn.tells += self._calls.due(now.mono_ms)
        return turn.effects()

    def deadline(self) -> int | None:
        """When `tick` is due next, in monotonic ms; None if nothing is."""
        due = [self._supervision.deadline(), self._doubts.deadline(), self._calls.deadline()]
        due += [self._paces[terminal].next_ms() for terminal in self._waiting]
        if self._opening is not None:
            due.append(self._opening.now.mono_ms)
        return min((at_ms for at_ms in due if at_ms is not None), default=None)

    def _turn(self, now: Now) -> _Turn:
        turn, self._opening = self._opening or _Turn(now), None
        turn.now = now
        return turn

    # --- terminals ---

    def _reading(self, turn: _Turn, reading: Reading) -> None:
        terminal = self._known(reading.terminal)
        if terminal is None:
            return
        if reading.kind not in KINDS or reading.phase not in PHASES:
            self.counters["not_understood"] += 1
            return
        if self._is_repeat(turn, reading):
            return
        if reading.terminal in self._waiting:  # order matters more than pace
            self._take_waiting(turn, reading.terminal)
        if self._may_go(turn, reading):
            self._take(turn, terminal, reading)
        elif _is_held(reading):
            self._waiting[terminal.id] = _Waiting(reading, turn.now.mono_ms)
            self.counters["postponed"] += 1
        elif reading.phase == RESTORED:  # nobody repeats it, and an alarm must not stand for ever
            self._take(turn, terminal, reading)
        else:
            self.counters["absorbed"] += 1
        self._heard(turn, terminal)

    def _is_repeat(self, turn: _Turn, reading: Reading) -> bool:
        """Whether this held event was taken before; if it is safe too, its acknowledgement was lost: say it again."""
        source = reading.source
        if source is None or not _is_held(reading):
            return False
        self._doubts.verified(reading.terminal, source)
        waiting = self._waiting.get(reading.terminal)
        if waiting is not None and waiting.reading.source == source:
            self.counters["repeats"] += 1
            return True
        if not self._was_taken(reading.terminal, source):
            return False
        self.counters["repeats"] += 1
        if (reading.terminal, source) not in self._unsafe.values():
            turn.acknowledgements.append(Acknowledge(reading.terminal, source))
        self._heard(turn, self._terminal(reading.terminal))
        return True

    def _was_taken(self, terminal: str, source: Source) -> bool:
        last = self._taken.get(terminal)
        return last is not None and last.boot == source.boot and source.number <= last.number

    def _may_go(self, turn: _Turn, reading: Reading) -> bool:
        happened_ms = turn.now.mono_ms - max(0, reading.age_ms)
        row = self._alarms.row(reading.terminal, reading.kind, reading.phase, happened_ms)
        return row.phase == RAISED or self._paces[reading.terminal].left(turn.now.mono_ms) > 0

    def _take_waiting(self, turn: _Turn, terminal: str) -> None:
        waiting = self._waiting.pop(terminal)
        waited_ms = max(0, turn.now.mono_ms - waiting.arrived_ms)
        reading = replace(waiting.reading, age_ms=max(0, waiting.reading.age_ms) + waited_ms)
        self._take(turn, self._terminal(terminal), reading)

    def _take(self, turn: _Turn, terminal: Terminal, reading: Reading) -> None:
        age_ms = max(0, reading.age_ms)
        row = self._alarms.row(terminal.id, reading.kind, reading.phase, turn.now.mono_ms - age_ms)
        if _is_held(reading) and reading.source is not None:
            self._taken[terminal.id] = reading.source
            turn.state.update(parts.stored(tuple(reading.source), parts.SOURCE, terminal.id))
        self._paces[terminal.id].spend(turn.now.mono_ms)
        event = self._move(turn, terminal, reading.kind, row, reading)
        if _is_held(reading) and reading.source is not None:
            self._unsafe[event.id] = (terminal.id, reading.source)

    def _alive(self, turn: _Turn, alive: Alive) -> None:
        terminal = self._known(alive.terminal)
        if terminal is None:
            return
        self._battery_pct[terminal.id] = alive.battery_pct
        for kind in CONDITIONS:
            # Beyond the pace a condition is passed over: the next sign of life states it again.
            if self._paces[terminal.id].left(turn.now.mono_ms) and self._level(
                turn, terminal, kind, present=getattr(alive, kind)
            ):
                self._paces[terminal.id].spend(turn.now.mono_ms)
        self._heard(turn, terminal)

    def _heard(self, turn: _Turn, terminal: Terminal) -> None:
        turn.kept.update(self._supervision.heard(terminal.id, turn.now.mono_ms))
        self._level(turn, terminal, SILENT, present=False)

    def _doubt(self, turn: _Turn, doubt: Doubt) -> None:
        if self._known(doubt.terminal) is None:
            return
        self.counters["doubts"] += 1
        raises = doubt.phase in (RAISED, UPDATED) and doubt.kind in KINDS and severity_of(doubt.kind) == LIFE
        if raises and not self._was_taken(doubt.terminal, doubt.source):
            self._doubts.add(doubt, turn.now.mono_ms)

    def _unverified(self, turn: _Turn) -> None:
        found, quiet = self._doubts.due(turn.now.mono_ms)
        self.counters["doubts_quiet"] += quiet
        for terminal_id, kind, doubts in found:
            terminal = self._terminal(terminal_id)
            # Without the source: it would make the centre take the verified event for a repeat of this one.
            event = self._event(turn, terminal, kind, RAISED, link="heard", evidence={"doubts": doubts})
            turn.events.append(replace(event, flags=(UNVERIFIED, *event.flags)))
            turn.state.update(self._doubts.part(terminal_id))
            # No siren: the centre calls back before anyone is sent.
            turn.tells.append(self._calls.begin(terminal_id, kind, event.id, turn.now.mono_ms))

    # --- the gateway itself ---

    def _condition(self, turn: _Turn, condition: Condition) -> None:
        if condition.kind not in KINDS or severity_of(condition.kind) != TROUBLE:
            self.counters["not_understood"] += 1
            return
        self._level(turn, self._own, condition.kind, present=condition.present, evidence=condition.evidence)

    # --- out ---

    def _level(
        self, turn: _Turn, terminal: Terminal, kind: str, present: bool, evidence: Mapping[str, int] | None = None
    ) -> Event | None:
        """A trouble is present or absent; an event only where that is news."""
        row = self._alarms.row(terminal.id, kind, PRESENT if present else ABSENT, turn.now.mono_ms)
        if row.phase is None:
            return None
        said = Reading(terminal.id, kind, row.phase, "own", evidence=evidence or {})
        return self._move(turn, terminal, kind, row, said)

    def _move(self, turn: _Turn, terminal: Terminal, kind: str, row: Row, said: Reading) -> Event:
        """Make one event of what was said: the one place where an alarm's state changes."""
        assert row.phase is not None
        age_ms = max(0, said.age_ms)
        event = self._event(turn, terminal, kind, row.phase, said.link, said.evidence, age_ms, said.source)
        alarm = self._alarms.enter(terminal.id, kind, row, event.id, turn.now.mono_ms - age_ms)
        if kind in LAPSING and row.phase != TEST:
            event = replace(event, evidence={**event.evidence, "presses": alarm.times})
        flags = (*event.flags, row.flag) if row.flag else event.flags
        event = replace(event, alarm=alarm.id, flags=flags)
        turn.events.append(event)
        turn.state.update(self._alarms.part(terminal.id, kind))
        self._act(turn, event)
        return event

    def _event(
        self,
        turn: _Turn,
        terminal: Terminal,
        kind: str,
        phase: str,
        link: str,
        evidence: Mapping[str, int],
        age_ms: int = 0,
        source: Source | None = None,
    ) -> Event:
        """The next event, as yet an alarm of its own."""
        self._sequence += 1
        identity = EventId(self._epoch, self._sequence)
        return Event(
            gateway=self._own.id,
            id=identity,
            alarm=identity,
            kind=kind,
            phase=phase,
            severity=severity_of(kind),
            link=link,
            terminal=terminal.id,
            room=terminal.room,
            time=Stamp.of(turn.now, self._boot, age_ms),
            source=source,
            evidence=dict(sorted(evidence.items())[: EVIDENCE_MAX - _OWN_EVIDENCE]),
            flags=self._flags(terminal, kind),
        )

    def _flags(self, terminal: Terminal, kind: str) -> tuple[str, ...]:
        suspect = severity_of(kind) != TROUBLE and self._alarms.get(terminal.id, "sensor_fault") is not None
        return ((SUSPECT,) if suspect else ()) + ((UNSTORED,) if self._unstored else ())

    def _act(self, turn: _Turn, event: Event) -> None:
        does = action(event.kind)
        if does.tell and event.phase == RAISED:
            turn.tells.append(self._calls.begin(event.terminal, event.kind, event.id, turn.now.mono_ms))
        if does.siren and event.phase == RAISED:
            turn.sirens.append(Siren(True, event.kind))
        if does.siren and event.phase == RESTORED:
            remaining = loudest(kind for _, kind in self._alarms)
            turn.sirens.append(Siren(remaining is not None, remaining or event.kind))

    def _safe(self, turn: _Turn, events: list[EventId]) -> None:
        for event in events:
            terminal, source = self._unsafe.pop(event)
            turn.acknowledgements.append(Acknowledge(terminal, source))

    # --- the roster ---

    def _known(self, terminal: str) -> Terminal | None:
        found = self._roster.get(terminal)
        if found is None:
            self.counters["unknown_terminal"] += 1
        return found

    def _terminal(self, terminal: str) -> Terminal:
        found = self._roster.get(terminal)
        assert found is not None, terminal
        return found

    # --- the state of earlier epochs ---

    def _load(self, state: Mapping[str, bytes], now_ms: int) -> None:
        gone: dict[str, bytes | None] = {}
        for key, data in state.items():
            words = parts.words(key)
            if words is None:
                self.counters["state_ignored"] += 1
            elif words[1] not in self._roster and words[1] != self._own.id:
                gone[key] = None
            elif not self._load_part(words, parts.numbers(data), now_ms):
                self.counters["state_ignored"] += 1
        self._supervision.load_silent(terminal for terminal, kind in self._alarms if kind == SILENT)
        if self._opening is not None:
            self._opening.kept.update(gone)

    def _load_part(self, words: tuple[str, ...], numbers: tuple[int, ...] | None, now_ms: int) -> bool:
        kind, terminal = words[:2]
        if numbers is None:
            return False
        if kind == parts.ALARM:
            return words[2] in KINDS and self._alarms.load(terminal, words[2], numbers)
        if terminal == self._own.id:
            return False
        if kind == parts.SILENCE:
            return self._supervision.load(terminal, numbers, now_ms)
        if kind == parts.DOUBT:
            return self._doubts.load(terminal, numbers)
        if len(numbers) != 2:
            return False
        self._taken[terminal] = Source(*numbers)
        return True

    def _resume(self, turn: _Turn, unsettled: Container[EventId]) -> None:
        """What stood when the last epoch ended goes on: the siren, and the calls that nobody has received yet."""
        sounding = loudest(kind for _, kind in self._alarms)
        if sounding is not None:
            turn.sirens.append(Siren(True, sounding))
        for terminal, kind in self._alarms:
            alarm = self._alarms.get(terminal, kind)
            if alarm is not None and action(kind).tell and alarm.id in unsettled:
                turn.tells.append(self._calls.begin(terminal, kind, alarm.id, turn.now.mono_ms))

    # --- for the status ---

    def alarms(self, now: Now) -> list[dict[str, Any]]:
        """The alarms and troubles that stand: alarm, terminal, kind, severity, times."""
        found = []
        for terminal, kind in self._alarms:
            alarm = self._alarms.get(terminal, kind)
            if alarm is not None and self._alarms.state(terminal, kind, now.mono_ms) == STANDING:
                row = {"alarm": str(alarm.id), "terminal": terminal, "kind": kind}
                found.append({**row, "severity": severity_of(kind), "times": alarm.times})
        return found

    def terminals(self, now: Now) -> list[dict[str, Any]]:
        """Each rostered terminal: id, kind, room, link (its bridge), last_seen_s, battery_pct, state, troubles."""
        standing: dict[str, list[str]] = {}
        for alarm in self.alarms(now):
            standing.setdefault(alarm["terminal"], []).append(alarm["kind"])
        return [self._status(terminal, standing.get(terminal.id, []), now) for terminal in self._roster]

    def _status(self, terminal: Terminal, kinds: list[str], now: Now) -> dict[str, Any]:
        troubles = sorted(kind for kind in kinds if severity_of(kind) == TROUBLE)
        state = "alarm" if len(troubles) < len(kinds) else "silent" if SILENT in kinds else "normal"
        return {
            "id": terminal.id,
            "kind": terminal.kind,
            "room": terminal.room,
            "link": terminal.bridge,
            "last_seen_s": self._supervision.last_seen_s(terminal.id, now.mono_ms),
            "battery_pct": self._battery_pct.get(terminal.id),
            "state": state,
            "troubles": troubles,
        }


def _is_held(reading: Reading) -> bool:
    return reading.link == "held" and reading.source is not None
