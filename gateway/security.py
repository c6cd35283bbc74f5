"""When refused messages are an attack: more of them in a minute than faults and restarts account for."""

from __future__ import annotations

from collections import deque
from typing import Final

from gateway.home.messages import Condition
from gateway.lasting import Sightings

MINUTE_MS: Final = 60_000
LOOK_MS: Final = 10_000  # between two looks at the counters
# In a minute, on the terminals' links: after a restart of ours each terminal says up to four messages of its old
# session before it hears that it has to begin a new one, twice as many on a bad line; a replayed evening is hundreds.
REFUSED_MAX: Final = 30
REFUSED_MAX_EACH: Final = 10
FORGED_MAX: Final = 5  # in a minute, in the centre's name: none comes by chance through TLS
WELL_MS: Final = 60_000  # without more of them, and it is over


class SecurityWatch:
    """Looks at what was refused so far; `terminals` are on the roster."""

    def __init__(self, terminals: int, now_ms: int):
        self._limit = REFUSED_MAX + REFUSED_MAX_EACH * terminals
        self._looks: deque[tuple[int, int, int]] = deque([(now_ms, 0, 0)])  # mono ms, refused and forged until then
        self._sightings = Sightings(WELL_MS, now_ms)

    def look(self, refused: int, forged: int, now_ms: int) -> Condition | None:
        """The trouble where it begins or ends now; `refused` and `forged` count since the start."""
        if now_ms - self._looks[-1][0] >= LOOK_MS:
            more = (refused, forged) != self._looks[-1][1:]
            self._looks.append((now_ms, refused, forged))
            while now_ms - self._looks[1][0] >= MINUTE_MS:
                self._looks.popleft()
            if more and (self._since(refused, 1) > self._limit or self._since(forged, 2) > FORGED_MAX):
                self._sightings.seen(now_ms)
        present = self._sightings.look(now_ms)
        if present is None:
            return None
        counts = {"refused": self._since(refused, 1), "forged": self._since(forged, 2)}
        return Condition("security", present, counts if present else {})

    def _since(self, count: int, column: int) -> int:
        return count - self._looks[0][column]

    def deadline(self) -> int | None:
        """When to look again at the latest (mono ms)."""
        return self._sightings.deadline()

    def forget(self) -> None:
        """See Sightings."""
        self._sightings.forget()
