"""The centre knows of a home's pieces what their events named, and no more."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dispatch.desk import Desk
from dispatch.pieces import EVENTS_LOOKED_AT, PIECES_SHOWN, TROUBLES_SHOWN, pieces, troubles
from dispatch.store import Store
from protocol.record import Event, EventId, Now, Sent, Stamp

START = Now(1_790_000_000_000, 60_000)


class Home:
    """A home whose gateway has events."""

    def __init__(self, store: Store):
        self.store = store
        self.desk = Desk(store, {"gw-1": ""}, START)
        self.sequence = 0

    def event(self, terminal: str, kind: str = "smoke", phase: str = "raised", **changes: Any) -> None:
        self.sequence += 1
        alarm = EventId(1, changes.pop("alarm", self.sequence))
        severity = changes.pop("severity", "life")
        number, time = EventId(1, self.sequence), Stamp.of(START, boot=1)
        usual = Event("gw-1", number, alarm, kind, phase, severity, "held", terminal, "kitchen", time)
        found = replace(usual, **changes)
        now = Now(START.wall_ms + self.sequence * 1000, START.mono_ms)
        with self.store.transaction():
            incident, _ = self.desk.place(found, found.alarm, False, now)
            self.store.insert(Sent(found, 1, 0), found.alarm, False, now.wall_ms, incident, b"")

    def pieces(self) -> dict[str, dict[str, Any]]:
        return {piece["id"]: piece for piece in pieces(self.store, "gw-1")}


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    store = Store(tmp_path / "centre.db")
    yield Home(store)
    store.close()


def test_a_piece_is_what_it_alarms_of_and_shows_its_last_event_and_what_stands(home: Home) -> None:
    home.event("smoke-1")
    home.event("smoke-1", "battery_low", severity="trouble")
    home.event("smoke-1", "smoke", "restored", alarm=1)
    assert home.pieces() == {
        "smoke-1": {
            "id": "smoke-1",
            "kind": "smoke",
            "room": "kitchen",
            "last": {"kind": "smoke", "phase": "restored", "at": "2026-09-21T14:13:23.000Z"},
            "standing": ["battery_low"],
        }
    }


def test_what_a_piece_is_stays_open_where_only_troubles_or_stillness_named_it(home: Home) -> None:
    home.event("x-1", "tamper", severity="trouble")
    home.event("motion-1", "inactivity", "test")
    assert {name: piece["kind"] for name, piece in home.pieces().items()} == {"x-1": None, "motion-1": None}


def test_the_gateway_itself_and_names_in_doubt_are_no_pieces(home: Home) -> None:
    home.event("gw-1", "mains_lost", severity="trouble")
    home.event("stranger", flags=("unverified",))
    assert home.pieces() == {}


def test_other_homes_have_no_part_in_it(home: Home) -> None:
    home.event("smoke-1")
    home.event("smoke-9", gateway="gw-2")
    assert set(home.pieces()) == {"smoke-1"}


def test_what_is_shown_is_bounded(home: Home) -> None:
    home.event("old")
    for number in range(EVENTS_LOOKED_AT):
        home.event(f"smoke-{number % 100:02}", "tamper", severity="trouble")
    found = home.pieces()
    assert len(found) == PIECES_SHOWN
    assert "old" not in found
    assert len(troubles(home.store, "gw-1", START)) == TROUBLES_SHOWN
