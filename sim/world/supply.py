"""The gateway's power in virtual time: cut, back, sagging again and again, or from its backup alone."""

from __future__ import annotations

from random import Random

from gateway.power import parsed
from sim.mishaps import BrownOut
from sim.steps import SUPPLIES
from sim.world.gateway import Gateway
from sim.world.timeline import Timeline, Wake


class Supply:
    """`random` draws how long a sagging supply holds, and how long it is down."""

    def __init__(self, timeline: Timeline, gateway: Gateway, random: Random):
        self._timeline, self._gateway, self._random = timeline, gateway, random
        self._brown_out: BrownOut | None = None
        self._wake = Wake(timeline, self._sag)

    def cut(self) -> None:
        """It is gone until `up`."""
        self._end()
        self._gateway.cut_power()

    def up(self, unset: str = "") -> None:
        """It is there for good. The wall clock begins with `unset` ("1970", "2000"), or is kept right."""
        self._end()
        self.says("mains")
        self._gateway.power_up(unset)
        self._gateway.clock.ntp = not unset

    def says(self, word: str) -> None:
        """What its power source says from now on: a word of SUPPLIES."""
        self._gateway.feed(parsed(SUPPLIES[word]))

    def brown_out(self) -> None:
        """It falls and recovers, again and again, until `cut` or `up`."""
        self._brown_out = BrownOut(self._random, self._timeline.now)
        self._wake.set(self._brown_out.next_ms)

    def _end(self) -> None:
        self._brown_out = None
        self._wake.set(None)

    def _sag(self) -> None:
        assert self._brown_out is not None  # its end stops the alarm clock
        if self._brown_out.falls(self._timeline.now):
            self._gateway.cut_power()
        else:
            self._gateway.power_up()
        self._wake.set(self._brown_out.next_ms)
