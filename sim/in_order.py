"""The chambers of a home in order, as its detectors and the plain rules judge them: each fault found is a false one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from gateway.home.health import Health
from gateway.home.roster import Roster, Terminal
from protocol.record import Now
from sim.noticing import LEARNT_MS, PlainRules
from sim.sensor_faults.library import SMOKE

HOUR_MS: Final = 3_600_000
DAY_MS: Final = 24 * HOUR_MS


class InOrder:
    """The chambers of one home, with the same readings for the home's detectors and for the plain rules."""

    def __init__(self, rooms: Sequence[str]):
        self.roster = Roster(tuple(Terminal(f"smoke-{n}", "smoke", room, "native") for n, room in enumerate(rooms)))
        self.health = Health(self.roster)
        self.false: dict[str, int] = {}  # by detector
        self.plain = 0
        self._alarms: set[str] = set()
        self._learnt: dict[str, list[int]] = {terminal.id: [] for terminal in self.roster}
        self._rules: dict[str, PlainRules] = {}
        self._plain_ms: dict[str, int] = {}

    def take(self, terminal: Terminal, value: int, t_ms: int) -> tuple[str, ...]:
        """One reading; the faults that begin with it."""
        name = terminal.id
        alarm = value >= SMOKE.span or (name in self._alarms and value >= SMOKE.span * 2 // 3)  # as its firmware has it
        if alarm and name not in self._alarms:
            self.health.raised(name, t_ms)
        (self._alarms.add if alarm else self._alarms.discard)(name)
        before = self.health.faults(name)
        self.health.judge(terminal, value, False, alarm, Now(t_ms, t_ms))
        begun = () if before else self.health.faults(name)
        for fault in begun:
            self.false[fault] = self.false.get(fault, 0) + 1
        self._by_plain_rules(name, value, t_ms)
        return begun

    def _by_plain_rules(self, name: str, value: int, t_ms: int) -> None:
        if name not in self._rules:
            self._learnt[name].append(value)
            if t_ms >= LEARNT_MS:
                self._rules[name] = PlainRules(self._learnt.pop(name))
        elif self._rules[name].take(value):
            if t_ms - self._plain_ms.get(name, -DAY_MS) > HOUR_MS:  # an hour of order ends a fault, as at home
                self.plain += 1
            self._plain_ms[name] = t_ms
