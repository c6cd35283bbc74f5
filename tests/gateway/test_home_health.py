"""The core and the health of sensors: when a fault is an event, what it does to alarms, what outlives a restart."""

from collections.abc import Sequence

from gateway.home.core import Home
from gateway.home.detectors import MINUTE_MS, RAISES
from gateway.home.messages import Alive, Commit, Effect, Reading, Siren
from gateway.home.pace import BURST
from gateway.home.roster import Roster, Terminal
from gateway.home.watch import CLEAR_MS
from protocol.record import Event, Now, Source

ROSTER = Roster(
    (
        Terminal("smoke-1", "smoke", "kitchen", "native"),
        Terminal("smoke-2", "smoke", "hall", "native"),
        Terminal("button-1", "button", "bedroom", "native"),
        Terminal("old-1", "smoke", "bedroom", "native", installed_ms=0),
    )
)


def at(ms: int) -> Now:
    return Now(1_800_000_000_000 + ms, ms)


def new_home(now_ms: int = 0, epoch: int = 1, state: dict[str, bytes] | None = None) -> Home:
    return Home("gw-1", epoch, 7, ROSTER, now=at(now_ms), state=state)


def alive(value: int | None = None, fault: bool | None = False, terminal: str = "smoke-1") -> Alive:
    return Alive(terminal, False, False, fault, value=value)


def events(effects: Sequence[Effect]) -> list[Event]:
    return [event for effect in effects if isinstance(effect, Commit) for event in effect.events]


def stored(*turns: Sequence[Effect]) -> dict[str, bytes]:
    state: dict[str, bytes | None] = {}
    for effect in (effect for effects in turns for effect in effects):
        if isinstance(effect, Commit):
            state.update(effect.state)
    return {key: data for key, data in state.items() if data is not None}


def told(effects: Sequence[Effect]) -> list[tuple[str, str, dict[str, int]]]:
    return [(event.kind, event.phase, dict(event.evidence)) for event in events(effects)]


def beyond(home: Home, now_ms: int = 0) -> list[Effect]:
    """Two readings that no chamber can give, and what came of them."""
    return home.handle(alive(-1), at(now_ms)) + home.handle(alive(-1), at(now_ms + MINUTE_MS))


def test_a_fault_is_raised_with_its_numbers_and_restored_after_an_hour_of_order() -> None:
    home = new_home()
    assert told(beyond(home)) == [("sensor_fault", "raised", {"out_of_range": -1})]
    assert home.terminals(at(MINUTE_MS))[0]["faults"] == ["out_of_range"]
    assert home.terminals(at(MINUTE_MS))[0]["troubles"] == ["sensor_fault"]
    later_ms = 6 * CLEAR_MS + 2 * MINUTE_MS  # until then two are two too many
    for now_ms in range(2 * MINUTE_MS, later_ms, MINUTE_MS):
        assert events(home.handle(alive(5 + now_ms % 7), at(now_ms))) == []
    assert events(home.handle(alive(5), at(later_ms))) == []
    assert told(home.handle(alive(6), at(later_ms + CLEAR_MS))) == [("sensor_fault", "restored", {})]
    assert home.terminals(at(later_ms))[0]["faults"] == []


def test_what_the_terminal_says_itself_is_raised_and_restored_at_once() -> None:
    home = new_home()
    assert told(home.handle(alive(5, fault=True), at(0))) == [("sensor_fault", "raised", {})]
    assert told(home.handle(alive(5), at(1000))) == [("sensor_fault", "restored", {})]


def test_it_does_not_end_what_its_readings_say() -> None:
    home = new_home()
    beyond(home)
    assert events(home.handle(alive(5, fault=True), at(2 * MINUTE_MS))) == []
    assert events(home.handle(alive(5, fault=False), at(3 * MINUTE_MS))) == []


def test_a_hello_says_nothing_of_the_sensor() -> None:
    home = new_home()
    assert events(home.handle(alive(5, fault=True), at(0))) != []
    assert events(home.handle(Alive("smoke-1"), at(1000))) == []


def test_an_alarm_amid_a_fault_is_raised_sounds_and_is_marked() -> None:
    home = new_home()
    beyond(home)
    effects = home.handle(Reading("smoke-1", "smoke", "raised", "held", Source(9, 1)), at(2 * MINUTE_MS))
    assert effects[0] == Siren(True, "smoke")
    (event,) = events(effects)
    assert (event.phase, event.severity, event.flags) == ("raised", "life", ("suspect",))
    (other,) = events(home.handle(Reading("smoke-2", "smoke", "raised", "held", Source(9, 1)), at(2 * MINUTE_MS)))
    assert other.flags == ()


def raise_and_restore(home: Home, terminal: str, kind: str, times: int) -> list[Effect]:
    effects: list[Effect] = []
    for number in range(1, 2 * times, 2):
        for more, phase in enumerate(("raised", "restored")):
            reading = Reading(terminal, kind, phase, "held", Source(9, number + more))
            effects += home.handle(reading, at(number * MINUTE_MS))
    return effects


def test_an_alarm_that_is_raised_again_and_again_chatters() -> None:
    home = new_home()
    raise_and_restore(home, "smoke-1", "smoke", RAISES - 1)
    assert events(home.handle(alive(), at(20 * MINUTE_MS))) == []
    home.handle(Reading("smoke-1", "smoke", "raised", "held", Source(9, 99)), at(21 * MINUTE_MS))
    found = told(home.handle(alive(), at(22 * MINUTE_MS)))
    assert found == [("sensor_fault", "raised", {"chatter_raises": RAISES})]


def test_a_test_an_update_or_another_kind_is_no_raise_of_its_alarm() -> None:
    home = new_home()
    home.handle(Reading("smoke-1", "smoke", "raised", "held", Source(9, 1)), at(0))
    for number in range(2, 20):
        phase = ("test", "updated", "raised")[number % 3]
        home.handle(Reading("smoke-1", "smoke", phase, "held", Source(9, number)), at(number * 2_000))
    raise_and_restore(home, "smoke-2", "tamper", RAISES)
    assert told(home.handle(alive(), at(60_000))) == []
    assert told(home.handle(alive(terminal="smoke-2"), at(60_000))) == []


def test_a_button_that_is_pressed_again_and_again_is_no_fault() -> None:
    home = new_home()
    for number in range(1, 20):
        home.handle(Reading("button-1", "button", "raised", "held", Source(9, number)), at(number * MINUTE_MS))
    assert events(home.handle(alive(3, terminal="button-1"), at(20 * MINUTE_MS))) == []


def test_while_its_own_alarm_stands_smoke_is_not_taken_for_noise() -> None:
    calm, burning = new_home(), new_home()
    burning.handle(Reading("smoke-1", "smoke", "raised", "held", Source(9, 1)), at(0))
    for number in range(20):
        for home in (calm, burning):
            home.handle(alive(900 if number % 2 else 160), at(number * MINUTE_MS))
    assert [home.terminals(at(0))[0]["faults"] for home in (calm, burning)] == [["spikes"], []]


def test_a_sensor_that_is_too_old_says_so_with_its_first_sign_of_life() -> None:
    found = told(new_home().handle(alive(5, terminal="old-1"), at(0)))
    assert found == [("sensor_fault", "raised", {"age_days": 20_833})]


def test_a_fault_that_was_found_outlives_a_restart_and_ends_as_it_would_have() -> None:
    state = stored(beyond(new_home()))
    assert set(state) == {"alarm/smoke-1/sensor_fault", "health/smoke-1"}
    again = new_home(2 * MINUTE_MS, epoch=2, state=state)
    assert again.counters["state_ignored"] == 0
    assert again.terminals(at(2 * MINUTE_MS))[0]["faults"] == ["out_of_range"]
    assert events(again.handle(alive(5), at(2 * MINUTE_MS))) == []
    effects = again.handle(alive(6), at(2 * MINUTE_MS + CLEAR_MS))
    assert [(event.kind, event.phase) for event in events(effects)] == [("sensor_fault", "restored")]
    (commit,) = (effect for effect in effects if isinstance(effect, Commit))
    assert (commit.state["health/smoke-1"], commit.state["alarm/smoke-1/sensor_fault"]) == (None, None)


def test_state_that_is_none_of_ours_is_counted() -> None:
    home = new_home(state={"health/smoke-1": b"\x81\x00", "health/gw-1": b"\x81\x01"})
    assert home.counters["state_ignored"] == 2


def test_a_fault_beyond_its_terminals_pace_is_raised_with_a_later_heartbeat() -> None:
    home = new_home()
    home.handle(alive(-1), at(0))
    for number in range(1, BURST + 2):
        home.handle(Reading("smoke-1", "smoke", "raised", "held", Source(9, number)), at(MINUTE_MS))
    assert events(home.handle(alive(-1), at(MINUTE_MS))) == []
    assert told(home.handle(alive(5), at(2 * MINUTE_MS)))[0][:2] == ("sensor_fault", "raised")
