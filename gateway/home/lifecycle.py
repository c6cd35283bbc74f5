"""The life of an alarm of one (terminal, kind): everything about its state is in TABLE."""

from __future__ import annotations

from collections.abc import ItemsView, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from gateway.home import parts
from protocol.record import EventId
from protocol.words import LAPSING, RAISED, RESTORED, TEST, UPDATED

# The states. Only STANDING is stored; IDLE is to have nothing stored.
IDLE: Final = "idle"
STANDING: Final = "standing"
LAPSED: Final = "lapsed"  # a call whose window has passed: a button never says `restored`, so its next press rings anew
STATES: Final = (IDLE, STANDING, LAPSED)

# The inputs: the phases that a terminal reports, and the level of a trouble, which may be stated again and again.
PRESENT: Final = "present"
ABSENT: Final = "absent"

NO_RAISE: Final = "no_raise"  # flag: what began this is not known here (the state was lost); the centre may know it


class Row(NamedTuple):
    """What an input makes of a state: the next state, the phase of the event (None: no event), its flag."""

    state: str
    phase: str | None
    flag: str = ""


TABLE: Final[dict[tuple[str, str], Row]] = {
    (IDLE, RAISED): Row(STANDING, RAISED),
    (IDLE, UPDATED): Row(STANDING, RAISED, NO_RAISE),
    (IDLE, RESTORED): Row(IDLE, RESTORED, NO_RAISE),
    (IDLE, TEST): Row(IDLE, TEST),
    (IDLE, PRESENT): Row(STANDING, RAISED),
    (IDLE, ABSENT): Row(IDLE, None),
    (STANDING, RAISED): Row(STANDING, UPDATED),
    (STANDING, UPDATED): Row(STANDING, UPDATED),
    (STANDING, RESTORED): Row(IDLE, RESTORED),
    (STANDING, TEST): Row(STANDING, TEST),
    (STANDING, PRESENT): Row(STANDING, None),
    (STANDING, ABSENT): Row(IDLE, RESTORED),
    (LAPSED, RAISED): Row(STANDING, RAISED),
    (LAPSED, UPDATED): Row(STANDING, RAISED, NO_RAISE),
    (LAPSED, RESTORED): Row(IDLE, RESTORED),
    (LAPSED, TEST): Row(LAPSED, TEST),
}

LAPSE_MS: Final = 30_000  # presses closer than this are one call; a person in distress presses again at once


@dataclass(frozen=True, slots=True)
class Alarm:
    """A standing alarm."""

    id: EventId  # the event that raised it
    times: int  # how often it was raised: of a button, the presses
    happened_ms: int  # monotonic, of the last raise
    boot: int  # the gateway's, in which that monotonic time counts


class Alarms:
    """The alarms that stand, by (terminal, kind): at most one each."""

    def __init__(self, boot: int):
        self._boot = boot
        self._alarms: dict[tuple[str, str], Alarm] = {}

    def row(self, terminal: str, kind: str, phase: str, happened_ms: int) -> Row:
        """What `phase` (or PRESENT, ABSENT) at `happened_ms` would do; changes nothing."""
        return TABLE[self.state(terminal, kind, happened_ms), phase]

    def state(self, terminal: str, kind: str, at_ms: int) -> str:
        alarm = self._alarms.get((terminal, kind))
        if alarm is None:
            return IDLE
        if kind not in LAPSING:
            return STANDING
        # Another boot's time can't be compared; a new call is the safe side. Ages are rounded, so order may flip.
        fresh = alarm.boot == self._boot and abs(at_ms - alarm.happened_ms) <= LAPSE_MS
        return STANDING if fresh else LAPSED

    def enter(self, terminal: str, kind: str, row: Row, event: EventId, happened_ms: int) -> Alarm:
        """Make the move that `row` says, by the event `event`; gives the alarm that the event belongs to."""
        new = Alarm(event, 1, happened_ms, self._boot)
        before = self._alarms.get((terminal, kind))
        if row.phase == TEST:
            return new
        if row.phase == UPDATED and before is not None:
            after = Alarm(before.id, before.times + 1, happened_ms, self._boot)
        else:
            after = new
        if row.state == STANDING:
            self._alarms[terminal, kind] = after
            return after
        self._alarms.pop((terminal, kind), None)
        return before or new

    def get(self, terminal: str, kind: str) -> Alarm | None:
        return self._alarms.get((terminal, kind))

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self._alarms)

    def items(self) -> ItemsView[tuple[str, str], Alarm]:
        return self._alarms.items()

    def part(self, terminal: str, kind: str) -> Mapping[str, bytes | None]:
        """The state of this alarm to store."""
        alarm = self._alarms.get((terminal, kind))
        numbers = None if alarm is None else (*alarm.id, alarm.times, alarm.happened_ms, alarm.boot)
        return parts.stored(numbers, parts.ALARM, terminal, kind)

    def load(self, terminal: str, kind: str, numbers: tuple[int, ...]) -> bool:
        """Take a stored alarm; False if it can't be one."""
        if len(numbers) != 5 or min(numbers[:3]) < 0:
            return False
        epoch, sequence, times, happened_ms, boot = numbers
        self._alarms[terminal, kind] = Alarm(EventId(epoch, sequence), times, happened_ms, boot)
        return True
