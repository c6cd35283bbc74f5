"""Silence: when each terminal was last heard, when it is missed, and what of that outlives a restart.

Only durations are stored, never moments: monotonic time begins anew with each boot, and wall time may be unset. The
time that the gateway itself was down is not held against a terminal.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from gateway.home import parts
from gateway.home.roster import Roster, Terminal

SILENT: Final = "terminal_silent"
SAVE_MS: Final = 600_000  # a silence is stored at most this often for each terminal, so that a quiet day writes little
STEP_PCT: Final = 40  # and no sooner than after this part of what is allowed: heartbeats, thrice in it, store nothing


@dataclass(slots=True)
class _Watch:
    limit_ms: int
    step_ms: int  # a silence grows by so much before it is stored
    heard_ms: int  # monotonic; before this start by the silence that was stored, so perhaps negative
    seen: bool = False  # since this start
    silent: bool = False
    saved_ms: int = 0  # the silence that is stored
    save_after_ms: int | None = None  # None: nothing was stored since this start

    def missed_ms(self) -> int:
        return self.heard_ms + self.limit_ms

    def save_ms(self) -> int:
        due_ms = self.heard_ms + self.saved_ms + self.step_ms
        return due_ms if self.save_after_ms is None else max(due_ms, self.save_after_ms)


def _watch(terminal: Terminal, now_ms: int) -> _Watch:
    limit_ms = terminal.silence_s_max * 1000
    return _Watch(limit_ms, min(SAVE_MS, limit_ms * STEP_PCT // 100), heard_ms=now_ms)


class Missed(NamedTuple):
    """A terminal that has been silent for too long."""

    terminal: str
    silent_s: int


class Supervision:
    """One watch for each rostered terminal."""

    def __init__(self, roster: Roster, now_ms: int):
        self._watches = {terminal.id: _watch(terminal, now_ms) for terminal in roster}
        self._changed = True  # since the deadline was last worked out
        self._due_ms: int | None = None

    def heard(self, terminal: str, now_ms: int) -> Mapping[str, bytes | None]:
        """A sign of life; gives the state to store, if any."""
        self._changed = True
        watch = self._watches[terminal]
        watch.heard_ms = now_ms
        watch.seen = True
        watch.silent = False
        if not watch.saved_ms:
            return {}
        watch.saved_ms = 0
        return parts.stored(None, parts.SILENCE, terminal)

    def slept(self, ms: int) -> None:
        """The gateway itself stood still for so long: what its terminals said meanwhile waits to be read."""
        self._changed = True
        for watch in self._watches.values():
            watch.heard_ms += ms

    def missed(self, now_ms: int) -> list[Missed]:
        """The terminals whose deadline has passed, each once for each silence."""
        self._changed = True
        found = []
        for terminal, watch in self._watches.items():
            if not watch.silent and now_ms >= watch.missed_ms():
                watch.silent = True
                found.append(Missed(terminal, (now_ms - watch.heard_ms) // 1000))
        return found

    def growing(self, now_ms: int) -> Mapping[str, bytes | None]:
        """Silences to store now, so that a gateway that restarts again and again still comes to miss a terminal."""
        self._changed = True
        state: dict[str, bytes | None] = {}
        for terminal, watch in self._watches.items():
            if not watch.silent and now_ms >= watch.save_ms():
                watch.saved_ms = now_ms - watch.heard_ms
                watch.save_after_ms = now_ms + SAVE_MS
                state.update(parts.stored((watch.saved_ms,), parts.SILENCE, terminal))
        return state

    def deadline(self) -> int | None:
        if self._changed:
            due = (min(watch.missed_ms(), watch.save_ms()) for watch in self._watches.values() if not watch.silent)
            self._due_ms = min(due, default=None)
            self._changed = False
        return self._due_ms

    def last_seen_s(self, terminal: str, now_ms: int) -> int | None:
        """Seconds since it was heard; None if it was not since this start."""
        watch = self._watches[terminal]
        return max(0, now_ms - watch.heard_ms) // 1000 if watch.seen else None

    def load(self, terminal: str, numbers: tuple[int, ...], now_ms: int) -> bool:
        """Go on from a stored silence; False if it can't be one."""
        self._changed = True
        watch = self._watches[terminal]
        if len(numbers) != 1 or numbers[0] < 0:
            return False
        # However long it was, a terminal gets a moment to be heard before it is missed.
        watch.saved_ms = min(numbers[0], watch.limit_ms - watch.step_ms)
        watch.heard_ms = now_ms - watch.saved_ms
        return True

    def load_silent(self, terminals: Iterable[str]) -> None:
        """These were missed before the restart; they have been silent since."""
        self._changed = True
        for terminal in terminals:
            if terminal in self._watches:
                self._watches[terminal].silent = True
