"""Watching the store: when a commit that does not end, or fails, is a storage trouble, and when it is over."""

from __future__ import annotations

from typing import Final

COMMIT_MS_MAX: Final = 500  # a card that takes longer is failing (the design's limit)
WELL_MS: Final = 60_000  # so long without a fault before the trouble is restored: a slow card must not ring each time


class StorageWatch:
    """Tells when the trouble begins and ends."""

    def __init__(self) -> None:
        self._works: bool | None = None  # None: the store has said nothing since the start
        self._present: bool | None = None  # unknown at the start: an earlier process may have left the trouble standing
        self._bad_ms: int | None = None  # when the store was last seen bad
        self._due_ms: int | None = None

    def stored(self, ok: bool, now_ms: int) -> None:
        """The store said that it works, or that it does not."""
        if not ok or self._works is False:
            self._bad_ms = now_ms
        self._works = ok

    def look(self, pending_since_ms: int | None, now_ms: int) -> bool | None:
        """True where the trouble begins now, False where it ends now (or was found absent first), else None;
        `pending_since_ms` is when the oldest commit that has not ended was asked for."""
        hanging = pending_since_ms is not None and now_ms - pending_since_ms >= COMMIT_MS_MAX
        if hanging or self._works is False:
            self._bad_ms = now_ms
        self._due_ms = None if pending_since_ms is None or hanging else pending_since_ms + COMMIT_MS_MAX
        bad = self._bad_ms is not None and now_ms - self._bad_ms < WELL_MS
        if bad and not hanging and self._works is not False and self._bad_ms is not None and self._due_ms is None:
            self._due_ms = self._bad_ms + WELL_MS
        if bad == self._present or (self._present is None and not bad and not self._works):
            return None
        self._present = bad
        return bad

    def deadline(self) -> int | None:
        """When to look again, if nothing happens before (mono ms)."""
        return self._due_ms
