"""The sensor faults: each does what its docstring says, and every value depends on its moment alone."""

from __future__ import annotations

import math
import re
import statistics
from dataclasses import fields
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.line import stream
from sim.recording import read_fire
from sim.sensor_faults import calibration, readings
from sim.sensor_faults.calibration import DAY_MS
from sim.sensor_faults.fault import SIGMAS_MAX, Fault, Sensor, Signal
from sim.sensor_faults.library import CONTACT, NAMES, SMOKE, STRENGTHS, draw, kinds_of, made
from sim.stimuli import piecewise

# A fire as recorded: quiet, then a slow rise with waves, a peak and the clearing.
FIRE = piecewise([(0, 3), (60, 5), (90, 40), (120, 90), (150, 220), (170, 180), (200, 900), (300, 400), (400, 10)])
PLAIN = Sensor("K", span=10.0, least=-100, most=200)
SECONDS = range(0, 600_000, 1000)
ALL = [(kind, sensor) for sensor in (SMOKE, CONTACT, PLAIN) for kind in kinds_of(sensor)]
STRENGTH = st.sampled_from(STRENGTHS)
SIGN = st.sampled_from((1, -1))
ANY_MS = st.integers(-(2**70), 2**70)
ANY = st.sampled_from(ALL)


def flat(value: float) -> Signal:
    return lambda t_ms: value


FLAT = flat(20.0)


def of(fault: Fault, signal: Signal = FLAT, seed: int = 1) -> Signal:
    return fault.apply(signal, stream(seed, "sensor"))


def test_every_kind_has_a_name_in_both_languages_and_a_sensor() -> None:
    assert {kind for kind, _ in ALL} == set(NAMES)
    assert all(en and zh and en != zh for en, zh in NAMES.values())


@pytest.mark.parametrize(("kind", "sensor"), ALL, ids=str)
def test_every_kind_has_five_strengths_that_differ(kind: str, sensor: Sensor) -> None:
    faults = [made(kind, strength, sensor) for strength in STRENGTHS]
    assert len({repr(fault) for fault in faults}) == 5
    assert "Source: " in (type(faults[0]).__doc__ or "")


def test_a_kind_that_the_sensor_cannot_have_is_refused() -> None:
    with pytest.raises(KeyError):
        made("stuck_button", 1, SMOKE)


@given(ANY, SIGN, st.lists(ANY_MS, max_size=20))
def test_strength_0_is_no_fault(kind_sensor, sign: int, times: list[int]) -> None:
    spoiled = of(made(kind_sensor[0], 0, kind_sensor[1], sign), FIRE)
    assert [spoiled(t_ms) for t_ms in times] == [FIRE(t_ms) for t_ms in times]


@given(ANY, STRENGTH, SIGN, st.integers(-(10**6), -1))
def test_before_it_begins_the_signal_is_as_it_is(kind_sensor, strength: int, sign: int, t_ms: int) -> None:
    assert of(made(kind_sensor[0], strength, kind_sensor[1], sign), FIRE)(t_ms) == FIRE(t_ms)


@given(ANY, STRENGTH, SIGN, st.integers(0, 2**32), st.lists(ANY_MS, min_size=1, max_size=12), st.randoms())
def test_a_value_depends_on_its_moment_alone(kind_sensor, strength: int, sign: int, seed: int, times, order) -> None:
    fault = made(kind_sensor[0], strength, kind_sensor[1], sign)
    once, again = of(fault, FIRE, seed), of(fault, FIRE, seed)
    values = {t_ms: once(t_ms) for t_ms in times}
    shuffled = times * 2
    order.shuffle(shuffled)
    assert [again(t_ms) for t_ms in shuffled] == [values[t_ms] for t_ms in shuffled]


@given(ANY, STRENGTH, SIGN, st.integers(0, 2**70))
def test_a_value_is_finite_and_what_the_sensor_can_report(kind_sensor, strength: int, sign: int, t_ms: int) -> None:
    kind, sensor = kind_sensor
    value = of(made(kind, strength, sensor, sign), FIRE)(t_ms)
    assert math.isfinite(value)
    beyond = 1 if kind == "out_of_range" else 0
    assert sensor.least - beyond <= value <= sensor.most + beyond


def test_another_seed_is_other_chance_and_the_same_seed_the_same() -> None:
    fault = made("high_noise", 3, SMOKE)
    first, same, other = (([of(fault, FIRE, seed)(t) for t in SECONDS]) for seed in (1, 1, 2))
    assert first == same != other


def test_every_kind_takes_a_recorded_fire(recorded: Path) -> None:
    fire = read_fire(recorded / "smoke_nist_tn1455" / "NIST_Smoke_Alarms_SDC02.csv.gz", "SMA_1").curve()
    for kind in kinds_of(SMOKE):
        plain, spoiled = fire, of(made(kind, 5, SMOKE), fire)
        seen = [(plain(t_ms), spoiled(t_ms)) for t_ms in range(0, 3 * DAY_MS, 61_000)]
        assert any(before != after for before, after in seen), kind
        assert all(0 <= after <= 30_001 for _, after in seen), kind


# --- each kind ---


def test_outliers_are_single_slots_of_the_stated_share_and_size_either_way() -> None:
    spoiled = of(readings.Outlier(magnitude=5.0, share=0.05, slot_ms=1000))
    errors = [spoiled(t_ms) - 20.0 for t_ms in range(0, 10_000_000, 1000)]
    assert set(errors) == {0.0, 5.0, -5.0}
    assert sum(error != 0 for error in errors) / len(errors) == pytest.approx(0.05, abs=0.007)
    assert spoiled(123_000) == spoiled(123_999)


def test_a_spike_rises_and_falls_once_in_each_period() -> None:
    spoiled = of(readings.Spike(height=8.0, lasts_ms=4000, every_ms=60_000))
    for period in range(20):
        values = [spoiled(t_ms) - 20.0 for t_ms in range(period * 60_000, (period + 1) * 60_000, 100)]
        assert max(values) == pytest.approx(8.0, abs=0.41)
        assert 3800 <= 100 * sum(value > 0 for value in values) <= 4000
        peak = values.index(max(values))
        assert values[:peak] == sorted(values[:peak])
        assert values[peak:] == sorted(values[peak:], reverse=True)


def test_stuck_is_what_it_was_when_it_began_until_it_is_over() -> None:
    spoiled = of(readings.StuckAt(lasts_ms=100_000), lambda t_ms: FIRE(t_ms + 150_000))
    assert {spoiled(t_ms) for t_ms in range(0, 100_000, 500)} == {220}
    assert spoiled(100_000) == FIRE(250_000)
    assert of(readings.StuckAt(lasts_ms=None), FIRE)(10**15) == 3


def test_noise_has_the_stated_deviation_no_bias_and_no_memory() -> None:
    spoiled = of(readings.HighNoise(sigma=2.0))
    errors = [spoiled(t_ms) - 20.0 for t_ms in range(20_000)]
    assert statistics.fmean(errors) == pytest.approx(0, abs=0.06)
    assert statistics.pstdev(errors) == pytest.approx(2.0, rel=0.03)
    assert abs(statistics.correlation(errors[1:], errors[:-1])) < 0.03
    assert max(map(abs, errors)) <= 2.0 * SIGMAS_MAX


def test_clipping_cuts_the_top_off_and_nothing_else() -> None:
    spoiled = of(readings.Clipping(ceiling=200.0), FIRE)
    assert [spoiled(t_ms) for t_ms in SECONDS] == [min(200.0, FIRE(t_ms)) for t_ms in SECONDS]


@pytest.mark.parametrize(("sign", "reading"), [(1, 30_001), (-1, -1)])
def test_out_of_range_is_beyond_what_the_sensor_can_report_in_its_share_of_slots(sign: int, reading: int) -> None:
    spoiled = of(made("out_of_range", 3, SMOKE, sign), FIRE)
    values = [spoiled(t_ms) for t_ms in range(0, 5_000_000, 1000)]
    wrong = [value for n, value in enumerate(values) if value != FIRE(n * 1000)]
    assert set(wrong) == {reading}
    assert len(wrong) / len(values) == pytest.approx(0.2, abs=0.02)


def test_chatter_wavers_about_the_value_slot_by_slot() -> None:
    spoiled = of(readings.Chatter(amplitude=3.0, slot_ms=2000))
    values = [spoiled(t_ms) for t_ms in range(0, 2_000_000, 2000)]
    assert set(values) == {17.0, 23.0}
    assert 400 < values.count(17.0) < 600
    assert spoiled(4000) == spoiled(5999)


def test_a_worn_contact_opens_while_it_is_pressed_closes_never_and_says_when_it_may_move() -> None:
    fault = made("chatter", 3, CONTACT)
    spoiled = of(fault, flat(1.0))
    open_ms = [t_ms for t_ms in range(10_000) if spoiled(t_ms) < 0.5]
    assert 700 < len(open_ms) < 1300  # one slot in ten
    assert {of(fault, flat(0.0))(t_ms) for t_ms in range(10_000)} == {0.0}
    moves, at = set(), 0
    while at < 10_000:
        at = fault.moves_ms(at) or 10_000
        moves.add(at)
    changed = {t_ms for t_ms in range(1, 10_000) if spoiled(t_ms) != spoiled(t_ms - 1)}
    assert changed <= moves


def test_a_stuck_button_is_down_and_says_when_it_comes_up() -> None:
    fault = made("stuck_button", 2, CONTACT)
    spoiled = of(fault, flat(0.0))
    assert [spoiled(t_ms) for t_ms in (0, 14_999, 15_000)] == [1, 1, 0]
    assert (fault.moves_ms(0), fault.moves_ms(15_000), fault.ends_ms()) == (15_000, None, 15_000)
    assert made("stuck_button", 5, CONTACT).moves_ms(0) is None


def test_offset_and_gain_are_constant_either_way() -> None:
    for t_ms in SECONDS:
        assert of(calibration.Offset(offset=-3.0), FIRE)(t_ms) == FIRE(t_ms) - 3.0
        assert of(calibration.Gain(factor=0.5), FIRE)(t_ms) == FIRE(t_ms) * 0.5
    assert made("offset", 3, PLAIN, -1) == calibration.Offset(offset=-5.0, least=-100, most=200)
    assert made("gain", 3, PLAIN, -1) == calibration.Gain(factor=0.5, least=-100, most=200)


@pytest.mark.parametrize("sign", [1, -1])
def test_linear_drift_grows_by_its_rate_and_stays_at_its_end(sign: int) -> None:
    spoiled = of(calibration.DriftLinear(per_day=2.0 * sign, total=6.0 * sign))
    assert [(spoiled(round(day * DAY_MS)) - 20.0) * sign for day in (0, 0.5, 1, 3, 100)] == [0, 1, 2, 6, 6]


@given(st.integers(0, 2**32))
def test_polynomial_drift_ends_where_it_must_by_a_curve_of_its_own(seed: int) -> None:
    spoiled = of(calibration.DriftPolynomial(total=-8.0, over_ms=DAY_MS, sigma=0.0), seed=seed)
    values = [spoiled(DAY_MS * part // 20) for part in range(25)]
    assert values[0] == 20.0
    assert values[:21] == sorted(values[:21], reverse=True)
    assert values[20] == pytest.approx(12.0)
    assert values[20:] == pytest.approx([12.0] * 5)


def test_polynomial_drifts_differ_in_shape_and_are_noisy() -> None:
    fault = calibration.DriftPolynomial(total=8.0, over_ms=DAY_MS, sigma=0.0)
    assert len({of(fault, seed=seed)(DAY_MS // 2) for seed in range(20)}) == 20
    noisy = of(calibration.DriftPolynomial(total=8.0, over_ms=DAY_MS, sigma=1.0))
    assert statistics.pstdev([noisy(DAY_MS + t_ms) for t_ms in range(5000)]) == pytest.approx(1.0, rel=0.05)


def test_a_slow_sensor_answers_a_step_as_a_first_order_lag() -> None:
    spoiled = of(calibration.SlowResponse(tau_ms=10_000), lambda t_ms: 0.0 if t_ms < 100_000 else 100.0)
    for tau in (1, 2, 3):
        expected = 100 * (1 - math.exp(-tau))
        assert spoiled(100_000 + tau * 10_000) == pytest.approx(expected, abs=7)  # the sum's steps are an eighth of tau
    assert spoiled(99_999) == 0
    assert spoiled(160_000) == pytest.approx(100)


def test_a_sagging_battery_loses_its_share_and_gets_noisy() -> None:
    spoiled = of(calibration.LowBatterySag(sag=0.4, over_ms=60_000, sigma=0.0), flat(100.0))
    assert [spoiled(t_ms) for t_ms in (0, 30_000, 60_000, 10**9)] == [100, 80, 60, 60]
    noisy = of(calibration.LowBatterySag(sag=0.0, over_ms=60_000, sigma=5.0), flat(100.0))
    assert noisy(0) == 100
    assert statistics.pstdev([noisy(60_000 + t_ms) for t_ms in range(5000)]) == pytest.approx(5.0, rel=0.05)


def test_dirt_raises_clean_air_and_what_smoke_adds() -> None:
    fault = calibration.Contamination(baseline=50.0, sensitivity=0.2, over_ms=30 * DAY_MS)
    clean, smoke = of(fault, flat(0.0)), of(fault, flat(100.0))
    assert [clean(day * DAY_MS) for day in (0, 15, 30, 90)] == [0, 25, 50, 50]
    assert [smoke(day * DAY_MS) for day in (0, 15, 30)] == pytest.approx([100, 135, 170])


# --- drawing ---


def test_drawing_reaches_every_kind_and_strength_and_follows_its_stream() -> None:
    drawn = [draw(Random(seed), SMOKE) for seed in range(2000)]
    assert {repr(made(kind, strength, SMOKE)) for kind in kinds_of(SMOKE) for strength in STRENGTHS} <= set(
        map(repr, drawn)
    )
    assert drawn == [draw(Random(seed), SMOKE) for seed in range(2000)]
    assert {type(draw(Random(seed), CONTACT, "stuck_button")) for seed in range(50)} == {readings.StuckButton}


def test_the_documentation_has_every_kind_with_each_parameter_of_its_model() -> None:
    page = (Path(__file__).parents[2] / "docs" / "faults.md").read_text("utf-8")
    rows = [line for line in page.splitlines() if line.startswith("| `")]
    for kind, sensor in ALL:
        fault = made(kind, 3, sensor)
        names = {field.name for field in fields(fault)} - {"least", "most"}
        assert any(
            row.startswith(f"| `{kind}`") and {f"`{name}`" for name in names} <= set(re.findall(r"`\w+`", row))
            for row in rows
        ), (kind, names)
