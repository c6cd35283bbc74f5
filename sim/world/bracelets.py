"""A bracelet and its port, in virtual time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from sim.bracelet import Bracelet
from sim.world.timeline import Timeline, Wake

BYTE_MS: Final = 10 / 9.6  # of a line at 9600 baud, eight bits with start and stop


class Worn:
    """One bracelet on a port of its own: a turn whenever it hears something or has something to do."""

    def __init__(self, timeline: Timeline, played: Bracelet, gateway: Callable[[bytes, str], None]):
        self.played = played
        self._timeline = timeline
        self._gateway = gateway
        self._wake = Wake(timeline, self.turn)
        self._busy_ms = {"up": 0, "down": 0}  # until when each direction of the line is

    def turn(self) -> None:
        now = self._timeline.now
        if data := self.played.step(b"", now):
            self._carry("up", data, lambda: self._gateway(data, self.played.name))
        due_ms = self.played.deadline(now)
        self._wake.set(None if due_ms is None else max(now + 1, due_ms))

    def down(self, data: bytes) -> None:
        """The gateway says something."""
        self._carry("down", data, lambda: self._hear(data))

    def _hear(self, data: bytes) -> None:
        if self.played.hears(data, self._timeline.now):
            self.turn()

    def _carry(self, way: str, data: bytes, arrive: Callable[[], None]) -> None:
        begins_ms = max(self._timeline.now, self._busy_ms[way])
        self._busy_ms[way] = begins_ms + 1 + int(len(data) * BYTE_MS)
        self._timeline.at(self._busy_ms[way], arrive)
