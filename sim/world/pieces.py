"""The terminals of a home and the line they share, in virtual time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from sim.line import Line
from sim.stranger import Stranger
from sim.terminals import Played
from sim.world.timeline import Timeline, Wake

BYTES_PER_MS: Final = 11  # of a line at 115200 baud, eight bits with start and stop


class Piece:
    """One terminal: a turn whenever it hears something or has something to do."""

    def __init__(self, timeline: Timeline, played: Played, speak: Callable[[bytes], None]):
        self.played = played
        self._timeline = timeline
        self._speak = speak
        self._wake = Wake(timeline, self.turn)

    def hear(self, data: bytes) -> None:
        """Bytes from the line, most of them for another."""
        if self.played.hears(data, self._timeline.now):
            self.turn()

    def turn(self) -> None:
        now = self._timeline.now
        if data := self.played.step(b"", now):
            self._speak(data)
        due_ms = self.played.deadline(now)
        self._wake.set(None if due_ms is None else max(now + 1, due_ms))


class Bus:
    """One line with all terminals on it: each hears what the gateway says to any."""

    def __init__(self, timeline: Timeline, line: Line, played: Sequence[Played], gateway: Callable[[bytes], None]):
        self.line = line
        self.plugged = True
        self.pieces = {one.name: Piece(timeline, one, self._up) for one in played}
        self._timeline = timeline
        self._gateway = gateway
        self._stranger: Stranger | None = None
        self._wake = Wake(timeline, self._carry)
        self._stranger_wake = Wake(timeline, self._babble)

    def start(self) -> None:
        for piece in self.pieces.values():
            piece.turn()

    def down(self, data: bytes) -> None:
        """The gateway says something."""
        self._downward(self.line.down.carry(data, self._timeline.now))

    def carry(self) -> None:
        """The line itself has something to say: its faults have changed, or a replay was asked for."""
        self._carry()

    def invite(self, stranger: Stranger | None) -> None:
        """A talker whom the gateway does not know; None: it goes."""
        self._stranger = stranger
        self._stranger_wake.set(None if stranger is None else self._timeline.now)

    def _up(self, data: bytes) -> None:
        self._upward(self.line.up.carry(data, self._timeline.now))

    def _upward(self, data: bytes) -> None:
        if data and self.plugged:
            self._timeline.after(1 + len(data) // BYTES_PER_MS, lambda: self._gateway(data))
        self._wake.set(self.line.deadline())

    def _downward(self, data: bytes) -> None:
        if data and self.plugged:
            self._timeline.after(1 + len(data) // BYTES_PER_MS, lambda: self._heard(data))
        self._wake.set(self.line.deadline())

    def _heard(self, data: bytes) -> None:
        for piece in self.pieces.values():
            piece.hear(data)

    def _carry(self) -> None:
        self._up(b"")
        self.down(b"")

    def _babble(self) -> None:
        if self._stranger is not None:
            self._up(self._stranger.step(self._timeline.now))
            self._stranger_wake.set(self._stranger.deadline())
