"""What chambers in order read: noise, meals, absence, and the same again for the same seed."""

from statistics import pstdev

from sim.ambient import DAY_MS, PUFF_MS, Ambient

MINUTE_MS = 60_000


def day_of(chamber: Ambient, day: int) -> list[float]:
    return [chamber.level(day * DAY_MS + t_ms) for t_ms in range(0, DAY_MS, MINUTE_MS)]


def test_the_same_seed_reads_the_same_in_any_order() -> None:
    times = [7 * DAY_MS, 5, 3 * DAY_MS + 40_000_000, 0]
    there, back = Ambient(4).signal(), Ambient(4).signal()
    assert [there(t_ms) for t_ms in times] == [back(t_ms) for t_ms in reversed(times)][::-1]
    assert [there(t_ms) for t_ms in times] != [Ambient(5).signal()(t_ms) for t_ms in times]


def test_clean_air_is_near_rest_and_noisy() -> None:
    chamber = Ambient(1)
    night = [chamber.signal()(t_ms) for t_ms in range(0, 5 * 3_600_000, MINUTE_MS)]
    assert min(night) >= 0
    assert max(night) < 50
    assert 0.5 * chamber.sigma < pstdev(night) < 2 * chamber.sigma + 2


def test_people_cook_by_day_and_a_kitchen_has_most_of_it() -> None:
    kitchen = [max(day_of(Ambient(seed), 3)) for seed in range(30)]
    bedroom = [max(day_of(Ambient(seed, kitchen=False), 3)) for seed in range(30)]
    assert sum(kitchen) > 2 * sum(bedroom)
    assert max(kitchen) > 60


def test_smoke_of_a_pan_comes_and_goes() -> None:
    chamber = Ambient(2)
    steps = [abs(chamber.level(t_ms + PUFF_MS) - chamber.level(t_ms)) for t_ms in range(0, 5 * DAY_MS, PUFF_MS)]
    assert max(steps) > 5


def test_now_and_then_nobody_is_there_for_days() -> None:
    for seed in range(5):
        chamber = Ambient(seed)
        still = [max(day_of(chamber, day)) - min(day_of(chamber, day)) < 9 for day in range(60)]
        assert 5 <= sum(still) <= 14
