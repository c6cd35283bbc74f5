"""The health of sensors: what readings, neighbours and age say, beside what a terminal says itself."""

import cbor2
import pytest

from gateway.home.detectors import DAY_MS, HOUR_MS, MINUTE_MS, RAISES
from gateway.home.health import ALONE_MS, DEAF_MS, FAULTS, LIFE_MS, YEAR_MS, Finding, Health
from gateway.home.roster import Roster, Terminal
from gateway.home.watch import CLEAR_MS
from protocol.record import Now

WALL_MS = 1_800_000_000_000
ROSTER = Roster(
    (
        Terminal("smoke-1", "smoke", "kitchen", "native"),
        Terminal("smoke-2", "smoke", "hall", "native"),
        Terminal("smoke-3", "smoke", "kitchen", "native"),
        Terminal("button-1", "button", "kitchen", "native"),
    )
)


def at(ms: int, quality: str = "synchronised") -> Now:
    return Now(WALL_MS + ms, ms, quality)


def judged(health: Health, terminal: str, value: int | None, now_ms: int, stated: bool | None = False) -> Finding:
    return health.judge(ROSTER[terminal], value, stated, False, at(now_ms))


def over(health: Health, minutes: int, begins_ms: int = 0, **values: int) -> None:
    """Readings a minute: smoke_1 = 40 and so on."""
    for number in range(minutes + 1):
        for terminal, value in values.items():
            judged(health, terminal.replace("_", "-"), value, begins_ms + number * MINUTE_MS)


# --- what is said of a terminal ---


@pytest.mark.parametrize("stated", [True, False, None])
def test_where_nothing_is_found_a_terminal_is_believed(stated: bool | None) -> None:
    assert judged(Health(ROSTER), "smoke-1", 5, 0, stated) == (stated, {}, {})


@pytest.mark.parametrize("stated", [True, False, None])
def test_what_is_found_is_a_fault_whatever_a_terminal_says(stated: bool | None) -> None:
    health = Health(ROSTER)
    judged(health, "smoke-1", -1, 0)
    found = judged(health, "smoke-1", -1, MINUTE_MS, stated)
    assert found == (True, {"out_of_range": -1}, {"health/smoke-1": cbor2.dumps([1])})
    assert judged(health, "smoke-1", 5, 2 * MINUTE_MS, stated) == (True, {"out_of_range": -1}, {})
    assert judged(health, "smoke-2", 5, 2 * MINUTE_MS, False) == (False, {}, {})
    assert health.faults("smoke-1") == ("out_of_range",)
    assert health.faults("smoke-2") == ()


@pytest.mark.parametrize(("stated", "present"), [(True, True), (False, False), (None, False)])
def test_when_it_is_over_that_is_said_even_of_a_terminal_that_says_nothing(stated: bool | None, present: bool) -> None:
    health = Health(ROSTER)
    health.load("smoke-1", (1 << FAULTS.index("stuck"),))
    assert judged(health, "smoke-1", 5, 0, stated) == (True, {}, {})
    assert judged(health, "smoke-1", 6, CLEAR_MS, stated) == (present, {}, {"health/smoke-1": None})
    assert judged(health, "smoke-1", 5, CLEAR_MS + MINUTE_MS, stated)[0] is stated


def test_of_several_faults_all_numbers_are_told() -> None:
    health = Health(ROSTER)
    over(health, 61, smoke_1=30_001)
    found = judged(health, "smoke-1", 30_001, 62 * MINUTE_MS)
    assert found.evidence == {"out_of_range": 30_001, "stuck_value": 30_001, "stuck_s": 62 * 60}
    assert health.faults("smoke-1") == ("out_of_range", "stuck")


def test_an_alarm_excuses_the_readings_of_its_terminal() -> None:
    calm, burning = Health(ROSTER), Health(ROSTER)
    for number in range(20):
        now, value = at(number * MINUTE_MS), 900 if number % 2 else 5
        calm.judge(ROSTER["smoke-1"], value, False, False, now)
        burning.judge(ROSTER["smoke-1"], value, False, True, now)
    assert (calm.faults("smoke-1"), burning.faults("smoke-1")) == (("spikes",), ())


def test_a_chattering_alarm_is_found_with_the_next_sign_of_life() -> None:
    health = Health(ROSTER)
    for number in range(RAISES):
        assert judged(health, "smoke-1", None, number).present is False
        health.raised("smoke-1", number)
    assert judged(health, "smoke-1", None, RAISES).evidence == {"chatter_raises": RAISES}


# --- neighbours ---


def test_one_that_reads_high_for_hours_while_its_neighbours_read_clean_air_is_implausible() -> None:
    health = Health(ROSTER)
    minutes = ALONE_MS // MINUTE_MS
    for number in range(minutes):  # never the same value for long
        over(health, 0, number * MINUTE_MS, smoke_2=5, smoke_3=14, smoke_1=50 + number % 2)
    assert health.faults("smoke-1") == ()
    over(health, 0, ALONE_MS, smoke_2=5, smoke_3=14)
    assert judged(health, "smoke-1", 51, ALONE_MS).evidence == {"alone_neighbours": 2, "alone_value": 51}
    assert health.faults("smoke-1") == ("alone",)
    assert health.faults("smoke-2") == health.faults("smoke-3") == ()


@pytest.mark.parametrize("neighbour", [15, None])
def test_where_a_neighbour_reads_something_too_or_is_not_there_it_is_not(neighbour: int | None) -> None:
    health = Health(ROSTER)
    for number in range(ALONE_MS // MINUTE_MS + 2):
        over(health, 0, number * MINUTE_MS, smoke_2=5, smoke_1=60 + number % 2)
        if neighbour is not None:
            over(health, 0, number * MINUTE_MS, smoke_3=neighbour)
    assert health.faults("smoke-1") == ()


def test_one_without_neighbours_is_compared_with_none() -> None:
    alone = Health(Roster((ROSTER["smoke-1"], ROSTER["button-1"])))
    for number in range(ALONE_MS // MINUTE_MS + 2):
        over(alone, 0, number * MINUTE_MS, smoke_1=60 + number % 2)
    assert alone.faults("smoke-1") == ()


def fire(health: Health, minutes: int, neighbour: str, value: int = 300, mine: int = 14) -> None:
    for number in range(minutes + 1):
        over(health, 0, number * MINUTE_MS, **{neighbour.replace("-", "_"): value + number % 3})
        over(health, 0, number * MINUTE_MS, smoke_1=mine)


def test_one_that_reads_clean_air_while_a_neighbour_in_its_room_is_deep_in_smoke_is_deaf() -> None:
    health = Health(ROSTER)
    fire(health, DEAF_MS // MINUTE_MS - 1, "smoke-3")
    assert health.faults("smoke-1") == ()
    fire(health, DEAF_MS // MINUTE_MS, "smoke-3")
    assert health.faults("smoke-1") == ("deaf",)
    assert judged(health, "smoke-1", 14, DEAF_MS + MINUTE_MS).evidence == {"deaf_neighbour": 301}
    assert health.faults("smoke-3") == ()


@pytest.mark.parametrize(
    ("neighbour", "value", "mine"), [("smoke-2", 300, 14), ("smoke-3", 297, 14), ("smoke-3", 300, 15)]
)
def test_smoke_in_another_room_or_less_of_it_or_some_seen_is_no_sign_of_that(
    neighbour: str, value: int, mine: int
) -> None:
    health = Health(ROSTER)
    fire(health, 2 * DEAF_MS // MINUTE_MS, neighbour, value, mine)
    assert health.faults("smoke-1") == ()


def test_gas_is_not_compared_for_one_gathers_where_another_does_not() -> None:
    kitchen = Roster(tuple(Terminal(f"gas-{n}", "gas", "kitchen", "native") for n in (1, 2)))
    health = Health(kitchen)
    for number in range(ALONE_MS // MINUTE_MS + 2):
        for terminal, value in zip(kitchen, (0, 300 + number % 2), strict=True):
            health.judge(terminal, value, False, False, at(number * MINUTE_MS))
    assert health.faults("gas-1") == health.faults("gas-2") == ()


def test_rooms_without_a_name_are_not_one_room() -> None:
    nameless = Roster(tuple(Terminal(f"smoke-{n}", "smoke", "", "native") for n in (1, 2)))
    health = Health(nameless)
    for number in range(30):
        for terminal, value in zip(nameless, (5, 400), strict=True):
            health.judge(terminal, value, False, False, at(number * MINUTE_MS))
    assert health.faults("smoke-1") == ()


# --- age ---


@pytest.mark.parametrize("kind", ["smoke", "gas"])
def test_a_sensor_has_a_life_from_the_day_it_was_installed(kind: str) -> None:
    life_ms = LIFE_MS[kind]
    terminal = Terminal("t-1", kind, "", "native", installed_ms=WALL_MS - life_ms)
    health = Health(Roster((terminal,)))
    assert health.judge(terminal, None, False, False, at(-1)).present is False
    assert health.judge(terminal, None, False, False, at(0, "unset")).present is False
    found = health.judge(terminal, None, False, False, at(0))
    assert (found.present, found.evidence) == (True, {"age_days": life_ms // DAY_MS})
    assert health.faults("t-1") == ("end_of_life",)


def test_a_clock_that_is_lost_makes_nothing_young_again() -> None:
    terminal = Terminal("smoke-1", "smoke", "", "native", installed_ms=WALL_MS - 11 * YEAR_MS)
    health = Health(Roster((terminal,)))
    assert health.judge(terminal, 5, False, False, at(0)).present
    for number in range(5):
        assert health.judge(terminal, 5, False, False, Now(0, number * HOUR_MS, "unset")).present


def test_one_that_a_wrong_clock_made_old_is_young_again_after_an_hour() -> None:
    terminal = Terminal("smoke-1", "smoke", "", "native", installed_ms=WALL_MS)
    health = Health(Roster((terminal,)))
    assert health.judge(terminal, None, False, False, Now(WALL_MS + 11 * YEAR_MS, 0)).present
    found = [health.judge(terminal, None, False, False, at(now_ms)).present for now_ms in (1, CLEAR_MS, CLEAR_MS + 1)]
    assert found == [True, True, False]


@pytest.mark.parametrize("terminal", [Terminal("b", "button", "", "n", installed_ms=0), ROSTER["smoke-1"]])
def test_where_no_life_or_no_day_is_known_age_is_not_judged(terminal: Terminal) -> None:
    assert Health(Roster((terminal,))).judge(terminal, None, False, False, at(0)).present is False


# --- restarts ---


def test_what_stands_is_stored_and_read_again() -> None:
    health = Health(ROSTER)
    over(health, 60, smoke_1=80)
    state = judged(health, "smoke-1", -1, 61 * MINUTE_MS).state
    state = judged(health, "smoke-1", -1, 62 * MINUTE_MS).state or state
    data = state["health/smoke-1"]
    assert data is not None
    again = Health(ROSTER)
    assert again.load("smoke-1", tuple(cbor2.loads(data)))
    assert again.faults("smoke-1") == health.faults("smoke-1") == ("out_of_range", "stuck")
    assert again.faults("smoke-2") == ()


@pytest.mark.parametrize("numbers", [(), (0,), (-1,), (1 << len(FAULTS),), (1, 1)])
def test_what_cannot_be_ours_is_refused(numbers: tuple[int, ...]) -> None:
    health = Health(ROSTER)
    assert not health.load("smoke-1", numbers)
    assert health.faults("smoke-1") == ()


def test_every_fault_can_be_stored() -> None:
    health = Health(ROSTER)
    assert health.load("smoke-1", ((1 << len(FAULTS)) - 1,))
    assert health.faults("smoke-1") == FAULTS
