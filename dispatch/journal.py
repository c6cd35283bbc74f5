"""The centre's journal: one line on standard output for each notable event, for people or as JSON for machines."""

from __future__ import annotations

import json
import queue
import sys
import threading
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final, TextIO

from protocol.record import Now

LINES_MAX: Final = 2000  # waiting for a reader; a log that hangs with its disk must not hold up the intake
CLOSE_S_MAX: Final = 1.0


class Journal:
    """Lines in order, written by a thread of its own; new ones are dropped and counted while the reader is slow."""

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
            self._lines.put_nowait(self._line(self._now().wall_ms, what, details))
        except queue.Full:
            self.counters["journal_lines_dropped"] += 1

    def close(self) -> None:
        try:
            self._lines.put(None, timeout=CLOSE_S_MAX)
        except queue.Full:
            return
        self._thread.join(CLOSE_S_MAX)

    def _line(self, wall_ms: int, what: str, details: dict[str, Any]) -> str:
        if self._as_json:
            return json.dumps({"t": wall_ms, "what": what, **details}, ensure_ascii=False)
        time = datetime.fromtimestamp(wall_ms / 1000, UTC).astimezone().isoformat(timespec="milliseconds")
        # What a gateway calls its rooms must not move a terminal's cursor: JSON escapes control characters.
        words = (f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in details.items())
        return " ".join([time, what, *words])

    def _write(self) -> None:
        while (line := self._lines.get()) is not None:
            try:
                self._stream.write(line + "\n")
                self._stream.flush()
            except (OSError, ValueError):  # the reader has gone, or the stream is closed
                self.counters["journal_lines_dropped"] += 1
