"""The dispatch centre in virtual time: its real store, intake and desk on a real database file, killed and restored."""

from __future__ import annotations

import shutil
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any, Final

from dispatch.core import BATCH_MAX, GATEWAY_MESSAGES_MAX
from dispatch.desk import Desk
from dispatch.intake import Intake, Outcome
from dispatch.store import Store
from protocol.envelope import SigningKey, VerifyingKey
from protocol.record import Now
from sim.judge import COLUMNS, Row, read_rows, row_of
from sim.world.clock import BEGUN_WALL_MS
from sim.world.network import Client
from sim.world.timeline import Timeline, Wake

COMMIT_MS: Final = (1, 10)  # a synced commit on a server's disk
TICK_MS: Final = 30_000  # the desk looks so often: each second for real, which would cost more than all else


class Centre:
    """`noted` is told what the journal would say; `connect` makes the connection to the broker for a start."""

    def __init__(
        self,
        timeline: Timeline,
        folder: Path,
        homes: Mapping[str, str],
        keys: Mapping[bytes, VerifyingKey],
        signer: SigningKey,
        random: Random,
        connect: Callable[[Callable[[str, bytes], None]], Client],
        noted: Callable[[dict[str, Any]], None],
    ):
        self.running = False
        self.started_ms = 0  # true time of the last start
        self._timeline, self._folder, self._homes, self._keys = timeline, folder, homes, keys
        self._signer, self._random, self._connect, self._noted = signer, random, connect, noted
        self._life = 0
        self._waiting: deque[tuple[str, bytes]] = deque()
        self._busy = False
        self._store: Store | None = None
        self._desk: Desk | None = None
        self._intake: Intake | None = None
        self._client: Client | None = None
        self._wake = Wake(timeline, self._tick)

    @property
    def database(self) -> Path:
        return self._folder / "centre.db"

    def now(self) -> Now:
        """Its clock is right, as a server's is taken to be."""
        return Now(BEGUN_WALL_MS + self._timeline.now, self._timeline.now)

    def start(self) -> None:
        if self.running:
            return
        self.running = True
        self._life += 1
        self.started_ms = self._timeline.now
        self._store = Store(self.database)
        self._desk = Desk(self._store, self._homes, self.now())
        self._intake = Intake(self._store, self._keys, self._signer, self._desk)
        self._client = self._connect(self._received)
        self._client.start()
        self._wake.set(self._timeline.now + TICK_MS)

    def kill(self) -> None:
        """With -9, at any moment: what it has not committed it never had; what it has, it may not have answered."""
        if not self.running:
            return
        if self._busy and self._random.random() < 0.5:
            self._take()  # committed, and dead before a receipt left
        self._stop()

    def stop(self) -> None:
        """In order, so that others may read its database."""
        self._stop()

    def back_up(self) -> None:
        """Keep a copy of the database as it is."""
        was = self.running
        self.kill()
        shutil.copyfile(self.database, self._folder / "backup.db")
        if was:
            self.start()

    def restore(self) -> list[Row]:
        """Its disk is lost: it goes on from the last copy, or from nothing. What that holds."""
        was = self.running
        self.kill()
        for suffix in ("", "-wal", "-shm"):
            self.database.with_name(self.database.name + suffix).unlink(missing_ok=True)
        backup = self._folder / "backup.db"
        if backup.exists():
            shutil.copyfile(backup, self.database)
        rows = read_rows(self.database) if backup.exists() else []
        if was:
            self.start()
        return rows

    def call(self) -> None:
        """Somebody at the desk calls back about the latest incident."""
        if self._desk is None or self._intake is None or self._client is None:
            return
        (row,) = self.rows("SELECT max(id) FROM incidents")
        self._desk.calling(row[0], self.now())
        for topic, payload in self._intake.commands():
            self._client.send(topic, payload)

    def rows(self, sql: str, *values: Any) -> Sequence[Any]:
        """What its database holds now; nothing while it is down."""
        return self._store.rows(sql, *values) if self._store is not None else []

    def events(self) -> list[Row]:
        """What it has committed, in that order; nothing while it is down."""
        return [row_of(tuple(row)) for row in self.rows(f"SELECT {COLUMNS} FROM events ORDER BY rowid")]

    def counters(self) -> dict[str, Any]:
        return self._desk.counters() if self._desk is not None else {}

    def _stop(self) -> None:
        self.running = False
        self._busy = False
        self._life += 1
        self._wake.set(None)
        self._waiting.clear()
        if self._client is not None:
            self._client.stop()
        if self._store is not None:
            self._store.close()
        self._store = self._desk = self._intake = self._client = None

    # --- its one thread ---

    def _received(self, topic: str, payload: bytes) -> None:
        if len(self._waiting) < GATEWAY_MESSAGES_MAX:
            self._waiting.append((topic, payload))
        self._work()

    def _work(self) -> None:
        if not self._busy and self._waiting:
            self._busy = True
            life = self._life
            self._timeline.after(self._random.randint(*COMMIT_MS), lambda: self._worked(life))

    def _worked(self, life: int) -> None:
        if life != self._life:
            return
        self._busy = False
        outcome = self._take()
        assert self._client is not None
        for topic, payload in outcome.publish:
            self._client.send(topic, payload)
        self._work()

    def _take(self) -> Outcome:
        assert self._intake is not None
        batch = [self._waiting.popleft() for _ in range(min(BATCH_MAX, len(self._waiting)))]
        outcome = self._intake.receive(batch, self.now())
        for note in outcome.notes:
            self._noted(note)
        return outcome

    def _tick(self) -> None:
        assert self._desk is not None
        for note in self._desk.tick(self.now()):
            self._noted(note)
        self._wake.set(self._timeline.now + TICK_MS)
