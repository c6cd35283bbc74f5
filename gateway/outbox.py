"""The outbox: events and the core's state on disk until receipted; a worker uses the disk, step by step."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gateway.home.messages import Committed
from gateway.schema import Connect, connect
from gateway.store import COUNTERS, Found, Load, Loaded, Replaced, Settled, Store, Stored
from gateway.unwritten import Unwritten, earlier
from protocol.record import Event, EventId, Interval, Now
from protocol.words import TROUBLE

__all__ = ["KEEP_MS_MAX", "SETTLE_MS_MAX", "Found", "Loaded", "Outbox", "Replaced", "Settled", "Stored", "Work"]

KEEP_MS_MAX: Final = 600_000  # state without an event may be lost for so long: gaps across a restart stay that exact
SETTLE_MS_MAX: Final = 2_000  # a receipt not yet written costs one more transmission after a restart, nothing else
LOOK_S_MAX: Final = 1.0  # the thread looks at least this often: its waiting stands still in a suspended machine


@dataclass(frozen=True, slots=True)
class Work:
    """What a worker has taken to do."""

    writing: Unwritten | None  # None: the disk has failed and is left alone until the next retry
    loads: tuple[Load, ...]
    finds: tuple[tuple[tuple[Interval, ...], int, int], ...]  # settled events that are asked for, and limits
    last: bool  # the database is closed after it


class Outbox:
    """The caller's methods (`commit` to `close`) are called from one thread, never block and never fail; what came of
    them is `put` as messages: Committed, Loaded, Settled, Found, Stored, Replaced.

    The worker's (`due` to `perform`) use the disk: the thread that `start` makes calls them, or a simulator does. The
    lock here is never held while the disk is used. All times are of `now`, and nothing else decides what is done.
    """

    def __init__(
        self,
        path: Path,
        gateway: str,
        put: Callable[[object], None],
        now: Callable[[], Now],
        connect: Connect = connect,
        others: Sequence[bytes] = (),
    ):
        """`others` are the keys of centres beside the first, which has number 0; these are numbered from 1."""
        # All names are there from the start: another thread may add these up at any time.
        self.counters: Counter[str] = Counter(dict.fromkeys(COUNTERS, 0))
        self._put = put
        self._now = now
        self._wake = threading.Condition()
        self._waiting = Unwritten()
        self._writing = Unwritten()
        self._loads: list[Load] = []
        self._finds: list[tuple[tuple[Interval, ...], int, int]] = []
        self._closing = False
        self._thread: threading.Thread | None = None
        self._at_work = False
        # The rest belongs to the worker.
        self._store = Store(path, gateway, put, now, connect, self.counters, others)
        self._owed: dict[int, Load] = {}  # by centre: answered without the disk
        self._closed = False

    def start(self, sleep_s: Callable[[int], float]) -> None:
        """Have a thread do the work; `sleep_s` says how many real seconds so many ms of the clock take."""
        self._thread = threading.Thread(target=self._run, args=(sleep_s,), name="outbox", daemon=True)
        self._thread.start()

    def commit(self, events: Sequence[Event], state: Mapping[str, bytes | None]) -> None:
        """Write these events and this state (None: delete) in one transaction as soon as the disk is free; then
        Committed."""
        with self._wake:
            self.counters["outbox_dropped"] += self._waiting.commit(events, state, self._now().mono_ms)
            if any(event.severity != TROUBLE for event in events):
                self._store.hurry()
            self._wake.notify()

    def keep(self, state: Mapping[str, bytes | None]) -> None:
        """Write this state with the next commit, or within KEEP_MS_MAX."""
        with self._wake:
            self._waiting.state.update(state)
            self._waiting.by(self._now().mono_ms + KEEP_MS_MAX)
            self._wake.notify()

    def settle(self, intervals: Sequence[Interval], centre: int = 0) -> None:
        """This centre has these events: mark them with the next commit, or within SETTLE_MS_MAX."""
        with self._wake:
            if centre:
                self._waiting.receive(intervals, centre)
            else:
                self._waiting.settle(intervals)
            self._waiting.by(self._now().mono_ms + SETTLE_MS_MAX)
            self._wake.notify()

    def load(self, limit: int, held: Collection[EventId] = (), centre: int = 0) -> None:
        """Bring, as Loaded, up to `limit` events that wait for a receipt of this centre and are not among `held`."""
        with self._wake:
            self._loads.append(Load(limit, frozenset(held), centre))
            self._wake.notify()

    def find(self, intervals: Sequence[Interval], limit: int, centre: int = 0) -> None:
        """Bring, as Found, up to `limit` of these settled events, the last that were written, without those that wait
        for a receipt of this centre. Nothing is changed: they stay settled, and a start that follows knows nothing of
        it."""
        with self._wake:
            self._finds.append((tuple(intervals), limit, centre))
            self._wake.notify()

    def pending_since_ms(self) -> int | None:
        """Mono ms of the oldest commit that is not yet on disk; None where there is none."""
        with self._wake:
            return earlier(self._writing.since_ms, self._waiting.since_ms)

    def size_bytes(self) -> int:
        """Of the database and its log, as of the last commit."""
        return self._store.size_bytes

    def close(self) -> None:
        """What waits is due at once, and the database is closed after it."""
        with self._wake:
            self._closing = True
            self._wake.notify()

    def stop(self, timeout_s: float) -> bool:
        """Close, and wait for the thread; False where the disk did not write all of it in time."""
        self.close()
        if self._thread is not None:
            self._thread.join(timeout_s)
        return self._closed and not self._waiting

    # --- the worker ---

    def due(self) -> bool:
        """Whether there is something to do now."""
        due_ms = self.deadline()
        return due_ms is not None and due_ms <= self._now().mono_ms

    def deadline(self) -> int | None:
        """Mono ms from which there is something to do, if nothing more is asked; None: never, or not before what has
        begun is performed."""
        with self._wake:
            if self._at_work or self._closed:
                return None
            if self._closing or self._loads or self._finds:
                return 0
            return earlier(self._due_ms(), self._store.due_ms())

    def _due_ms(self) -> int | None:
        """From when what waits is to be written."""
        due_ms = earlier(self._waiting.since_ms, self._waiting.lazy_ms)
        return None if due_ms is None else max(due_ms, self._store.retry_at_ms)

    def begin(self) -> Work:
        """Take what is to be done now. `perform` does it, at any time or never; until then nothing more is due."""
        with self._wake:
            self._at_work = True
            loads, self._loads = self._loads, []
            finds, self._finds = tuple(self._finds), []
            now_ms = self._now().mono_ms
            if not self._closing and now_ms < self._store.retry_at_ms:
                return Work(None, tuple(loads), finds, last=False)
            due_ms = self._due_ms()
            if self._closing or loads or not self._store.whole() or (due_ms is not None and due_ms <= now_ms):
                self._writing, self._waiting = self._waiting, Unwritten()
            loads, self._owed = [*self._owed.values(), *loads], {}
            return Work(self._writing, tuple(loads), finds, self._closing)

    def perform(self, work: Work) -> None:
        """Use the disk, for as long as that takes, and say what came of it. Never fails, whatever the disk does."""
        if work.writing is not None:
            self._write(work.writing)
            self._store.salvage()
        for load in work.loads:
            self._load(load)
        for find in work.finds:
            self._put(self._store.find(*find))
        if work.last:
            self._store.close()
            self._closed = True
        else:
            self._store.tidy()
            self._store.count()
        self._at_work = False

    def _run(self, sleep_s: Callable[[int], float]) -> None:
        while not self._closed:
            with self._wake:
                while not self.due():
                    self._wake.wait(self._patience_s(sleep_s))
                work = self.begin()
            self.perform(work)

    def _patience_s(self, sleep_s: Callable[[int], float]) -> float | None:
        due_ms = self.deadline()
        return None if due_ms is None else min(LOOK_S_MAX, sleep_s(due_ms - self._now().mono_ms))

    def _write(self, work: Unwritten) -> None:
        done, left = self._store.write(work)
        with self._wake:
            self.counters["outbox_dropped"] += self._waiting.put_before(left)
            self._writing = Unwritten()
        if done.committed:
            self._put(Committed(done.committed))
        if done.settled:
            self._put(Settled(done.settled, all=False))

    def _load(self, load: Load) -> None:
        """Answer with what is on disk and in memory; or with memory alone, and again when the disk can be read."""
        with self._wake:
            unwritten = self._waiting.owed_to(load.centre)
        loaded = self._store.load(load, unwritten)
        if not self._store.whole():
            self._owed[load.centre] = load
        self._put(loaded)
