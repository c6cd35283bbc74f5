"""The journal: one line on standard output for each notable event, for people or as JSON for machines."""

from __future__ import annotations

import queue
import sys
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any, Final, Protocol, TextIO

from protocol.journal import line
from protocol.record import Now

LINES_MAX: Final = 2000  # waiting for a reader; a log that hangs with its disk must not hold up an alarm


class Notes(Protocol):
    """Where the agent's parts note what happens; a simulation reads along."""

    counters: Counter[str]

    def note(self, what: str, **details: Any) -> None: ...


class Journal:
    """Lines in order, written by a thread of its own; new ones are dropped and counted where the reader is too slow."""

    def __init__(self, as_json: bool, now: Callable[[], Now], stream: TextIO | None = None):
        self.counters: Counter[str] = Counter()
        self._as_json = as_json
        self._now = now
        self._stream = stream or sys.stdout
        self._lines: queue.Queue[str | None] = queue.Queue(LINES_MAX)
        self._thread = threading.Thread(target=self._write, name="journal", daemon=True)
        self._thread.start()

    def note(self, what: str, **details: Any) -> None:
        """Something of the kind `what` happened now. Never blocks."""
        try:
            self._lines.put_nowait(line(self._now().wall_ms, what, details, self._as_json))
        except queue.Full:
            self.counters["journal_lines_dropped"] += 1

    def close(self, timeout_s: float = 1.0) -> None:
        try:
            self._lines.put(None, timeout=timeout_s)
        except queue.Full:
            return
        self._thread.join(timeout_s)

    def _write(self) -> None:
        while (text := self._lines.get()) is not None:
            try:
                self._stream.write(text + "\n")
                self._stream.flush()
            except (OSError, ValueError):  # the reader has gone, or the stream is closed
                self.counters["journal_lines_dropped"] += 1
