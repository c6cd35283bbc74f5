"""A second centre: it gets what the first gets, nothing is forgotten before both have it; only the first is help."""

from __future__ import annotations

import random
import sqlite3
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from queue import Queue
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from gateway import pruning
from gateway.agent import Agent
from gateway.database import Database
from gateway.delivery import PATH_LOST_MS, Delivery, numbered
from gateway.home.core import Home
from gateway.home.messages import Reading
from gateway.home.roster import Roster, Terminal
from gateway.outbox import SETTLE_MS_MAX, Found, Loaded, Outbox, Replaced
from gateway.store import RETRY_MS_MAX
from gateway.uplinks.mqtt import Downlink, UplinkState
from protocol import envelope, record, topic
from protocol.envelope import CENTRE_KID, SigningKey, signing_key
from protocol.record import INT_MAX, RESEND, Command, Event, EventId, Heartbeat, Interval, Now, Receipt, Source, Stamp
from protocol.words import LIFE, TROUBLE
from sim.disk import Disk
from sim.vfs import connect
from sim.world.clock import MachineClock
from sim.world.gateway import config_of
from sim.world.timeline import Timeline

NOW_S = 1_800_000_000
OTHER, THIRD = b"2" * 32, b"3" * 32


def event(sequence: int, severity: str = LIFE) -> Event:
    name = EventId(7, sequence)
    kind = "smoke" if severity == LIFE else "battery_low"
    time = Stamp(NOW_S * 1000, sequence, 5, "synchronised")
    return Event("gw-1", name, name, kind, "raised", severity, "held", "smoke-1", "hall", time)


def span(first: int, last: int | None = None) -> Interval:
    return Interval(7, first, first if last is None else last)


def waiting(database: Database, centre: int) -> list[int]:
    return [key.id.sequence for key in database.waiting(centre)]


# --- on disk ---


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "outbox.db"


def test_each_centre_waits_for_what_it_has_not_receipted(path: Path) -> None:
    database = Database(path, "gw-1", others=[OTHER, THIRD])
    database.write([event(n) for n in range(5)], {}, [], NOW_S)
    database.write([], {}, [span(0, 2)], NOW_S, [(1, span(2, 3)), (2, span(0, 9))])
    database.close()
    database = Database(path, "gw-1", others=[THIRD, OTHER])  # whatever the order in the file is
    assert [waiting(database, centre) for centre in (0, 1, 2)] == [[3, 4], [], [0, 1, 4]]
    assert database.last_epoch() == 7
    assert database.read(list(database.waiting(2)))[0] == [event(0), event(1), event(4)]


def test_what_only_a_first_centre_has_is_not_pruned(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pruning, "ROWS_MAX", 0)
    database = Database(path, "gw-1", others=[OTHER])
    database.write([event(n, (LIFE, TROUBLE)[n % 2]) for n in range(10)], {}, [span(0, 9)], NOW_S, [(1, span(0, 3))])
    while database.tidy(NOW_S).more:
        pass
    assert waiting(database, 1) == [4, 6, 8]  # troubles that it lacks are kept no longer than what all have


def test_a_centre_that_is_new_gets_what_happens_from_now_on_and_one_that_is_gone_is_owed_nothing(path: Path) -> None:
    database = Database(path, "gw-1", others=[OTHER])
    database.write([event(1)], {}, [], NOW_S)
    database.close()
    database = Database(path, "gw-1", others=[THIRD])  # with the bit that was the other's
    database.write([event(2)], {}, [], NOW_S)
    assert (waiting(database, 0), waiting(database, 1)) == ([1, 2], [2])
    database.close()
    database = Database(path, "gw-1")
    database.close()
    database = Database(path, "gw-1", others=[OTHER, THIRD])
    assert [waiting(database, centre) for centre in (0, 1, 2)] == [[1, 2], [], []]


def test_what_another_centre_still_waits_for_is_not_found_for_it_once_more(path: Path) -> None:
    database = Database(path, "gw-1", others=[OTHER, THIRD])
    database.write([event(n) for n in range(4)], {}, [span(0, 2)], NOW_S, [(1, span(1, 3)), (2, span(2, 3))])
    found = [[key.id.sequence for key in database.settled_keys([span(0, 9)], 9, centre)] for centre in (0, 1, 2)]
    assert found == [[0, 1, 2], [1, 2], [2]]


def test_numbers_that_no_event_has_are_received_too(path: Path) -> None:
    database = Database(path, "gw-1", others=[OTHER])
    events = [event(1), event(INT_MAX)]
    database.write(events, {}, [], NOW_S, [(1, Interval(2**64 - 1, 0, 9)), (1, Interval(7, 1, 2**64 - 1))])
    assert waiting(database, 1) == []


def test_the_largest_number_is_received(path: Path) -> None:
    database = Database(path, "gw-1", others=[OTHER])
    database.write([event(1), event(INT_MAX)], {}, [], NOW_S, [(1, span(INT_MAX))])
    assert waiting(database, 1) == [1]


def test_a_home_with_one_centre_writes_nothing_for_others() -> None:
    def written(others: Sequence[bytes]) -> tuple[int, int]:
        disk = Disk(random.Random(1))
        database = Database(disk.path("/outbox.db"), "gw-1", connect, others)
        before = disk.bytes_written
        for n in range(100):
            database.write([event(n)], {}, [], NOW_S)
            database.write([], {}, [span(n)], NOW_S)
        total = disk.bytes_written - before
        database.close()
        image = disk.path("/outbox.db").read_bytes()
        connection = sqlite3.connect(":memory:")
        connection.deserialize(image[:18] + b"\x01\x01" + image[20:])  # the log is empty: read it without one
        (root,) = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'owed'").fetchone()
        cells = int.from_bytes(image[(root - 1) * 1024 + 3 : (root - 1) * 1024 + 5], "big")
        connection.close()
        return total, cells

    (one, cells), (two, _) = written([]), written([OTHER])
    assert cells == 0
    assert two > one * 1.1  # an index of one more entry for each


def test_a_damaged_database_gives_each_centre_what_it_lacks(path: Path, tmp_path: Path) -> None:
    database = Database(path, "gw-1", others=[OTHER])
    database.write([event(n) for n in range(4)], {}, [span(0, 2)], NOW_S, [(1, span(0)), (1, span(3))])
    database.close()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 999")
    connection.close()
    messages: list[object] = []
    outbox = Outbox(path, "gw-1", messages.append, lambda: Now(NOW_S * 1000, 1_000), others=[OTHER])
    while outbox.due():
        outbox.perform(outbox.begin())
    assert [message.salvaged for message in messages if isinstance(message, Replaced)] == [3]
    for centre, expected in ((0, [3]), (1, [1, 2, 3])):  # that the other has 3 is not known any more: it absorbs it
        outbox.load(9, centre=centre)
        outbox.perform(outbox.begin())
        loaded = messages[-1]
        assert isinstance(loaded, Loaded)
        assert [one.id.sequence for one in loaded.rows] == expected
    outbox.close()
    outbox.perform(outbox.begin())


# --- while the disk fails ---


class Bench:
    """An outbox for two centres on a modelled disk, stepped."""

    def __init__(self, disk: Disk | None = None):
        self.disk = disk or Disk(random.Random(1))
        self.mono_ms = 1_000
        self.messages: list[object] = []
        path = self.disk.path("/data/outbox.db")
        self.outbox = Outbox(path, "gw-1", self.messages.append, self.now, connect, [OTHER])
        self.work()

    def now(self) -> Now:
        return Now(NOW_S * 1000 + self.mono_ms, self.mono_ms)

    def work(self) -> None:
        while self.outbox.due():
            self.outbox.perform(self.outbox.begin())

    def waiting(self, centre: int) -> list[int]:
        self.messages.clear()
        self.outbox.load(100, (), centre)
        self.work()
        (loaded,) = [one for one in self.messages if isinstance(one, Loaded) and one.centre == centre]
        return [one.id.sequence for one in loaded.rows]


def test_receipts_of_each_centre_count_for_what_is_not_on_disk_yet() -> None:
    bench = Bench()
    bench.disk.failing = frozenset({"sync"})
    bench.outbox.commit([event(n) for n in range(4)], {})
    bench.work()
    bench.outbox.settle([span(0, 1)])
    bench.outbox.settle([span(1, 2)], centre=1)
    assert bench.waiting(0) == [2, 3]
    assert bench.waiting(1) == [0, 3]
    bench.disk.failing = frozenset()
    bench.mono_ms += SETTLE_MS_MAX + RETRY_MS_MAX
    bench.work()
    bench.disk.cut(share=0.0)
    after = Bench(bench.disk)
    assert after.waiting(0) == [2, 3]
    assert after.waiting(1) == [0, 3]


def test_each_centre_finds_what_it_has_receipted() -> None:
    bench = Bench()
    bench.outbox.commit([event(n) for n in range(4)], {})
    bench.outbox.settle([span(0, 2)])
    bench.outbox.settle([span(1, 3)], centre=1)
    bench.work()
    for centre in (0, 1):
        bench.outbox.find([span(0, 9)], 9, centre)
    bench.messages.clear()
    bench.work()
    found = [[row.id.sequence for row in one.rows] for one in bench.messages if isinstance(one, Found)]
    assert found == [[0, 1, 2], [1, 2]]


# --- the agent ---


def key(seed: int, kid: bytes = CENTRE_KID) -> SigningKey:
    private = Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32)
    return signing_key(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), kid)


FIRST_KEY, OTHER_KEY, GATEWAY_KEY = key(1), key(2), key(3, b"gw-1")
KEYS = {"mqtt-1": FIRST_KEY, "mqtt-2": OTHER_KEY, "mqtt-3": FIRST_KEY}


class Wire:
    def __init__(self) -> None:
        self.counters: Counter[str] = Counter()
        self.sent: list[EventId] = []
        self.beats: list[Heartbeat] = []

    def start(self) -> None: ...
    def stop(self) -> None: ...

    def send(self, tail: str, payload: bytes) -> bool:
        _, data = envelope.open(payload, {b"gw-1": GATEWAY_KEY.verifying()}, topic.context(tail))
        found = record.decode(data)
        if isinstance(found, record.Sent):
            self.sent.append(found.event.id)
        elif isinstance(found, Heartbeat):
            self.beats.append(found)
        return True


class Notes:
    def __init__(self) -> None:
        self.counters: Counter[str] = Counter()
        self.notes: list[tuple[str, dict[str, Any]]] = []

    def note(self, what: str, **details: Any) -> None:
        self.notes.append((what, details))

    def said(self, what: str) -> list[dict[str, Any]]:
        return [details for name, details in self.notes if name == what]


class House:
    """The real agent with two ways to its first centre and one to another, on a disk that does not commit by itself."""

    def __init__(self) -> None:
        self.timeline = Timeline()
        self.clock = MachineClock(self.timeline)
        self.clock.ntp = True
        self.wires = {name: Wire() for name in KEYS}
        self.notes = Notes()
        keys = {name: one.verifying() for name, one in KEYS.items()}
        self.delivery = Delivery(
            "gw-1", 1, self.wires, GATEWAY_KEY, keys["mqtt-1"], self.notes, random=bytes, others=keys
        )
        roster = Roster((Terminal("button-1", "button", "hall", "native"),))
        home = Home("gw-1", 2**40, 1, roster, now=self.clock.now())
        self.inbox: list[object] = []
        path = Disk(random.Random(1)).path("/data/outbox.db")
        others = [OTHER_KEY.verifying().raw]
        self.outbox = Outbox(path, "gw-1", self.inbox.append, self.clock.now, connect, others)
        config = config_of([], 30)
        self.agent = Agent(config, self.clock, self.notes, home, self.outbox, self.delivery, Queue(), "test")
        for name in KEYS:
            self.agent.turn(UplinkState(name, True, "", ""))

    def press(self, number: int) -> EventId:
        self.agent.turn(Reading("button-1", "button", "raised", "held", Source(1, number)))
        return self.wires["mqtt-1"].sent[-1]

    def receipt(self, uplink: str, event_id: EventId, by: SigningKey | None = None) -> None:
        interval = Interval(event_id.epoch, event_id.sequence, event_id.sequence)
        data = Receipt("gw-1", (interval,), self.clock.now().wall_ms).to_record()
        payload = envelope.seal(data, by or KEYS[uplink], topic.context(topic.RECEIPT))
        self.agent.turn(Downlink(uplink, topic.RECEIPT, payload))

    def ask(self, uplink: str, *events: EventId) -> None:
        """The centre there answers the last heartbeat: it has lost these."""
        asked = tuple(Interval(one.epoch, one.sequence, one.sequence) for one in events)
        data = Command("gw-1", self.wires[uplink].beats[-1].number, 0, RESEND, asked).to_record()
        payload = envelope.seal(data, KEYS[uplink], topic.context(topic.COMMAND))
        self.agent.turn(Downlink(uplink, topic.COMMAND, payload))
        self.work()

    def work(self) -> None:
        """The disk does what it is asked to, and the agent hears of it."""
        while self.outbox.due():
            self.outbox.perform(self.outbox.begin())
            while self.inbox:
                self.agent.turn(self.inbox.pop(0))

    def told(self) -> list[str]:
        return [details["message"] for details in self.notes.said("tell")]


def test_uplinks_with_one_key_lead_to_one_centre() -> None:
    keys = {name: one.verifying() for name, one in KEYS.items()}
    assert numbered(keys["mqtt-1"], keys) == {"mqtt-1": 0, "mqtt-2": 1, "mqtt-3": 0}


def test_only_the_first_centre_makes_an_event_safe_and_received() -> None:
    house = House()
    pressed = house.press(1)
    assert [wire.sent for wire in house.wires.values()] == [[pressed]] * 3
    house.receipt("mqtt-2", pressed)
    assert house.told() == ["sending"]
    assert house.notes.said("acknowledged") == []
    house.receipt("mqtt-3", pressed)
    assert house.told() == ["sending", "received"]
    assert house.notes.said("acknowledged") == [{"terminal": "button-1", "boot": 1, "number": 1}]


def test_an_event_is_sent_to_each_centre_until_that_one_has_it() -> None:
    house = House()
    pressed = house.press(1)
    house.receipt("mqtt-1", pressed)
    house.timeline.until(60_000)
    house.agent.turn(None)
    assert [wire.sent.count(pressed) for wire in house.wires.values()] == [1, 2, 1]
    house.receipt("mqtt-2", pressed)
    house.timeline.until(120_000)
    house.agent.turn(None)
    assert [wire.sent.count(pressed) for wire in house.wires.values()] == [1, 2, 1]


def test_a_receipt_counts_only_with_the_key_of_the_centre_behind_its_uplink() -> None:
    house = House()
    pressed = house.press(1)
    house.receipt("mqtt-2", pressed, by=FIRST_KEY)
    house.receipt("mqtt-1", pressed, by=OTHER_KEY)
    assert house.delivery.counters["receipt_refused_signature"] == 2
    assert house.told() == ["sending"]


def test_what_waits_for_another_centre_is_loaded_for_it_alone() -> None:
    house = House()
    house.agent.turn(Loaded((event(1),), {}, {}, 7, centre=1))
    assert [len(wire.sent) for wire in house.wires.values()] == [0, 1, 0]


def test_the_path_is_lost_where_only_another_centre_answers() -> None:
    house = House()
    pressed = house.press(1)
    house.receipt("mqtt-1", pressed)
    now = house.clock.now()
    later = Now(now.wall_ms + PATH_LOST_MS, now.mono_ms + PATH_LOST_MS)
    assert house.delivery.path_lost(0, now) is False
    house.timeline.until(house.timeline.now + PATH_LOST_MS)
    house.receipt("mqtt-2", pressed)
    assert house.delivery.path_lost(0, later) is True


def test_each_centre_gets_again_what_it_has_lost_itself() -> None:
    house = House()
    pressed = house.press(1)
    house.work()
    for uplink in ("mqtt-1", "mqtt-2"):
        house.receipt(uplink, pressed)
    house.timeline.until(house.timeline.now + 31_000)
    house.work()
    house.agent.turn(None)
    told = Interval(pressed.epoch, pressed.sequence, pressed.sequence)
    assert [wire.beats[-1].settled for wire in house.wires.values()] == [(told,)] * 3
    before = [wire.sent.count(pressed) for wire in house.wires.values()]
    house.ask("mqtt-2", pressed)
    house.ask("mqtt-2", pressed)  # a heartbeat is answered once by each
    house.ask("mqtt-3", pressed)
    after = [wire.sent.count(pressed) for wire in house.wires.values()]
    assert [now - then for now, then in zip(after, before, strict=True)] == [0, 1, 1]
    assert house.delivery.counters == {"resent": 2, "command_refused_stale": 1}
    assert house.told() == ["sending", "received"]
