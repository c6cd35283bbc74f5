"""The trace of a run: everything notable that happens, hashed in order, and kept where somebody wants to see it."""

from __future__ import annotations

from collections import Counter
from hashlib import blake2b
from typing import NamedTuple

from sim.world.timeline import Timeline


class Entry(NamedTuple):
    """Something that happened at `t_ms`, to or at `lane`."""

    t_ms: int
    lane: str
    what: str
    about: str = ""


class Trace:
    """Two runs are the same where their hashes are."""

    def __init__(self, timeline: Timeline, keep: bool):
        self.entries: list[Entry] = []
        self.counts: Counter[str] = Counter()
        self._timeline = timeline
        self._keep = keep
        self._hash = blake2b(digest_size=16)

    def add(self, lane: str, what: str, about: str = "") -> None:
        entry = Entry(self._timeline.now, lane, what, about)
        self.counts[f"{lane}.{what}"] += 1
        self._hash.update(f"{entry.t_ms} {lane} {what} {about}\n".encode())
        if self._keep:
            self.entries.append(entry)

    def hash(self) -> str:
        return self._hash.hexdigest()
