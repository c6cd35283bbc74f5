"""The book of events: numbers them, moves the lifecycle of their alarm, and acts on them in the home."""

from __future__ import annotations

from collections.abc import Collection, Container, Mapping
from dataclasses import replace
from typing import Final

from gateway.home.actions import action, loudest
from gateway.home.calls import CALLING, Calls
from gateway.home.lifecycle import ABSENT, PRESENT, Alarms, Row
from gateway.home.messages import Called, Reading, Siren, Tell
from gateway.home.roster import Terminal
from gateway.home.turn import Turn
from protocol.geo import Position
from protocol.record import EVIDENCE_MAX, Event, EventId, Now, Stamp
from protocol.words import RAISED, RESTORED, TEST, TROUBLE, UNSTORED, UNVERIFIED, UPDATED, severity_of

SUSPECT: Final = "suspect"  # flag: the terminal's sensor is at fault; its alarm is marked, never dropped
COUNTED: Final = {"button": "presses", "bracelet_sos": "presses", "bracelet_fall": "falls"}  # evidence, by kind
_OWN_EVIDENCE: Final = 1  # entries that are added here; a terminal has that many fewer


class Book:
    """All events of one epoch of one gateway, and the alarms that they leave standing."""

    def __init__(self, gateway: str, epoch: int, boot: int, unstored: bool):
        self.alarms = Alarms(boot)
        self.calls = Calls()
        self._gateway = gateway
        self._epoch = epoch
        self._boot = boot
        self._unstored = unstored
        self._sequence = 0

    def row(self, now: Now, said: Reading) -> Row:
        """What `enter` would do now; changes nothing."""
        return self.alarms.row(said.terminal, said.kind, said.phase, _happened_ms(now, said))

    def enter(self, turn: Turn, terminal: Terminal, said: Reading) -> Event:
        """Make an event of what a terminal said."""
        return self._move(turn, terminal, said, self.row(turn.now, said))

    def level(
        self,
        turn: Turn,
        terminal: Terminal,
        kind: str,
        present: bool,
        evidence: Mapping[str, int] | None = None,
        position: Position | None = None,
    ) -> bool:
        """A trouble, or what a fence says, is present or absent: whether that is news, which makes an event."""
        row = self.alarms.row(terminal.id, kind, PRESENT if present else ABSENT, turn.now.mono_ms)
        if row.phase is None:
            return False
        said = Reading(terminal.id, kind, row.phase, "own", evidence=evidence or {}, position=position)
        self._move(turn, terminal, said, row)
        return True

    def follow(self, turn: Turn, terminal: Terminal, kind: str, position: Position) -> None:
        """Where a call that stands is now, or is known to be now: an event of its alarm, whose life it leaves alone."""
        alarm = self.alarms.get(terminal.id, kind)
        assert alarm is not None, "only what stands is followed"
        said = Reading(terminal.id, kind, UPDATED, "own", position=position)
        turn.events.append(replace(self._event(turn.now, terminal, said, UPDATED), alarm=alarm.id))

    def unverified(self, turn: Turn, terminal: Terminal, kind: str, doubts: int) -> None:
        """An alarm in doubt: apart from the lifecycle, and without the siren, for the centre calls back first."""
        # Without a source: the centre would take the verified event, when it comes, for a repeat of this one.
        said = Reading(terminal.id, kind, RAISED, "heard", evidence={"doubts": doubts})
        event = self._event(turn.now, terminal, said, RAISED)
        turn.events.append(replace(event, flags=(UNVERIFIED, *event.flags)))
        self._call(turn, event)

    def resume(self, turn: Turn, unsettled: Container[EventId], found: Collection[tuple[str, str]]) -> None:
        """Of what stood when the last epoch ended, `found` goes on: the siren, and the calls that nobody has received
        yet."""
        sounding = loudest(kind for _, kind in self.alarms)
        if found and sounding is not None:
            turn.sirens.append(Siren(True, sounding))
        for (terminal, kind), alarm in self.alarms.items():
            if (terminal, kind) in found and action(kind).tell and alarm.id in unsettled:
                turn.tells.append(self.calls.begin(terminal, kind, alarm.id, turn.now.mono_ms))

    def called(self, called: Called) -> list[Tell]:
        """The centre is calling about these alarms; of one that is over the resident is told all the same."""
        about = [name for name, alarm in self.alarms.items() if any(span.holds(alarm.id) for span in called.intervals)]
        return [Tell(CALLING, kind, terminal) for terminal, kind in about] or [Tell(CALLING, "", "")]

    def _move(self, turn: Turn, terminal: Terminal, said: Reading, row: Row) -> Event:
        assert row.phase is not None
        event = self._event(turn.now, terminal, said, row.phase)
        alarm = self.alarms.enter(terminal.id, said.kind, row, event.id, _happened_ms(turn.now, said))
        counted = {COUNTED[said.kind]: alarm.times} if said.kind in COUNTED and row.phase != TEST else {}
        event = replace(
            event,
            alarm=alarm.id,
            evidence={**event.evidence, **counted},
            flags=(*event.flags, row.flag) if row.flag else event.flags,
        )
        turn.events.append(event)
        turn.state.update(self.alarms.part(terminal.id, said.kind))
        self._call(turn, event)
        self._siren(turn, event)
        return event

    def _event(self, now: Now, terminal: Terminal, said: Reading, phase: str) -> Event:
        """The next event, as yet an alarm of its own."""
        self._sequence += 1
        identity = EventId(self._epoch, self._sequence)
        return Event(
            gateway=self._gateway,
            id=identity,
            alarm=identity,
            kind=said.kind,
            phase=phase,
            severity=severity_of(said.kind),
            link=said.link,
            terminal=terminal.id,
            room=terminal.room,
            time=Stamp.of(now, self._boot, max(0, said.age_ms)),
            source=said.source,
            position=said.position,
            evidence=dict(sorted(said.evidence.items())[: EVIDENCE_MAX - _OWN_EVIDENCE]),
            flags=self._flags(terminal.id, said.kind),
        )

    def _flags(self, terminal: str, kind: str) -> tuple[str, ...]:
        suspect = severity_of(kind) != TROUBLE and self.alarms.get(terminal, "sensor_fault") is not None
        return ((SUSPECT,) if suspect else ()) + ((UNSTORED,) if self._unstored else ())

    def _call(self, turn: Turn, event: Event) -> None:
        if event.phase == RAISED and action(event.kind).tell:
            turn.tells.append(self.calls.begin(event.terminal, event.kind, event.id, turn.now.mono_ms))

    def _siren(self, turn: Turn, event: Event) -> None:
        if not action(event.kind).siren:
            return
        if event.phase == RAISED:
            turn.sirens.append(Siren(True, event.kind))
        if event.phase == RESTORED:
            remaining = loudest(kind for _, kind in self.alarms)
            turn.sirens.append(Siren(remaining is not None, remaining or event.kind))


def _happened_ms(now: Now, said: Reading) -> int:
    return now.mono_ms - max(0, said.age_ms)
