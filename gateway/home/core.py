"""The core of the gateway: what its terminals and shells say goes in with the time, effects come out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from gateway.home import parts, status
from gateway.home.book import Book
from gateway.home.doubts import Doubts
from gateway.home.health import Health
from gateway.home.held import Held
from gateway.home.messages import (
    Acknowledge,
    Alive,
    Called,
    Committed,
    Condition,
    Doubt,
    Effect,
    Fix,
    Input,
    Reading,
    Receipted,
    Sign,
)
from gateway.home.pace import Pace
from gateway.home.quiet import Quiet
from gateway.home.roster import Roster, Terminal
from gateway.home.signs import Known, Signs
from gateway.home.stillness import KIND as STILLNESS
from gateway.home.stillness import ORDINARY, Rule, Stillness
from gateway.home.supervision import SILENT, Supervision
from gateway.home.turn import Turn
from gateway.home.whereabouts import Whereabouts
from protocol.record import EventId, Now, Source
from protocol.words import KINDS, LAPSING, LIFE, PHASES, RAISED, RESTORED, TROUBLE, UPDATED, severity_of

CONDITIONS: Final = ("tamper", "battery_low")  # of a terminal: kinds, and fields of Alive


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
        stillness: Rule = ORDINARY,
    ):
        """Begin the epoch `epoch` of `gateway` in its boot `boot`.

        `state` is what earlier epochs stored; `unsettled` are the events that wait for their receipt from then;
        `unstored` says that nothing can be stored now; `stillness` how long may pass without a sign of life.
        Raises ValueError if a terminal has the gateway's id.
        """
        if gateway in roster:
            raise ValueError(f"{gateway} is both the gateway and a terminal")
        self.counters: Counter[str] = Counter()
        self._own = Terminal(gateway, "gateway", "", "")
        self._roster = roster
        self._book = Book(gateway, epoch, boot, unstored)
        self._held = Held()
        self._supervision = Supervision(roster, now.mono_ms)
        self._doubts = Doubts(boot)
        self._quiet = Quiet()
        self._whereabouts = Whereabouts(roster, boot)
        self._signs = Signs()
        self._health = Health(roster)
        self._stillness = Stillness(roster, stillness, self._own, now.mono_ms)
        self._paces = {terminal.id: Pace(now.mono_ms) for terminal in roster}
        self._waiting: dict[str, _Waiting] = {}  # the reading of each terminal that is beyond its pace
        self._battery_pct: dict[str, int] = {}
        opening = Turn(now)
        self._load(opening, state or {})
        self._book.resume(opening, unsettled, set(self._book.alarms))
        self._opening = opening if opening.effects() else None  # performed with the first turn

    def handle(self, message: Input, now: Now) -> list[Effect]:
        """What follows from `message` at `now`."""
        turn = self._turn(now)
        match message:
            case Reading():
                self._reading(turn, message)
            case Fix():
                self._fix(turn, message)
            case Alive():
                self._alive(turn, message)
            case Sign():
                self._sign(turn, message)
            case Doubt():
                self._doubt(turn, message)
            case Committed():
                turn.acknowledgements += self._held.committed(message.events)
            case Receipted():
                turn.acknowledgements += self._held.receipted(message)
                turn.tells += self._book.calls.receipted(message)
            case Condition():
                self._condition(turn, message)
            case Called():
                turn.tells += self._book.called(message)
        self._stillness.watch(turn, self._book)
        return turn.effects()

    def tick(self, now: Now) -> list[Effect]:
        """What follows from the time alone; nothing before `deadline`, and nothing twice."""
        due_ms = self.deadline()
        if due_ms is None or now.mono_ms < due_ms:
            return []
        turn = self._turn(now)
        for terminal_id in [name for name in self._waiting if self._paces[name].left(now.mono_ms)]:
            self._take_waiting(turn, self._roster[terminal_id])
        self._unverified(turn)
        for terminal_id, silent_s in self._supervision.missed(now.mono_ms):
            self._book.level(turn, self._roster[terminal_id], SILENT, present=True, evidence={"silent_s": silent_s})
        turn.state.update(self._supervision.growing(now.mono_ms))
        turn.tells += self._book.calls.due(now.mono_ms)
        self._stillness.watch(turn, self._book)
        self._stillness.due(turn, self._book)
        return turn.effects()

    def slept(self, ms: int) -> None:
        """The gateway itself stood still for the last `ms`, stopped or suspended: that is no silence of a terminal."""
        self._supervision.slept(ms)
        self._stillness.slept(ms)

    def remember(self, state: Mapping[str, bytes], unsettled: Container[EventId], now: Now) -> list[Effect]:
        """Take over which alarms stand, from the `state` of a card that could not be read at the start: those that are
        not known here. They end as any other does."""
        turn = self._turn(now)
        known = set(self._book.alarms)
        for key, data in state.items():
            words = parts.words(key)
            if words is None or words[0] != parts.ALARM or words[1:] in known:
                continue
            if words[1] in self._roster or words[1] == self._own.id:
                self._load_part(words, parts.numbers(data), now.mono_ms)
        found = set(self._book.alarms) - known
        self._supervision.load_silent(terminal for terminal, kind in found if kind == SILENT)
        self._stillness.resume(self._book)
        self._book.resume(turn, unsettled, found)
        return turn.effects()

    def deadline(self) -> int | None:
        """When `tick` is due next, in monotonic ms; None if nothing is."""
        due = [self._supervision.deadline(), self._doubts.deadline(), self._book.calls.deadline()]
        due.append(self._stillness.deadline())
        due += [self._paces[terminal].next_ms() for terminal in self._waiting]
        due += [self._opening.now.mono_ms] if self._opening else []
        return min((at_ms for at_ms in due if at_ms is not None), default=None)

    def terminals(self, now: Now) -> list[dict[str, Any]]:
        """For the status: each rostered terminal."""
        shown = status.terminals(self._roster, self._book.alarms, self._supervision, self._battery_pct, now.mono_ms)
        return [
            row
            | status.signs(self._signs.of(row["id"]), now.mono_ms)
            | {"faults": list(self._health.faults(row["id"]))}
            for row in shown
        ]

    def silent(self) -> int:
        """How many terminals are silent."""
        return sum(kind == SILENT and terminal in self._roster for terminal, kind in self._book.alarms)

    def alarms(self, now: Now) -> list[dict[str, Any]]:
        """For the status: what stands."""
        return status.alarms(self._book.alarms, now.mono_ms)

    def signs(self, terminal: str) -> Known:
        """When `terminal` last had a sign of life, and how its door stands."""
        return self._signs.of(terminal)

    def _turn(self, now: Now) -> Turn:
        turn, self._opening = self._opening or Turn(now), None
        turn.now = now
        return turn

    def _known(self, terminal: str) -> Terminal | None:
        found = self._roster.get(terminal)
        if found is None:
            self.counters["unknown_terminal"] += 1
        return found

    # --- readings ---

    def _reading(self, turn: Turn, reading: Reading) -> None:
        terminal = self._known(reading.terminal)
        if terminal is None:
            return
        if reading.kind not in KINDS or reading.phase not in PHASES:
            self.counters["not_understood"] += 1
        elif not self._is_repeat(turn, reading):
            self._new(turn, terminal, reading)
        self._heard(turn, terminal)

    def _is_repeat(self, turn: Turn, reading: Reading) -> bool:
        """Whether this held event was taken before; if it is safe, its acknowledgement was lost: say it again."""
        source = _held_source(reading)
        if source is None:
            return False
        self._doubts.verified(reading.terminal, source)
        if not self._was_seen(reading.terminal, source):
            return False
        self.counters["repeats"] += 1
        if self._held.was_taken(reading.terminal, source) and self._held.is_safe(reading.terminal, source):
            turn.acknowledgements.append(Acknowledge(reading.terminal, source))
        return True

    def _was_seen(self, terminal: str, source: Source) -> bool:
        waiting = self._waiting.get(terminal)
        return self._held.was_taken(terminal, source) or (waiting is not None and waiting.reading.source == source)

    def _new(self, turn: Turn, terminal: Terminal, reading: Reading) -> None:
        if terminal.id in self._waiting:  # order matters more than pace
            self._take_waiting(turn, terminal)
        raises = self._book.row(turn.now, reading).phase == RAISED
        if raises or self._paces[terminal.id].left(turn.now.mono_ms):
            self._take(turn, terminal, reading)
        elif _held_source(reading) is not None:
            self.counters["postponed"] += 1
            self._waiting[terminal.id] = _Waiting(reading, turn.now.mono_ms)
        elif reading.phase == RESTORED:  # nobody repeats it, and an alarm must not stand for ever
            self._take(turn, terminal, reading)
        else:
            self.counters["absorbed"] += 1

    def _take_waiting(self, turn: Turn, terminal: Terminal) -> None:
        waiting = self._waiting.pop(terminal.id)
        waited_ms = max(0, turn.now.mono_ms - waiting.arrived_ms)
        self._take(turn, terminal, replace(waiting.reading, age_ms=max(0, waiting.reading.age_ms) + waited_ms))

    def _take(self, turn: Turn, terminal: Terminal, reading: Reading) -> None:
        self._paces[terminal.id].spend(turn.now.mono_ms)
        reading = self._stillness.said(turn, self._book, terminal, reading)
        position = self._whereabouts.called(terminal.id, reading.kind, turn.now.mono_ms)
        event = self._book.enter(turn, terminal, replace(reading, position=position))
        if event.phase == RAISED and reading.kind == terminal.kind and terminal.kind not in LAPSING:
            self._health.raised(terminal.id, turn.now.mono_ms)
        source = _held_source(reading)
        if source is not None:
            turn.state.update(self._held.take(terminal.id, source, event.id))

    def _fix(self, turn: Turn, fix: Fix) -> None:
        terminal = self._known(fix.terminal)
        if terminal is not None:
            self._whereabouts.fixed(turn, self._book, terminal, fix.position)
            self._heard(turn, terminal)

    # --- conditions ---

    def _alive(self, turn: Turn, alive: Alive) -> None:
        terminal = self._known(alive.terminal)
        if terminal is None:
            return
        if alive.battery_pct is not None:
            self._battery_pct[terminal.id] = alive.battery_pct
        for kind in CONDITIONS:
            present: bool | None = getattr(alive, kind)
            if present is not None:
                self._stated(turn, terminal, kind, present)
        self._judge(turn, terminal, alive)
        if alive.alarm is not None and terminal.kind not in LAPSING:
            self._alarm_stated(turn, terminal, alive)
        self._heard(turn, terminal)

    def _alarm_stated(self, turn: Turn, terminal: Terminal, alive: Alive) -> None:
        """How a terminal that holds no event says its own alarm stands: a restart of its own may have ended the alarm
        without a word, and one of ours may have lost what it had said."""
        if terminal.id in self._waiting:
            return
        alarm = self._book.alarms.get(terminal.id, terminal.kind)
        if alive.alarm or alarm is None:
            self._quiet.broken(terminal.id)
            if alive.alarm:
                self._book.level(turn, terminal, terminal.kind, present=True)
        elif self._quiet.lasts(terminal.id, alive.boot, alarm, turn.now.mono_ms):
            self._stated(turn, terminal, terminal.kind, present=False)

    def _judge(self, turn: Turn, terminal: Terminal, alive: Alive) -> None:
        """Whether its sensor is at fault: as it says itself, or as its readings say."""
        alarm = self._book.alarms.get(terminal.id, terminal.kind) is not None
        found = self._health.judge(terminal, alive.value, alive.sensor_fault, alarm, turn.now)
        turn.state.update(found.state)
        if found.present is not None:
            age = {"end_of_life": 1} if alive.end_of_life else {}
            self._stated(turn, terminal, "sensor_fault", found.present, {**found.evidence, **age})

    def _stated(
        self, turn: Turn, terminal: Terminal, kind: str, present: bool, evidence: Mapping[str, int] | None = None
    ) -> None:
        """A condition as stated; beyond its pace a change is passed over, for the next heartbeat states it again."""
        pace = self._paces[terminal.id]
        if pace.left(turn.now.mono_ms) and self._book.level(turn, terminal, kind, present, evidence):
            pace.spend(turn.now.mono_ms)

    def _sign(self, turn: Turn, sign: Sign) -> None:
        terminal = self._known(sign.terminal)
        if terminal is not None:
            self._signs.take(sign, turn.now.mono_ms)
            self._heard(turn, terminal)
            self._stillness.sensed(turn, self._book, terminal, self._signs.of(terminal.id))

    def _heard(self, turn: Turn, terminal: Terminal) -> None:
        turn.kept.update(self._supervision.heard(terminal.id, turn.now.mono_ms))
        self._book.level(turn, terminal, SILENT, present=False)

    def _condition(self, turn: Turn, condition: Condition) -> None:
        if condition.kind not in KINDS or severity_of(condition.kind) != TROUBLE:
            self.counters["not_understood"] += 1
            return
        about = self._known(condition.terminal) if condition.terminal else self._own
        if about is not None:
            self._book.level(turn, about, condition.kind, condition.present, condition.evidence)

    # --- doubts ---

    def _doubt(self, turn: Turn, doubt: Doubt) -> None:
        if self._known(doubt.terminal) is None:
            return
        self.counters["doubts"] += 1
        raises = doubt.phase in (RAISED, UPDATED) and doubt.kind in KINDS and severity_of(doubt.kind) == LIFE
        if raises and not self._was_seen(doubt.terminal, doubt.source):
            self._doubts.add(doubt, turn.now.mono_ms)

    def _unverified(self, turn: Turn) -> None:
        found, quiet = self._doubts.due(turn.now.mono_ms)
        self.counters["doubts_quiet"] += quiet
        for terminal_id, kind, doubts in found:
            self._book.unverified(turn, self._roster[terminal_id], kind, doubts)
            turn.state.update(self._doubts.part(terminal_id))

    # --- the state of earlier epochs ---

    def _load(self, turn: Turn, state: Mapping[str, bytes]) -> None:
        for key, data in state.items():
            words = parts.words(key)
            if words is not None and words[1] not in self._roster and words[1] != self._own.id:
                turn.kept[key] = None  # a terminal that is no longer here
            elif words is None or not self._load_part(words, parts.numbers(data), turn.now.mono_ms):
                self.counters["state_ignored"] += 1
        self._supervision.load_silent(terminal for terminal, kind in self._book.alarms if kind == SILENT)
        self._stillness.resume(self._book)

    def _load_part(self, words: tuple[str, ...], numbers: tuple[int, ...] | None, now_ms: int) -> bool:
        part, terminal, *kind = words
        own = terminal == self._own.id
        if numbers is None or (own and not _is_own(part, *kind)):
            return False
        match part:
            case parts.STILL:
                return own and self._stillness.load(numbers, now_ms)
            case parts.ALARM:
                return kind[0] in KINDS and self._book.alarms.load(terminal, kind[0], numbers)
            case parts.SILENCE:
                return self._supervision.load(terminal, numbers, now_ms)
            case parts.DOUBT:
                return self._doubts.load(terminal, numbers)
            case parts.HEALTH:
                return self._health.load(terminal, numbers)
            case _:
                return self._held.load(terminal, numbers)


def _is_own(part: str, kind: str = "") -> bool:
    """Whether such a part may be the gateway's own: its stillness, that alarm, a trouble."""
    return part == parts.STILL or (part == parts.ALARM and (kind == STILLNESS or severity_of(kind) == TROUBLE))


def _held_source(reading: Reading) -> Source | None:
    """What to acknowledge a reading by; None where its terminal does not wait for that."""
    return reading.source if reading.link == "held" else None
