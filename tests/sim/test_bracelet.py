"""A played bracelet: what it says each second, how it holds its key, and that its link understands it whole."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from gateway.bridges.bracelet_link import BraceletLink
from gateway.home.messages import Alive, Fix, Input, Reading
from protocol import nmea
from protocol.geo import LATITUDE_E7_MAX, LONGITUDE_E7_MAX, Position
from protocol.record import Now, Source
from sim.bracelet import HELD_MAX, REPEAT_MS, STIRRED_MS, Bracelet, located
from sim.walk import COLD_START_MS

UTC_MS = 1_700_000_000_000


class Worn:
    """A bracelet and the gateway's link, joined by hand; time goes on from turn to turn."""

    def __init__(self, seed: int = 1) -> None:
        self.bracelet = Bracelet("bracelet-1", seed, 0, UTC_MS)
        self.link = BraceletLink("bracelet-1", lambda: Now(UTC_MS + self.now, self.now))
        self.now = 0

    def until(self, end_ms: int, acknowledging: bool = False) -> list[Input]:
        """What the gateway is told until then."""
        heard: list[Input] = []
        while (due := self.bracelet.deadline(self.now)) is not None and due <= end_ms:
            self.now = max(self.now, due)
            new = self.link.receive(self.bracelet.step(b"", self.now), self.now)
            for one in new:
                if acknowledging and isinstance(one, Reading) and one.source is not None:
                    self.link.acknowledge(one.terminal, one.source)
            self.bracelet.hears(self.link.poll(self.now), self.now)
            heard += new
        self.now = end_ms
        return heard

    def readings(self, end_ms: int, acknowledging: bool = False) -> list[Reading]:
        return [one for one in self.until(end_ms, acknowledging) if isinstance(one, Reading)]


def test_it_has_a_fix_each_second_once_it_sees_the_sky_and_its_link_refuses_nothing() -> None:
    worn = Worn()
    worn.bracelet.do("go_out", 0)
    assert not any(isinstance(one, Fix) for one in worn.until(COLD_START_MS - 1))
    found = [one for one in worn.until(COLD_START_MS + 60_000) if isinstance(one, Fix)]
    assert 59 <= len(found) <= 61
    assert worn.link.counters == {}


def test_without_the_sky_it_is_alive_and_nowhere() -> None:
    worn = Worn()
    worn.bracelet.do("no_fix", 0)
    heard = worn.until(100_000)
    assert {type(one) for one in heard} == {Alive}
    worn.bracelet.do("fix", 100_000)
    assert any(isinstance(one, Fix) for one in worn.until(400_000))


def test_its_key_is_repeated_until_acknowledged_and_the_next_waits_for_that() -> None:
    worn = Worn()
    worn.bracelet.do("sos", 1000)
    worn.bracelet.do("fall", 1000)
    first, second = worn.bracelet.promises()
    heard = worn.readings(1000 + 3 * REPEAT_MS)
    assert {one.source for one in heard} == {Source(first.boot, 1)}
    assert len(heard) == 4
    heard = worn.readings(20_000, acknowledging=True)
    assert [(one.kind, one.source) for one in heard] == [
        ("bracelet_sos", Source(first.boot, 1)),
        ("bracelet_fall", Source(second.boot, 2)),
    ]
    assert worn.bracelet.pending() == 0
    assert first.acknowledged_ms is not None
    assert second.acknowledged_ms is not None
    assert worn.readings(60_000) == []


def test_an_acknowledgement_of_another_event_changes_nothing() -> None:
    worn = Worn()
    worn.bracelet.do("sos", 0)
    worn.bracelet.hears(nmea.acknowledgement(1) + b"$PSXK,ACK,*00\r\n" + nmea.sentence("PSXK,ACK,x"), 10)
    assert worn.bracelet.pending() == 1


def test_what_it_cannot_hold_makes_room_the_oldest_first() -> None:
    worn = Worn()
    for _ in range(HELD_MAX + 2):
        worn.bracelet.do("sos", 0)
    assert [promise.gone for promise in worn.bracelet.promises()[:3]] == ["crowded", "crowded", ""]
    assert worn.bracelet.pending() == HELD_MAX


def test_a_new_battery_is_a_new_boot_that_holds_nothing() -> None:
    worn = Worn()
    worn.bracelet.do("sos", 0)
    worn.bracelet.do("battery_changed", 10)
    worn.bracelet.do("sos", 20)
    before, after = worn.bracelet.promises()
    assert (before.gone, after.gone, after.number) == ("battery", "", 1)
    assert before.boot != after.boot


def test_a_dead_one_says_and_hears_nothing() -> None:
    worn = Worn()
    worn.bracelet.do("sos", 0)
    worn.bracelet.do("dead", 0)
    assert worn.until(10_000) == []
    assert (worn.bracelet.step(b"", 10_000), worn.bracelet.pending(), worn.bracelet.mute()) == (b"", 0, True)
    worn.bracelet.do("alive", 10_000)
    assert len(worn.readings(10_001)) == 1


@given(st.integers(0, 1000))
def test_on_a_garbled_port_calls_come_through_and_nothing_else_is_raised(seed: int) -> None:
    worn = Worn(seed)
    worn.bracelet.do("garble", 0)
    worn.bracelet.do("sos", 0)
    (promise,) = worn.bracelet.promises()
    heard = worn.readings(60_000)
    assert {one.source for one in heard} == {Source(promise.boot, 1)}
    assert sum(worn.link.counters.values()) > 10


@given(
    st.builds(
        Position,
        st.integers(-LATITUDE_E7_MAX, LATITUDE_E7_MAX),
        st.integers(-LONGITUDE_E7_MAX, LONGITUDE_E7_MAX),
        st.just(0),
        st.integers(0, 900).map(lambda half: half * 5),
        st.integers(1, 5),
        st.integers(1, 40),
    ).filter(lambda position: any(position[:2])),
    st.datetimes(datetime(2000, 1, 1), datetime(2099, 12, 31)),
)
def test_what_it_says_of_a_position_is_that_position(position: Position, when: datetime) -> None:
    receiver = nmea.Receiver()
    said = [nmea.parse(text) for text in nmea.Scanner().feed(b"".join(located(position, when.replace(tzinfo=UTC))))]
    found = [receiver.take(one, 0) for one in said if isinstance(one, nmea.Located)]
    assert found == [None, position]


def test_a_recording_is_said_a_piece_a_second_and_then_no_more() -> None:
    bracelet = Bracelet("bracelet-1", 1, 0, UTC_MS, recording=[b"one", b"two"])
    said = [bracelet.step(b"", now) for now in range(1000, 5000, 1000)]
    assert [one.partition(b"$")[0] for one in said] == [b"one", b"two", b"", b""]


def seconds(worn: Worn, end_ms: int) -> list[int]:
    """How far apart its fixes are until then, in whole s."""
    said = []
    while (due := worn.bracelet.deadline(worn.now)) is not None and due <= end_ms:
        worn.now = max(worn.now, due)
        if b"RMC" in worn.bracelet.step(b"", worn.now):
            said.append(worn.now)
    return [round((later - earlier) / 1000) for earlier, later in pairwise(said)]


def test_at_rest_it_speaks_once_a_minute_and_each_second_while_it_walks_or_holds_a_call() -> None:
    worn = Worn()
    worn.bracelet = Bracelet("bracelet-1", 1, 0, UTC_MS, rest_ms=60_000)
    seconds(worn, 2 * STIRRED_MS)
    assert set(seconds(worn, 1_000_000)) == {60}
    worn.bracelet.do("go_out", worn.now, distance_m=120)
    assert not worn.bracelet.resting()
    assert set(seconds(worn, worn.now + 100_000)) == {1}
    seconds(worn, worn.now + 2 * STIRRED_MS)
    assert worn.bracelet.resting()
    assert set(seconds(worn, worn.now + 600_000)) == {60}
    worn.bracelet.do("sos", worn.now)
    assert set(seconds(worn, worn.now + 600_000)) == {1}


def test_its_exit_stands_as_soon_as_its_fixes_leave_no_doubt() -> None:
    worn = Worn()
    worn.bracelet = Bracelet("bracelet-1", 1, 0, UTC_MS, fence_m=100)
    assert worn.bracelet.unclear() == {"fence_exit"}
    worn.bracelet.do("go_out", 0)
    worn.until(300_000)
    assert worn.bracelet.standing() == frozenset()
    worn.until(600_000)
    assert (worn.bracelet.standing(), worn.bracelet.unclear()) == ({"fence_exit"}, frozenset())
    worn.bracelet.forget()
    assert (worn.bracelet.standing(), worn.bracelet.unclear()) == (frozenset(), {"fence_exit"})
