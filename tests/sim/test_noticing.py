"""A terminal whose sensor goes wrong, until the home notices: real firmware, real core, plain rules beside them."""

from random import Random

import pytest

from sim.ambient import Ambient
from sim.noticing import BEAT_MS, READ_MS, Learnt, PlainRules, pressed
from sim.sensor_faults.fault import Fault
from sim.sensor_faults.library import CONTACT, SMOKE, made

HOUR_MS = 3_600_000


@pytest.fixture(scope="module")
def learnt() -> Learnt:
    return Learnt(Ambient(0).signal())


def test_beats_fall_on_reads() -> None:
    assert BEAT_MS % READ_MS == 0


def test_a_sensor_in_order_is_no_fault_and_its_alarm_is_kept(learnt: Learnt) -> None:
    run = learnt.run(Fault(), Random(1), 12 * HOUR_MS)
    assert (run.noticed_ms, run.alarm_kept) == (None, True)


@pytest.mark.parametrize(
    ("kind", "least_h", "most_h"),
    [("high_noise", 3.5, 6), ("chatter", 3.5, 8), ("stuck_at", 0.5, 1), ("spike", 0.1, 6), ("out_of_range", 0, 0.1)],
)
def test_faults_are_noticed_in_their_time(learnt: Learnt, kind: str, least_h: float, most_h: float) -> None:
    run = learnt.run(made(kind, 3, SMOKE), Random(2), 10 * HOUR_MS)
    assert run.noticed_ms is not None
    assert least_h * HOUR_MS <= run.noticed_ms <= most_h * HOUR_MS
    assert run.alarm_kept
    assert run.plain_ms is not None
    assert run.plain_ms <= run.noticed_ms


def test_every_fault_begins_with_the_same_home(learnt: Learnt) -> None:
    runs = [learnt.run(made("high_noise", 4, SMOKE), Random(3), 8 * HOUR_MS) for _ in range(2)]
    assert runs[0] == runs[1]
    assert learnt.run(Fault(), Random(1), HOUR_MS).noticed_ms is None


def test_a_fault_that_is_an_alarm_is_both(learnt: Learnt) -> None:
    run = learnt.run(made("offset", 5, SMOKE), Random(4), 12 * HOUR_MS)
    assert run.alarm_ms == READ_MS  # its second reading
    assert run.noticed_ms is not None
    assert run.alarm_kept


def test_a_button_that_is_held_down_says_so_itself_and_its_call_is_kept() -> None:
    run = pressed(made("stuck_button", 3, CONTACT), Random(1), 60_000)
    assert run.noticed_ms is not None
    assert 10_000 < run.noticed_ms <= 10_500
    assert run.plain_ms == run.noticed_ms
    assert run.alarm_kept
    assert pressed(Fault(), Random(1), 60_000).noticed_ms is None


def test_plain_rules_know_three_sigma_a_window_and_no_more() -> None:
    values = [10, 12] * 50  # mean 11, sigma 1
    rules = PlainRules(values)
    assert [rules.take(value) for value in values] == [False] * 100
    assert not rules.take(14)
    assert rules.take(15)
    assert rules.take(7)
    rules = PlainRules(values)
    assert [rules.take(11) for _ in range(16)] == [False] * 15 + [True]
    rules = PlainRules([0, 100] * 50)
    assert not any(rules.take(value) for value in [0, 100] * 50)
