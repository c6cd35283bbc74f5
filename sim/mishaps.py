"""What befalls a played terminal itself: a supply that sags again and again, a logic gone wild, and a clone of it."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from sim.terminals import Played

MISHAPS: Final = ("brown_out", "steady", "babble", "quiet", "twin", "untwin")  # what begins and what ends each
UP_MS: Final = (100, 30_000)  # how long a sagging supply holds, drawn evenly by its logarithm
OFF_MS: Final = (20, 500)  # until it has recovered
WILD_MS: Final = 20  # between two events of a wild terminal: a full frame and its answer take 8 ms of the line
TWIN_PRESS_MS: Final = 60_000  # between two presses of a cloned button, on average


class BrownOut:
    """A supply too weak for what hangs on it: it falls, recovers without the load, and falls again."""

    def __init__(self, random: Random, now: int):
        self._random = random
        self.off = False
        self.next_ms = now + self._lasts(UP_MS)

    def falls(self, now: int) -> bool:
        """To be asked at each turn: whether it falls at `now` (mono ms); `off` says whether it is down."""
        if now < self.next_ms:
            return False
        self.off = not self.off
        self.next_ms = now + self._lasts(OFF_MS if self.off else UP_MS)
        return self.off

    def _lasts(self, between_ms: tuple[int, int]) -> int:
        least, most = between_ms
        return int(least * (most / least) ** self._random.random())


class Wild:
    """When a logic gone wild has its next event."""

    def __init__(self, now: int):
        self.next_ms = now

    def strikes(self, now: int) -> bool:
        """To be asked at each turn."""
        if now < self.next_ms:
            return False
        self.next_ms = now + WILD_MS
        return True


class Twin:
    """A clone on the same line: the same address and key, but a boot and a sensor of its own. If it is a button,
    somebody presses it once in a while; if it is a smoke alarm, it hangs in clean air."""

    def __init__(self, played: Played, random: Random, now: int):
        self.played = played
        self._random = random
        self._press_ms = now + self._pause_ms()

    def step(self, received: bytes, now: int) -> bytes:
        """As of the terminal itself."""
        if now >= self._press_ms:
            self._press_ms = now + self._pause_ms()
            if self.played.kind == "button":
                self.played.do("press", now)
        return self.played.step(received, now)

    def deadline(self, now: int) -> int:
        due_ms = self.played.deadline(now)
        return self._press_ms if due_ms is None else min(due_ms, self._press_ms)

    def _pause_ms(self) -> int:
        return 1 + int(self._random.expovariate(1 / TWIN_PRESS_MS))
