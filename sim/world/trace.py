"""The trace of a run: everything notable that happens, hashed in order, and kept where somebody wants to see it."""

from __future__ import annotations

from collections import Counter
from hashlib import blake2b

from sim.story import Entry
from sim.world.timeline import Timeline


class Trace:
    """Two runs are the same where their hashes are."""

    def __init__(self, timeline: Timeline, keep: bool):
        self.entries: list[Entry] = []
        self.counts: Counter[str] = Counter()
        self._timeline = timeline
        self._keep = keep
        self._hash = blake2b(digest_size=16)

    def add(self, lane: str, what: str, about: str = "", event: str = "") -> None:
        """It happens now; `event` joins the stations of one event."""
        entry = Entry(self._timeline.now, lane, what, about, event)
        self.counts[f"{lane}.{what}"] += 1
        self._hash.update(f"{entry.t_ms} {lane} {what} {about}\n".encode())
        if self._keep:
            self.entries.append(entry)

    def hash(self) -> str:
        return self._hash.hexdigest()
