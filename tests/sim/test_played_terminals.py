"""Played terminals against the gateway's end of the link, in virtual time: what was promised and what was kept."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest

from devices.gas import WARM_UP_MS
from protocol.wire import codes
from protocol.wire.gateway_end import GatewayEnd
from protocol.wire.messages import Event, Heartbeat
from sim.line import Faults, Line
from sim.terminals import Played, Promise

KEY = bytes(range(32))
TURN_MS = 10


class Wire:
    """One played terminal, a line, and a gateway that acknowledges every event at once."""

    def __init__(self, kind: str, seed: int = 1):
        self.now = 1_000_000
        self.terminal = Played("t-1", kind, 1001, KEY, seed, self.now)
        self.line = Line(seed)
        self.gateway = GatewayEnd({1001: KEY}, Random(seed).randbytes)
        self.acknowledges = True
        self.said: list[object] = []
        self._down = b""

    def run(self, ms: int) -> None:
        for _ in range(ms // TURN_MS):
            up = self.line.up.carry(self.terminal.step(self._down, self.now), self.now)
            for message in self.gateway.receive(up, self.now):
                self.said.append(message)
                if isinstance(message, Event) and self.acknowledges:
                    self.gateway.acknowledge(message.address, message.boot, message.number)
            self._down = self.line.down.carry(self.gateway.poll(self.now), self.now)
            self.now += TURN_MS

    def events(self) -> list[Event]:
        return [message for message in self.said if isinstance(message, Event)]

    def promises(self) -> list[Promise]:
        return self.terminal.promises()


def test_each_press_is_promised_delivered_and_acknowledged_in_order() -> None:
    wire = Wire("button")
    wire.run(1000)
    wire.terminal.do("press", wire.now, presses=3, every_ms=400)
    wire.run(3000)
    assert [event.number for event in wire.events()] == [promise.number for promise in wire.promises()] == [1, 2, 3]
    assert all(promise.acknowledged_ms is not None for promise in wire.promises())
    assert wire.terminal.online()
    assert wire.terminal.pending() == 0


def test_a_promise_stays_open_until_the_gateway_acknowledges() -> None:
    wire = Wire("button")
    wire.acknowledges = False
    wire.run(1000)
    wire.terminal.do("press", wire.now)
    wire.run(2000)
    assert [promise.acknowledged_ms for promise in wire.promises()] == [None]
    assert wire.terminal.pending() == 1


def test_presses_through_a_bad_line_come_once_each() -> None:
    wire = Wire("button", seed=3)
    wire.line.set_faults(Faults(loss=0.4, repeat=0.3, flip=0.1, noise=5.0))
    wire.terminal.do("press", wire.now, presses=10, every_ms=1000)
    wire.run(60_000)
    assert [event.number for event in wire.events()] == list(range(1, 11))
    assert all(promise.acknowledged_ms is not None for promise in wire.promises())


def test_smoke_follows_its_curve_to_the_alarm_and_back() -> None:
    wire = Wire("smoke")
    wire.terminal.do("flaming", wire.now)
    wire.run(10_000)
    wire.terminal.do("clearing", wire.now)
    wire.run(80_000)
    assert [(promise.kind, promise.phase) for promise in wire.promises()] == [
        ("smoke", "raised"),
        ("smoke", "restored"),
    ]


@pytest.mark.parametrize(("kind", "begins", "ends"), [("gas", "hose", "airing"), ("flood", "burst", "draining")])
def test_gas_and_flood_follow_their_curves_to_the_alarm_and_back(kind: str, begins: str, ends: str) -> None:
    wire = Wire(kind)
    wire.terminal.do(begins, wire.now)
    wire.run(320_000)
    assert wire.terminal.standing() == {kind}
    wire.terminal.do(ends, wire.now)
    wire.run(400_000)
    assert [(promise.kind, promise.phase) for promise in wire.promises()] == [(kind, "raised"), (kind, "restored")]


def test_a_long_press_takes_back_the_call_before_it() -> None:
    wire = Wire("button")
    wire.terminal.do("press", wire.now)
    wire.terminal.do("long_press", wire.now)
    assert not wire.terminal.resting()
    wire.run(8000)
    assert wire.terminal.resting()
    assert [promise.phase for promise in wire.promises()] == ["raised", "raised", "restored"]


def test_a_gas_alarm_that_lost_its_power_is_cold_and_one_that_browned_out_is_warm() -> None:
    for mishap, cold in (("battery_changed", True), ("brown_out", False)):
        wire = Wire("gas")
        wire.run(1000)
        wire.terminal.do(mishap, wire.now)
        wire.run(60_000)
        wire.terminal.do("steady", wire.now)
        wire.run(2000)
        last = [message for message in wire.said if isinstance(message, Heartbeat)][-1]
        assert bool(last.conditions & codes.WARMING_UP) is cold


def test_whoever_passes_and_a_door_that_is_opened_are_told_and_promise_nothing() -> None:
    for kind, action in (("motion", "pass"), ("door", "open")):
        wire = Wire(kind)
        wire.run(2000)
        wire.terminal.do(action, wire.now)
        wire.run(1000)
        last = [message for message in wire.said if isinstance(message, Heartbeat)][-1]
        assert (last.conditions, last.value) == (codes.ACTIVE, 0)
        wire.run(10_000)
        assert wire.terminal.resting()
        assert wire.promises() == []


def test_a_door_that_stands_open_when_it_starts_was_not_moved() -> None:
    wire = Wire("door")
    wire.terminal.do("open", wire.now)
    wire.run(2000)
    wire.terminal.do("battery_changed", wire.now)
    wire.run(2000)
    last = [message for message in wire.said if isinstance(message, Heartbeat)][-1]
    assert (last.conditions, last.value) == (codes.ACTIVE, -1)


def test_a_dead_terminal_says_nothing_and_goes_on_when_alive() -> None:
    wire = Wire("button")
    wire.run(1000)
    wire.terminal.do("dead", wire.now)
    before = len(wire.said)
    wire.terminal.do("press", wire.now)
    wire.run(5000)
    assert len(wire.said) == before
    wire.terminal.do("alive", wire.now)
    wire.run(70_000)  # a heartbeat is due every 60 s
    assert len(wire.said) > before


def test_what_a_pulled_battery_loses_is_gone_and_a_new_boot_is_another_name() -> None:
    wire = Wire("button")
    wire.acknowledges = False
    wire.run(1000)
    wire.terminal.do("press", wire.now)
    wire.run(1000)
    wire.terminal.do("battery_changed", wire.now)
    wire.acknowledges = True
    wire.run(1000)
    wire.terminal.do("press", wire.now)
    wire.run(2000)
    lost, kept = wire.promises()
    assert (lost.gone, lost.acknowledged_ms) == ("battery", None)
    assert kept.boot != lost.boot
    assert kept.acknowledged_ms is not None


def test_what_a_full_queue_crowds_out_is_noted_and_not_taken_for_acknowledged() -> None:
    wire = Wire("button")
    wire.acknowledges = False
    wire.terminal.do("press", wire.now, presses=40, every_ms=300)
    wire.run(20_000)
    gone = [promise for promise in wire.promises() if promise.gone]
    assert len(wire.promises()) == 40
    assert wire.terminal.pending() == 40 - len(gone)
    assert {promise.gone for promise in gone} == {"crowded"}
    assert all(promise.acknowledged_ms is None for promise in wire.promises())


def test_tamper_and_a_low_battery_come_with_the_heartbeat() -> None:
    wire = Wire("smoke")
    wire.terminal.do("tamper", wire.now)
    wire.terminal.do("battery_low", wire.now)
    wire.run(2000)
    last = [message for message in wire.said if isinstance(message, Heartbeat)][-1]
    assert last.conditions & codes.TAMPER
    assert last.conditions & codes.BATTERY_LOW
    assert last.battery < 20


def test_what_the_sensors_see_is_kept_once_somebody_watches() -> None:
    smoke = Wire("smoke")
    smoke.run(2000)
    assert not smoke.terminal.samples
    smoke.terminal.watch()
    begun = smoke.now
    smoke.terminal.do("flaming", smoke.now)
    smoke.run(3000)
    assert [(at - begun, value) for at, value in smoke.terminal.samples] == [(0, 0), (1000, 800), (2000, 801)]


def test_of_a_contact_only_its_moves_are_kept() -> None:
    button = Wire("button")
    button.terminal.watch()
    button.run(500)
    begun = button.now
    button.terminal.do("press", button.now)
    button.run(1000)
    moves = [(at - begun, value) for at, value in button.terminal.samples]
    assert moves == [(0, 0), (0, 1), (150, 1), (150, 0)]


def test_a_stuck_button_calls_once_and_is_then_a_sensor_fault() -> None:
    wire = Wire("button")
    wire.terminal.do("stuck_button", wire.now, strength=3)
    wire.run(9000)
    assert [promise.phase for promise in wire.promises()] == ["raised"]
    assert wire.terminal.standing() == frozenset()
    wire.run(3000)
    assert wire.terminal.standing() == {"sensor_fault"}
    wire.run(60_000)
    assert [promise.phase for promise in wire.promises()] == ["raised"]
    assert wire.terminal.standing() == frozenset()


def test_a_fault_of_the_chamber_is_of_its_seed_and_ends_when_it_is_healed() -> None:
    def seen(seed: int) -> list[tuple[int, int]]:
        wire = Wire("smoke", seed)
        wire.terminal.watch()
        wire.terminal.do("high_noise", wire.now, strength=5, sign=1)
        wire.run(20_000)
        wire.terminal.do("none", wire.now)
        wire.run(3000)
        return list(wire.terminal.samples)

    assert seen(1) == seen(1) != seen(2)
    assert len({value for _, value in seen(1)}) > 5
    assert [value for _, value in seen(1)][-3:] == [0, 0, 0]


def test_a_terminal_whose_supply_sags_starts_again_and_again_and_is_well_afterwards() -> None:
    wire = Wire("button")
    wire.terminal.do("brown_out", wire.now)
    wire.terminal.do("press", wire.now, presses=200, every_ms=500)
    wire.acknowledges = False
    wire.run(60_000)
    wire.acknowledges = True
    wire.run(60_000)
    wire.terminal.do("steady", wire.now)
    wire.run(10_000)
    boots = {promise.boot for promise in wire.promises()}
    assert len(boots) > 5
    assert {promise.gone for promise in wire.promises() if promise.acknowledged_ms is None} == {"brown_out", "crowded"}
    delivered = [(event.boot, event.number) for event in wire.events()]
    assert len(set(delivered)) == len(delivered)
    assert wire.terminal.online()
    assert wire.terminal.resting()


def test_while_its_supply_is_down_it_hears_and_says_nothing() -> None:
    wire = Wire("button")
    wire.run(1000)
    wire.terminal.do("brown_out", wire.now)
    silent = 0
    for _ in range(60_000):
        if not wire.terminal.step(b"", wire.now) and not wire.terminal.online():
            silent += 1
        wire.now += 1
    assert silent > 500


def test_a_wild_terminal_floods_the_line_with_its_own_key_and_nothing_of_it_is_lost_but_what_its_queue_drops() -> None:
    wire = Wire("button")
    wire.run(1000)
    wire.terminal.do("babble", wire.now)
    wire.run(5000)
    wire.terminal.do("quiet", wire.now)
    wire.run(5000)
    assert len(wire.events()) > 100
    assert sum(isinstance(message, Heartbeat) for message in wire.said) > 100
    delivered = {event.number for event in wire.events()}
    assert all(promise.number in delivered or promise.gone == "crowded" for promise in wire.promises())
    assert (wire.terminal.pending(), wire.terminal.online(), wire.terminal.resting()) == (0, True, True)


def test_a_wild_smoke_alarm_ends_by_saying_what_is_so() -> None:
    for curve, last in (("clear", "restored"), ("flaming", "raised")):
        wire = Wire("smoke")
        wire.terminal.do(curve, wire.now)
        wire.run(10_000)
        wire.terminal.do("babble", wire.now)
        wire.run(1990)
        wire.terminal.do("quiet", wire.now)
        wire.run(5000)
        assert codes.PHASES[wire.events()[-1].phase] == last
        assert len(wire.events()) > 20


def test_a_twin_has_the_same_address_and_a_boot_and_presses_of_its_own() -> None:
    wire = Wire("button")
    wire.run(1000)
    wire.terminal.do("twin", wire.now)
    wire.terminal.do("press", wire.now, presses=50, every_ms=12_000)
    wire.run(600_000)
    assert not wire.terminal.resting()
    wire.terminal.do("untwin", wire.now)
    wire.run(30_000)
    by_boot = Counter(promise.boot for promise in wire.promises())
    assert sorted(by_boot.values())[-1] == 50
    assert 3 <= sorted(by_boot.values())[0] <= 25
    delivered = Counter((event.boot, event.number) for event in wire.events())
    assert set(delivered.values()) == {1}
    kept = {(promise.boot, promise.number) for promise in wire.promises() if promise.acknowledged_ms is not None}
    assert kept <= set(delivered)
    assert {promise.gone for promise in wire.promises() if promise.acknowledged_ms is None} <= {"removed"}
    assert wire.terminal.online()


def test_the_twin_of_a_dead_terminal_lives_and_the_address_is_not_mute() -> None:
    wire = Wire("button")
    wire.run(1000)
    assert not wire.terminal.mute()
    wire.terminal.do("twin", wire.now)
    wire.terminal.do("dead", wire.now)
    wire.said.clear()
    wire.run(100_000)
    assert any(isinstance(message, Heartbeat) for message in wire.said)
    assert not wire.terminal.mute()
    wire.terminal.do("untwin", wire.now)
    assert wire.terminal.mute()
    assert wire.terminal.deadline(wire.now) is None


def test_a_recording_that_is_played_back_makes_a_dead_terminal_no_sign_of_life() -> None:
    wire = Wire("button")
    wire.terminal.do("press", wire.now, presses=3)
    wire.run(200_000)
    wire.terminal.do("dead", wire.now)
    wire.run(1000)
    wire.said.clear()
    wire.line.do("mimic", {})
    wire.run(60_000)
    assert wire.said == []
    assert wire.line.up.counters["mimicked"] > 100


@pytest.mark.parametrize("kind", ["button", "smoke", "gas", "flood"])
@pytest.mark.parametrize("mishap", ["brown_out", "babble", "twin"])
@pytest.mark.parametrize("life", ["dead", "alive"])
def test_a_terminal_with_a_mishap_asks_for_no_turn_in_the_past(kind: str, mishap: str, life: str) -> None:
    wire = Wire(kind)
    wire.run(1000)
    wire.terminal.do(mishap, wire.now)
    wire.terminal.do(life, wire.now)
    for _ in range(2000):
        wire.terminal.step(b"", wire.now)
        due = wire.terminal.deadline(wire.now)
        if due is None:
            break
        assert due > wire.now
        wire.now = due


def test_a_worn_out_sensor_is_a_fault_that_stands_until_it_is_replaced() -> None:
    for kind in ("smoke", "gas"):
        wire = Wire(kind)
        wire.run(1000)
        wire.terminal.do("worn_out", wire.now)
        wire.run(1000)
        wire.terminal.do("battery_changed", wire.now)  # does not make it younger
        wire.run(1000)
        assert wire.terminal.standing() == {"sensor_fault"}
        wire.terminal.do("replaced", wire.now)
        wire.run(1000)
        assert wire.terminal.standing() == frozenset()


def test_a_gas_alarm_does_not_rest_before_it_is_warm() -> None:
    wire = Wire("gas")
    wire.run(1000)
    assert wire.terminal.resting()
    wire.terminal.do("battery_changed", wire.now)
    wire.run(WARM_UP_MS - 1000)
    assert not wire.terminal.resting()
    wire.run(2000)
    assert wire.terminal.resting()


def test_a_sign_of_life_is_as_old_as_it_is_whenever_its_turn_was() -> None:
    wire = Wire("door")
    wire.run(1000)
    assert wire.terminal.sign() == (None, False)
    opened_ms = wire.now
    wire.terminal.do("open", opened_ms)
    wire.run(30_000)
    last_ms, is_open = wire.terminal.sign()
    assert last_ms is not None
    assert 0 <= last_ms - opened_ms <= 1000
    assert is_open
