"""When a condition counts as a trouble: a level that has lasted, and things that are seen again and again."""

from __future__ import annotations


class Level:
    """A level that is good or bad: a trouble when it has been bad for `raise_ms`, over when it has been good for
    `restore_ms`, so that a flicker is neither."""

    def __init__(self, raise_ms: int, restore_ms: int):
        self._raise_ms, self._restore_ms = raise_ms, restore_ms
        self._bad: bool | None = None  # nothing has been said yet
        self._since_ms = 0
        self._present: bool | None = None  # unknown at the start: an earlier process may have left the trouble standing

    def say(self, bad: bool, now_ms: int) -> None:
        """How it is now (mono ms)."""
        if bad != self._bad:
            self._bad, self._since_ms = bad, now_ms

    def look(self, now_ms: int) -> bool | None:
        """True where the trouble begins now, False where it ends now (or was found absent first), else None."""
        due_ms = self.deadline()
        if due_ms is None or now_ms < due_ms:
            return None
        self._present = self._bad
        return self._present

    def deadline(self) -> int | None:
        """When `look` has something to say, if nothing is said before (mono ms)."""
        if self._bad is None or self._bad == self._present:
            return None
        if self._bad:
            return self._since_ms + self._raise_ms
        return self._since_ms + (self._restore_ms if self._present else 0)

    def forget(self) -> None:
        """What an earlier process left standing has just come to light: say anew how it is."""
        self._present = None


class Sightings:
    """Something bad that is seen again and again: a trouble from the first sight until `well_ms` after the last."""

    def __init__(self, well_ms: int, now_ms: int):
        self._well_ms = well_ms
        self._last_ms = now_ms  # a trouble of before the start has as long to be seen again
        self._seen = False
        self._present: bool | None = None  # unknown at the start: an earlier process may have left the trouble standing

    def seen(self, now_ms: int) -> None:
        """Now, once more (mono ms)."""
        self._last_ms, self._seen = now_ms, True

    def look(self, now_ms: int) -> bool | None:
        """True where the trouble begins now, False where it ends now (or was found absent first), else None."""
        over = now_ms - self._last_ms >= self._well_ms
        if over:
            self._seen = False
        elif not self._seen:
            return None
        if self._seen == self._present:
            return None
        self._present = self._seen
        return self._present

    def deadline(self) -> int | None:
        """When `look` has something to say, if nothing is seen before (mono ms)."""
        return None if self._present is False and not self._seen else self._last_ms + self._well_ms

    def forget(self) -> None:
        """What an earlier process left standing has just come to light: say anew how it is."""
        self._present = None
