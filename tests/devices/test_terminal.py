"""A terminal's turn, over both real ends of the wire, in virtual time."""

from __future__ import annotations

import random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from devices.button import DEBOUNCE_MS, Button
from devices.door import Door
from devices.flood import Flood
from devices.gas import WARM_UP_MS, Gas
from devices.logic import NO_SAMPLE, Logic
from devices.motion import HOLD_MS, Motion
from devices.smoke import Smoke
from devices.sounder import ALARMS, LIGHTS, TEMPORAL_3, Sounder
from devices.terminal import RECEIVED_SHOWN_MS, Terminal
from protocol.wire import codes
from protocol.wire.gateway_end import GatewayEnd
from protocol.wire.messages import Event, Heartbeat
from protocol.wire.terminal_end import TerminalEnd

ADDRESS = 7
KEY = b"k" * 32
STEP_MS = 10


class Line:
    """A terminal and a gateway joined by a line that can be cut; time passes in steps of STEP_MS."""

    def __init__(self, logic: Logic):
        self.now = 1000
        dice = random.Random(1)
        self.terminal = Terminal(TerminalEnd(ADDRESS, logic.KIND, KEY, dice.randbytes, self.now), logic)
        self.gateway = GatewayEnd({ADDRESS: KEY}, dice.randbytes)
        self.cut = False
        self.acknowledging = True
        self.messages: list[Any] = []
        self.shown: list[str] = []
        self.conditions = 0
        self.battery_pct = 90
        self._to_terminal = b""

    def turn(self, sample: int | None = None) -> None:
        data, self._to_terminal = self._to_terminal, b""
        sent = self.terminal.step(data, sample, self.conditions, self.battery_pct, self.now)
        if self.terminal.indication != (self.shown or [""])[-1]:
            self.shown.append(self.terminal.indication)
        for message in self.gateway.receive(b"" if self.cut else sent, self.now):
            self.messages.append(message)
            if isinstance(message, Event) and self.acknowledging:
                self.gateway.acknowledge(ADDRESS, message.boot, message.number)
        answer = self.gateway.poll(self.now)
        self._to_terminal = b"" if self.cut else answer
        self.now += STEP_MS

    def run(self, ms: int, sample: int | None = None) -> None:
        for _ in range(ms // STEP_MS):
            self.turn(sample)

    def press(self) -> None:
        self.run(100, sample=1)
        self.run(100, sample=0)

    def events(self) -> list[tuple[int, int]]:
        return [(m.phase, m.value) for m in self.messages if isinstance(m, Event)]


RAISED, RESTORED = codes.PHASES.index("raised"), codes.PHASES.index("restored")


def test_a_press_shows_sending_then_received_then_idle() -> None:
    line = Line(Button())
    line.run(2000)
    line.acknowledging = False
    line.press()
    assert line.shown == ["idle", "sending"]
    event = next(m for m in line.messages if isinstance(m, Event))
    assert (event.kind, event.phase, event.value, event.battery) == (codes.KINDS.index("button"), RAISED, 1, 90)
    line.gateway.acknowledge(ADDRESS, event.boot, event.number)
    line.run(1000)
    assert line.shown == ["idle", "sending", "received"]
    assert line.terminal.deadline() <= line.now + RECEIVED_SHOWN_MS
    line.run(RECEIVED_SHOWN_MS)
    assert line.shown == ["idle", "sending", "received", "idle"]


def test_a_standing_alarm_shows_above_all_else_until_it_is_restored() -> None:
    line = Line(Smoke())
    line.run(2000)
    line.run(10_000, sample=500)
    assert line.shown == ["idle", "alarm"]
    line.run(62_000, sample=0)
    assert line.shown[:3] == ["idle", "alarm", "sending"]
    assert line.events() == [(RAISED, 500), (RESTORED, 0)]


def test_events_made_while_the_line_is_cut_arrive_in_order_when_it_is_back() -> None:
    line = Line(Button())
    line.run(2000)
    line.cut = True
    for _ in range(5):
        line.press()
    line.run(60_000)
    assert line.events() == []
    assert line.shown[-1] == "sending"
    line.cut = False
    line.run(60_000)
    assert line.events() == [(RAISED, n) for n in range(1, 6)]
    ages = [m.age_ms for m in line.messages if isinstance(m, Event)]
    assert min(ages) >= 60_000


def test_a_change_of_conditions_is_told_at_once() -> None:
    line = Line(Smoke())
    line.run(5000)
    for bits, change in (
        (codes.TAMPER, {"conditions": codes.TAMPER}),
        (codes.TAMPER | codes.BATTERY_LOW, {"conditions": codes.TAMPER | codes.BATTERY_LOW}),
        (0, {"conditions": 0}),
    ):
        line.messages.clear()
        vars(line).update(change)
        line.run(1000)
        assert [m.conditions for m in line.messages if isinstance(m, Heartbeat)][:1] == [bits]
    line.messages.clear()
    line.turn(sample=NO_SAMPLE)
    line.run(1000)
    assert [m.conditions for m in line.messages if isinstance(m, Heartbeat)][:1] == [codes.SENSOR_FAULT]
    assert line.shown[-1] == "fault"


def test_samples_alone_do_not_make_a_terminal_talk() -> None:
    line = Line(Smoke())
    line.run(5000)
    line.messages.clear()
    for value in range(100):
        line.turn(sample=value)
    assert line.messages == []


def test_the_deadline_is_never_later_than_the_sensors() -> None:
    line = Line(Button())
    line.run(2000)
    line.turn(sample=1)
    assert line.terminal.deadline() <= line.now - STEP_MS + DEBOUNCE_MS


def test_the_test_button_makes_a_test_event_of_what_the_terminal_is_there_for() -> None:
    for logic, kind in ((Smoke(), "smoke"), (Motion(warm=True), "inactivity"), (Door(), "inactivity")):
        line = Line(logic)
        line.run(2000)
        line.terminal.test(line.now)
        assert line.terminal.deadline() <= line.now
        line.run(1000)
        (event,) = [m for m in line.messages if isinstance(m, Event)]
        assert (event.kind, event.phase) == (codes.KINDS.index(kind), codes.PHASES.index("test"))


def test_a_low_battery_and_warming_up_are_shown_below_a_fault() -> None:
    line = Line(Gas())
    line.run(1000, sample=0)
    assert line.shown[-1] == "warming"
    line.conditions = codes.BATTERY_LOW
    line.run(100)
    assert line.shown[-1] == "battery"
    line.run(WARM_UP_MS)
    line.run(100, sample=NO_SAMPLE)
    assert line.shown[-1] == "fault"


def test_the_buzzer_sounds_though_no_gateway_is_there() -> None:
    for logic, sample in ((Smoke(), 500), (Gas(warm=True), 500), (Flood(), 500)):
        line, sounder = Line(logic), Sounder(logic.KIND)
        line.cut = True
        line.run(30_000, sample=sample)
        sounder.show(line.terminal.standing, line.terminal.indication, logic.value(), line.now)
        assert sounder.sound == ALARMS[logic.KIND]
        assert sounder.buzzes(line.now)
    assert ALARMS[codes.KINDS.index("smoke")] == TEMPORAL_3


def test_a_sign_of_life_is_told_at_once_and_then_at_most_once_a_minute() -> None:
    line = Line(Motion(warm=True))
    line.run(2000)
    line.messages.clear()
    line.run(200, sample=1)
    first = next(m for m in line.messages if isinstance(m, Heartbeat))
    assert (first.conditions, first.value) == (codes.ACTIVE, 0)
    line.messages.clear()
    for _ in range(150):  # five minutes of somebody who comes and goes every two seconds
        line.run(1000, sample=1)
        line.run(1000, sample=0)
    told = [m for m in line.messages if isinstance(m, Heartbeat)]
    assert all(m.conditions == codes.ACTIVE for m in told)
    assert len(told) <= 300_000 // HOLD_MS + 1  # those that come anyway


def test_a_door_that_is_moved_is_told_at_once() -> None:
    line = Line(Door())
    line.run(2000, sample=0)
    for level, bits in ((1, codes.ACTIVE), (0, 0)):
        line.messages.clear()
        line.run(1000, sample=level)
        told = [(m.conditions, m.value) for m in line.messages if isinstance(m, Heartbeat)]
        assert told == [(bits, 0)]


@given(
    st.lists(
        st.tuples(
            st.binary(max_size=80),
            st.one_of(st.none(), st.integers()),
            st.integers(0, 255),
            st.integers(0, 255),
            st.integers(0, 20_000),
        ),
        max_size=30,
    )
)
def test_any_bytes_samples_and_conditions_never_raise(
    turns: list[tuple[bytes, int | None, int, int, int]],
) -> None:
    for logic in (Smoke(), Button(), Gas(), Flood(), Motion(), Door()):
        now = 0
        terminal = Terminal(TerminalEnd(ADDRESS, logic.KIND, KEY, random.Random(2).randbytes, now), logic)
        for received, sample, conditions, battery_pct, wait in turns:
            now += wait
            assert isinstance(terminal.step(received, sample, conditions, battery_pct, now), bytes)
            assert terminal.indication in LIGHTS
