"""What the outbox's database keeps and for how long: limits, and the slices in which the rest is deleted.

Deleted rows leave free pages in the file, which the next rows take: the file stays as long as it was at its fullest. It
is never vacuumed. Incremental vacuum keeps a map of all pages, which is written with each commit that takes a page; a
full one writes everything twice; and all that either gains is space on the disk that the limits here grant anyway.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from typing import Final

from gateway.schema import PAGE_BYTES, transaction
from protocol.words import SEVERITIES, TROUBLE

ROWS_MAX: Final = 10_000  # receipted events are kept for looking back while among so many of the last: a home's year
SETTLED_S_MAX: Final = 30 * 86_400  # and no longer than a month, where the clock was set when they were written
TROUBLES_MAX: Final = 10_000  # that wait for a receipt: an outage of months; of more, the oldest go
DAMAGED_ROWS_MAX: Final = 1_000  # kept for looking at, about 400 kB
# Of pages in use. 20,000 events of 300 bytes, three to a page, take 7 MB; their keys, what is damaged and the state
# 1.5 MB. Of more, what is receipted goes, then what is damaged, then the oldest troubles; life and property never.
USED_BYTES_MAX: Final = 10 << 20

EVERY_ROWS: Final = 500  # rows written or settled between two prunings, so that pruning costs next to nothing
EVERY_S: Final = 86_400  # and at least once a day
SLICE_ROWS: Final = 64  # deleted in one transaction: some 70 pages are written where each was on one of its own
LOOK_ROWS: Final = 512  # looked at in one step: some 170 pages are read

_TROUBLES: Final = f"FROM event INDEXED BY unsettled WHERE settled = 0 AND severity = {SEVERITIES.index(TROUBLE)}"

# A trouble that only another centre than the first still lacks is kept no longer than what all have.
_DONE: Final = f"settled = 1 AND (owed = 0 OR severity = {SEVERITIES.index(TROUBLE)})"


class Pruning:
    """Deletes from the database of `connection` what the limits do not grant. Raises sqlite3.Error."""

    def __init__(self, connection: sqlite3.Connection):
        self._connection = connection
        self._rows = 0  # written or settled since the last pruning began
        self._began_s: int | None = None  # wall time; None: it is due
        self._steps: Iterator[tuple[int, int]] | None = None  # while one is under way

    def changed(self, rows: int) -> None:
        """So many rows were written or settled."""
        self._rows += rows

    def due(self, now_s: int) -> bool:
        """Whether there is a step to take, at this wall time (s since 1970; 0: nobody knows)."""
        if self._steps is not None or self._rows >= EVERY_ROWS or self._began_s is None:
            return True
        return abs(now_s - self._began_s) >= EVERY_S

    def step(self, now_s: int) -> tuple[int, int]:
        """Look, and delete a slice in one transaction; how many receipted events were in it, and how many that waited
        for their receipt."""
        if self._steps is None:
            self._steps = self._pruned(now_s)
            self._rows, self._began_s = 0, now_s
        try:
            gone = next(self._steps, None)
        except sqlite3.Error:
            self._steps = self._began_s = None
            raise
        if gone is None:
            self._steps = None
        return gone or (0, 0)

    def _pruned(self, now_s: int) -> Iterator[tuple[int, int]]:
        (last,) = self._connection.execute("SELECT coalesce(max(number), 0) FROM event").fetchone()
        after = 0
        while after < last:
            gone, after = self._settled(after, last - ROWS_MAX, now_s - SETTLED_S_MAX)
            yield gone, 0
        while self._excess():
            if not self._delete("damaged", self._numbers("SELECT number FROM damaged ORDER BY number", SLICE_ROWS)):
                break
            yield 0, 0
        while count := self._troubles_beyond():
            yield 0, self._delete("event", self._numbers(f"SELECT number {_TROUBLES} ORDER BY epoch, sequence", count))

    def _settled(self, after: int, kept_from: int, old_s: int) -> tuple[int, int]:
        """Of the rows behind number `after`: how many are gone, and up to which number the rest has been looked at."""
        rows = self._connection.execute(
            f"SELECT number, {_DONE}, written_s FROM event WHERE number > ? ORDER BY number LIMIT ?", (after, LOOK_ROWS)
        ).fetchall()
        excess = self._excess()
        gone = [
            number
            for number, done, written_s in rows
            if done == 1 and (excess or number <= kept_from or 0 < written_s < old_s)
        ][:SLICE_ROWS]
        return self._delete("event", gone), int(gone[-1] if len(gone) == SLICE_ROWS else rows[-1][0])

    def _troubles_beyond(self) -> int:
        """How many troubles to delete next."""
        count: int = self._connection.execute(f"SELECT count(*) {_TROUBLES}").fetchone()[0]
        return min(SLICE_ROWS, count if self._excess() else max(0, count - TROUBLES_MAX))

    def _numbers(self, query: str, count: int) -> list[int]:
        return [number for (number,) in self._connection.execute(f"{query} LIMIT ?", (count,))]

    def _delete(self, table: str, numbers: Sequence[int]) -> int:
        if numbers:
            with transaction(self._connection):
                self._connection.executemany(f"DELETE FROM {table} WHERE number = ?", [(one,) for one in numbers])
        return len(numbers)

    def _excess(self) -> bool:
        (pages,) = self._connection.execute("PRAGMA page_count").fetchone()
        (free,) = self._connection.execute("PRAGMA freelist_count").fetchone()
        return bool((pages - free) * PAGE_BYTES > USED_BYTES_MAX)
