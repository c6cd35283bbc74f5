"""The desk makes of events the incidents that a dispatcher must see, and notices gateways that fall silent."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dispatch.desk import (
    ARRIVAL_MS,
    EVENTS_LISTED,
    EVENTS_SHOWN,
    HEARTBEAT_REPEATS,
    HOMES_SHOWN,
    LOST_MS,
    OPEN_SHOWN,
    REPEAT_MS,
    RESTORED_SHOWN,
    Desk,
    Note,
)
from dispatch.sketch import Place
from dispatch.store import Store
from protocol.record import Event, EventId, Heartbeat, Now, Sent, Stamp

START = Now(1_790_000_000_000, 60_000)
HOMES = {"gw-1": "House 1"}


def later(ms: int) -> Now:
    return Now(START.wall_ms + ms, START.mono_ms + ms)


class Room:
    """A desk over a database of its own, which is told of events and heartbeats as the intake would tell it."""

    def __init__(self, folder: Path):
        self.store = Store(folder / "centre.db")
        self.desk = Desk(self.store, HOMES, START)
        self.now = START

    def at(self, ms: int) -> Room:
        self.now = later(ms)
        return self

    def event(self, sequence: int, phase: str = "raised", alarm: int | None = None, **changes: Any) -> list[Note]:
        """Commit an event; a raised one is its own alarm."""
        sent, late = changes.pop("age_ms", 0), changes.pop("late", False)
        epoch, boot = changes.pop("epoch", 1), changes.pop("boot", 1)
        usual = Event(
            gateway="gw-1",
            id=EventId(epoch, sequence),
            alarm=EventId(epoch, sequence if alarm is None else alarm),
            kind="smoke",
            phase=phase,
            severity="life",
            link="held",
            terminal="smoke-1",
            room="kitchen",
            time=Stamp.of(self.now, boot, age_ms=sent or 0),
        )
        found = replace(usual, **changes)
        with self.store.transaction():
            incident, notes = self.desk.place(found, found.alarm, late, self.now)
            self.store.insert(Sent(found, 1, sent), found.alarm, late, self.now.wall_ms, incident, b"")
        return notes

    def heartbeat(self, number: int, gateway: str = "gw-1", **changes: Any) -> list[Note]:
        usual = Heartbeat(gateway, number, Stamp.of(self.now, boot=1), "0.1.0", 5, 3, 12, 2, 1)
        with self.store.transaction():
            return self.desk.heard(replace(usual, **changes), self.now)

    def tick(self) -> list[Note]:
        return self.desk.tick(self.now)

    def incidents(self) -> list[dict[str, Any]]:
        return self.desk.incidents(self.now)

    def phases(self) -> list[str]:
        """Of all incidents, the oldest first."""
        return [one["phase"] for one in sorted(self.incidents(), key=lambda one: one["id"])]


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    built = Room(tmp_path)
    yield built
    built.store.close()


def changes(notes: list[Note]) -> list[tuple[int, str]]:
    return [(note["id"], note["change"]) for note in notes if note["what"] == "incident"]


def test_a_raised_alarm_opens_an_incident(room: Room) -> None:
    assert changes(room.event(17, evidence={"obscuration_mdb_m": 140}, flags=("unstored",))) == [(1, "opened")]
    assert room.at(65_000).incidents() == [
        {
            "id": 1,
            "gateway": "gw-1",
            "home": "House 1",
            "terminal": "smoke-1",
            "room": "kitchen",
            "kind": "smoke",
            "severity": "life",
            "phase": "raised",
            "unverified": False,
            "suspect": False,
            "times": 1,
            "opened_at": "2026-09-21T14:13:20.000Z",
            "restored_at": None,
            "age_s": 65,
            "arrive_by": "2026-09-21T14:31:20.000Z",
            "remaining_s": 18 * 60 - 65,
            "late": False,
            "position": None,
            "sketch": None,
            "events": [
                {
                    "event_id": "gw-1/1-17",
                    "phase": "raised",
                    "raised_at": "2026-09-21T14:13:20.000Z",
                    "committed_at": "2026-09-21T14:13:20.000Z",
                    "latency_ms": 0,
                    "attempts": 1,
                    "age_ms": 0,
                    "late": False,
                    "position": None,
                    "evidence": {"obscuration_mdb_m": 140},
                    "flags": ["unstored"],
                }
            ],
        }
    ]
    assert room.desk.incident(1, room.now) == room.incidents()[0]
    assert room.desk.incident(2, room.now) is None


def test_updates_and_the_end_of_an_alarm_go_to_its_incident(room: Room) -> None:
    room.event(1)
    assert changes(room.event(2, "updated", alarm=1)) == [(1, "updated")]
    assert changes(room.at(9000).event(3, "restored", alarm=1)) == [(1, "restored")]
    [incident] = room.incidents()
    assert [one["phase"] for one in incident["events"]] == ["raised", "updated", "restored"]
    assert (incident["phase"], incident["restored_at"]) == ("restored", "2026-09-21T14:13:29.000Z")
    assert incident["remaining_s"] is None


def test_the_countdown_runs_from_receipt_and_past_zero(room: Room) -> None:
    room.event(1, age_ms=5 * 60_000)
    [incident] = room.at(ARRIVAL_MS + 30_000).incidents()
    assert incident["remaining_s"] == -30
    assert incident["events"][0]["latency_ms"] == 5 * 60_000


@pytest.mark.parametrize(("kind", "severity"), [("flood", "property"), ("battery_low", "trouble")])
def test_only_life_has_a_countdown(room: Room, kind: str, severity: str) -> None:
    room.event(1, kind=kind, severity=severity)
    [incident] = room.incidents()
    assert (incident["severity"], incident["arrive_by"], incident["remaining_s"]) == (severity, None, None)


def test_the_button_pressed_again_belongs_to_the_open_incident(room: Room) -> None:
    room.event(1, kind="button", terminal="button-1")
    assert changes(room.at(60_000).event(2, kind="button", terminal="button-1")) == [(1, "updated")]
    assert room.phases() == ["updated"]


def test_the_button_pressed_after_help_was_due_is_a_new_call(room: Room) -> None:
    room.event(1, kind="button", terminal="button-1")
    assert changes(room.at(REPEAT_MS + 1).event(2, kind="button", terminal="button-1")) == [(2, "opened")]


@pytest.mark.parametrize("other", [{"terminal": "smoke-2"}, {"kind": "gas"}, {"gateway": "gw-2"}])
def test_another_terminal_kind_or_gateway_is_another_incident(room: Room, other: dict[str, Any]) -> None:
    room.event(1)
    assert changes(room.event(2, **other)) == [(2, "opened")]


def test_an_alarm_raised_again_after_its_end_is_a_new_incident(room: Room) -> None:
    room.event(1)
    room.event(2, "restored", alarm=1)
    room.event(3)
    assert room.phases() == ["restored", "raised"]


def test_the_end_of_one_alarm_does_not_end_a_later_one_in_the_same_incident(room: Room) -> None:
    room.event(1, flags=("unverified",))
    room.event(2)
    assert changes(room.event(3, "restored", alarm=1)) == [(1, "updated")]
    assert changes(room.event(4, "restored", alarm=2)) == [(1, "restored")]


def test_the_end_of_the_latest_alarm_ends_the_incident(room: Room) -> None:
    """The gateway lost its memory in between: the first alarm will never be restored by its own name."""
    room.event(1)
    room.event(2)
    assert changes(room.event(3, "restored", alarm=2)) == [(1, "restored")]


def test_an_end_in_doubt_ends_nothing(room: Room) -> None:
    room.event(1)
    room.event(2, "restored", alarm=1, flags=("unverified",))
    assert room.phases() == ["updated"]


def test_an_alarm_of_before_that_comes_late_ends_with_its_own_end_and_ends_no_alarm_of_now(room: Room) -> None:
    """The centre had lost the first alarm, and the second was raised before it could ask for it."""
    room.event(5)
    room.event(1, late=True)
    room.event(2, "restored", alarm=1, late=True)
    assert room.phases() == ["updated"]
    room.event(6, "restored", alarm=5)
    assert room.phases() == ["restored"]


def test_the_end_of_before_ends_no_alarm_of_now_even_before_its_own_raise_comes(room: Room) -> None:
    room.event(5)
    room.event(2, "restored", alarm=1, late=True)
    assert room.phases() == ["updated"]
    room.event(1, late=True)
    assert room.phases() == ["updated"]
    room.event(6, "restored", alarm=5)
    assert room.phases() == ["restored"]


def test_an_alarm_whose_end_has_closed_an_older_one_is_over_when_its_raise_comes(room: Room) -> None:
    """The centre was put back to when the first stood, and lacks its end and the raise of the second."""
    room.event(1)
    room.at(REPEAT_MS + 1).event(4, "restored", alarm=3)
    room.event(2, "restored", alarm=1, late=True)
    room.event(3, late=True)
    assert room.phases() == ["restored", "restored"]


def test_an_epoch_that_could_not_be_stored_is_of_no_time(room: Room) -> None:
    """It is a random one: an alarm that began in it is not for ever the last."""
    room.event(99, flags=("unstored",))
    room.event(5)
    room.event(6, "restored", alarm=5)
    assert room.phases() == ["restored"]


@pytest.mark.parametrize("epoch", [0, 7])
@pytest.mark.parametrize("ms", [1_000, REPEAT_MS + 1])
@pytest.mark.parametrize("boot", [1, 2])
def test_an_end_in_an_epoch_of_no_time_ends_what_was_raised_before(room: Room, epoch: int, ms: int, boot: int) -> None:
    """A gateway that cannot read its card raises once more what stands, and knows nothing of the first alarm."""
    room.event(1)
    start = {"epoch": epoch, "boot": boot, "flags": ("unstored",)}
    room.at(ms).event(1, **start)
    room.at(2 * ms).event(2, "restored", alarm=1, **start)
    assert set(room.phases()) == {"restored"}


@pytest.mark.parametrize("epoch", [0, 7])
@pytest.mark.parametrize("ms", [1_000, REPEAT_MS + 1])
@pytest.mark.parametrize("boot", [1, 2])
def test_an_end_in_an_epoch_of_no_time_that_comes_late_ends_nothing_raised_since(
    room: Room, epoch: int, ms: int, boot: int
) -> None:
    room.at(30_000).event(9, boot=boot)
    start = {"epoch": epoch, "flags": ("unstored",)}
    room.at(30_000 + ms).event(1, **start, age_ms=25_000 + ms)
    room.event(2, "restored", alarm=1, **start, age_ms=24_000 + ms)
    assert room.phases()[0] == ("updated" if ms < REPEAT_MS else "raised")


def test_an_end_in_an_epoch_of_no_time_ends_the_alarm_that_it_names_however_late_that_came(room: Room) -> None:
    """The gateway's card healed, and told it what stood; and only then was there a link."""
    room.event(1, age_ms=600_000, late=True)
    room.event(2, "restored", alarm=1, id=EventId(7, 1), boot=2, flags=("unstored",))
    assert room.phases() == ["restored"]


def test_the_end_of_what_was_raised_twice_ends_both_incidents_and_no_call(room: Room) -> None:
    """A button has no end of its own: who takes one call back has not taken back the one before."""
    for kind, phases in (("smoke", ["restored", "restored"]), ("button", ["raised", "restored"])):
        what = {"kind": kind, "terminal": kind, "room": kind}
        first = len(room.phases())
        room.at(0).event(first + 1, **what)
        room.at(REPEAT_MS + 1).event(first + 3, epoch=2, **what)
        room.event(first + 4, "restored", alarm=first + 3, epoch=2, **what)
        assert room.phases()[first:] == phases


def test_the_end_of_an_alarm_leaves_open_what_is_in_doubt_and_what_other_terminals_raised(room: Room) -> None:
    room.event(1, flags=("unverified",))
    room.event(2, terminal="smoke-2")
    room.at(REPEAT_MS + 1).event(3)
    room.event(4, "restored", alarm=3)
    assert room.phases() == ["raised", "raised", "restored"]


def test_an_end_whose_alarm_nobody_knows_ends_the_open_incident_of_its_terminal(room: Room) -> None:
    room.event(5)
    room.event(9, "restored", alarm=1)
    assert room.phases() == ["restored"]


def test_an_end_without_a_beginning_is_kept_until_the_beginning_comes(room: Room) -> None:
    assert changes(room.event(2, "restored", alarm=1)) == []
    assert changes(room.event(1)) == [(1, "opened"), (1, "restored")]
    [incident] = room.incidents()
    assert {one["event_id"] for one in incident["events"]} == {"gw-1/1-1", "gw-1/1-2"}


def test_an_update_without_a_beginning_is_an_incident(room: Room) -> None:
    room.event(2, "updated", alarm=1)
    assert len(room.incidents()) == 1


def test_a_test_is_no_incident(room: Room) -> None:
    assert room.event(1, "test") == []
    assert room.incidents() == []
    assert [alarm["incident"] for alarm in room.desk.alarms(9)] == [None]


def test_an_incident_stays_unverified_until_a_genuine_event_comes(room: Room) -> None:
    room.event(1, flags=("unverified",))
    room.event(2, "updated", alarm=1, flags=("unverified",))
    assert [one["unverified"] for one in room.incidents()] == [True]
    room.event(3)
    assert [one["unverified"] for one in room.incidents()] == [False]
    room.event(4, flags=("unverified",))
    assert [one["unverified"] for one in room.incidents()] == [False]


def test_an_incident_stays_late_until_a_raise_comes_in_time(room: Room) -> None:
    room.event(1, late=True)
    room.event(2, "updated", alarm=1)
    assert [one["late"] for one in room.incidents()] == [True]
    room.event(3)
    assert [one["late"] for one in room.incidents()] == [False]


def test_an_event_that_cannot_be_stored_is_an_unverified_incident(room: Room) -> None:
    raised = Event(
        "gw-1", EventId(1, 1), EventId(1, 1), "gas", "raised", "life", "held", "gas-1", "", Stamp(0, 0, 0, "unset")
    )
    for again in (raised, raised, replace(raised, phase="restored")):
        with room.store.transaction():
            room.desk.doubt(again, room.now)
    assert [(one["kind"], one["unverified"], one["events"]) for one in room.incidents()] == [("gas", True, [])]


def test_incidents_of_life_come_first_and_the_restored_ones_last(room: Room) -> None:
    room.event(1, kind="button", terminal="button-1")
    room.event(2, kind="flood", severity="property", terminal="flood-1")
    room.event(3)
    room.event(4, kind="tamper", severity="trouble")
    room.event(5, "restored", alarm=3)
    room.event(6, kind="gas", terminal="gas-1")
    assert [one["kind"] for one in room.incidents()] == ["gas", "button", "flood", "tamper", "smoke"]


def test_what_a_view_holds_is_bounded(room: Room) -> None:
    with room.store.transaction():
        sql = (
            "INSERT INTO incidents (gateway, terminal, room, kind, severity, phase, unverified, late, opened_ms,"
            " restored_ms) VALUES ('gw-1', ?, '', 'flood', 'property', 'raised', 0, 0, 0, ?)"
        )
        for number in range(OPEN_SHOWN + 5):
            room.store.run(sql, f"a-{number}", None)
            room.store.run(sql, f"b-{number}", 1)
    for sequence in range(EVENTS_SHOWN + 5):
        room.event(sequence)
    found = room.incidents()
    assert len(found) == OPEN_SHOWN + RESTORED_SHOWN
    latest = [f"gw-1/1-{sequence}" for sequence in range(EVENTS_SHOWN + 5)]
    assert [one["event_id"] for one in found[0]["events"]] == latest[-EVENTS_LISTED:]
    alone = room.desk.incident(found[0]["id"], room.now)
    assert alone is not None
    assert [one["event_id"] for one in alone["events"]] == latest[-EVENTS_SHOWN:]


def test_where_the_gateways_clock_was_not_set_the_age_tells_when(room: Room) -> None:
    unset = Stamp(86_400_000, 5000, 1, "unset")
    room.event(1, time=unset, age_ms=1500)
    room.event(2, time=unset, age_ms=None, kind="gas")
    known, unknown = room.desk.alarms(9)
    assert (known["raised_at"], known["latency_ms"]) == ("2026-09-21T14:13:18.500Z", 1500)
    assert (unknown["raised_at"], unknown["latency_ms"]) == (None, None)


def test_a_time_beyond_all_dates_is_no_time(room: Room) -> None:
    room.event(1, time=Stamp(2**63 - 1, 0, 0, "synchronised"))
    assert room.desk.alarms(9)[0]["raised_at"] is None


def test_alarms_are_the_last_in_the_order_of_their_commit(room: Room) -> None:
    for sequence in (3, 1, 2):
        room.event(sequence)
    assert [alarm["event_id"] for alarm in room.desk.alarms(2)] == ["gw-1/1-1", "gw-1/1-2"]


def test_a_gateway_shows_what_its_last_heartbeat_said(room: Room) -> None:
    room.heartbeat(1)
    room.at(30_000).heartbeat(2, unsettled=0, oldest_s=0)
    assert room.at(35_000).desk.gateways(room.now) == [
        {
            "id": "gw-1",
            "home": "House 1",
            "last_heartbeat_at": "2026-09-21T14:13:50.000Z",
            "silent_s": 5,
            "state": "online",
            "version": "0.1.0",
            "unsettled": 0,
            "oldest_s": 0,
            "terminals": 2,
            "silent": 1,
            "uptime_s": 5,
            "clock": "synchronised",
        }
    ]


def test_a_gateway_that_falls_silent_is_lost_once_and_back_with_its_next_heartbeat(room: Room) -> None:
    room.heartbeat(1)
    assert room.at(LOST_MS).tick() == []
    notes = room.at(LOST_MS + 1).tick()
    assert [note["what"] for note in notes] == ["gateway_lost", "incident"]
    assert room.at(LOST_MS + 1000).tick() == []
    [incident] = room.incidents()
    assert (incident["kind"], incident["severity"], incident["remaining_s"]) == ("gateway_lost", "trouble", None)
    assert [one["state"] for one in room.desk.gateways(room.now)] == ["lost"]
    assert changes(room.heartbeat(2)) == [(1, "restored")]
    assert [one["state"] for one in room.desk.gateways(room.now)] == ["online"]
    assert room.phases() == ["restored"]


def test_the_centre_s_own_pause_is_no_silence_of_a_gateway(room: Room) -> None:
    room.heartbeat(1)
    room.at(200_000).desk.slept(199_000, room.now)
    assert not room.tick()
    assert room.at(290_500).tick()


def test_a_gateway_that_was_never_heard_is_lost_too(room: Room) -> None:
    assert len(room.at(LOST_MS + 1).tick()) == 2
    assert [one["state"] for one in room.desk.gateways(room.now)] == ["never"]


def test_a_gateway_that_is_new_has_its_time_to_appear_and_one_removed_is_not_missed(room: Room) -> None:
    room.heartbeat(1)
    room.at(LOST_MS).desk.homes = {"gw-2": "House 2"}
    assert room.tick() == []
    assert room.at(2 * LOST_MS).tick() == []
    room.at(2 * LOST_MS + 1).tick()
    assert [(one["gateway"], one["phase"]) for one in room.incidents()] == [("gw-2", "raised")]
    room.desk.homes = HOMES
    room.tick()
    assert ("gw-2", "restored") in [(one["gateway"], one["phase"]) for one in room.incidents()]


def test_the_time_that_the_centre_was_down_is_no_silence(room: Room) -> None:
    room.heartbeat(1)
    room.at(10 * LOST_MS)
    room.desk = Desk(room.store, HOMES, room.now)
    assert room.tick() == []
    assert len(room.at(11 * LOST_MS + 1).tick()) == 2


@pytest.mark.parametrize("back", [0, 1, HEARTBEAT_REPEATS - 1])
def test_a_heartbeat_played_again_is_no_sign_of_life(room: Room, back: int) -> None:
    room.heartbeat(20_000)
    room.at(60_000).heartbeat(20_000 - back)
    assert len(room.at(LOST_MS + 1).tick()) == 2
    assert room.desk.counters()["heartbeats_repeated"] == 1


def test_a_gateway_that_began_to_count_anew_is_heard(room: Room) -> None:
    room.heartbeat(20_000)
    room.at(60_000).heartbeat(20_000 - HEARTBEAT_REPEATS)
    assert room.at(LOST_MS + 1).tick() == []


def test_a_damaged_database_is_a_trouble_of_the_centre(tmp_path: Path) -> None:
    (tmp_path / "centre.db").write_bytes(b"garbage" * 1000)
    room = Room(tmp_path)
    assert [note["what"] for note in room.tick()] == ["storage_fault", "incident", "storage"]
    assert [(one["gateway"], one["kind"]) for one in room.incidents()] == [("centre", "storage_fault")]
    assert room.at(1000).tick() == []
    room.store.close()


def test_counts_of_refusals_are_written_before_long(room: Room) -> None:
    room.store.unwritten["refused.signature"] += 3
    room.at(9_999).tick()
    assert room.store.unwritten
    room.at(10_000).tick()
    assert not room.store.unwritten
    assert room.desk.counters()["refused"] == {"signature": 3}


def test_a_tick_that_cannot_be_committed_says_so_and_the_next_one_tries_again(room: Room) -> None:
    room.store.rows("PRAGMA query_only = ON")
    assert [note["what"] for note in room.at(LOST_MS + 1).tick()] == ["storage"]
    room.store.rows("PRAGMA query_only = OFF")
    assert [note["what"] for note in room.tick()] == ["gateway_lost", "incident"]
    assert room.desk.counters()["commits_failed"] == 1


def test_an_incident_shows_where_it_was_last_and_how_old_that_is_by_now(room: Room) -> None:
    room.event(1, kind="bracelet_sos", position=(399_990_000, -1_163_850_001, 61_000, 55, 1, 12))
    room.at(10_000).event(2, kind="bracelet_sos", phase="updated", alarm=1)
    (incident,) = room.at(40_000).incidents()
    where = {"latitude": 39.999, "longitude": -116.3850001, "crs": "WGS-84", "accuracy_m": 5.5, "satellites": 12}
    assert incident["events"][0]["position"] == {**where, "age_ms": 61_000}
    assert incident["events"][1]["position"] is None
    assert incident["position"] == {**where, "age_s": 101}
    room.event(3, kind="bracelet_sos", phase="updated", alarm=1, position=(400_000_000, 0))
    assert room.incidents()[0]["position"] == {
        "latitude": 40.0,
        "longitude": 0.0,
        "crs": "WGS-84",
        "accuracy_m": None,
        "satellites": None,
        "age_s": 0,
    }


def test_a_position_that_is_nowhere_on_earth_is_none(room: Room) -> None:
    room.event(1, position=(2**62, 0, 0))
    assert room.incidents()[0]["position"] is None


def test_an_incident_has_a_sketch_of_where_it_was_around_its_home(room: Room) -> None:
    room.desk.places = {"gw-1": Place(399_990_000, 1_163_850_000, 100)}
    room.event(1, kind="bracelet_sos", position=(400_000_000, 1_163_850_000, 61_000, 55))
    room.at(60_000).event(2, kind="bracelet_sos", phase="updated", alarm=1, position=(400_010_000, 1_163_850_000))
    (incident,) = room.at(70_000).incidents()
    drawn = incident["sketch"]
    assert [point["age_s"] for point in drawn["points"]] == [131, 10]
    assert round(drawn["home"]["distance_m"]) == 222
    assert drawn["home"]["fence_m"] == 100
    json.dumps(drawn, allow_nan=False)


def test_an_incident_counts_how_often_the_person_called(room: Room) -> None:
    room.event(1, kind="button", evidence={"presses": 1})
    assert room.incidents()[0]["times"] == 1
    room.event(2, kind="button", phase="updated", alarm=1, evidence={"presses": 4})
    assert room.incidents()[0]["times"] == 4
    room.event(3, kind="bracelet_fall", severity="life")
    room.event(4, kind="bracelet_fall", severity="life")
    assert room.incidents()[0]["times"] == 2  # of two alarms the gateway counted each as the first


def test_an_incident_of_a_suspect_sensor_says_so(room: Room) -> None:
    room.event(1, flags=("suspect",))
    assert room.incidents()[0]["suspect"] is True


def test_the_open_incidents_are_counted_by_severity_whatever_a_view_holds(room: Room) -> None:
    for number in range(3):
        room.event(number, terminal=f"smoke-{number}")
    room.event(10, kind="flood", severity="property")
    room.event(11, phase="restored", alarm=10, kind="flood", severity="property")
    assert len(room.desk.incidents(room.now, open_max=2, restored_max=0)) == 2
    assert room.desk.open() == {"life": 3, "property": 0, "trouble": 0}


def test_homes_are_found_by_name_or_gateway_and_those_where_something_is_open_come_first(room: Room) -> None:
    room.desk.homes = {f"gw-{n}": f"Lane {n} 幸福里" for n in range(100)}
    room.heartbeat(1, gateway="gw-7")
    room.event(1, gateway="gw-70")
    found = room.desk.find("", room.now)
    assert (found["all"], found["online"], found["lost"], found["never"]) == (100, 1, 0, 99)
    assert len(found["rows"]) == HOMES_SHOWN
    assert (found["rows"][0]["id"], found["rows"][0]["open"]) == ("gw-70", 1)
    assert {row["id"] for row in room.desk.find("LANE 7", room.now)["rows"]} == {
        "gw-7",
        *(f"gw-{n}" for n in range(70, 80)),
    }
    assert [row["id"] for row in room.desk.find("gw-99", room.now)["rows"]] == ["gw-99"]
    assert room.desk.find("nowhere", room.now) == {"all": 0, "online": 0, "lost": 0, "never": 0, "rows": []}


def test_a_lost_home_comes_before_one_where_something_else_is_open(room: Room) -> None:
    room.desk.homes = {"gw-1": "", "gw-2": ""}
    room.heartbeat(1, gateway="gw-1")
    room.heartbeat(1, gateway="gw-2")
    room.at(60_000).heartbeat(2, gateway="gw-1")
    room.event(1, gateway="gw-1")
    room.at(LOST_MS + 1).tick()
    assert [(row["id"], row["state"]) for row in room.desk.find("", room.now)["rows"]] == [
        ("gw-2", "lost"),
        ("gw-1", "online"),
    ]


def test_a_home_shows_what_its_gateway_said_and_what_stands_there(room: Room) -> None:
    room.desk.places = {"gw-1": Place(399_990_000, 1_163_850_000)}
    room.heartbeat(1)
    room.event(1)
    room.event(2, kind="mains_lost", severity="trouble", terminal="gw-1", room="", link="own")
    home = room.at(30_000).desk.home("gw-1", room.now)
    assert home is not None
    assert (home["home"], home["state"], home["version"], home["terminals"], home["clock"]) == (
        "House 1",
        "online",
        "0.1.0",
        2,
        "synchronised",
    )
    assert home["place"] == [39.999, 116.385]
    assert home["troubles"] == [{"kind": "mains_lost", "terminal": "gw-1", "room": "", "age_s": 30}]
    assert [piece["id"] for piece in home["pieces"]] == ["smoke-1"]
    assert room.desk.home("gw-9", room.now) is None


def test_views_are_json(room: Room) -> None:
    room.heartbeat(1)
    room.event(1, position=(399_000_000, -1), evidence={"a": -3})
    views = [room.incidents(), room.desk.gateways(room.now), room.desk.counters(), room.desk.alarms(9)]
    assert json.loads(json.dumps(views)) == views
