"""A home in order: what is found in it is counted as false, by the detectors and by the plain rules."""

from sim.in_order import HOUR_MS, InOrder
from sim.noticing import LEARNT_MS

MINUTE_MS = 60_000


def test_each_fault_that_begins_is_counted_by_its_name() -> None:
    home = InOrder(("kitchen",))
    (chamber,) = home.roster
    assert home.take(chamber, -1, 0) == ()
    assert home.take(chamber, -1, MINUTE_MS) == ("out_of_range",)
    assert home.take(chamber, -1, 2 * MINUTE_MS) == ()
    assert home.false == {"out_of_range": 1}


def test_an_alarm_stands_from_the_threshold_until_two_thirds_of_it_and_excuses_what_smoke_does() -> None:
    home = InOrder(("kitchen",))
    (chamber,) = home.roster
    for number in range(20):
        home.take(chamber, 900 if number % 2 else 100, number * MINUTE_MS)
    assert home.false == {}
    calm = InOrder(("kitchen",))
    for number in range(40):  # seven alarms, each over at once
        calm.take(chamber, 150 if number % 5 == 0 else 5, number * MINUTE_MS)
    assert calm.false == {"chattering": 1}


def test_plain_rules_learn_for_days_and_count_one_fault_an_hour() -> None:
    home = InOrder(("kitchen",))
    (chamber,) = home.roster
    for t_ms in range(0, LEARNT_MS + 1, HOUR_MS // 2):
        home.take(chamber, t_ms // MINUTE_MS % 4, t_ms)
    assert home.plain == 0
    for number in range(4):
        home.take(chamber, 90, LEARNT_MS + (number + 1) * HOUR_MS // 2)
    assert home.plain == 1
    home.take(chamber, 90, LEARNT_MS + 5 * HOUR_MS)
    assert home.plain == 2
