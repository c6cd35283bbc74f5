"""The health of sensors: what the readings of each terminal, and of its neighbours, say against it; docs/health.md.

A fault never holds an alarm back: it is a trouble, and marks the alarms that its terminal raises while it stands. Which
faults stand outlives a restart; what is normal here is learned anew, in two days.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from gateway.home import parts
from gateway.home.detectors import DAY_MS, HOUR_MS, LIMITS, MINUTE_MS, Evidence
from gateway.home.roster import Roster, Terminal
from gateway.home.watch import Watch
from protocol.record import Now

ALONE_MS: Final = 6 * HOUR_MS  # longer than a stove, a candle or a shower fills one room and no other
DEAF_MS: Final = 10 * MINUTE_MS  # in one room smoke reaches every ceiling in a fraction of that

COMPARED: Final = ("smoke",)  # what fills a room; one gas gathers under its ceiling, another on its floor

YEAR_MS: Final = 365 * DAY_MS
# NFPA 72 has smoke alarms of homes replaced ten years after their making; makers put gas cells at five, and
# GB 15322.2-2019 has the alarm tell it.
LIFE_MS: Final = {"smoke": 10 * YEAR_MS, "gas": 5 * YEAR_MS}

# What can be found here; a fault's place is its bit in what is stored.
FAULTS: Final = ("out_of_range", "stuck", "spikes", "noise", "drift", "chattering", "alone", "deaf", "end_of_life")


class Finding(NamedTuple):
    """Whether the sensor of a terminal is at fault (None: nothing is said of it), the numbers that say so, and the
    state to store."""

    present: bool | None
    evidence: Evidence
    state: Mapping[str, bytes | None]


class Health:
    """One watch for each rostered terminal."""

    def __init__(self, roster: Roster):
        self._roster = roster
        self._watches = {terminal.id: Watch(LIMITS.get(terminal.kind)) for terminal in roster}

    def raised(self, terminal: str, now_ms: int) -> None:
        """The terminal has raised its own alarm, of a kind that ends."""
        self._watches[terminal].raised(now_ms)

    def judge(self, terminal: Terminal, value: int | None, stated: bool | None, alarm: bool, now: Now) -> Finding:
        """What is known of a terminal's sensor after a sign of life.

        `value` is its reading, in its kind's unit; `stated` whether it says itself that its sensor is at fault; `alarm`
        whether its own alarm stands. None is: not told.
        """
        watch, now_ms = self._watches[terminal.id], now.mono_ms
        before = self.faults(terminal.id)
        if value is not None and watch.take(value, alarm, now_ms):
            watch.show("alone", self._alone(terminal, watch, now_ms), now_ms)
            watch.show("deaf", self._deaf(terminal, watch, now_ms), now_ms)
        watch.look(now_ms)
        if terminal.installed_ms is not None and now.quality != "unset":
            watch.show("end_of_life", _age(terminal, now.wall_ms - terminal.installed_ms), now_ms)
        after = self.faults(terminal.id)
        evidence = {key: number for fault in watch.faults.values() for key, number in fault.evidence.items()}
        present = True if after else False if before and not stated else stated
        return Finding(present, evidence, {} if after == before else self._part(terminal.id))

    def faults(self, terminal: str) -> tuple[str, ...]:
        """What is found here to be wrong with its sensor, in words of FAULTS."""
        found = self._watches[terminal].faults
        return tuple(fault for fault in FAULTS if fault in found)

    def load(self, terminal: str, numbers: tuple[int, ...]) -> bool:
        """Go on from stored faults; False if it can't be that."""
        if len(numbers) != 1 or not 0 < numbers[0] < 1 << len(FAULTS):
            return False
        self._watches[terminal].load(fault for bit, fault in enumerate(FAULTS) if numbers[0] >> bit & 1)
        return True

    def _part(self, terminal: str) -> Mapping[str, bytes | None]:
        bits = sum(1 << FAULTS.index(fault) for fault in self.faults(terminal))
        return parts.stored((bits,) if bits else None, parts.HEALTH, terminal)

    def _neighbours(self, terminal: Terminal, room: str | None = None) -> list[Watch]:
        """Of the others that measure the same; those in one room, where that is asked."""
        return [
            self._watches[other.id]
            for other in self._roster
            if other.kind == terminal.kind in COMPARED and other.id != terminal.id and room in (None, other.room)
        ]

    def _alone(self, terminal: Terminal, watch: Watch, now_ms: int) -> Evidence | None:
        """It has read a good part of the way to the alarm for ALONE_MS, and none of its neighbours anything."""
        if watch.high.lasted_ms(now_ms) < ALONE_MS:
            return None
        others = self._neighbours(terminal)
        clean = sum(other.low.lasted_ms(now_ms) >= ALONE_MS for other in others)
        return {"alone_neighbours": clean, "alone_value": watch.value} if others and clean == len(others) else None

    def _deaf(self, terminal: Terminal, watch: Watch, now_ms: int) -> Evidence | None:
        """A neighbour in its room has been deep in smoke for DEAF_MS, and it reads clean air."""
        if not terminal.room or watch.low.lasted_ms(now_ms) < DEAF_MS:
            return None
        loud = [one.value for one in self._neighbours(terminal, terminal.room) if one.loud.lasted_ms(now_ms) >= DEAF_MS]
        return {"deaf_neighbour": max(loud)} if loud else None


def _age(terminal: Terminal, age_ms: int) -> Evidence | None:
    life_ms = LIFE_MS.get(terminal.kind)
    return {"age_days": age_ms // DAY_MS} if life_ms is not None and age_ms >= life_ms else None
