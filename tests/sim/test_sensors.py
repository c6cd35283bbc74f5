"""The sensors of played terminals: what they read with and without a fault, and when they are to be read again."""

from __future__ import annotations

from sim.line import stream
from sim.sensor_faults.calibration import Offset, SlowResponse
from sim.sensor_faults.library import CONTACT, SMOKE, made
from sim.sensor_faults.readings import StuckAt
from sim.sensors import CHANGING_MS, PRESS_MS, SAMPLE_MS, ButtonSensor, SmokeSensor
from sim.stimuli import piecewise

NOW = 5_000_000
STEEP = piecewise([(0, 0), (10, 1000)])


def random():
    return stream(1, "sensor/t-1")


def read(sensor: SmokeSensor, seconds: int, now: int = NOW) -> list[int | None]:
    return [sensor.sample(now + n * 1000) for n in range(seconds)]


def test_a_fault_is_on_top_of_the_curve_until_it_is_healed() -> None:
    chamber = SmokeSensor()
    chamber.follow(STEEP, NOW)
    assert chamber.sample(NOW) == 0
    chamber.spoil(Offset(offset=50.0), random(), NOW + 1500)
    assert (chamber.sample(NOW + 1500), chamber.sample(NOW + 2500)) == (200, 300)
    chamber.heal(NOW + 2600)
    assert chamber.sample(NOW + 2600) == 260


def test_a_new_fault_takes_the_place_of_the_old_one() -> None:
    chamber = SmokeSensor()
    chamber.spoil(Offset(offset=50.0), random(), NOW)
    chamber.spoil(Offset(offset=7.0), random(), NOW + 500)
    assert chamber.sample(NOW + 1000) == 7


def test_a_stuck_chamber_does_not_see_the_fire_that_begins_afterwards() -> None:
    chamber = SmokeSensor()
    chamber.follow(STEEP, NOW)
    chamber.spoil(StuckAt(lasts_ms=None), random(), NOW + 1000)
    chamber.follow(piecewise([(0, 9000)]), NOW + 2000)
    assert read(chamber, 5, NOW + 2000) == [100] * 5


def test_a_slow_chamber_remembers_the_curve_before() -> None:
    chamber = SmokeSensor()
    chamber.follow(piecewise([(0, 800)]), NOW - 60_000)
    chamber.spoil(SlowResponse(tau_ms=10_000), random(), NOW)
    chamber.follow(piecewise([(0, 0)]), NOW)
    values = [value or 0 for value in read(chamber, 61)]
    assert 600 < values[1] <= 800
    assert values == sorted(values, reverse=True)
    assert values[60] == 0


def test_what_is_read_does_not_depend_on_how_often_it_is_read() -> None:
    fault = made("high_noise", 3, SMOKE)
    often, rarely = SmokeSensor(), SmokeSensor()
    for chamber in (often, rarely):
        chamber.follow(STEEP, NOW)
        chamber.spoil(fault, random(), NOW)
    seen = {at: often.sample(at) for at in range(NOW, NOW + 60_000, 100)}
    assert {at: rarely.sample(at) for at in range(NOW, NOW + 60_000, 3000)}.items() <= seen.items()


def test_a_chamber_at_rest_is_read_often_while_it_has_a_fault() -> None:
    chamber = SmokeSensor(rest_ms=60_000)
    chamber.follow(piecewise([(0, 0)]), NOW)
    later = NOW + CHANGING_MS
    chamber.sample(later)
    assert chamber.deadline(later) == later + 60_000
    chamber.spoil(made("offset", 1, SMOKE), random(), later + 10)
    assert chamber.sample(later + 10) == 15
    assert chamber.deadline(later + 10) == later + 10 + SAMPLE_MS
    chamber.heal(later + 20)
    chamber.sample(later + 20)
    assert chamber.deadline(later + 20) == later + 20 + 60_000


def test_a_stuck_button_is_down_and_comes_up_when_it_is_over() -> None:
    button = ButtonSensor()
    button.spoil(made("stuck_button", 1, CONTACT), random(), NOW)
    assert (button.sample(NOW), button.deadline(NOW)) == (1, NOW + 5000)
    button.act("press", NOW + 1000)
    assert button.deadline(NOW) == NOW + 1000
    assert (button.sample(NOW + 4999), button.sample(NOW + 5000)) == (None, 0)
    assert button.deadline(NOW + 5000) is None


def test_a_chattering_contact_is_read_at_each_of_its_moves() -> None:
    button = ButtonSensor()
    button.spoil(made("chatter", 5, CONTACT), random(), NOW + 2)
    button.act("press", NOW + 2)
    at, levels = NOW + 2, []
    while at < NOW + 2 + PRESS_MS:
        levels.append(button.sample(at))
        at = button.deadline(at) or at + PRESS_MS
    assert len(levels) == PRESS_MS // 5
    assert [level for level in levels if level is not None][:4] == [1, 0, 1, 0]


def test_a_terminal_that_starts_anew_is_told_of_a_button_that_is_down() -> None:
    button = ButtonSensor()
    button.spoil(made("stuck_button", 5, CONTACT), random(), NOW)
    assert [button.sample(NOW), button.sample(NOW + 1)] == [1, None]
    button.booted()
    assert button.sample(NOW + 2) == 1
