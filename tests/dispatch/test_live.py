"""A snapshot holds what a person can look at, and the counts of the rest, however much the centre has."""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from starlette.applications import Starlette

from dispatch.core import Question
from dispatch.desk import HOMES_SHOWN, Desk
from dispatch.live import OPEN_MAX, RESTORED_MAX, Condition, Live
from dispatch.store import Store
from protocol.record import Event, EventId, Now, Sent, Stamp

NOW = Now(1_790_000_000_000, 60_000)
HOMES = {f"gw-{n}": f"Lane {n}, a name of the usual length" for n in range(1000)}
SNAPSHOT_BYTES_MAX = 200_000  # five a second to 64 screens on one machine


def first_snapshot(desk: Desk) -> bytes:
    def ask(question: Question) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(question(desk, NOW))
        return future

    async def taken() -> bytes:
        live = Live(ask, lambda: Condition(True, 1, {}))
        async with live.running(Starlette()):
            async for chunk in live.stream():
                if b"event: snapshot" in chunk:
                    return chunk
        raise AssertionError("no snapshot came")

    return asyncio.run(taken())


def fill(store: Store, desk: Desk, count: int) -> None:
    """`count` incidents with a position each, every second one over."""
    with store.transaction():
        for n in range(count):
            gateway, alarm = f"gw-{n}", EventId(1, 2 * n)
            for phase in ("raised", "restored")[: 1 + n % 2]:
                number = alarm if phase == "raised" else EventId(1, 2 * n + 1)
                stamp, where = Stamp.of(NOW, boot=1), (399_990_000, 1_163_850_000, 0, 55, 1, 9)
                event = Event(
                    gateway, number, alarm, "bracelet_sos", phase, "life", "held", "bracelet-1", "", stamp, None, where
                )
                incident, _ = desk.place(event, alarm, False, NOW)
                store.insert(Sent(event, 1, 0), alarm, False, NOW.wall_ms, incident, b"")


def test_a_snapshot_is_bounded_and_counts_what_it_leaves_out(tmp_path: Path) -> None:
    store = Store(tmp_path / "centre.db")
    desk = Desk(store, HOMES, NOW)
    fill(store, desk, 2 * OPEN_MAX + 100)
    chunk = first_snapshot(desk)
    snapshot = json.loads(chunk.partition(b"data: ")[2])
    phases = [incident["phase"] for incident in snapshot["incidents"]]
    assert (phases.count("raised"), phases.count("restored")) == (OPEN_MAX, RESTORED_MAX)
    assert snapshot["open"] == {"life": OPEN_MAX + 50, "property": 0, "trouble": 0}
    assert (snapshot["homes"]["all"], len(snapshot["homes"]["rows"])) == (1000, HOMES_SHOWN)
    assert all(row["open"] for row in snapshot["homes"]["rows"])
    assert len(chunk) < SNAPSHOT_BYTES_MAX
    store.close()
