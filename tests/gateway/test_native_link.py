"""The native link against terminals' own code, without a port: bytes and the time in, readings and answers out."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.bridges.native_link import ACKNOWLEDGEMENTS_MAX, NativeLink, heartbeat_s
from gateway.bridges.strangers import Stranger
from gateway.config import TerminalConfig
from gateway.home.messages import Alive, Doubt, Input, Reading, Sign
from protocol.record import Source
from protocol.wire import codes, frame, messages
from protocol.wire.terminal_end import TerminalEnd
from protocol.words import SIGNS

KEY = bytes(range(32))
SMOKE, BUTTON = codes.KINDS.index("smoke"), codes.KINDS.index("button")
RAISED, UPDATED = codes.PHASES.index("raised"), codes.PHASES.index("updated")
TERMINALS = [
    TerminalConfig("smoke-1", "smoke", "kitchen", "native", 1001, KEY, 200),
    TerminalConfig("button-1", "button", "bedroom", "native", 1002, KEY, 200),
]


class Line:
    """A link and its two terminals, which hear each other too."""

    def __init__(self) -> None:
        self.link = NativeLink(TERMINALS, Random(2).randbytes)
        self.smoke = TerminalEnd(1001, SMOKE, KEY, Random(3).randbytes, 0)
        self.button = TerminalEnd(1002, BUTTON, KEY, Random(4).randbytes, 0)

    def turn(self, now_ms: int) -> list[Input]:
        """Both terminals speak, the gateway answers."""
        up = self.smoke.poll(now_ms) + self.button.poll(now_ms)
        heard = self.link.receive(up, now_ms)
        down = self.link.poll(now_ms)
        for end in (self.smoke, self.button):
            end.receive(down, now_ms)
        return heard


def met() -> Line:
    line = Line()
    for now_ms in range(4):
        line.turn(now_ms)
    return line


def test_a_terminal_is_alive_with_its_session_and_with_each_heartbeat() -> None:
    line = Line()
    assert line.turn(0) == []  # a hello may be a replay
    boots = {"smoke-1": line.smoke.boot, "button-1": line.button.boot}
    said = [Alive(name, False, False, False, alarm=False, boot=boot, value=0) for name, boot in boots.items()]
    assert line.turn(1) == [Alive("smoke-1"), said[0], Alive("button-1"), said[1]]
    line.button.conditions(codes.TAMPER | codes.BATTERY_LOW, 12, 7)
    assert line.turn(1000) == [Alive("button-1", True, True, False, 12, False, line.button.boot, value=7)]


def test_a_heartbeat_says_whether_the_alarm_stands_once_no_event_is_on_its_way() -> None:
    line = met()
    line.smoke.conditions(codes.ALARM_STANDING, 50, 321)
    number = line.smoke.offer(SMOKE, RAISED, 321, 1000)
    heard = [one for ms in (1010, 1020) for one in line.turn(ms) if isinstance(one, Alive)]
    assert heard
    assert all(one.alarm is None for one in heard)
    line.link.acknowledge("smoke-1", Source(line.smoke.boot, number))
    line.turn(1030)
    line.smoke.conditions(codes.ALARM_STANDING | codes.TAMPER, 50, 321)
    (alive,) = line.turn(2000)
    assert isinstance(alive, Alive)
    assert alive.alarm is True


def test_an_event_comes_before_its_conditions_and_is_repeated_until_acknowledged() -> None:
    line = met()
    line.smoke.conditions(codes.SENSOR_FAULT, 50, 321)
    number = line.smoke.offer(SMOKE, RAISED, 321, 1000)
    source = Source(line.smoke.boot, number)
    reading, alive = line.turn(1010)[:2]
    assert reading == Reading("smoke-1", "smoke", "raised", "held", source, 10, {"obscuration_mdb_m": 321})
    assert alive == Alive("smoke-1", False, False, True, 50, boot=line.smoke.boot)
    line.turn(2000)
    assert line.smoke.pending() == 1
    line.link.acknowledge("smoke-1", source)
    line.turn(2001)
    assert line.smoke.pending() == 0
    assert line.link.counters["repeats"] == 1


def test_an_acknowledgement_makes_the_next_poll_due_at_once() -> None:
    line = met()
    line.button.offer(BUTTON, RAISED, 1, 1000)
    line.turn(1000)
    assert line.link.deadline() is None
    line.link.acknowledge("button-1", Source(line.button.boot, 1))
    due_ms = line.link.deadline()
    assert due_ms is not None
    assert due_ms <= 1000
    assert line.link.poll(1001)
    assert line.link.deadline() is None


def test_acknowledgements_that_nobody_fetches_are_bounded() -> None:
    line = met()
    for number in range(3 * ACKNOWLEDGEMENTS_MAX):
        line.link.acknowledge("smoke-1", Source(line.smoke.boot, number + 1))
    line.link.poll(1000)
    assert line.link.counters["acks_unknown"] == ACKNOWLEDGEMENTS_MAX


def test_only_its_own_terminals_are_served_and_acknowledged() -> None:
    link = NativeLink(TERMINALS, Random(1).randbytes)
    assert [link.serves(name) for name in ("smoke-1", "button-1", "smoke-2")] == [True, True, False]
    with pytest.raises(KeyError):
        link.acknowledge("smoke-2", Source(1, 1))


def test_an_event_that_nobody_can_verify_is_a_doubt_if_it_could_be_an_alarm() -> None:
    line = met()

    def forged(kind: int) -> bytes:
        return frame.wrap(messages.seal(bytes(32), messages.EVENT, 1001, 99, (5, 7, kind, RAISED, 0, 500, 0, 255)))

    assert line.link.receive(forged(SMOKE), 1000) == [Doubt("smoke-1", "smoke", "raised", Source(5, 7), "bad_tag")]
    assert line.link.receive(forged(len(codes.KINDS)), 1001) == []


@pytest.mark.parametrize(
    ("silences_s", "wanted_s"), [([], 66), ([200, 200], 66), ([200, 90], 30), ([7200], 2400), ([10], 3)]
)
def test_terminals_are_heard_thrice_before_one_counts_as_silent(silences_s: list[int], wanted_s: int) -> None:
    terminals = [TerminalConfig(f"t-{n}", "smoke", "", "native", n + 1, KEY, s) for n, s in enumerate(silences_s)]
    assert heartbeat_s(terminals) == wanted_s


def test_a_terminal_that_warms_up_does_not_say_that_its_alarm_is_over() -> None:
    line = met()
    line.smoke.conditions(codes.WARMING_UP, 50, 0)
    (alive,) = line.turn(1000)
    assert isinstance(alive, Alive)
    assert (alive.alarm, alive.value) == (None, None)


class Watch:
    """A link and one terminal that watches for life."""

    def __init__(self, kind: str) -> None:
        self.kind = codes.KINDS.index(kind)
        self.link = NativeLink([TerminalConfig("watch-1", kind, "hall", "native", 7, KEY, 200)], Random(2).randbytes)
        self.end = TerminalEnd(7, self.kind, KEY, Random(3).randbytes, 0)
        for now_ms in range(4):
            self.turn(now_ms)

    def turn(self, now_ms: int) -> list[Input]:
        heard = self.link.receive(self.end.poll(now_ms), now_ms)
        self.end.receive(self.link.poll(now_ms), now_ms)
        return heard


def test_heartbeats_of_motion_and_door_are_signs_with_their_age_and_how_the_door_stands() -> None:
    for kind, bits, value, sign in (
        ("motion", codes.ACTIVE, 0, Sign("watch-1", 0)),
        ("motion", codes.TAMPER, 90, Sign("watch-1", 90_000)),
        ("motion", codes.WARMING_UP, -1, Sign("watch-1", None)),
        ("door", codes.ACTIVE, 3, Sign("watch-1", 3000, True)),
        ("door", codes.TAMPER, -1, Sign("watch-1", None, False)),
    ):
        watch = Watch(kind)
        watch.end.conditions(bits, 50, value)
        heard, alive = watch.turn(1000)
        assert heard == sign
        assert isinstance(alive, Alive)


@pytest.mark.parametrize("kind", [*range(1, len(codes.KINDS)), 200])
def test_no_event_of_a_motion_sensor_waits_for_ever(kind: int) -> None:
    watch = Watch("motion")
    number = watch.end.offer(kind, RAISED, 0, 1000)
    readings = [one for one in watch.turn(1000) if isinstance(one, Reading)]
    watch.turn(1001)
    if not readings:
        assert watch.end.pending() == 0
    else:
        assert readings[0].kind == codes.KINDS[kind]
        watch.link.acknowledge("watch-1", Source(watch.end.boot, number))


@given(st.integers(0, 255), st.integers(0, 255), st.integers(0, 255))
def test_a_genuine_event_of_any_kind_phase_and_condition_becomes_a_reading(kind: int, phase: int, bits: int) -> None:
    line = met()
    line.smoke.conditions(bits, 255, 0)
    line.smoke.offer(kind, phase, 0, 1000)
    reading, alive = line.turn(1000)[:2]
    assert isinstance(reading, Reading)
    fault, worn_out = bool(bits & codes.SENSOR_FAULT), bool(bits & codes.END_OF_LIFE)
    expected = Alive("smoke-1", bool(bits & 1), bool(bits & 2), fault, boot=line.smoke.boot, end_of_life=worn_out)
    assert alive == expected
    known = 0 < kind < len(codes.KINDS) and 0 < phase < len(codes.PHASES) and codes.KINDS[kind] not in SIGNS
    named = (codes.KINDS[kind], codes.PHASES[phase]) if known else ("smoke", "raised")
    assert (reading.kind, reading.phase) == named
    assert line.link.counters["unknown_kind_or_phase"] == 1 - known


@given(st.lists(st.binary(max_size=80), max_size=20))
def test_no_bytes_make_it_raise_or_tell_of_anything(pieces: list[bytes]) -> None:
    line = met()
    for now_ms, piece in enumerate(pieces, 1000):
        assert line.link.receive(piece + b"\0", now_ms) == []
        assert line.link.poll(now_ms) == b""
    line.smoke.offer(SMOKE, UPDATED, 1, 2000)
    assert isinstance(line.turn(2000)[0], Reading)


def test_one_that_insists_on_being_let_in_is_told_of_by_its_address_and_the_name_that_it_takes() -> None:
    line, told = met(), []
    strangers = [TerminalEnd(a, SMOKE, key, Random(5).randbytes, 4) for a, key in ((1001, bytes(32)), (4711, KEY))]
    for now_ms in range(4, 80_000):
        told += [line.link.receive(stranger.poll(now_ms), now_ms) for stranger in strangers]
        if now_ms == 60_003:
            assert not any(told)
    assert {one for some in told for one in some} == {Stranger(1001, "smoke-1"), Stranger(4711, "")}
    assert (line.link.counters["bad_tag"], line.link.counters["foreign"]) > (10, 10)
