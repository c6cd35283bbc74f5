"""Room on the disk that is kept for alarms: a file beside the database, which goes when the disk is full."""

from __future__ import annotations

import contextlib
import random
from pathlib import Path
from typing import Final

RESERVE_FILE: Final = "outbox.reserve"
# The log grows to 0.3 MB before it is copied back and written over; the rest takes some 2,000 alarms.
RESERVE_BYTES: Final = 1 << 20


class Reserve:
    """Used by one thread. Not synced: what a power cut takes of it is made again."""

    def __init__(self, path: Path):
        self._path = path
        self.made = False  # as far as is known

    def make(self) -> None:
        """Have it on the disk, where there is room; raises OSError where there is none, and leaves nothing then."""
        if self.made:
            return
        if not (self._path.exists() and self._path.stat().st_size == RESERVE_BYTES):
            try:
                # Not zeros: a file system that compresses would give them no room.
                self._path.write_bytes(random.Random(0).randbytes(RESERVE_BYTES))
            except OSError:
                self.give_up()
                raise
        self.made = True

    def give_up(self) -> None:
        """Make room, if there is any to give."""
        self.made = False
        with contextlib.suppress(OSError):
            self._path.unlink()
