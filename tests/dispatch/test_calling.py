"""The command that the centre is calling: what it is about, which heartbeat it answers, and when there is none."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dispatch.calling import ALARMS_MAX
from dispatch.desk import LOST_MS, REPEAT_MS, Desk
from dispatch.store import Store
from protocol.record import CALLING, Command, Event, EventId, Heartbeat, Interval, Now, Sent, Stamp


class Room:
    """A desk over a database of its own, told of events and heartbeats as the intake would tell it."""

    def __init__(self, folder: Path):
        self.now = Now(1_790_000_000_000, 60_000)
        self.store = Store(folder / "centre.db")
        self.desk = Desk(self.store, {"gw-1": "House 1"}, self.now)

    def passes(self, ms: int) -> None:
        self.now = Now(self.now.wall_ms + ms, self.now.mono_ms + ms)

    def event(self, sequence: int, phase: str = "raised", alarm: int = 0, terminal: str = "smoke-1") -> None:
        time, name = Stamp.of(self.now, boot=1), EventId(1, sequence)
        alarm_id = EventId(1, alarm or sequence)
        event = Event("gw-1", name, alarm_id, "smoke", phase, "life", "held", terminal, "kitchen", time)
        with self.store.transaction():
            incident, _ = self.desk.place(event, alarm_id, False, self.now)
            self.store.insert(Sent(event, 1, 0), alarm_id, False, self.now.wall_ms, incident, b"")

    def heartbeat(self, number: int) -> None:
        with self.store.transaction():
            self.desk.heard(Heartbeat("gw-1", number, Stamp.of(self.now, boot=1), "0", 5, 0, 0, 2, 0), self.now)


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    room = Room(tmp_path)
    yield room
    room.store.close()


def ask(room: Room, incident: int = 1) -> dict[str, bool] | None:
    return room.desk.calling(incident, room.now)


def test_it_is_about_the_alarms_of_the_incident_the_latest_first_and_answers_the_last_heartbeat(room: Room) -> None:
    room.heartbeat(41)
    room.heartbeat(42)
    room.event(3)
    room.event(4, "updated", 3)
    room.event(5)
    room.event(6, terminal="smoke-2")
    assert ask(room) == {"sent": True}
    about = (Interval(1, 5, 5), Interval(1, 3, 3))
    assert room.desk.commands == [Command("gw-1", 42, room.now.wall_ms, CALLING, about)]


def test_it_is_about_the_latest_few_of_many(room: Room) -> None:
    room.heartbeat(1)
    for sequence in range(1, ALARMS_MAX + 3):
        room.event(sequence)
    ask(room)
    assert [one.first for one in room.desk.commands[0].intervals] == list(range(ALARMS_MAX + 2, 2, -1))


def test_a_gateway_that_is_not_heard_can_tell_nobody(room: Room) -> None:
    room.event(1)
    assert ask(room) == {"sent": False}
    room.heartbeat(1)
    room.passes(LOST_MS)
    assert ask(room) == {"sent": True}
    room.passes(1)
    assert ask(room) == {"sent": False}
    assert len(room.desk.commands) == 1


def test_an_incident_of_the_desks_own_is_no_call_of_anybody(room: Room) -> None:
    room.heartbeat(1)
    room.passes(LOST_MS + 1)
    room.desk.tick(room.now)
    room.heartbeat(2)
    assert [incident["kind"] for incident in room.desk.incidents(room.now)] == ["gateway_lost"]
    assert ask(room) == {"sent": False}


def test_there_is_none_about_an_incident_that_there_is_not(room: Room) -> None:
    room.heartbeat(1)
    assert ask(room, 99) is None
    assert room.desk.commands == []


def test_a_later_incident_of_the_same_terminal_is_another(room: Room) -> None:
    room.heartbeat(1)
    room.event(1)
    room.passes(REPEAT_MS + 1)
    room.event(2)
    room.heartbeat(2)
    ask(room, 2)
    assert room.desk.commands[0].intervals == (Interval(1, 2, 2),)
