"""What the desk sees, as a stream of snapshots: the newest for any number of screens, however slow they are."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import Future
from typing import Any, Final, NamedTuple

from starlette.applications import Starlette

from dispatch.core import Question
from dispatch.desk import Desk
from protocol.record import Now

Ask = Callable[[Question], "Future[Any]"]

ANSWER_S_MAX: Final = 3.0  # a database that takes longer is in trouble, and the page says so
SNAPSHOT_PAUSE_S: Final = 0.2  # changes within it go out together: at most five snapshots a second
ALIVE_S: Final = 5.0  # the page takes 15 s of silence for a dead connection
LISTENERS_MAX: Final = 64  # call-takers' screens; each may hold one snapshot in its socket's buffer
OPEN_MAX: Final = 100  # open incidents in a snapshot, some 2 kB each; the rest is counted, and in /api/incidents
RESTORED_MAX: Final = 20  # incidents of the past in a snapshot


class Condition(NamedTuple):
    """What is known of the centre without asking its database."""

    broker: bool  # connected
    rate: int  # of the centre's clock
    counters: Mapping[str, int]


class Live:
    """The newest snapshot, for any number of listeners; whoever is slow misses the ones between."""

    def __init__(self, ask: Ask, condition: Callable[[], Condition]):
        self._ask = ask
        self._condition = condition
        self._loop: asyncio.AbstractEventLoop | None = None
        self._touched = asyncio.Event()
        self._news = asyncio.Event()  # replaced at each snapshot
        self._data = b""
        self._version = 0  # of the data
        self._answering = True
        self._closed = False
        self._listeners = 0

    @contextlib.asynccontextmanager
    async def running(self, _app: Starlette) -> AsyncIterator[None]:
        self._loop = asyncio.get_running_loop()
        task = asyncio.create_task(self._refresh())
        yield
        self._loop = None
        task.cancel()

    def touch(self) -> None:
        """There is news. Any thread."""
        self._soon(self._touched.set)

    def close(self) -> None:
        """End all streams. Any thread."""
        self._soon(self._end)

    @property
    def full(self) -> bool:
        return self._listeners >= LISTENERS_MAX

    async def stream(self) -> AsyncIterator[bytes]:
        """Server-sent events: `snapshot` at once and at each change, `alive` in between."""
        self._listeners += 1
        self._touched.set()
        seen = self._version
        try:
            yield b"retry: 2000\n\n"
            while not self._closed:
                if seen == self._version:
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(self._news.wait(), ALIVE_S)
                if seen != self._version:
                    seen = self._version
                    yield b"event: snapshot\ndata: " + self._data + b"\n\n"
                else:
                    yield b"event: alive\ndata: " + _json({"answering": self._answering}) + b"\n\n"
        finally:
            self._listeners -= 1

    async def _refresh(self) -> None:
        while True:
            await self._touched.wait()
            self._touched.clear()
            if self._listeners:
                await self._take_snapshot()
            await asyncio.sleep(SNAPSHOT_PAUSE_S)

    async def _take_snapshot(self) -> None:
        try:
            self._data = await answer(self._ask, self._snapshot)
        except Exception:  # noqa: BLE001  whatever ails the database, the stream says so and asks again
            self._answering = False
            self._touched.set()
        else:
            self._answering = True
            self._version += 1
            news, self._news = self._news, asyncio.Event()
            news.set()

    def _snapshot(self, desk: Desk, now: Now) -> bytes:
        condition = self._condition()
        return _json(
            {
                "broker": condition.broker,
                "rate": condition.rate,
                "wall_ms": now.wall_ms,
                "open": desk.open(),
                "incidents": desk.incidents(now, OPEN_MAX, RESTORED_MAX),
                "homes": desk.find("", now),
                "counters": {**desk.counters(), **condition.counters},
            }
        )

    def _end(self) -> None:
        self._closed = True
        self._news.set()

    def _soon(self, what: Callable[[], None]) -> None:
        loop = self._loop
        if loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop has just closed
                loop.call_soon_threadsafe(what)


async def answer(ask: Ask, question: Question) -> Any:
    """The answer of the thread that owns the database. Raises TimeoutError after 3 s, and what the question raises."""
    async with asyncio.timeout(ANSWER_S_MAX):
        return await asyncio.wrap_future(ask(question))


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
