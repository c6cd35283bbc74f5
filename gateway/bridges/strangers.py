"""Who says hello on a line again and again and cannot be let in: not on the roster, or not with its key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

INSISTS_MS: Final = 60_000  # noise, an echo or a neighbour's unit that passes by says hello once or twice
GAP_MS: Final = 20_000  # a terminal without a session says hello each 5 s; three may be lost
TELL_MS: Final = 10_000  # between two words about the same one
ADDRESSES_MAX: Final = 512  # that are watched; who babbles under ever new ones fills this at 25 hellos a second


@dataclass(frozen=True, slots=True)
class Stranger:
    """Somebody has said hello for a minute and cannot be let in."""

    address: int
    terminal: str = ""  # the one that has this address on the roster: another key was said


@dataclass(slots=True)
class _Heard:
    first_ms: int
    last_ms: int
    told_ms: int


class Strangers:
    """The addresses of one line. `now_ms` is monotonic."""

    def __init__(self) -> None:
        self._heard: dict[int, _Heard] = {}  # the one heard longest ago is the first

    def insists(self, address: int, now_ms: int) -> bool:
        """It says hello now: whether that is to be told."""
        self._let_go(now_ms)
        heard = self._heard.pop(address, None)
        if heard is None:
            if len(self._heard) < ADDRESSES_MAX:  # where it is full the newest has to say it again: some will go soon
                self._heard[address] = _Heard(now_ms, now_ms, now_ms)
            return False
        self._heard[address] = heard
        heard.last_ms = now_ms
        if now_ms - heard.first_ms < INSISTS_MS or now_ms - heard.told_ms < TELL_MS:
            return False
        heard.told_ms = now_ms
        return True

    def _let_go(self, now_ms: int) -> None:
        while self._heard:
            address, heard = next(iter(self._heard.items()))
            if now_ms - heard.last_ms <= GAP_MS:
                return
            del self._heard[address]
